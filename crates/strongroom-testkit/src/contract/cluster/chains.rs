//! Clauses on incrementals and folds.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use strongroom_core::cluster::{FoldInput, FoldRequest, Folded, FreezeRequest, PieceKind, PieceSpec};
use strongroom_core::model::{Applies, Deletes, PartName};
use strongroom_core::{ErrorKind, Timestamp};

use super::copy::{Copy, body_of};
use super::{Check, default_options, granted, refused, same_contents};
use crate::ClusterContents;

/// A request for what changed since a backup's `until`.
fn since(copy: &Copy) -> FreezeRequest {
    let moments = copy.parts.iter().map(|part| (part.frozen.part.clone(), part.frozen.window.until));
    FreezeRequest { since: moments.collect(), ..FreezeRequest::default() }
}

/// Compares what a chain restored; where deletes are unseen, what was there earlier may be back.
fn chain_contents(
    clause: &str,
    found: &ClusterContents,
    wanted: &ClusterContents,
    earlier: &[ClusterContents],
    seen: bool,
) {
    let back =
        |name: &String| !seen && !wanted.contains_key(name) && earlier.iter().any(|then| then.contains_key(name));
    let found = found.iter().filter(|(name, _)| !back(name)).map(|(name, value)| (name.clone(), value.clone()));
    same_contents(clause, &found.collect(), wanted);
}

/// All stretches of a fold.
async fn folded(
    clause: &str,
    stretches: strongroom_core::Result<BoxStream<'static, strongroom_core::Result<Folded>>>,
) -> strongroom_core::Result<Vec<Folded>> {
    granted(clause, stretches).try_collect().await
}

