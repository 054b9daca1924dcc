//! The agent's hands: a node's own data folders, and nothing beside them. Every path is made of checked names, and must lie
//! within a data folder once links are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use strongroom_core::{Error, Result};

use crate::component::{Component, is_index, is_name, is_table_id};
use crate::memory::{Mark, Memory};
use crate::piece::{FileDetail, FilesDetail, is_tag};
use crate::session::put;

/// How much is read at once for a hash.
const CHUNK: usize = 1 << 20;

/// What else a node puts into a snapshot.
const BESIDE: [&str; 3] = ["manifest.json", "schema.cql", NOTE];
/// What we put into a snapshot that is held: what it is.
const NOTE: &str = "strongroom.json";

/// A node's data folders.
#[derive(Debug, Clone)]
pub(crate) struct NodeFiles {
    /// As the node names them, and where they are once links are followed.
    folders: Vec<PathBuf>,
}

/// An SSTable in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which of the data folders.
    pub(crate) folder: usize,
    pub(crate) table: String,
    pub(crate) id: String,
    /// The folder of a secondary index within the table's.
    pub(crate) index: Option<String>,
    pub(crate) sstable: String,
    /// Its files' names, in order.
    pub(crate) files: Vec<String>,
}

/// What a snapshot of a keyspace holds.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// In the order of tables, indexes and SSTables.
    pub(crate) sstables: Vec<Found>,
    /// The tables with their ids, those without any SSTable included.
    pub(crate) tables: BTreeSet<(String, String)>,
    /// Files that belong to no SSTable.
    pub(crate) odd: Vec<String>,
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |error| Error::from(error).within(path.display())
}

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A folder, or a link to one: where it leads is looked at before anything in it is.
    Folder,
    /// A plain file.
    File,
    /// A link to a file, or anything else.
    Other,
}

/// What is in a folder, by name.
fn list(folder: &Path) -> Result<BTreeMap<String, Kind>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        let kind = match entry.file_type().map_err(at(&path))? {
            kind if kind.is_file() => Kind::File,
            _ if fs::metadata(&path).map_err(at(&path))?.is_dir() => Kind::Folder,
            _ => Kind::Other,
        };
        match entry.file_name().into_string() {
            Ok(name) => found.insert(name, kind),
            Err(name) => return Err(Error::invalid(format!("{}: {} is no text", folder.display(), name.display()))),
        };
    }
    Ok(found)
}

impl NodeFiles {
    /// These data folders, which must be there.
    pub(crate) fn open(folders: &[PathBuf]) -> Result<Self> {
        let find = |folder: &PathBuf| {
            fs::canonicalize(folder).map_err(|error| {
                Error::from(error).within(folder.display()).hint(
                    "strongroom must run on the node itself, as a user who may read its data folders; or name them with \
                     data-folders",
                )
            })
        };
        Ok(Self { folders: folders.iter().map(find).collect::<Result<_>>()? })
    }

    /// Where they are.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// A path within a data folder, once links are followed.
    fn within(&self, path: &Path) -> Result<PathBuf> {
        let real = fs::canonicalize(path).map_err(at(path))?;
        if self.folders.iter().any(|folder| real.starts_with(folder)) {
            return Ok(real);
        }
        Err(Error::denied(format!("{} leads out of the node's data folders, to {}", path.display(), real.display()))
            .hint("strongroom reads and writes only there; name the other place with data-folders, too"))
    }

    fn folder(&self, number: usize) -> Result<&Path> {
        let folder = self.folders.get(number).map(PathBuf::as_path);
        folder.ok_or_else(|| Error::invalid("the node has fewer data folders than when this was frozen"))
    }

