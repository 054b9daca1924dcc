//! Changing who can open a repository, while others may be changing it too and any step may be the last.
//!
//! A storage has no transactions, so every change follows one rule: **list, then add, then delete what was listed**.
//! Wraps have random names that never come back, so nothing that is deleted can be what somebody added since. Of any
//! number of changes at once, the wrap that was added last was listed by none of them: one wrap of every data key
//! always remains. What a crash leaves is a wrap too many, never one too few, and the change done again tidies up.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;

use strongroom_core::environment::Entropy;
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Error, ErrorKind, Key, Result, Storage, StorageExt as _};

use super::listing::{self, Entry, Place};
use super::reader::ReaderKey;
use super::ring::{KeyRing, Open, try_open};
use super::wrap::{Label, Purpose, Refusal, Wrap};
use crate::DataKey;

/// How often a removal starts over because others added wraps meanwhile.
const ROUNDS: usize = 5;

impl KeyRing {
    /// Gives a repository its content key and its first data key, with one reader.
    ///
    /// # Errors
    /// `AlreadyExists` when it has keys, also when somebody else gave it some at the same time; as [`Storage::create`].
    pub async fn init(
        storage: Arc<dyn Storage>,
        repository: RepositoryId,
        reader: &ReaderKey,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let taken =
            || Error::already_exists(format!("repository {repository} has keys")).hint("open them, or add a reader");
        if Self::exists(&*storage, repository).await? {
            return Err(taken());
        }
        let ring = fresh_id(entropy)?;
        let place = Place { storage: &*storage, repository, ring };
        // The wraps come first: a ring that is marked is whole.
        let wraps = [
            write(place, Content(&DataKey::random(entropy)?), reader, entropy).await?,
            write(place, Data(fresh_id(entropy)?, &Open::first(entropy)?), reader, entropy).await?,
        ];
        match listing::mark_ring(place, random(entropy)?).await {
            Ok(()) => Self::open(storage, repository, std::slice::from_ref(reader)).await,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                for wrap in &wraps {
                    storage.delete(wrap).await?;
                }
                Err(taken())
            }
            Err(error) => Err(error),
        }
    }

    /// Lets another reader open everything that is open here. Done again after a crash, it adds what is missing.
    ///
    /// # Errors
    /// `AlreadyExists` when a reader of that name has another key; as [`Storage::create`].
    pub async fn add_reader(&self, reader: &ReaderKey, entropy: &dyn Entropy) -> Result<()> {
        let place = self.place();
        let mut has = BTreeSet::new();
        let mut other = false;
        for entry in place.list().await?.iter().filter(|entry| entry.reader == reader.name()) {
            match self.tried(entry, reader).await? {
                Tried::Opens => {
                    has.insert(entry.key);
                }
                Tried::WrongKey => other = true,
                Tried::Useless => {}
            }
        }
        if other && has.is_empty() {
            return Err(Error::already_exists(format!("a reader '{}' with another key", reader.name()))
                .hint("rotate its key, or choose another name"));
        }
        for item in self.items() {
            if !has.contains(&item.id(place)) {
                write(place, item, reader, entropy).await?;
            }
        }
        Ok(())
    }

    /// Replaces the key of a reader by `new`, which bears the same name: wraps everything anew and deletes the wraps
    /// under the key at hand. Data and manifests are not touched. Of two rotations at once both new keys open.
    ///
    /// # Errors
    /// `NotFound` when there is no such reader, `Denied` when its present key is not at hand; as [`Storage`].
    pub async fn rotate(&mut self, new: &ReaderKey, entropy: &dyn Entropy) -> Result<()> {
        let own = |reader: &&ReaderKey| reader.name() == new.name();
        let mut written = BTreeSet::new();
        for round in 0..ROUNDS {
            let mut listed = self.place().list().await?;
            listed.retain(|entry| entry.reader == new.name() && !written.contains(&entry.object));
            // A rotation that a crash cut short has left wraps under the new key: they are made anew too, once.
            let again = (round == 0).then_some(new);
            let replaced = self.opened(&listed, self.readers.iter().filter(own).chain(again)).await?;
            match (replaced.is_empty(), listed.is_empty(), round) {
                (false, ..) => {}
                (true, true, 0) => return Err(Error::not_found(format!("reader '{}'", new.name()))),
                (true, false, 0) => {
                    return Err(Error::denied(format!("the present key of reader '{}' is not at hand", new.name()))
                        .hint("open the repository with it, or remove the reader and add it again"));
                }
                (true, ..) => {
                    self.readers.retain(|reader| reader.name() != new.name());
                    self.readers.push(new.clone());
                    return Ok(());
                }
            }
            for item in self.items() {
                if replaced.iter().any(|entry| entry.key == item.id(self.place())) {
                    written.insert(write(self.place(), item, new, entropy).await?);
                }
            }
            for entry in replaced {
                self.storage.delete(&entry.object).await?;
            }
        }
        Err(busy(new.name()))
    }

    /// Takes a reader's wraps away. Whoever kept the data keys, or old wraps and the reader's key, still reads what was
    /// sealed so far: rotate the data key too, so that new backups are out of reach.
    ///
    /// # Errors
    /// `NotFound` when there is no such reader; `Invalid` when it is the last one of a data key; `Denied` when no other
    /// reader's key at hand opens what it opens; `Unavailable` when others keep changing the keys; as [`Storage`].
    pub async fn remove_reader(&self, name: &str, entropy: &dyn Entropy) -> Result<()> {
        for round in 0..ROUNDS {
            let listed = self.place().list().await?;
            let targets: Vec<&Entry> = listed.iter().filter(|entry| entry.reader == name).collect();
            match (targets.is_empty(), round) {
                (true, 0) => return Err(Error::not_found(format!("reader '{}'", name.escape_debug()))),
                (true, _) => return Ok(()),
                _ => {}
            }
            let mut keepers = BTreeMap::new();
            for target in &targets {
                if let btree_map::Entry::Vacant(free) = keepers.entry(target.key) {
                    free.insert(self.keeper(&listed, target).await?);
                }
            }
            // Adding before deleting is what lets two removals at once not take away each other's last wrap.
            let mut outdated = Vec::new();
            for item in self.items() {
                if let Some((keeper, older)) = keepers.remove(&item.id(self.place())) {
                    write(self.place(), item, keeper, entropy).await?;
                    outdated.extend(older);
                }
            }
            // The reader's own go last: as long as one is there, a repetition after a crash tidies up the rest.
            for entry in outdated.into_iter().chain(targets) {
                self.storage.delete(&entry.object).await?;
            }
        }
        Err(busy(name))
    }

    /// A new data key for the backups from now on; what was sealed with older ones stays readable. Every reader gets it
    /// whose key is at hand, but for those named in `without`.
    ///
    /// # Errors
    /// `Denied` when a reader is neither at hand nor in `without`; `Invalid` when nobody would be left;
    /// as [`Storage::create`].
    pub async fn rotate_data_key(&mut self, without: &[&str], entropy: &dyn Entropy) -> Result<DataKeyId> {
        let place = self.place();
        let names: BTreeSet<String> = place.list().await?.into_iter().map(|entry| entry.reader).collect();
        let mut getting = Vec::new();
        let mut lacking = Vec::new();
        for name in names.iter().filter(|name| !without.contains(&name.as_str())) {
            match self.proved(name).await? {
                Some(reader) => getting.push(reader),
                None => lacking.push(name.as_str()),
            }
        }
        if !lacking.is_empty() {
            return Err(Error::denied(format!("the keys of these readers are not at hand: {}", lacking.join(", ")))
                .hint("open the repository with them too, or name them as left out of the new data key"));
        }
        if getting.is_empty() {
            return Err(Error::invalid("a data key that no reader could open"));
        }
        let newest = self.open.values().map(|open| open.generation);
        let newest = newest.chain(self.closed.values().map(|closed| closed.generation)).max().unwrap_or(0);
        let generation =
            newest.checked_add(1).ok_or_else(|| Error::corrupt("a data key claims the last generation"))?;
        let id = fresh_id(entropy)?;
        let open = Open { key: Arc::new(DataKey::random(entropy)?), generation };
        for reader in getting {
            write(place, Data(id, &open), reader, entropy).await?;
        }
        self.open.insert(id, open);
        Ok(id)
    }

    /// Everything that is open: the content key first, since nothing opens without it, then from the newest data key.
    fn items(&self) -> Vec<Item<'_>> {
        let mut data: Vec<_> = self.open.iter().collect();
        data.sort_by_key(|(id, open)| std::cmp::Reverse((open.generation, **id)));
        std::iter::once(Content(&self.content)).chain(data.into_iter().map(|(id, open)| Data(*id, open))).collect()
    }

    /// Those of `entries` that one of `keys` opens.
    async fn opened<'a>(
        &self,
        entries: &'a [Entry],
        keys: impl Iterator<Item = &ReaderKey> + Clone,
    ) -> Result<Vec<&'a Entry>> {
        let mut opened = Vec::new();
        for entry in entries {
            for key in keys.clone() {
                if let Tried::Opens = self.tried(entry, key).await? {
                    opened.push(entry);
                    break;
                }
            }
        }
        Ok(opened)
    }

    /// A reader at hand that opens the same data key as `target`, and its wraps of it.
    async fn keeper<'a>(&'a self, listed: &'a [Entry], target: &Entry) -> Result<(&'a ReaderKey, Vec<&'a Entry>)> {
        let others = || listed.iter().filter(|entry| entry.key == target.key && entry.reader != target.reader);
        for reader in self.readers.iter().filter(|reader| reader.name() != target.reader) {
            let mut opened = Vec::new();
            for entry in others().filter(|entry| entry.reader == reader.name()) {
                if let Tried::Opens = self.tried(entry, reader).await? {
                    opened.push(entry);
                }
            }
            if !opened.is_empty() {
                return Ok((reader, opened));
            }
        }
        let names: BTreeSet<&str> = others().map(|entry| entry.reader.as_str()).collect();
        if names.is_empty() {
            return Err(Error::invalid(format!("'{}' is the last reader of data key {}", target.reader, target.key))
                .hint("add another reader first: without one nobody could ever read these backups"));
        }
        let names: Vec<_> = names.into_iter().collect();
        Err(Error::denied(format!("no key at hand opens data key {} after '{}' is gone", target.key, target.reader))
            .hint(format!("open the repository with the key of one that stays: {}", names.join(", "))))
    }

    /// The key at hand of the reader `name`, if it opens the content key.
    async fn proved(&self, name: &str) -> Result<Option<&ReaderKey>> {
        let listed = self.place().list().await?;
        let own = |entry: &&Entry| entry.reader == name && entry.key == self.id;
        for reader in self.readers.iter().filter(|reader| reader.name() == name) {
            for entry in listed.iter().filter(own) {
                if let Tried::Opens = self.tried(entry, reader).await? {
                    return Ok(Some(reader));
                }
            }
        }
        Ok(None)
    }

    /// Whether `reader` opens the wrap, and finds in it the key that is known here.
    async fn tried(&self, entry: &Entry, reader: &ReaderKey) -> Result<Tried> {
        let known =
            if entry.key == self.id { Some(&self.content) } else { self.open.get(&entry.key).map(|open| &open.key) };
        let (Some(known), Some(wrap)) = (known, read_sound(self.place(), entry).await?) else {
            return Ok(Tried::Useless);
        };
        Ok(match try_open(&wrap, reader).await? {
            Ok(key) if key.expose() == known.expose() => Tried::Opens,
            Err(Refusal::WrongKey) => Tried::WrongKey,
            Ok(_) | Err(Refusal::Damaged(_)) => Tried::Useless,
        })
    }
}

