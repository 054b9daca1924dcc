//! A cluster in memory whose whole history can be asked.

pub(crate) mod crashing;
mod fold;
mod freeze;
mod history;
mod options;
mod piece;
mod read;
pub(crate) mod recording;
mod restore;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use strongroom_core::cluster::{
    Applied, Capabilities, ClusterIdentity, Fold, FreezeRequest, Frozen, Node, PartDescription, PieceReader, PieceSpec,
    Preflight, RestoreOptions, RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::environment::Clock;
use strongroom_core::id::{ClusterId, SessionId};
use strongroom_core::model::{Deletes, PartName};
use strongroom_core::{ByteStream, Cluster, Error, Result, Timestamp};

use history::{FILES, Part, line};

pub use fold::SimulatedFold;
pub use history::{ClusterContents, PARTITIONS};
pub use options::{PartFault, SimulatedOptions};
pub use workload::Workload;

/// A last-write-wins record cluster in memory: parts, tables, records, files, deletes, nodes.
///
/// It keeps every version of every record, so that [`SimulatedCluster::contents_at`] answers what a backup of any
/// moment must hold. Clones share the cluster.
#[derive(Clone)]
pub struct SimulatedCluster {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    clock: Arc<dyn Clock>,
    options: SimulatedOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parts: BTreeMap<PartName, Part>,
    last: Timestamp,
    freezes: u64,
    frozen: BTreeSet<u64>,
    sessions: BTreeMap<SessionId, restore::Session>,
    faults: Vec<(PartName, PartFault)>,
    reads: BTreeMap<String, u64>,
    writes: BTreeMap<String, u64>,
    /// Overrides the options.
    pieces: Option<u16>,
}

impl State {
    /// A moment after everything that happened before, even if the wall clock went back.
    fn moment(&mut self, clock: &dyn Clock) -> Timestamp {
        self.last = clock.now().max(self.last.plus_micros(1));
        self.last
    }

    fn part(&mut self, part: &str) -> &mut Part {
        self.parts.entry(part.to_owned()).or_default()
    }
}

impl SimulatedCluster {
    /// An empty cluster without parts; `name` makes its identity.
    #[must_use]
    pub fn new(name: &str, clock: Arc<dyn Clock>, options: SimulatedOptions) -> Self {
        Self { shared: Arc::new(Shared { name: name.to_owned(), clock, options, state: Mutex::default() }) }
    }

    /// Another cluster of the same name with the same history, that goes its own way from here. Freezes, restores under
    /// way and faults stay behind.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let Shared { name, clock, options, .. } = &*self.shared;
        let (name, clock, options) = (name.clone(), Arc::clone(clock), options.clone());
        let state = self.lock();
        let state = State { parts: state.parts.clone(), last: state.last, ..State::default() };
        Self { shared: Arc::new(Shared { name, clock, options, state: Mutex::new(state) }) }
    }

    /// Makes an empty part, if it is not there.
    pub fn create_part(&self, part: &str) {
        self.lock().part(part);
    }

    /// Makes an empty table, if it is not there.
    pub fn create_table(&self, part: &str, table: &str) {
        self.lock().part(part).tables.entry(table.to_owned()).or_default();
    }

    /// Writes a record; the moment at which it is there.
    pub fn put(&self, part: &str, table: &str, record: &str, value: impl Into<Bytes>) -> Timestamp {
        self.set(part, table, record, Some(value.into()))
    }

    /// Deletes a record; the moment from which it is gone.
    pub fn delete(&self, part: &str, table: &str, record: &str) -> Timestamp {
        self.set(part, table, record, None)
    }

    /// Writes an immutable file: handed out as a group of two pieces, its bytes with a content identity.
    pub fn put_file(&self, part: &str, name: &str, body: impl Into<Bytes>) -> Timestamp {
        self.set(part, FILES, name, Some(body.into()))
    }

    /// Deletes a file.
    pub fn delete_file(&self, part: &str, name: &str) -> Timestamp {
        self.set(part, FILES, name, None)
    }

    /// Forgets what changed up to now in `part`: an incremental since an earlier moment is `BrokenChain`.
    pub fn forget_changes(&self, part: &str) {
        let mut state = self.lock();
        let now = state.moment(&*self.shared.clock);
        state.part(part).horizon = now;
    }

    /// What all parts hold now.
    #[must_use]
    pub fn contents(&self) -> ClusterContents {
        self.contents_at(Timestamp::MAX)
    }

    /// What all parts held at `moment`, including everything that happened at that very moment.
    #[must_use]
    pub fn contents_at(&self, moment: Timestamp) -> ClusterContents {
        self.lock().parts.iter().flat_map(|(name, part)| part.contents_at(name, moment)).collect()
    }

    /// What one part held at `moment`.
    #[must_use]
    pub fn part_at(&self, part: &str, moment: Timestamp) -> ClusterContents {
        self.lock().parts.get(part).map(|found| found.contents_at(part, moment)).unwrap_or_default()
    }

