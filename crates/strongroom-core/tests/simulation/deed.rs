//! What a process does in the simulation, and how it fares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{
    BackupKindWish, BackupReport, BackupRequest, CopyRequest, PartOutcome, PruneRequest, Removal, RestoreRequest,
    SynthesizeRequest, VerifyRequest, backup, copy, prune, restore, resume_backup, synthesize, verify,
};
use strongroom_core::id::{BackupId, RunId};
use strongroom_core::model::{Depth, Scope};
use strongroom_core::planner::{Request, RetentionPolicy, Target};
use strongroom_core::repository::{Loaded, Repository};
use strongroom_core::{ErrorKind, Result, Storage};
use strongroom_testkit::{Crashing, Death, Faults, Faulty, Latency, MemoryStorage, SimulatedFold};

use crate::check::is_true;
use crate::support::{World, request, settings};
use crate::toy::Codecs;

/// One job.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Backup { run: RunId, base: bool },
    Resume { run: RunId, take_over: bool },
    Verify { near: bool, depth: Depth },
    Copy,
    Prune { near: bool, grace: Duration },
    Restore { number: usize, in_place: bool },
    Synthesize { number: usize },
}

/// What goes wrong for one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Luck {
    pub(crate) seed: u64,
    pub(crate) dies_at: Option<(u64, Death)>,
    pub(crate) flaky: u16,
    pub(crate) call: Duration,
    /// An object is damaged or gone while it works.
    pub(crate) damaged: bool,
}

/// How a job ended, in words for the log, and the parts of a backup that are committed now.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) words: String,
    pub(crate) committed: Vec<BackupId>,
    /// A run that may be gone on with.
    pub(crate) left: Option<RunId>,
}

/// How many points a prune keeps of each part.
pub(crate) const KEPT: u32 = 3;

/// The places as one process sees them.
struct Places {
    process: Crashing<MemoryStorage>,
    home: Arc<dyn Storage>,
    near: Arc<dyn Storage>,
}

impl Places {
    fn new(world: &World, near: &MemoryStorage, luck: Luck) -> Self {
        let (at, death) = luck.dies_at.unwrap_or((u64::MAX, Death::Before));
        let process = Crashing::at(world.storage.clone(), at, death);
        let faults = Faults::flaky(luck.flaky);
        let faults = Faults { delay: 0, ..faults };
        let over = |seed, storage: Crashing<MemoryStorage>| -> Arc<dyn Storage> {
            Arc::new(Faulty::new(Latency::new(storage, luck.call), seed, faults))
        };
        let (home, near) = (over(luck.seed, process.clone()), over(luck.seed + 1, process.beside(near.clone())));
        Self { process, home, near }
    }

    async fn open(&self, world: &World) -> Result<Repository> {
        Repository::open(Arc::clone(&self.home), world.environment()).await
    }
}

