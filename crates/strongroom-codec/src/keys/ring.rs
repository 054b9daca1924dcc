//! The keys of a repository, as far as the readers' keys at hand open them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Error, ErrorKind, Result, Storage};
use zeroize::Zeroizing;

use super::listing::{self, Entry, Place, Reader};
use super::reader::ReaderKey;
use super::wrap::{Refusal, Wrap};
use crate::{DataKey, PlainRegistry, derive};

/// How often open looks again when wraps go while it reads them.
const ROUNDS: usize = 3;
const NAMES_INFO: &[u8] = b"strongroom content names v1";

/// The data keys and the content key of one repository. Opens everything that was sealed with them, and changes who
/// can: see the methods of [`KeyRing`] in `change`.
#[derive(Clone)]
pub struct KeyRing {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) repository: RepositoryId,
    /// The id of the content key.
    pub(super) id: DataKeyId,
    pub(super) content: Arc<DataKey>,
    pub(super) naming_key: Zeroizing<[u8; 32]>,
    pub(super) readers: Vec<ReaderKey>,
    /// Data keys that are open.
    pub(super) open: BTreeMap<DataKeyId, Open>,
    /// Data keys that are not.
    pub(super) closed: BTreeMap<DataKeyId, Closed>,
    pub(super) plain: PlainRegistry,
    warnings: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Open {
    pub(super) key: Arc<DataKey>,
    pub(super) generation: u32,
}

#[derive(Clone, Default)]
pub(super) struct Closed {
    /// As its wraps say; nobody has proved it.
    pub(super) generation: u32,
    pub(super) readers: BTreeSet<String>,
    /// What is wrong with a wrap that a key at hand should have opened.
    pub(super) damage: Option<String>,
}

impl KeyRing {
    /// Whether the repository has keys: if not, it is [`PlainRegistry`]'s.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` when `keys/ring.json` is damaged or newer; as [`Storage::read`] otherwise.
    pub async fn exists(storage: &dyn Storage, repository: RepositoryId) -> Result<bool> {
        Ok(listing::find_ring(storage, repository).await?.is_some())
    }