impl Check<'_> {
    /// A base and three incrementals, the last of which covers the two before it.
    async fn chain(&self) -> (Vec<Copy>, Vec<ClusterContents>) {
        let mut states = vec![self.fixture.contents().await];
        let mut chain = vec![self.take(&FreezeRequest::default()).await];
        for seed in [10, 11] {
            self.fixture.change(seed).await;
            states.push(self.fixture.contents().await);
            let next = self.take(&since(&chain[chain.len() - 1])).await;
            chain.push(next);
        }
        let nothing = self.take(&since(&chain[2])).await;
        states.push(states[2].clone());
        chain.push(nothing);
        for (copy, before) in chain[1..].iter().zip(&chain) {
            let before: BTreeMap<&PartName, Timestamp> =
                before.parts.iter().map(|part| (&part.frozen.part, part.frozen.window.until)).collect();
            for part in &copy.parts {
                Self::window_is_sound(&part.frozen, before.get(&part.frozen.part).copied());
            }
        }
        (chain, states)
    }

    pub(super) async fn incrementals(&self) {
        let moment = self.take(&FreezeRequest::default()).await;
        let mut early = since(&moment);
        early.since.values_mut().for_each(|moment| *moment = Timestamp::EPOCH);
        let early = self.cluster.freeze(&early).await;
        if !self.cluster.capabilities().incremental {
            return refused("changes of a cluster that can't tell them", &[ErrorKind::Unsupported], early);
        }
        match early {
            Ok(frozen) => granted("release", self.cluster.release(&frozen).await),
            Err(error) => refused::<()>("changes since long ago", &[ErrorKind::BrokenChain], Err(error)),
        }
        let (chain, states) = self.chain().await;
        let seen = chain.iter().flat_map(|copy| &copy.parts).all(|part| part.frozen.deletes == Deletes::Seen);
        let claimed = self.cluster.capabilities().deletes_seen;
        assert!(seen || !claimed, "cluster contract: deletes_seen is claimed, but a frozen part says otherwise");
        for length in 1..=chain.len() {
            let target = self.fixture.fresh_target().await;
            let part: Vec<&Copy> = chain[..length].iter().collect();
            self.restore(&*target, &part, &default_options()).await;
            let clause = format!("a base and {} incrementals", length - 1);
            chain_contents(&clause, &target.contents().await, &states[length - 1], &states[..length], seen);
        }
        let cover = chain[1..].iter().flat_map(|copy| &copy.parts).all(|part| part.frozen.applies == Applies::Cover);
        if cover {
            let wide = self.take(&since(&chain[0])).await;
            for chain in [
                vec![&chain[0], &wide],
                vec![&chain[0], &chain[1], &wide],
                vec![&chain[0], &chain[1], &chain[2], &wide],
            ] {
                let target = self.fixture.fresh_target().await;
                self.restore(&*target, &chain, &default_options()).await;
                let clause = format!("an incremental that covers, applied after {} backups", chain.len() - 1);
                chain_contents(&clause, &target.contents().await, &states[3], &states, seen);
            }
        }
    }

    pub(super) async fn folds(&self) {
        let able = self.cluster.capabilities().fold;
        assert_eq!(able, self.cluster.fold().is_some(), "cluster contract: fold() is there if the capability says so");
        let Some(fold) = self.cluster.fold() else { return };
        let (chain, states) = if self.cluster.capabilities().incremental {
            self.chain().await
        } else {
            (vec![self.take(&FreezeRequest::default()).await], vec![self.fixture.contents().await])
        };
        let target = self.fixture.fresh_target().await;
        let cluster = target.cluster();
        let begun = cluster.begin_restore(self.session(), &chain[0].outline(), &default_options()).await;
        let session = granted("begin_restore", begun);
        let mut seen = true;
        for (step, part) in (0..).zip(&chain[0].parts) {
            let name = &part.frozen.part;
            let backups: Vec<_> = chain
                .iter()
                .rev()
                .filter_map(|copy| copy.parts.iter().find(|other| other.frozen.part == *name))
                .collect();
            seen &= backups.iter().all(|part| part.frozen.deletes == Deletes::Seen);
            let inputs = || -> Vec<FoldInput> {
                let kind = |part: &super::copy::CopiedPart, kind| {
                    let mut pieces: Vec<_> = part.pieces.iter().filter(|(spec, ..)| spec.kind == kind).collect();
                    pieces.sort_by(|(one, ..), (two, ..)| one.name.cmp(&two.name));
                    pieces.into_iter().map(|(_, bytes, _)| body_of(bytes, 500)).collect()
                };
                let input =
                    |part| FoldInput { data: kind(part, PieceKind::Data), deletes: kind(part, PieceKind::Deletes) };
                backups.iter().map(|part| input(part)).collect()
            };
            let schemas =
                backups.iter().flat_map(|part| &part.pieces).filter(|(spec, ..)| spec.kind == PieceKind::Schema);
            for (spec, bytes, _) in schemas {
                granted("write", cluster.write(&session, step, name, spec, body_of(bytes, 500)).await);
            }
            let request = FoldRequest { deletes: true, piece_bytes: 700 };
            let merged = folded("fold", fold.fold(name, request, inputs())).await;
            let merged = granted("fold", merged);
            let again = granted("fold", folded("fold", fold.fold(name, request, inputs())).await);
            assert_eq!(merged, again, "cluster contract: a fold of the same is the same");
            for (at, stretch) in merged.iter().enumerate() {
                assert_eq!(stretch.data.is_empty(), stretch.records == 0, "cluster contract: no records are no bytes");
                assert_eq!(
                    stretch.deletes.is_empty(),
                    stretch.deleted == 0,
                    "cluster contract: no deletes are no bytes"
                );
                for (kind, bytes) in [(PieceKind::Data, &stretch.data), (PieceKind::Deletes, &stretch.deletes)] {
                    let spec = PieceSpec::new(format!("fold-{at}"), kind);
                    if !bytes.is_empty() {
                        let written = cluster.write(&session, step, name, &spec, body_of(bytes, 500)).await;
                        granted("write of a folded chain", written);
                    }
                }
            }
            granted("seal_step", cluster.seal_step(&session, step).await);
            // Where it starts from nothing, what was deleted is not there; however it is cut, the records are the same.
            let whole = FoldRequest { deletes: false, piece_bytes: usize::MAX };
            let whole = granted("fold", folded("fold", fold.fold(name, whole, inputs())).await);
            assert!(whole.len() <= 1, "cluster contract: a stretch is cut where it is full");
            let count = |all: &[Folded]| all.iter().map(|stretch| stretch.records).sum::<u64>();
            assert_eq!(count(&whole), count(&merged), "cluster contract: deletes in a fold do not change its records");
            assert_eq!(whole.iter().map(|stretch| stretch.deleted).sum::<u64>(), 0);
            let mut broken = inputs();
            broken[0].data.push(body_of(&vec![0xee; 5000].into(), 100));
            let reader = folded("fold", fold.fold(name, request, broken)).await;
            refused("fold of bytes that are no piece", &[ErrorKind::Corrupt], reader);
        }
        granted("finish_restore", cluster.finish_restore(session).await);
        let last = states.len() - 1;
        chain_contents("a folded chain", &target.contents().await, &states[last], &states, seen);
    }
}
