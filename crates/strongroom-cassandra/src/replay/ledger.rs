//! The ledger of an archive: what was archived, and what that proves.
//!
//! A node numbers its segments by one up. When it starts it takes a number that no segment had before, later than its own
//! start in milliseconds, and archives the segments that the process before it left: it always leaves at least the one that it
//! wrote to (seen of Cassandra 5.0.9, after a kill). So between two numbers nothing is missing if they follow each other; or
//! if a later process made the second one, and has archived the first one when it started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result, Timestamp};

use super::segments::{Segment, id_of};

/// Its name in the archive's folder.
const FILE: &str = "ledger.jsonl";
/// How much is copied at once.
const CHUNK: usize = 1 << 20;

/// A segment that was archived: a line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedSegment {
    /// The number that the node gave it.
    pub id: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The BLAKE3 of its bytes, in hexadecimal digits.
    pub blake3: String,
    /// When it was last written to.
    pub written: Timestamp,
    /// When it was archived.
    pub archived: Timestamp,
    /// When the process started that archived it; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_started: Option<Timestamp>,
}

/// Copies a segment into an archive and writes it down there: what `archive_command` does for a node, which is the process that called
/// this one. The copy is read back before it counts. A segment that is there already is written down again: that it was still there proves something.
/// One that was written to since is taken again: a node's active segments may be archived at any time.
///
/// # Errors
/// `Invalid` for a file that is no segment; `AlreadyExists` if one of that name is archived that was written to later; `NoSpace` and other errors of files. Then nothing
/// is written down, and a node keeps the segment and says so in its log.
pub fn archive_segment(segment: &Path, archive: &Path) -> Result<ArchivedSegment> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| Error::from(error).within(&path)
    };
    let name = segment.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let id = id_of(name).ok_or_else(|| {
        Error::invalid(format!("{} is no segment of a commit log", segment.display())).hint("give it %path")
    })?;
    let mut ledger =
        OpenOptions::new().create(true).append(true).read(true).open(archive.join(FILE)).map_err(at(archive))?;
    // One after the other, also if a node is started anew while the last command still runs.
    ledger.lock().map_err(at(archive))?;
    drop_half_a_line(&mut ledger).map_err(at(archive))?;
    let known = read(archive)?.unwrap_or_default().into_iter().rev().find(|known| known.id == id);
    let mut source = File::open(segment).map_err(at(segment))?;
    let modified = source.metadata().and_then(|meta| meta.modified()).map_err(at(segment))?;
    let target = archive.join(name);
    let mut new = tempfile::NamedTempFile::new_in(archive).map_err(at(archive))?;
    let (blake3, bytes) = copy(&mut source, new.as_file_mut()).map_err(at(segment))?;
    let written = moment(modified);
    if let Some(known) = known.as_ref().filter(|known| known.blake3 != blake3 && known.written > written) {
        return Err(Error::already_exists(format!(
            "segment {id} is archived as it was at {}, which is later",
            known.written
        ))
        .hint("give each node an archive of its own"));
    }
    if hash(&target).ok().as_ref() != Some(&blake3) {
        new.as_file().set_modified(modified).map_err(at(&target))?;
        new.as_file().sync_all().map_err(at(&target))?;
        new.persist(&target).map_err(|error| at(&target)(error.error))?;
        File::open(archive).and_then(|folder| folder.sync_all()).map_err(at(archive))?;
        if hash(&target).map_err(at(&target))? != blake3 {
            return Err(Error::corrupt(format!("{} reads back otherwise than it was written", target.display())));
        }
    }
    let line =
        ArchivedSegment { id, bytes, blake3, written, archived: moment(SystemTime::now()), node_started: started_by() };
    let mut text = serde_json::to_string(&line).map_err(|error| Error::internal("a ledger").because(error))?;
    text.push('\n');
    ledger.write_all(text.as_bytes()).and_then(|()| ledger.sync_all()).map_err(at(archive))?;
    Ok(line)
}

/// Takes away what a command that was killed wrote of its line.
fn drop_half_a_line(ledger: &mut File) -> std::io::Result<()> {
    let mut text = Vec::new();
    ledger.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < text.len() { ledger.set_len(whole as u64) } else { Ok(()) }
}

fn moment(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn copy(from: &mut File, to: &mut File) -> std::io::Result<(String, u64)> {
    let (mut hash, mut bytes, mut room) = (blake3::Hasher::new(), 0, vec![0; CHUNK]);
    loop {
        let read = from.read(&mut room)?;
        let Some(chunk) = room.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hash.update(chunk);
        bytes += chunk.len() as u64;
        to.write_all(chunk)?;
    }
    Ok((hash.finalize().to_hex().to_string(), bytes))
}

fn hash(path: &Path) -> std::io::Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update_reader(File::open(path)?)?;
    Ok(hash.finalize().to_hex().to_string())
}