    /// What the snapshot `tag` of a keyspace holds.
    pub(crate) fn snapshot(&self, keyspace: &str, tag: &str) -> Result<Snapshot> {
        if !is_name(keyspace) || !is_tag(tag) {
            return Err(Error::invalid(format!("'{}' is no keyspace", keyspace.escape_debug())));
        }
        let mut snapshot = Snapshot::default();
        for (number, root) in self.folders.iter().enumerate() {
            let keyspace = root.join(keyspace);
            if !keyspace.exists() {
                continue;
            }
            for (name, _) in list(&keyspace)?.into_iter().filter(|(_, kind)| *kind == Kind::Folder) {
                let Some((table, id)) = name.rsplit_once('-').filter(|(table, id)| is_name(table) && is_table_id(id))
                else {
                    continue;
                };
                let folder = keyspace.join(&name).join("snapshots").join(tag);
                if !folder.exists() {
                    continue;
                }
                let folder = self.within(&folder)?;
                snapshot.tables.insert((table.to_owned(), id.to_owned()));
                snapshot.take(number, table, id, None, &folder)?;
                for (index, _) in list(&folder)?.into_iter().filter(|(_, kind)| *kind == Kind::Folder) {
                    if is_index(&index) {
                        snapshot.take(number, table, id, Some(&index), &self.within(&folder.join(&index))?)?;
                    } else {
                        snapshot.odd.push(format!("{table}/{index}"));
                    }
                }
            }
        }
        snapshot.sstables.sort_by(|one, other| {
            let key =
                |found: &Found| (found.table.clone(), found.id.clone(), found.index.clone(), found.sstable.clone());
            key(one).cmp(&key(other))
        });
        Ok(snapshot)
    }

    /// All snapshots by name, with the keyspaces that have files in them.
    pub(crate) fn snapshots(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let folders = |path: &Path| -> Result<Vec<String>> {
            let there = if path.is_dir() { list(&self.within(path)?)? } else { BTreeMap::new() };
            Ok(there.into_iter().filter(|(_, kind)| *kind == Kind::Folder).map(|(name, _)| name).collect())
        };
        for root in &self.folders {
            for keyspace in folders(root)?.into_iter().filter(|name| is_name(name)) {
                for table in folders(&root.join(&keyspace))? {
                    for tag in folders(&root.join(&keyspace).join(&table).join("snapshots"))? {
                        found.entry(tag).or_default().insert(keyspace.clone());
                    }
                }
            }
        }
        Ok(found)
    }

    /// The folders of the snapshot `tag` of a keyspace, one for each table and data folder.
    fn snapshot_folders(&self, keyspace: &str, tag: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for root in &self.folders {
            let keyspace = root.join(keyspace);
            if !keyspace.is_dir() {
                continue;
            }
            for (table, _) in list(&keyspace)?.into_iter().filter(|(_, kind)| *kind == Kind::Folder) {
                let folder = keyspace.join(table).join("snapshots").join(tag);
                if folder.is_dir() {
                    found.push(self.within(&folder)?);
                }
            }
        }
        Ok(found)
    }

    /// Puts a note into the snapshot of each of these keyspaces that has tables. Gives how many notes there are.
    pub(crate) fn put_note(&self, keyspaces: &[String], tag: &str, note: &[u8]) -> Result<usize> {
        let mut notes = 0;
        for keyspace in keyspaces {
            if let Some(folder) = self.snapshot_folders(keyspace, tag)?.first() {
                put(folder, &folder.join(NOTE), note)?;
                notes += 1;
            }
        }
        Ok(notes)
    }

    /// The note in the snapshot `tag` of a keyspace, and how many bytes its files have.
    pub(crate) fn note(&self, keyspace: &str, tag: &str) -> Result<(Option<Vec<u8>>, u64)> {
        if !is_name(keyspace) || !is_tag(tag) {
            return Err(Error::invalid(format!("'{}' is no snapshot of ours", tag.escape_debug())));
        }
        let (mut note, mut bytes) = (None, 0);
        let mut folders = self.snapshot_folders(keyspace, tag)?;
        while let Some(folder) = folders.pop() {
            for (name, kind) in list(&folder)? {
                let path = folder.join(&name);
                match kind {
                    Kind::Folder if is_index(&name) => folders.push(self.within(&path)?),
                    Kind::File if name == NOTE => note = Some(fs::read(&path).map_err(at(&path))?),
                    Kind::File => bytes += fs::metadata(&path).map_err(at(&path))?.len(),
                    _ => {}
                }
            }
        }
        Ok((note, bytes))
    }