fn busy(reader: &str) -> Error {
    Error::unavailable(format!("wraps of reader '{reader}' keep coming back: others are changing the keys"))
        .hint("try again when they are done")
}

/// What came of trying a wrap.
enum Tried {
    Opens,
    WrongKey,
    /// Gone, damaged, or of a data key that is not open here.
    Useless,
}

/// What can be wrapped.
#[derive(Clone, Copy)]
enum Item<'a> {
    Content(&'a DataKey),
    Data(DataKeyId, &'a Open),
}
use Item::{Content, Data};

impl Item<'_> {
    fn id(&self, place: Place<'_>) -> DataKeyId {
        match self {
            Content(_) => place.ring,
            Data(id, _) => *id,
        }
    }
}

impl Open {
    fn first(entropy: &dyn Entropy) -> Result<Self> {
        Ok(Self { key: Arc::new(DataKey::random(entropy)?), generation: 1 })
    }
}

async fn read_sound(place: Place<'_>, entry: &Entry) -> Result<Option<Wrap>> {
    match place.read(entry).await {
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => Ok(None),
        other => other,
    }
}

/// Wraps `item` for `reader` and stores it, under a name that no other wrap ever had.
async fn write(place: Place<'_>, item: Item<'_>, reader: &ReaderKey, entropy: &dyn Entropy) -> Result<Key> {
    let (id, purpose, generation, key) = match item {
        Content(key) => (place.ring, Purpose::Content, 0, key),
        Data(id, open) => (id, Purpose::Data, open.generation, &*open.key),
    };
    let derivation = reader.derivation(entropy)?;
    let material = reader
        .material(&derivation)
        .await?
        .ok_or_else(|| Error::internal("a reader's key does not fit its own derivation"))?;
    let (repository, ring, reader) = (place.repository, place.ring, reader.name().to_owned());
    let object = place.object(id, &reader, random(entropy)?)?;
    let label = Label { repository, ring, key: id, purpose, generation, reader };
    let wrap = Wrap::new(label, derivation, &material, key, random(entropy)?)?;
    place.storage.put_new(&object, wrap.to_json()?.into()).await.map_err(|error| error.within(&object))?;
    Ok(object)
}

fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

fn fresh_id(entropy: &dyn Entropy) -> Result<DataKeyId> {
    Ok(DataKeyId::from_bytes(random(entropy)?))
}
