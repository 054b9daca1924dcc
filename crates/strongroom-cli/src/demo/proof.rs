//! Comparing what a cluster holds with the truth, record by record.

use std::collections::BTreeSet;

use strongroom::record::canonical::Covers;
use strongroom::record::{Digest, Record};
use strongroom::{Error, Result};

use super::data::hash;
use super::{Proof, Story};

/// The void times of two backups of one unchanged record differ by up to this: the tools work them out from the time to
/// live and their own clock.
const VOID_TIME_TOLERANCE: u32 = 1;

/// How void times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VoidTimes {
    /// They are equal.
    Equal,
    /// They differ by a second at most, and only where there is one.
    WithinASecond,
}

/// Proves that `restored` holds exactly `truth`, and prints count and hash of both.
///
/// # Errors
/// `Corrupt` when it does not.
pub(super) fn prove(
    story: &Story,
    what: [&str; 2],
    restored: &[Record],
    truth: &[Record],
    times: VoidTimes,
) -> Result<()> {
    let covers = if times == VoidTimes::Equal { Covers::ALL } else { Covers::NO_VOID_TIME };
    let (ours, theirs) = (hash(covers, restored)?, hash(covers, truth)?);
    let width = what.iter().map(|name| name.len()).max().unwrap_or(0);
    for (name, hash) in what.iter().zip([&ours, &theirs]) {
        story.say(format!("    {name:width$}  {} records  BLAKE3 {hash}", hash.records));
    }
    if ours != theirs {
        return Err(Error::corrupt(format!("{} is not {}", what[0], what[1])).hint(first_difference(restored, truth)));
    }
    if times == VoidTimes::WithinASecond {
        let off = restored.iter().zip(truth).find(|(one, other)| {
            one.digest != other.digest
                || (one.void_time == 0) != (other.void_time == 0)
                || one.void_time.abs_diff(other.void_time) > VOID_TIME_TOLERANCE
        });
        if let Some((record, _)) = off {
            return Err(Error::corrupt(format!("the void time of record {} is another one", record.digest)));
        }
    }
    story.proven(Proof { equal: what.map(str::to_owned), records: ours.records, blake3: ours.to_string() });
    Ok(())
}

/// The digests of `records`.
pub(super) fn digests(records: &[Record]) -> BTreeSet<Digest> {
    records.iter().map(|record| record.digest).collect()
}

fn first_difference(restored: &[Record], truth: &[Record]) -> String {
    let (ours, theirs) = (digests(restored), digests(truth));
    if let Some(digest) = theirs.difference(&ours).next() {
        return format!("record {digest} is missing");
    }
    if let Some(digest) = ours.difference(&theirs).next() {
        return format!("record {digest} should not be there");
    }
    let differs = restored.iter().zip(truth).find(|(one, other)| one != other);
    differs.map_or_else(|| "the order differs".to_owned(), |(record, _)| format!("record {} differs", record.digest))
}

#[cfg(test)]
mod tests {
    use strongroom::ErrorKind;
    use strongroom::record::{Bin, BinName, Name, Particle, UserKey};

    use super::*;

    fn records() -> Vec<Record> {
        let mut records: Vec<Record> = (0..3)
            .map(|number| Record {
                namespace: Name::namespace("test").unwrap(),
                set: None,
                digest: Digest::of_key(None, &UserKey::Integer(number)),
                key: None,
                generation: 1,
                void_time: 100,
                bins: vec![Bin { name: BinName::new("n").unwrap(), value: Particle::Integer(number) }],
            })
            .collect();
        records.sort_by_key(Record::order);
        records
    }

    fn fails(change: impl FnOnce(&mut Vec<Record>), times: VoidTimes) -> bool {
        let mut changed = records();
        change(&mut changed);
        match prove(&Story { quiet: true, ..Story::default() }, ["one", "other"], &changed, &records(), times) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                true
            }
        }
    }

    #[test]
    fn a_proof_fails_for_every_kind_of_difference() {
        for times in [VoidTimes::Equal, VoidTimes::WithinASecond] {
            assert!(!fails(|_| {}, times));
            assert!(fails(|records| drop(records.pop()), times));
            assert!(fails(|records| records[1].generation = 2, times));
            assert!(fails(|records| records[2].bins[0].value = Particle::Integer(77), times));
            assert!(fails(|records| records[0].void_time = 102, times));
            assert!(fails(|records| records[0].void_time = 0, times));
        }
        assert!(fails(|records| records[0].void_time = 101, VoidTimes::Equal));
        assert!(!fails(|records| records[0].void_time = 101, VoidTimes::WithinASecond));
    }
}