/// When the process started that called this one, by Linux's own clock of processes: `/proc/PID/stat` and `/proc/stat`.
fn started_by() -> Option<Timestamp> {
    /// Ticks a second in what `/proc` tells, on every architecture that Rust knows.
    const TICKS: i64 = 100;
    let stat = |path: &str| fs::read_to_string(path).ok();
    let own = stat("/proc/self/stat")?;
    // The name of a process may have anything in it, brackets too.
    let parent: u32 = own.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    let of = stat(&format!("/proc/{parent}/stat"))?;
    let ticks: i64 = of.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let boot: i64 = stat("/proc/stat")?.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    Some(Timestamp::from_micros(boot * 1_000_000 + ticks * 1_000_000 / TICKS))
}

/// The lines of an archive's ledger, if it has one. A last line that broke off in the middle is none.
pub(super) fn read(archive: &Path) -> Result<Option<Vec<ArchivedSegment>>> {
    let file = archive.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::from(error).within(file.display())),
    };
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = |line: &str| {
        serde_json::from_str(line)
            .map_err(|error| Error::corrupt(format!("{} is damaged", file.display())).because(error))
    };
    whole.lines().filter(|line| !line.is_empty()).map(line).collect::<Result<_>>().map(Some)
}

/// When a segment may have been made, as its number has it: not before the process was started that made it.
fn made(id: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(id).unwrap_or(i64::MAX))
}