    /// Where the files of a piece are.
    pub(crate) fn place(&self, detail: &FilesDetail) -> Result<PathBuf> {
        let folder = self.folder(detail.folder)?;
        let table = folder.join(&detail.keyspace).join(format!("{}-{}", detail.table, detail.id));
        let snapshot = table.join("snapshots").join(&detail.tag);
        self.within(&detail.index.as_ref().map_or_else(|| snapshot.clone(), |index| snapshot.join(index)))
    }

    /// Where the files of an SSTable are.
    pub(crate) fn place_of(&self, found: &Found, keyspace: &str, tag: &str) -> Result<PathBuf> {
        self.place(&FilesDetail {
            keyspace: keyspace.to_owned(),
            table: found.table.clone(),
            id: found.id.clone(),
            node: String::new(),
            index: found.index.clone(),
            folder: found.folder,
            tag: tag.to_owned(),
            files: Vec::new(),
        })
    }

    /// The files of an SSTable with their sizes and hashes: those that are not in `memory` are read.
    pub(crate) fn hash(&self, keyspace: &str, tag: &str, found: &Found, memory: &Memory) -> Result<Vec<FileDetail>> {
        let folder = self.place_of(found, keyspace, tag)?;
        // The checksum that the node wrote of the data; it may lack in files that others made.
        let digest = fs::read_to_string(folder.join(format!("{}-Digest.crc32", found.sstable))).unwrap_or_default();
        let table = format!("{}{}", found.id, found.index.as_deref().unwrap_or_default());
        let mark = |name: &str, meta: &fs::Metadata| Mark::of(keyspace, table.clone(), name, digest.trim(), meta);
        let sum = |name: &str| (name == format!("{}-Data.db", found.sstable)).then_some(digest.trim());
        let hash =
            |name: &String| hash_of(&folder.join(name), name, memory, mark, sum(name).filter(|sum| !sum.is_empty()));
        found.files.iter().map(hash).collect()
    }
}

impl Snapshot {
    fn take(&mut self, folder: usize, table: &str, id: &str, index: Option<&str>, path: &Path) -> Result<()> {
        let mut sstables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, kind) in list(path)? {
            match Component::of(&name) {
                Some(component) if kind == Kind::File => {
                    sstables.entry(component.sstable.to_owned()).or_default().push(name);
                }
                _ if kind == Kind::Folder || BESIDE.contains(&name.as_str()) => {}
                _ => self.odd.push(format!("{table}/{name}")),
            }
        }
        self.sstables.extend(sstables.into_iter().map(|(sstable, files)| Found {
            folder,
            table: table.to_owned(),
            id: id.to_owned(),
            index: index.map(str::to_owned),
            sstable,
            files,
        }));
        Ok(())
    }
}

