//! Leases: a promise to be alive, as a series of objects `leases/<name>/<epoch>`, without compare-and-swap.
//!
//! Whoever creates the next epoch holds the lease. A holder renews by creating one more; somebody else may do so only
//! after one epoch stayed unchanged for its time on his own monotonic clock, so no two wall clocks are ever compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Kind;
use super::objects::{found, list_all, put};
use super::{Repository, layout};
use crate::id::{BackupId, HolderId};
use crate::{Error, ErrorKind, Key, Result, Timestamp};

/// How long a lease is believed without a renewal, unless its holder says otherwise.
pub const LEASE_TIME: Duration = Duration::from_mins(2);

/// What is done about a lease that somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Watch it for at most this long, and take it over if it stays unchanged for its time.
    Wait(Duration),
    /// Take it over at once: its holder is known to be dead. Should he live after all, he notices before his next
    /// commit or delete, and ends with `Cancelled`.
    TakeOver,
}

impl From<Duration> for Patience {
    fn from(time: Duration) -> Self {
        Self::Wait(time)
    }
}

/// What a lease is held for. What this version does not know is honoured as if it needed everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A backup is being written.
    Backup,
    /// A restore, copy or check reads backups.
    Restore,
    /// Something is being deleted. One at a time.
    Prune,
    /// Something that a newer version does.
    #[serde(other)]
    Other,
}

/// What a lease says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// What it is held for.
    pub purpose: Purpose,
    /// How long it is believed without a renewal, in microseconds.
    pub micros: u64,
    /// The backups that must stay while it is held.
    #[serde(default)]
    pub backups: BTreeSet<BackupId>,
    /// For people: who, where, why.
    #[serde(default)]
    pub note: String,
}

impl LeaseTerms {
    /// Terms with the usual time, that keep no backup.
    #[must_use]
    pub fn new(purpose: Purpose, note: impl Into<String>) -> Self {
        Self { purpose, micros: micros(LEASE_TIME), backups: BTreeSet::new(), note: note.into() }
    }

    /// The same for another time.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.micros = micros(time);
        self
    }

    /// The same, keeping `backups`.
    #[must_use]
    pub fn keeping(mut self, backups: impl IntoIterator<Item = BackupId>) -> Self {
        self.backups.extend(backups);
        self
    }
}

/// Microseconds of a duration, saturating.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Epoch {
    holder: HolderId,
    written: Timestamp,
    #[serde(default)]
    released: bool,
    terms: LeaseTerms,
}

/// A lease that somebody holds, as a listing of leases shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// Its name, escaped as in its key.
    pub name: String,
    /// The newest epoch.
    pub epoch: u64,
    /// When that was written, by its holder's clock.
    pub written: Timestamp,
    /// What it says.
    pub terms: LeaseTerms,
}

/// A lease that one holds oneself.
#[derive(Debug)]
pub struct Lease {
    repository: Repository,
    name: String,
    folder: String,
    holder: HolderId,
    terms: LeaseTerms,
    epoch: AtomicU64,
    renewed: AtomicU64,
    may_delete: AtomicBool,
}

impl Repository {
    /// Takes the lease `name`. When somebody else holds it, `patience` says what is done.
    ///
    /// # Errors
    /// `Unavailable` when somebody holds it still; as the storage otherwise.
    pub async fn lease(&self, name: &str, terms: LeaseTerms, patience: impl Into<Patience>) -> Result<Lease> {
        let patience = patience.into();
        let lease = Lease {
            repository: self.clone(),
            name: name.to_owned(),
            folder: layout::lease_folder(name),
            holder: HolderId::fresh(&self.environment)?,
            terms,
            epoch: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            may_delete: AtomicBool::new(true),
        };
        let started = self.environment.clock.monotonic_micros();
        let mut watch = Watch::default();
        loop {
            let newest = self.newest_epoch(&lease.folder).await?;
            if let (Some(state), Patience::Wait(patience)) = (newest.held(), patience) {
                let now = self.environment.clock.monotonic_micros();
                let left = watch.time_left(&state, now);
                if left > 0 {
                    if now.saturating_sub(started).saturating_add(left) > micros(patience) {
                        return Err(held_by_other(name, &state));
                    }
                    pause(left.min(state.terms.micros / 4)).await;
                    continue;
                }
            }
            if lease.claim(newest.number + 1, false).await? {
                return Ok(lease);
            }
        }
    }