    /// Opens the keys of `repository` with every one of `readers`.
    ///
    /// # Errors
    /// `NotFound` when the repository has no keys; `Denied` when no given key is a reader's, or one is wrong and no
    /// other opens the repository; `Corrupt` when the wraps that could be opened are damaged; as [`Storage::read`].
    pub async fn open(storage: Arc<dyn Storage>, repository: RepositoryId, readers: &[ReaderKey]) -> Result<Self> {
        let id = listing::find_ring(&*storage, repository).await?.ok_or_else(|| {
            Error::not_found(format!("repository {repository} has no keys")).hint("give it keys, or open it unsealed")
        })?;
        let place = Place { storage: &*storage, repository, ring: id };
        let mut found = Findings::default();
        for _ in 0..ROUNDS {
            found = Findings::default();
            let entries = place.list().await?;
            for entry in &entries {
                found.look_at(place, entry, readers).await?;
            }
            if found.content.is_some() || !found.gone {
                found.ask_the_others(place, &entries).await?;
                break;
            }
        }
        let Some(content) = found.content.take() else { return Err(found.why_closed(readers)) };
        let (open, closed, warnings) = (found.open, found.closed, found.warnings);
        let naming_key = derive::bytes(content.expose(), repository.as_bytes(), NAMES_INFO)?;
        let (readers, plain) = (readers.to_vec(), PlainRegistry::new());
        Ok(Self { storage, repository, id, content, naming_key, readers, open, closed, plain, warnings })
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> RepositoryId {
        self.repository
    }

    /// The id of the content key: `seal:<this>` seals shared content, so that it outlives a change of the data key.
    #[must_use]
    pub fn content_key(&self) -> DataKeyId {
        self.id
    }

    /// What the user should know although the keys opened: a wrong or unknown key among those given, damaged wraps.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Who can open what, by the names of the wraps on storage.
    ///
    /// # Errors
    /// As [`Storage::list`].
    pub async fn readers(&self) -> Result<Vec<Reader>> {
        Ok(listing::readers(&self.place().list().await?))
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { storage: &*self.storage, repository: self.repository, ring: self.id }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("repository", &self.repository)
            .field("content_key", &self.id)
            .field("open", &self.open.keys())
            .field("closed", &self.closed.keys())
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

/// Tries `reader` on `wrap`; the inner `Err` says why it does not open.
pub(super) async fn try_open(wrap: &Wrap, reader: &ReaderKey) -> Result<Result<DataKey, Refusal>> {
    match reader.material(&wrap.derivation).await {
        Ok(Some(material)) => Ok(wrap.open(&material)),
        Ok(None) => Ok(Err(Refusal::WrongKey)),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Err(Refusal::Damaged(error))),
        Err(error) => Err(error),
    }
}

/// What was found while opening.
#[derive(Default)]
struct Findings {
    content: Option<Arc<DataKey>>,
    open: BTreeMap<DataKeyId, Open>,
    closed: BTreeMap<DataKeyId, Closed>,
    /// Every reader with a wrap of the content key.
    names: BTreeSet<String>,
    wrong: BTreeSet<String>,
    damaged: Option<Error>,
    warnings: Vec<String>,
    /// A wrap went between listing and reading.
    gone: bool,
}

impl Findings {
    async fn look_at(&mut self, place: Place<'_>, entry: &Entry, readers: &[ReaderKey]) -> Result<()> {
        let is_content = entry.key == place.ring;
        if is_content {
            self.names.insert(entry.reader.clone());
        }
        if self.open.contains_key(&entry.key) || is_content && self.content.is_some() {
            return Ok(());
        }
        if !is_content {
            self.closed.entry(entry.key).or_default().readers.insert(entry.reader.clone());
        }
        for reader in readers.iter().filter(|reader| reader.name() == entry.reader) {
            let Some(wrap) = self.read(place, entry).await? else { return Ok(()) };
            match try_open(&wrap, reader).await? {
                Ok(key) if is_content => self.content = Some(Arc::new(key)),
                Ok(key) => {
                    self.closed.remove(&entry.key);
                    self.open.insert(entry.key, Open { key: Arc::new(key), generation: wrap.label.generation });
                }
                Err(Refusal::WrongKey) => {
                    self.warnings
                        .push(format!("the key given for reader '{}' does not open {}", entry.reader, entry.object));
                    self.wrong.insert(entry.reader.clone());
                    continue;
                }
                Err(Refusal::Damaged(error)) => self.is_damaged(entry, error.within(&entry.object)),
            }
            return Ok(());
        }
        Ok(())
    }

    /// Reads a wrap; a damaged one is noted and passed over, for another may open the same key.
    async fn read(&mut self, place: Place<'_>, entry: &Entry) -> Result<Option<Wrap>> {
        match place.read(entry).await {
            Ok(Some(wrap)) => {
                if let Some(closed) = self.closed.get_mut(&entry.key) {
                    closed.generation = closed.generation.max(wrap.label.generation);
                }
                Ok(Some(wrap))
            }
            Ok(None) => {
                self.gone = true;
                Ok(None)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                self.is_damaged(entry, error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn is_damaged(&mut self, entry: &Entry, error: Error) {
        self.warnings.push(error.to_string());
        if let Some(closed) = self.closed.get_mut(&entry.key) {
            closed.damage.get_or_insert_with(|| error.to_string());
        }
        self.damaged.get_or_insert(error);
    }

    /// Reads one more wrap of each data key that stayed closed: whether it is the newest matters for sealing.
    async fn ask_the_others(&mut self, place: Place<'_>, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            let unknown = self.closed.get(&entry.key).is_some_and(|closed| closed.generation == 0);
            if unknown {
                self.read(place, entry).await?;
            }
        }
        Ok(())
    }

    /// Why the content key, and so the repository, stays closed.
    fn why_closed(mut self, given: &[ReaderKey]) -> Error {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        if !self.wrong.is_empty() {
            return Error::denied(format!("the key given for reader '{}' is not the reader's", list(&self.wrong)))
                .hint("check which key is configured: it may have been rotated");
        }
        if let Some(damaged) = self.damaged.take() {
            return damaged.hint("put the object back from another copy, or open with another reader's key");
        }
        let given: BTreeSet<String> = given.iter().map(|reader| reader.name().to_owned()).collect();
        let what = match (self.names.is_empty(), given.is_empty()) {
            (true, _) => {
                return Error::corrupt("the repository's wrapped keys are gone")
                    .hint("put keys/ back from another copy");
            }
            (false, true) => "the repository is sealed, and no key was given".to_owned(),
            (false, false) => format!("'{}' is no reader of this repository", list(&given)),
        };
        Error::denied(what).hint(format!("its readers are: {}", list(&self.names)))
    }
}