/// Reads a file that is not remembered, and holds it to the checksum `sum` that the node wrote when it made it.
fn hash_of(
    path: &Path,
    name: &str,
    memory: &Memory,
    mark: impl Fn(&str, &fs::Metadata) -> Option<Mark>,
    sum: Option<&str>,
) -> Result<FileDetail> {
    let mut file = fs::File::open(path).map_err(at(path))?;
    let meta = file.metadata().map_err(at(path))?;
    let mark = mark(name, &meta);
    if let Some(blake3) = mark.as_ref().and_then(|mark| memory.find(mark)) {
        return Ok(FileDetail { name: name.to_owned(), size: meta.len(), blake3 });
    }
    let (mut hash, mut crc) = (blake3::Hasher::new(), crc32fast::Hasher::new());
    let (mut size, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk).map_err(at(path))?;
        if read == 0 {
            break;
        }
        let read_now = chunk.get(..read).unwrap_or_default();
        hash.update(read_now);
        if sum.is_some() {
            crc.update(read_now);
        }
        size += read as u64;
    }
    let crc = crc.finalize();
    if let Some(sum) = sum.filter(|sum| sum.parse() != Ok(crc)) {
        return Err(Error::corrupt(format!(
            "{name} is not what the node wrote: its checksum is {crc}, not {}",
            sum.escape_debug()
        ))
        .hint("look at the node's disk; bring the table back by nodetool repair, or out of an earlier backup"));
    }
    let blake3 = hash.finalize().to_hex().to_string();
    if let Some(mark) = mark.filter(|_| size == meta.len()) {
        memory.keep(mark, blake3.clone());
    }
    Ok(FileDetail { name: name.to_owned(), size, blake3 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::ErrorKind;

    const ID: &str = "34551da0e96811f1bbb34dcd0ea53151";

    fn put(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn a_snapshot_is_found_in_all_data_folders_with_its_indexes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let table = format!("app/users-{ID}");
        for name in
            ["nb-1-big-Data.db", "nb-1-big-TOC.txt", "manifest.json", ".by_name/nb-1-big-Data.db", "what.is.this"]
        {
            put(one.path(), &format!("{table}/snapshots/t/{name}"));
        }
        put(two.path(), &format!("{table}/snapshots/t/nb-2-big-Data.db"));
        put(two.path(), &format!("{table}/snapshots/other/nb-3-big-Data.db"));
        put(two.path(), &format!("{table}/nb-4-big-Data.db"));
        put(two.path(), "app/no-table/snapshots/t/nb-5-big-Data.db");
        let files = NodeFiles::open(&[one.path().to_owned(), two.path().to_owned()]).unwrap();
        let snapshot = files.snapshot("app", "t").unwrap();
        let found: Vec<_> = snapshot
            .sstables
            .iter()
            .map(|found| (found.folder, found.index.as_deref(), found.sstable.as_str()))
            .collect();
        assert_eq!(found, [(0, None, "nb-1-big"), (1, None, "nb-2-big"), (0, Some(".by_name"), "nb-1-big")]);
        assert_eq!(snapshot.odd, ["users/what.is.this"]);
        assert_eq!(snapshot.tables.len(), 1);
        let memory = Memory::default();
        for _ in 0..2 {
            let hashed = files.hash("app", "t", &snapshot.sstables[0], &memory).unwrap();
            assert_eq!((hashed[0].size, hashed[0].blake3.as_str()), (1, blake3::hash(b"x").to_hex().as_str()));
        }
        // What is remembered is not read again: no node would do this.
        let changed = one.path().join(format!("{table}/snapshots/t/nb-1-big-Data.db"));
        let written = fs::metadata(&changed).unwrap().modified().unwrap();
        fs::write(&changed, "y").unwrap();
        fs::File::options().write(true).open(&changed).unwrap().set_modified(written).unwrap();
        let hashed = files.hash("app", "t", &snapshot.sstables[0], &memory).unwrap();
        assert_eq!(hashed[0].blake3, blake3::hash(b"x").to_hex().to_string());
        // Written anew, with another time, it is another file.
        fs::File::options().write(true).open(&changed).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let hashed = files.hash("app", "t", &snapshot.sstables[0], &memory).unwrap();
        assert_eq!(hashed[0].blake3, blake3::hash(b"y").to_hex().to_string());
        // Not what the node's own checksum says.
        for (sum, fits) in
            [(crc32fast::hash(b"y").to_string(), true), ("17".to_owned(), false), ("x".to_owned(), false)]
        {
            fs::write(one.path().join(format!("{table}/snapshots/t/nb-1-big-Digest.crc32")), &sum).unwrap();
            let hashed = files.hash("app", "t", &snapshot.sstables[0], &Memory::default());
            assert_eq!(
                hashed.as_ref().err().map(Error::kind),
                (!fits).then_some(ErrorKind::Corrupt),
                "{sum}: {hashed:?}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_refused() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(outside.path(), "nb-1-big-Data.db");
        let snapshots = root.path().join(format!("app/users-{ID}/snapshots"));
        fs::create_dir_all(&snapshots).unwrap();
        std::os::unix::fs::symlink(outside.path(), snapshots.join("t")).unwrap();
        let files = NodeFiles::open(&[root.path().to_owned()]).unwrap();
        let error = files.snapshot("app", "t").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(files.snapshot("../app", "t").is_err() && files.snapshot("app", "../t").is_err());
        assert!(NodeFiles::open(&["/no/such/folder".into()]).unwrap_err().advice().unwrap().contains("data-folders"));
    }
}