    /// Keeps `backups` from being deleted while they are read: takes a lease that names them, then makes sure that no
    /// prune has condemned one of them before.
    ///
    /// # Errors
    /// `NotFound` when one is condemned; as [`Repository::lease`] otherwise.
    pub async fn hold(&self, name: &str, terms: LeaseTerms, patience: impl Into<Patience>) -> Result<Lease> {
        let lease = self.lease(name, terms, patience).await?;
        let condemned = self.condemned_backups().await?;
        let Some(backup) = lease.terms.backups.iter().find(|backup| condemned.contains(backup)) else {
            return Ok(lease);
        };
        let error = Error::not_found(format!("the backup {backup} is being deleted"))
            .hint("plan again: the plan leaves out what is being deleted");
        lease.release().await?;
        Err(error)
    }

    /// Every lease that is held, alive or not. See [`Watch`] for telling which are alive.
    ///
    /// # Errors
    /// As the storage. A lease that can't be read is an error too: it may be one that must be honoured.
    pub async fn leases(&self) -> Result<Vec<LeaseState>> {
        let mut newest: BTreeMap<String, (u64, Key)> = BTreeMap::new();
        for meta in list_all(&*self.storage, layout::LEASES).await? {
            if let Some((number, "")) = layout::number_of(&meta.key) {
                newest.insert(meta.key.folder().to_owned(), (number, meta.key));
            }
        }
        let mut held = Vec::new();
        for (folder, (number, key)) in newest {
            let newest = match self.read_epoch(&folder, number, &key).await? {
                Some(newest) => newest,
                None => self.newest_epoch(&format!("{folder}/")).await?,
            };
            held.extend(newest.held());
        }
        Ok(held)
    }

    /// Ends a lease whose holder was watched and found dead, so that he notices if he wakes up.
    ///
    /// # Errors
    /// As the storage. `Ok(false)`: it was renewed meanwhile.
    pub(super) async fn fence(&self, state: &LeaseState) -> Result<bool> {
        let body = Epoch {
            holder: HolderId::fresh(&self.environment)?,
            written: self.environment.now(),
            released: true,
            terms: state.terms.clone(),
        };
        let key = layout::numbered(&format!("{}{}/", layout::LEASES, state.name), state.epoch + 1)?;
        match self.put_document(&key, Kind::Lease, &body).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn newest_epoch(&self, folder: &str) -> Result<Newest> {
        for _ in 0..5 {
            let listed = list_all(&*self.storage, folder).await?;
            let newest = listed.iter().rev().find_map(|meta| match layout::number_of(&meta.key) {
                Some((number, "")) => Some((number, &meta.key)),
                _ => None,
            });
            let Some((number, key)) = newest else {
                return Ok(Newest { number: 0, name: String::new(), epoch: None });
            };
            // Gone: it was cleaned away after a newer one. So look again.
            if let Some(newest) = self.read_epoch(folder.trim_end_matches('/'), number, key).await? {
                return Ok(newest);
            }
        }
        Err(Error::unavailable(format!("the newest epoch below {folder} is listed, yet can't be read")))
    }

    async fn read_epoch(&self, folder: &str, number: u64, key: &Key) -> Result<Option<Newest>> {
        let name = folder.rsplit('/').next().unwrap_or(folder).to_owned();
        let epoch = match found(self.get_document(key, Kind::Lease).await) {
            Ok(Some(epoch)) => epoch,
            Ok(None) => return Ok(None),
            // Damaged: held by nobody knows whom. It ends as any other, by staying unchanged.
            Err(error) if error.kind() == ErrorKind::Corrupt => Epoch {
                holder: HolderId::from_u128(0),
                written: Timestamp::EPOCH,
                released: false,
                terms: LeaseTerms::new(Purpose::Other, format!("damaged: {error}")),
            },
            Err(error) => return Err(error),
        };
        Ok(Some(Newest { number, name, epoch: Some(epoch) }))
    }
}

struct Newest {
    number: u64,
    name: String,
    epoch: Option<Epoch>,
}

impl Newest {
    fn held(&self) -> Option<LeaseState> {
        let epoch = self.epoch.as_ref().filter(|epoch| !epoch.released)?;
        Some(LeaseState {
            name: self.name.clone(),
            epoch: self.number,
            written: epoch.written,
            terms: epoch.terms.clone(),
        })
    }
}

impl Lease {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its newest epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// What it says.
    #[must_use]
    pub fn terms(&self) -> &LeaseTerms {
        &self.terms
    }

    /// Whether a renewal is due: a third of its time has passed.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.age() >= self.terms.micros / 3
    }

    fn age(&self) -> u64 {
        let now = self.repository.environment.clock.monotonic_micros();
        now.saturating_sub(self.renewed.load(Ordering::Relaxed))
    }

