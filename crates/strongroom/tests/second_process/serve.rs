//! The second process: tasks as lines of JSON on standard input, receipts on standard output.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom::ErrorKind;
use strongroom::core::environment::Clock;
use strongroom::core::pipeline::{
    ApplyReceipt, ApplyTask, AtHand, PieceWorker, Progress, Settings, StoreReceipt, StoreTask, Worker as _, Workroom,
};

use crate::cluster::FolderCluster;

/// The name by which the worker knows the repository's storage.
pub(crate) const STORAGE: &str = "the shelf";
/// What says to a process that it is the worker, and of which folder.
pub(crate) const FOLDER: &str = "STRONGROOM_TEST_WORKER";
/// What stands before an answer: the test harness prints to the same place.
pub(crate) const ANSWER: &str = "answer: ";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    Store(StoreTask),
    Apply(ApplyTask),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Stored(StoreReceipt),
    Applied(ApplyReceipt),
    Failed(ErrorKind, String),
}

/// Started by the tests as a process of its own, until its standard input ends.
#[tokio::test(flavor = "multi_thread")]
async fn worker_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let environment = strongroom::system_environment();
    let resolver = AtHand::new(Arc::new(strongroom::codec::PlainRegistry::new()))
        .with_storage(STORAGE, crate::local(&folder.join("repository")))
        .with_cluster("source", Arc::new(FolderCluster(folder.join("source"))))
        .with_cluster("target", Arc::new(FolderCluster(folder.join("target"))));
    let progress = Arc::new(Progress::new(Arc::clone(&environment.clock) as Arc<dyn Clock>));
    let worker = PieceWorker::new(Workroom::new(Settings::default()).unwrap(), environment, Arc::new(resolver));
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line.unwrap()).unwrap() {
            Task::Store(task) => worker.store(&task, &progress).await.map(Answer::Stored),
            Task::Apply(task) => worker.apply(&task, &progress).await.map(Answer::Applied),
        };
        let answer = answer.unwrap_or_else(|error| Answer::Failed(error.kind(), error.message().to_owned()));
        println!("\n{ANSWER}{}", serde_json::to_string(&answer).unwrap());
        std::io::stdout().flush().unwrap();
    }
}
