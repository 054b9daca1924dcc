//! Which wraps there are, by their names, and reading one.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Error, ErrorKind, Key, Result, Storage, StorageExt as _};

use super::reader::is_reader_name;
use super::wrap::{Base64, FORMAT, MAX_WRAP, Purpose, Wrap, check_format};

/// The object that says which ring is the repository's.
const RING: &str = "keys/ring.json";
/// No repository has more wraps.
const MAX_WRAPS: usize = 100_000;

/// One who can open a repository, as far as the names on storage tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// The reader's name.
    pub name: String,
    /// The data keys that are wrapped for it, the content key's among them.
    pub keys: BTreeSet<DataKeyId>,
}

/// A wrap on storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: DataKeyId,
    pub(crate) reader: String,
    pub(crate) object: Key,
}

/// The repository and the ring that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) repository: RepositoryId,
    pub(crate) ring: DataKeyId,
}

/// `keys/ring.json`.
#[derive(Serialize, Deserialize)]
struct RingMark {
    format: u32,
    repository: RepositoryId,
    ring: DataKeyId,
    /// Unlike any other writer's, so that a lost reply is told from a lost race.
    nonce: Base64<16>,
}

/// The ring of a repository, or `None` when it has no keys.
pub(crate) async fn find_ring(storage: &dyn Storage, repository: RepositoryId) -> Result<Option<DataKeyId>> {
    let json = match storage.get(&Key::new(RING)?, MAX_WRAP).await {
        Ok(json) => json,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.within("the repository's keys")),
    };
    check_format(&json, RING)?;
    let mark: RingMark =
        serde_json::from_slice(&json).map_err(|error| Error::corrupt(format!("{RING} is damaged")).because(error))?;
    if mark.repository != repository {
        let why = format!("{RING} belongs to repository {}, not to {repository}", mark.repository);
        return Err(Error::corrupt(why));
    }
    Ok(Some(mark.ring))
}

/// Makes `place.ring` the ring of the repository, unless it has one.
pub(crate) async fn mark_ring(place: Place<'_>, nonce: [u8; 16]) -> Result<()> {
    let mark = RingMark { format: FORMAT, repository: place.repository, ring: place.ring, nonce: nonce.into() };
    let json = serde_json::to_vec_pretty(&mark).map_err(|error| Error::internal(RING).because(error))?;
    place.storage.put_new(&Key::new(RING)?, json.into()).await
}

impl Place<'_> {
    /// The name of a wrap that has the random number `wrap`.
    pub(crate) fn object(&self, key: DataKeyId, reader: &str, wrap: [u8; 8]) -> Result<Key> {
        Key::new(format!("keys/{}/{key}/{reader}/{:016x}.json", self.ring, u64::from_be_bytes(wrap)))
    }

    /// Every wrap of the ring, by name. Other objects are passed over.
    pub(crate) async fn list(&self) -> Result<Vec<Entry>> {
        let folder = format!("keys/{}/", self.ring);
        let mut found = self.storage.list(&folder);
        let mut entries = Vec::new();
        while let Some(meta) = found.next().await {
            let object = meta?.key;
            entries.extend(entry(&folder, object));
            if entries.len() > MAX_WRAPS {
                return Err(Error::corrupt(format!("more than {MAX_WRAPS} wrapped keys below {folder}")));
            }
        }
        entries.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(entries)
    }

    /// The wrap of an entry, or `None` when it went meanwhile.
    pub(crate) async fn read(&self, entry: &Entry) -> Result<Option<Wrap>> {
        let json = match self.storage.get(&entry.object, MAX_WRAP).await {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.within(&entry.object)),
        };
        let wrap = Wrap::from_json(&json).map_err(|error| error.within(&entry.object))?;
        let label = &wrap.label;
        let at_home = (label.repository, label.ring, label.key) == (self.repository, self.ring, entry.key)
            && label.reader == entry.reader
            && (label.purpose == Purpose::Content) == (label.key == self.ring);
        if at_home { Ok(Some(wrap)) } else { Err(Error::corrupt(format!("{} was moved here", entry.object))) }
    }
}

/// The parts of `<folder><data key>/<reader>/<wrap>.json`.
fn entry(folder: &str, object: Key) -> Option<Entry> {
    let mut parts = object.as_str().strip_prefix(folder)?.split('/');
    let (id, reader, wrap) = (parts.next()?, parts.next()?, parts.next()?);
    let key: DataKeyId = id.parse().ok()?;
    let sound = key.to_string() == id
        && is_reader_name(reader)
        && wrap.strip_suffix(".json").is_some()
        && parts.next().is_none();
    let reader = reader.to_owned();
    sound.then_some(Entry { key, reader, object })
}

/// Groups wraps by reader.
pub(crate) fn readers(entries: &[Entry]) -> Vec<Reader> {
    let mut readers: BTreeMap<&str, BTreeSet<DataKeyId>> = BTreeMap::new();
    for entry in entries {
        readers.entry(&entry.reader).or_default().insert(entry.key);
    }
    readers.into_iter().map(|(name, keys)| Reader { name: name.to_owned(), keys }).collect()
}