    /// Makes sure that it is still one's own; called before every commit and every batch of deletes.
    ///
    /// # Errors
    /// `Cancelled` when it was taken over; as the storage otherwise.
    pub async fn check(&self) -> Result<()> {
        if self.is_due() {
            return self.renew().await;
        }
        let newest = self.repository.newest_epoch(&self.folder).await?;
        match newest.epoch {
            Some(epoch) if epoch.holder == self.holder && !epoch.released => {
                self.epoch.store(newest.number, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(self.lost()),
        }
    }

    /// Creates the next epoch.
    ///
    /// # Errors
    /// As [`Lease::check`].
    pub async fn renew(&self) -> Result<()> {
        if self.claim(self.epoch() + 1, false).await? { Ok(()) } else { Err(self.lost()) }
    }

    /// Renews as often as needed, for as long as the future is polled; ends only with an error. Run it beside the work.
    pub async fn keep(&self) -> Error {
        loop {
            pause(self.terms.micros / 6).await;
            match if self.is_due() { self.renew().await } else { Ok(()) } {
                Ok(()) => {}
                // The storage may answer again before the lease's time is over.
                Err(error) if error.kind().is_retryable() && self.age() < self.terms.micros => {}
                Err(error) => return error,
            }
        }
    }

    /// Does `work` and keeps the lease meanwhile; gives the work up when the lease is lost.
    ///
    /// # Errors
    /// Those of `work`, and of [`Lease::check`].
    pub async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            result = work => result,
            error = self.keep() => Err(error),
        }
    }

    /// Gives it back, so that the next one need not wait.
    ///
    /// # Errors
    /// As the storage. A lease that was lost before is no error.
    pub async fn release(self) -> Result<()> {
        self.claim(self.epoch() + 1, true).await.map(drop)
    }

    /// Creates `number`, or finds that it was created by oneself. False: somebody else holds the lease.
    async fn claim(&self, mut number: u64, released: bool) -> Result<bool> {
        let repository = &self.repository;
        loop {
            // Before the write: what others see is never younger than what one believes oneself.
            let now = repository.environment.clock.monotonic_micros();
            let body = Epoch {
                holder: self.holder,
                written: repository.environment.now(),
                released,
                terms: self.terms.clone(),
            };
            let key = layout::numbered(&self.folder, number)?;
            let written = put(&*repository.storage, &key, repository.seal(Kind::Lease, &key, [&body])?).await;
            // A name below the newest may be free again after a clean-up, so only the newest counts.
            let newest = repository.newest_epoch(&self.folder).await?;
            let own = newest.epoch.as_ref().is_some_and(|epoch| epoch.holder == self.holder);
            match written {
                // A newer one of one's own: the work and what keeps the lease beside it renewed at once.
                Ok(()) if own && (newest.number == number || !released) => {
                    self.epoch.store(newest.number, Ordering::Relaxed);
                    self.renewed.store(now, Ordering::Relaxed);
                    self.clean(newest.number).await;
                    return Ok(true);
                }
                Ok(()) => return Ok(false),
                // An earlier try of one's own, whose reply never came.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && own => number = newest.number + 1,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
                Err(error) => return Err(error.within(format!("the lease '{}' could not be renewed", self.name))),
            }
        }
    }

    /// Deletes the epoch before the last, as far as one is allowed to: backing up needs no right to delete.
    async fn clean(&self, newest: u64) {
        if newest < 3 || !self.may_delete.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(key) = layout::numbered(&self.folder, newest - 2)
            && self.repository.storage.delete(&key).await.is_err()
        {
            self.may_delete.store(false, Ordering::Relaxed);
        }
    }

    fn lost(&self) -> Error {
        Error::cancelled(format!("the lease '{}' was taken over, since it was not renewed in time", self.name))
            .hint("another process may have gone on with this work; look at what it did, then start again")
    }
}

fn held_by_other(name: &str, state: &LeaseState) -> Error {
    Error::unavailable(format!("the lease '{name}' is held ({}, renewed {})", state.terms.note, state.written))
        .hint("wait until the other one is done; if it is dead, its lease ends by itself")
}

async fn pause(micros: u64) {
    tokio::time::sleep(Duration::from_micros(micros.max(1))).await;
}

/// Watches leases on one's own monotonic clock, to tell the living from the dead.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<String, (u64, u64)>,
}

impl Watch {
    /// Microseconds until `state` counts as dead, if it stays unchanged; 0 = it does. `now` is monotonic.
    pub fn time_left(&mut self, state: &LeaseState, now: u64) -> u64 {
        let seen = self.seen.entry(state.name.clone()).or_insert((state.epoch, now));
        if seen.0 != state.epoch {
            *seen = (state.epoch, now);
        }
        state.terms.micros.saturating_sub(now.saturating_sub(seen.1))
    }
}