/// Which of the segments can't be taken for whole by the ledger: those that differ from it, and what may be missing between them.
pub(super) fn objections(archive: &Path, ledger: &[ArchivedSegment], used: &[Segment]) -> Vec<String> {
    let mut found = Vec::new();
    // By segment: the last line, which has the bytes, who archived it first, and all who did.
    let mut known: BTreeMap<u64, (&ArchivedSegment, Option<Timestamp>, BTreeSet<Timestamp>)> = BTreeMap::new();
    for line in ledger {
        let (last, _, starts) = known.entry(line.id).or_insert_with(|| (line, line.node_started, BTreeSet::new()));
        *last = line;
        starts.extend(line.node_started);
    }
    let Some((first, last)) = used.first().zip(used.last()) else { return found };
    let there: BTreeMap<u64, &Segment> = used.iter().map(|segment| (segment.id, segment)).collect();
    for (id, (line, ..)) in known.range(first.id..=last.id) {
        match there.get(id).map(|segment| hash(&segment.path)) {
            Some(Ok(found)) if found == line.blake3 => {}
            Some(Ok(_)) => found.push(format!(
                "{}: segment {id} is damaged: it has another hash than in the ledger",
                archive.display()
            )),
            Some(Err(error)) => found.push(format!("{}: segment {id}: {error}", archive.display())),
            None => found.push(format!("{}: segment {id} is in the ledger and not in the archive", archive.display())),
        }
    }
    found.extend(
        there
            .keys()
            .filter(|id| !known.contains_key(id))
            .map(|id| format!("{}: segment {id} is not in the ledger", archive.display())),
    );
    let lines: Vec<_> = known.range(first.id..=last.id).map(|(id, (_, first, starts))| (*id, *first, starts)).collect();
    for pair in lines.windows(2) {
        let [(before, _, starts), (after, started, _)] = pair else { continue };
        let by_new_process =
            started.is_some_and(|start| starts.contains(&start) && made(*before) < start && start < made(*after));
        if before + 1 != *after && !by_new_process {
            found.push(format!(
                "{}: nothing proves that no segment is missing between {before} and {after}",
                archive.display()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of segments with these numbers, each archived by the processes that started at these milliseconds.
    fn archive(segments: &[(u64, &[i64])]) -> (tempfile::TempDir, Vec<ArchivedSegment>, Vec<Segment>) {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, mut used) = (Vec::new(), Vec::new());
        for (id, starts) in segments {
            let path = folder.path().join(format!("CommitLog-7-{id}.log"));
            fs::write(&path, id.to_string()).unwrap();
            let written = Timestamp::EPOCH;
            ledger.extend(starts.iter().map(|start| ArchivedSegment {
                id: *id,
                bytes: 1,
                blake3: blake3::hash(id.to_string().as_bytes()).to_hex().to_string(),
                written,
                archived: written,
                node_started: Some(Timestamp::from_millis(*start)),
            }));
            used.push(Segment { id: *id, path, written });
        }
        (folder, ledger, used)
    }

    fn told(segments: &[(u64, &[i64])]) -> Vec<String> {
        let (folder, ledger, used) = archive(segments);
        objections(folder.path(), &ledger, &used)
    }

    #[test]
    fn what_follows_and_what_a_new_process_begins_is_proven() {
        assert_eq!(told(&[(101, &[90]), (102, &[90]), (103, &[90])]), Vec::<String>::new());
        // The process that started at 200 archived what the one before it had left, and began with 210.
        assert_eq!(told(&[(101, &[90]), (102, &[90, 200]), (210, &[200]), (211, &[200])]), Vec::<String>::new());
    }

    #[test]
    fn holes_are_told() {
        let hole = |told: Vec<String>| {
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains("nothing proves"), "{told:?}");
        };
        hole(told(&[(101, &[90]), (103, &[90])]));
        // Nobody saw that 102 was the last one.
        hole(told(&[(101, &[90]), (102, &[90]), (210, &[200])]));
        // A process that did not archive was there in between: the next one finds what it left, but not what it removed.
        hole(told(&[(101, &[90]), (102, &[90]), (155, &[200])]));
        hole(told(&[(102, &[90, 200]), (155, &[200]), (210, &[200])]));
    }

    #[test]
    fn what_differs_from_the_ledger_is_told() {
        let (folder, ledger, used) = archive(&[(101, &[90]), (102, &[90])]);
        fs::write(&used[1].path, "other").unwrap();
        assert!(objections(folder.path(), &ledger, &used)[0].contains("segment 102 is damaged"));
        let only = [used[0].clone(), Segment { id: 103, ..used[1].clone() }];
        let told = objections(folder.path(), &ledger, &only).join("; ");
        assert!(
            told.contains("102 is in the ledger and not in the archive") && told.contains("103 is not in the ledger"),
            "{told}"
        );
    }

    #[test]
    fn a_segment_is_copied_read_back_and_written_down_each_time() {
        let (node, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let segment = node.path().join("CommitLog-7-1795804890226.log");
        fs::write(&segment, vec![7; 3 << 20]).unwrap();
        let first = archive_segment(&segment, archive.path()).unwrap();
        assert_eq!((first.id, first.bytes), (1_795_804_890_226, 3 << 20));
        assert!(first.node_started.is_some_and(|start| start < first.archived), "{first:?}");
        let again = archive_segment(&segment, archive.path()).unwrap();
        assert_eq!(again.blake3, first.blake3);
        let ledger = read(archive.path()).unwrap().unwrap();
        assert_eq!(ledger, [first.clone(), again]);
        let copy = archive.path().join("CommitLog-7-1795804890226.log");
        assert_eq!(
            fs::metadata(&copy).unwrap().modified().unwrap(),
            fs::metadata(&segment).unwrap().modified().unwrap()
        );
        // A copy that was lost is made again; another segment of that name is not taken for it.
        fs::remove_file(&copy).unwrap();
        archive_segment(&segment, archive.path()).unwrap();
        assert!(copy.exists());
        fs::write(&segment, "other").unwrap();
        File::options().append(true).open(&segment).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let error = archive_segment(&segment, archive.path()).unwrap_err();
        assert_eq!(error.kind(), strongroom_core::ErrorKind::AlreadyExists, "{error}");
        assert_eq!(fs::read(&copy).unwrap().len(), 3 << 20);
        fs::write(&segment, "it grew").unwrap();
        archive_segment(&segment, archive.path()).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"it grew");
        assert_eq!(fs::read_dir(archive.path()).unwrap().count(), 2, "nothing is left beside them");
        // A line that broke off counts for nothing, and one in the middle is damage.
        let file = archive.path().join(FILE);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, &text[..text.len() - 5]).unwrap();
        assert_eq!(read(archive.path()).unwrap().unwrap().len(), 3);
        archive_segment(&segment, archive.path()).unwrap();
        assert_eq!(read(archive.path()).unwrap().unwrap().len(), 4);
        fs::write(&file, text.replacen("\"id\"", "\"", 1)).unwrap();
        assert_eq!(read(archive.path()).unwrap_err().kind(), strongroom_core::ErrorKind::Corrupt);
        let other = archive_segment(&node.path().join("x.log"), archive.path()).unwrap_err();
        assert_eq!(other.kind(), strongroom_core::ErrorKind::Invalid);
    }
}