impl Deed {
    /// Does it as one process that may die.
    pub(crate) async fn perform(self, world: &World, near: &MemoryStorage, luck: Luck) -> Told {
        let places = Places::new(world, near, luck);
        let done = places.process.run(self.attempt(world, &places, luck)).await;
        let left = match &self {
            Self::Backup { run, .. } | Self::Resume { run, .. } => Some(*run),
            _ => None,
        };
        let name = self.name();
        match done {
            None => Told { words: format!("{name}: died"), committed: Vec::new(), left },
            Some(Ok(committed)) => Told {
                words: format!("{name}: done {}", committed.0),
                left: left.filter(|_| !committed.2),
                committed: committed.1,
            },
            Some(Err(error)) => {
                luck.may_fail(error.kind(), &format!("{name}: {error:?}"));
                Told { words: format!("{name}: failed {}", error.kind()), committed: Vec::new(), left }
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::Resume { .. } => "resume",
            Self::Verify { .. } => "verify",
            Self::Copy => "copy",
            Self::Prune { .. } => "prune",
            Self::Restore { in_place: false, .. } => "restore",
            Self::Restore { in_place: true, .. } => "restore in place",
            Self::Synthesize { .. } => "synthesize",
        }
    }

    /// Words for the log, committed backups, and whether nothing of a run is left to do.
    async fn attempt(&self, world: &World, places: &Places, luck: Luck) -> Result<(String, Vec<BackupId>, bool)> {
        let repository = places.open(world).await?;
        let place = |near: bool| if near { repository.at(Arc::clone(&places.near)) } else { repository.clone() };
        let codecs = Arc::new(Codecs);
        match self {
            Self::Backup { run, base } => {
                let kind = if *base { BackupKindWish::Base } else { BackupKindWish::Auto };
                let request = BackupRequest { run: Some(*run), kind, ..request() };
                let cluster = Arc::new(places.process.cluster(world.cluster()));
                Ok(taken(&backup(repository, codecs, cluster, request).await?, luck))
            }
            Self::Resume { run, take_over } => {
                let cluster = Arc::new(places.process.cluster(world.cluster()));
                let request = BackupRequest { take_over: *take_over, ..request() };
                Ok(taken(&resume_backup(repository, codecs, cluster, *run, request).await?, luck))
            }
            Self::Verify { near, depth } => {
                // What is found of damage that is mended later is not kept.
                let (settings, record) = (settings(), !luck.damaged);
                let request = VerifyRequest { depth: *depth, settings, record, ..VerifyRequest::default() };
                let report = verify(place(*near), codecs, request).await?;
                assert!(report.is_whole() || luck.damaged && !near, "near {near}: {report:?}");
                Ok((format!("{} backups", report.backups.len()), Vec::new(), true))
            }
            Self::Copy => {
                let request =
                    CopyRequest { name: Some("near".to_owned()), settings: settings(), ..CopyRequest::default() };
                let report = copy(repository, codecs, Arc::clone(&places.near), request).await?;
                for left in &report.left_out {
                    let explained = left.kind == ErrorKind::Unavailable || luck.damaged;
                    assert!(explained, "only a prune there keeps it away, or damage: {left:?}");
                }
                Ok((format!("{} of {}", report.copied, report.backups.len()), Vec::new(), true))
            }
            Self::Prune { near, grace } => {
                let policy = RetentionPolicy { keep_last: Some(KEPT), ..RetentionPolicy::default() };
                let what = Removal::Policy { policy, parts: BTreeMap::new(), cluster: None };
                let request = PruneRequest { what, grace: *grace, ..PruneRequest::default() };
                let report = prune(place(*near), request).await?;
                Ok((format!("{} deleted", report.deleted.backups.len()), Vec::new(), true))
            }
            Self::Restore { number, in_place } => {
                let loaded = repository.load().await?;
                let Some(state) = state_of(&loaded, *number) else { return Ok(nothing()) };
                let plan = loaded.catalogue().plan(&state)?;
                let target = if *in_place { world.cluster.clone() } else { world.target() };
                let storages = [("near".to_owned(), Arc::clone(&places.near))].into();
                let options = RestoreOptions { truncate: *in_place, ..RestoreOptions::default() };
                let request = RestoreRequest { settings: settings(), storages, options, ..RestoreRequest::default() };
                let into = Arc::new(places.process.cluster(Arc::new(target.clone())));
                let summary = restore(repository, codecs, plan, into, request).await?;
                is_true(world, &target.contents(), &summary, &format!("restored by {state:?}"));
                Ok((format!("{} steps", summary.applied.written), Vec::new(), true))
            }
            Self::Synthesize { number } => {
                let Some(state) = state_of(&repository.load().await?, *number) else { return Ok(nothing()) };
                let storages = [("near".to_owned(), Arc::clone(&places.near))].into();
                let stack = request().stack;
                let request =
                    SynthesizeRequest { state, stack, settings: settings(), storages, ..SynthesizeRequest::default() };
                let report = synthesize(repository, codecs, Arc::new(SimulatedFold), request).await?;
                Ok((format!("{} merged", report.made_from.len()), vec![report.backup], true))
            }
        }
    }
}

/// The state of one of the backups, of one part.
fn state_of(loaded: &Loaded, number: usize) -> Option<Request> {
    let entries: Vec<_> = loaded.entries().collect();
    let entry = entries.get(number % entries.len().max(1))?;
    Some(Request::at(Target::Backup(entry.id)).of(Scope::of_parts([entry.part.clone()])))
}

fn nothing() -> (String, Vec<BackupId>, bool) {
    ("nothing".to_owned(), Vec::new(), true)
}

fn taken(report: &BackupReport, luck: Luck) -> (String, Vec<BackupId>, bool) {
    for part in &report.parts {
        if let PartOutcome::Failed { kind, what } = &part.outcome {
            luck.may_fail(*kind, what);
        }
    }
    (format!("{} parts", report.backups().count()), report.backups().collect(), report.is_success())
}

impl Luck {
    /// A network that fails, a clock that went back and processes that meet explain these errors; no others.
    fn may_fail(self, kind: ErrorKind, what: &str) {
        let explained = matches!(
            kind,
            ErrorKind::Unavailable
                | ErrorKind::Cancelled
                | ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                | ErrorKind::BrokenChain
                | ErrorKind::Unsupported
                | ErrorKind::Invalid
        );
        assert!(explained || self.damaged && kind == ErrorKind::Corrupt, "{what}");
    }
}