    /// Checks that `found` is what a backup of `part` with a window up to `until`, settled at `settled`, may restore
    /// to: every record as it was at `until` or at a later moment up to `settled`. Where deletes are `Unseen`,
    /// what was deleted may have come back with any older value.
    ///
    /// # Errors
    /// The first record that is otherwise, as text.
    pub fn check_between(
        &self,
        part: &str,
        found: &ClusterContents,
        until: Timestamp,
        settled: Timestamp,
        deletes: Deletes,
    ) -> Result<(), String> {
        let state = self.lock();
        let mut known = BTreeSet::new();
        for (table, records) in state.parts.get(part).iter().flat_map(|part| &part.tables) {
            for (record, history) in records {
                let name = line(part, table, record);
                let have = found.get(&name);
                let mut may: Vec<Option<&Bytes>> = vec![history::at(history, until).and_then(|v| v.value.as_ref())];
                may.extend(history.iter().filter(|v| v.at > until && v.at <= settled).map(|v| v.value.as_ref()));
                if deletes == Deletes::Unseen && may.contains(&None) {
                    may.extend(history.iter().filter(|v| v.at <= settled).map(|v| v.value.as_ref()));
                }
                if !may.contains(&have) {
                    return Err(format!("{name} is {have:?}, but between {until} and {settled} it was one of {may:?}"));
                }
                known.insert(name);
            }
        }
        found.keys().find(|name| !known.contains(*name)).map_or(Ok(()), |name| Err(format!("{name} was never there")))
    }

    /// How many freezes were not released yet. 0 at the end of every job.
    #[must_use]
    pub fn open_freezes(&self) -> usize {
        self.lock().frozen.len()
    }

    /// How many restores were neither finished nor aborted yet.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.lock().sessions.values().filter(|session| session.open).count()
    }

    /// How often the reading of each piece was begun: `part/piece` to count.
    #[must_use]
    pub fn reads(&self) -> BTreeMap<String, u64> {
        self.lock().reads.clone()
    }

    /// How often restores wrote or deleted each record that they were asked for: `part/table/record` to count.
    #[must_use]
    pub fn writes(&self) -> BTreeMap<String, u64> {
        self.lock().writes.clone()
    }

    /// Cuts parts into so many data pieces from now on.
    pub fn cut_into(&self, pieces: u16) {
        self.lock().pieces = Some(pieces);
    }

    /// Makes `part` fail in this way, beside what it does already.
    pub fn fail(&self, part: &str, fault: PartFault) {
        self.lock().faults.push((part.to_owned(), fault));
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    fn set(&self, part: &str, table: &str, record: &str, value: Option<Bytes>) -> Timestamp {
        let mut state = self.lock();
        let at = state.moment(&*self.shared.clock);
        state.part(part).set(table, record, at, value);
        at
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self) -> ClusterIdentity {
        let number = self.shared.name.bytes().fold(1_u128, |sum, byte| sum.wrapping_mul(257) + u128::from(byte));
        let fingerprint = format!("simulated {}", self.shared.name);
        ClusterIdentity { id: ClusterId::from_u128(number), name: self.shared.name.clone(), fingerprint }
    }
}

impl fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedCluster({})", self.shared.name)
    }
}

#[async_trait]
impl Cluster for SimulatedCluster {
    fn capabilities(&self) -> Capabilities {
        let options = &self.shared.options;
        Capabilities {
            incremental: options.incremental,
            deletes_seen: options.incremental && options.deletes == Deletes::Seen,
            fold: options.fold,
            truncate: options.truncate,
            parallelism: options.parallelism,
            ..Capabilities::default()
        }
    }

    async fn describe(&self) -> Result<Topology> {
        tokio::task::yield_now().await;
        let state = self.lock();
        let describe = |part: &Part| {
            let alive = |history: &history::History| history.last().is_some_and(|version| version.value.is_some());
            let count = |records: &BTreeMap<_, _>| records.values().filter(|history| alive(history)).count() as u64;
            let tables: BTreeMap<_, _> =
                part.tables.iter().map(|(table, records)| (table.clone(), Some(count(records)))).collect();
            PartDescription { records: tables.values().copied().sum(), tables, bytes: None }
        };
        Ok(Topology {
            identity: self.identity(),
            version: "1".to_owned(),
            nodes: self.nodes().map(|id| Node { id, ..Node::default() }).collect(),
            parts: state.parts.iter().map(|(name, part)| (name.clone(), describe(part))).collect(),
        })
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        tokio::task::yield_now().await;
        self.freeze_now(request)
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        tokio::task::yield_now().await;
        self.read_now(piece)
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        tokio::task::yield_now().await;
        let token = frozen.token.as_u64().ok_or_else(|| Error::invalid("not a token of a simulated freeze"))?;
        self.lock().frozen.remove(&token);
        Ok(())
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        tokio::task::yield_now().await;
        let state = self.lock();
        Ok(self
            .shared
            .options
            .remembers
            .then(|| state.parts.get(part).is_some_and(|part| part.freezes.contains(&until))))
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        tokio::task::yield_now().await;
        Ok(self.preflight(outline, options))
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        tokio::task::yield_now().await;
        self.begin_now(id, outline, options)
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.write_all(session, step, part, piece, body).await
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        tokio::task::yield_now().await;
        self.seal_now(session, step)
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        tokio::task::yield_now().await;
        self.end(&session);
        Ok(RestoreReport::default())
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        tokio::task::yield_now().await;
        self.end(&session);
        Ok(())
    }

    fn fold(&self) -> Option<&dyn Fold> {
        self.shared.options.fold.then_some(&SimulatedFold)
    }
}
