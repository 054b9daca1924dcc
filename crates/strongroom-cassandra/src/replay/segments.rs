//! Archived commit-log segments: which there are, and what their names and times say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use strongroom_core::{Error, Result, Timestamp};

/// A segment in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number that the node gave it: it grows by one from segment to segment, and jumps when the node starts.
    pub(super) id: u64,
    pub(super) path: PathBuf,
    /// When it was last written to: as a link the node's own time, of a copy that of copying.
    pub(super) written: Timestamp,
}

/// The number in a segment's name: `CommitLog-7-1763820000123.log`, as `CommitLogDescriptor` of Cassandra 4.0 to 5.0 has it.
pub(super) fn id_of(name: &str) -> Option<u64> {
    let (version, id) = name.strip_prefix("CommitLog-")?.strip_suffix(".log")?.split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    number(version).and(number(id))
}

/// The segments in a node's archive, in the order in which they were written.
pub(super) fn segments_in(folder: &Path) -> Result<Vec<Segment>> {
    let at = |error: std::io::Error| Error::from(error).within(folder.display());
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        let Some(id) = entry.file_name().to_str().and_then(id_of) else { continue };
        let meta = fs::metadata(entry.path()).map_err(at)?;
        let since = meta.modified().map_err(at)?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written = Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        found.insert(id, Segment { id, path: entry.path(), written });
    }
    if found.is_empty() {
        return Err(Error::not_found(format!("{} holds no segments of a commit log", folder.display()))
            .hint("name the folder that archive_command copies CommitLog-….log to"));
    }
    Ok(found.into_values().collect())
}

/// Those that may hold what was written after `reached`. When a segment was last written to is told too early, if at all, so that one
/// from before was made before; a node makes one ahead of the one that it writes to, so that the one before it counts, too.
pub(super) fn from(segments: &[Segment], reached: Timestamp) -> &[Segment] {
    let made_before = segments.iter().rposition(|segment| segment.written < reached).unwrap_or(0);
    segments.get(made_before.saturating_sub(1)..).unwrap_or_default()
}

/// What of an archive without ledger can't be taken for proven: that it has no hole.
pub(super) fn doubts(folder: &Path, segments: &[Segment]) -> Vec<String> {
    let mut found = Vec::new();
    for pair in segments.windows(2) {
        let [before, after] = pair else { continue };
        if before.id + 1 != after.id {
            found.push(format!(
                "{}: after segment {} comes {}: the node was started anew between them, or segments are missing",
                folder.display(),
                before.id,
                after.id
            ));
        }
    }
    found
}

/// Whether an archive begins before `reached`, or why that is not known.
pub(super) fn late_beginning(folder: &Path, used: &[Segment], reached: Timestamp) -> Option<String> {
    let first = used.first().filter(|first| first.written >= reached)?;
    Some(format!(
        "{}: no segment is from before {reached}, where the backup ends; what was written between that and segment {} is \
         missing, unless that is the first one of all",
        folder.display(),
        first.id
    ))
}

/// Fails unless an archive reaches `until`.
pub(super) fn check_end(folder: &Path, segments: &[Segment], until: Timestamp) -> Result<()> {
    let Some(last) = segments.last().filter(|_| !segments.iter().any(|segment| segment.written >= until)) else {
        return Ok(());
    };
    Err(Error::broken_chain(format!(
        "the archive {} ends with segment {}, written at {}, before {until}",
        folder.display(),
        last.id,
        last.written
    ))
    .hint("ask for an earlier moment, or copy the node's active segments into it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(id: u64, written: i64) -> Segment {
        Segment { id, path: PathBuf::new(), written: Timestamp::from_secs(written) }
    }

    #[test]
    fn only_names_of_segments_are_taken() {
        assert_eq!(id_of("CommitLog-7-1763820000123.log"), Some(1_763_820_000_123));
        for name in
            ["CommitLog-7-1_cdc.idx", "CommitLog-7-.log", "CommitLog-7-+1.log", "CommitLog-x-1.log", "x-7-1.log"]
        {
            assert_eq!(id_of(name), None, "{name}");
        }
    }

    #[test]
    fn holes_and_late_beginnings_are_told_and_early_ends_refused() {
        let folder = Path::new("/archive");
        let doubts = |segments: &[Segment], reached| doubts(folder, from(segments, Timestamp::from_secs(reached)));
        let late = |segments: &[Segment], reached| {
            let reached = Timestamp::from_secs(reached);
            late_beginning(folder, from(segments, reached), reached)
        };
        let whole = [segment(5, 10), segment(6, 20), segment(7, 30)];
        assert_eq!((doubts(&whole, 15), late(&whole, 15)), (Vec::new(), None));
        assert_eq!(from(&whole, Timestamp::from_secs(35)), &whole[1..]);
        // The second was made ahead, and the first one was written to when the backup was taken.
        assert_eq!(from(&whole, Timestamp::from_secs(25)), &whole);
        assert!(late(&whole, 5).unwrap().contains("no segment is from before"));
        let torn = [segment(3, 5), segment(5, 10), segment(7, 20), segment(8, 30), segment(90, 40)];
        assert!(doubts(&torn, 35)[0].contains("after segment 8 comes 90"));
        assert_eq!(doubts(&torn, 35).len(), 1, "what was written before is not needed");
        assert!(check_end(folder, &whole, Timestamp::from_secs(30)).is_ok());
        let error = check_end(folder, &whole, Timestamp::from_secs(31)).unwrap_err();
        assert!(
            error.kind() == strongroom_core::ErrorKind::BrokenChain && error.message().contains("segment 7"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_segments_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("note.txt"), "x").unwrap();
        assert_eq!(segments_in(folder.path()).unwrap_err().kind(), strongroom_core::ErrorKind::NotFound);
        fs::write(folder.path().join("CommitLog-7-2.log"), "x").unwrap();
        fs::write(folder.path().join("CommitLog-7-1.log"), "x").unwrap();
        let ids: Vec<u64> = segments_in(folder.path()).unwrap().iter().map(|segment| segment.id).collect();
        assert_eq!(ids, [1, 2]);
    }
}
