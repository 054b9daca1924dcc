//! Pieces moved by a worker in a second process, which is killed in the middle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../examples/folder_cluster/cluster.rs"]
mod cluster;
mod remote;
mod serve;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use strongroom::core::engine::{BackupReport, Journal, RemoteWorker, RestoreSummary, backup, restore, resume_backup};
use strongroom::core::id::{RunId, SessionId};
use strongroom::core::pipeline::Settings;
use strongroom::core::repository::{InitOptions, Repository};
use strongroom::{BackupRequest, ErrorKind, Request, RestoreRequest, Result, Storage, Target, storage};

use crate::cluster::FolderCluster;
use crate::remote::Process;

const SESSION: SessionId = SessionId::from_u128(0x34);

/// A folder with everything in it: `source` and `target` as clusters, `repository` and `journal` as storages.
struct World {
    folder: tempfile::TempDir,
    repository: Repository,
}

fn local(path: &Path) -> Arc<dyn Storage> {
    storage::open(&format!("file:{}", path.display()), &storage::Options::default()).unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["source", "target", "repository", "journal"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for number in 0..40_usize {
            let body: Vec<u8> = (0..20_000 + number).map(|at| u8::try_from((at * number) % 251).unwrap()).collect();
            std::fs::write(folder.path().join(format!("source/{number}")), body).unwrap();
        }
        std::fs::write(folder.path().join("source/empty"), "").unwrap();
        std::fs::write(folder.path().join("source/large"), vec![7; 3 << 20]).unwrap();
        let place = local(&folder.path().join("repository"));
        let environment = strongroom::system_environment();
        let repository = Repository::init(place, environment, InitOptions::default()).await.unwrap();
        Self { folder, repository }
    }

    fn worker(process: &Process, cluster: &str) -> RemoteWorker {
        let worker = Arc::new(process.clone());
        RemoteWorker { worker, storage: serve::STORAGE.to_owned(), cluster: cluster.to_owned() }
    }

    fn cluster(&self, name: &str) -> Arc<FolderCluster> {
        Arc::new(FolderCluster(self.folder.path().join(name)))
    }

    async fn back_up(&self, process: &Process, resume: Option<RunId>) -> Result<BackupReport> {
        let codecs = Arc::new(strongroom::codec::PlainRegistry::new());
        let request = BackupRequest {
            stack: codecs.default_stack(),
            run: Some(resume.unwrap_or(RunId::fresh(self.repository.environment())?)),
            settings: settings(),
            worker: Some(Self::worker(process, "source")),
            take_over: true,
            ..BackupRequest::default()
        };
        let (repository, cluster) = (self.repository.clone(), self.cluster("source"));
        match resume {
            Some(run) => resume_backup(repository, codecs, cluster, run, request).await,
            None => backup(repository, codecs, cluster, request).await,
        }
    }

    async fn restore(&self, process: &Process) -> Result<RestoreSummary> {
        let request = RestoreRequest {
            journal: Some(Journal::new(local(&self.folder.path().join("journal")))),
            session: Some(SESSION),
            take_over: true,
            settings: settings(),
            worker: Some(Self::worker(process, "target")),
            ..RestoreRequest::default()
        };
        let journal = Journal::new(local(&self.folder.path().join("journal")));
        let plan = match journal.unfinished().await?.remove(&SESSION) {
            Some(begun) => begun.plan,
            None => self.repository.load().await?.catalogue().plan(&Request::at(Target::Latest))?,
        };
        let codecs = Arc::new(strongroom::codec::PlainRegistry::new());
        restore(self.repository.clone(), codecs, plan, self.cluster("target"), request).await
    }

    fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.folder.path().join(name)).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
    }
}

fn settings() -> Settings {
    Settings { parallel: 4, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_moves_every_piece_there_and_back() {
    let world = World::new().await;
    let process = Process::new(world.folder.path());
    let report = world.back_up(&process, None).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let stored = process.done();
    assert!(stored.tasks >= 5 && stored.pieces == 42, "{stored:?}");
    let summary = world.restore(&process).await.unwrap();
    assert_eq!(summary.applied.written, 42);
    assert_eq!(process.done().pieces, 84, "this process has moved none itself");
    assert_eq!(world.files("target"), world.files("source"));
    assert_eq!(process.started(), 1);
}

/// Killed once, with a task in its hands: another worker process takes the task, and the job does not even fail.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_task_another_process_takes_over() {
    for at in [1, 3, 5] {
        let world = World::new().await;
        let process = Process::new(world.folder.path()).killed_at(at);
        let report = world.back_up(&process, None).await.unwrap();
        assert!(report.is_success(), "{at}: {report:?}");
        assert_eq!((process.started(), process.done().pieces), (2, 42), "{at}: what was stored is not stored again");
        let process = Process::new(world.folder.path()).killed_at(at);
        world.restore(&process).await.unwrap();
        assert_eq!((process.started(), process.done().pieces), (2, 42), "{at}");
        assert_eq!(world.files("target"), world.files("source"), "{at}");
    }
}

/// Killed for good: the job fails in order, and goes on later without doing again what was done.
#[tokio::test(flavor = "multi_thread")]
async fn without_another_process_the_job_fails_and_goes_on_later() {
    let world = World::new().await;
    let process = Process::new(world.folder.path()).killed_at(3).alone();
    let report = world.back_up(&process, None).await.unwrap();
    let failed = report.parts[0].outcome.clone();
    assert!(matches!(failed, strongroom::PartOutcome::Failed { kind: ErrorKind::Unavailable, .. }), "{failed:?}");
    assert!(process.done().pieces > 0, "some of it was stored");
    assert!(world.repository.load().await.unwrap().entries().next().is_none(), "nothing of it looks complete");
    // A folder holds nothing still, so its backup starts anew; a cluster that does goes on: see the tests of resume.
    let process = Process::new(world.folder.path());
    let resumed = world.back_up(&process, Some(report.run)).await.unwrap();
    let outcome = &resumed.parts[0].outcome;
    assert!(matches!(outcome, strongroom::PartOutcome::Failed { kind: ErrorKind::Unsupported, .. }), "{outcome:?}");
    let report = world.back_up(&process, None).await.unwrap();
    assert!(report.is_success(), "{report:?}");

    let process = Process::new(world.folder.path()).killed_at(3).alone();
    let error = world.restore(&process).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains(&format!("go on with restore {SESSION} and the same journal")), "{error}");
    let first = process.done().pieces;
    let process = Process::new(world.folder.path());
    world.restore(&process).await.unwrap();
    assert_eq!(first + process.done().pieces, 42, "what was written is not written again");
    assert_eq!(world.files("target"), world.files("source"));
}

/// What the worker's errors are, the coordinator's are: with their kind, and no retry of what will not pass.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_second_process_arrives_with_its_kind() {
    let world = World::new().await;
    let process = Process::new(world.folder.path());
    world.back_up(&process, None).await.unwrap();
    let largest = walk(&world.folder.path().join("repository/backups")).into_iter().max().unwrap().1;
    let mut body = std::fs::read(&largest).unwrap();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    std::fs::write(&largest, body).unwrap();
    let error = world.restore(&process).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

fn walk(folder: &Path) -> Vec<(u64, std::path::PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push((entry.metadata().unwrap().len(), entry.path()));
        }
    }
    found
}
