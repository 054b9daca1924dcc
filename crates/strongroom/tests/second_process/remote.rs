//! A worker that hands its tasks to a second process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom::core::pipeline::{ApplyReceipt, ApplyTask, Progress, StoreReceipt, StoreTask, Worker};
use strongroom::{Error, Result};

use crate::serve::{ANSWER, Answer, FOLDER, Task};

/// See the module. Clones share the process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    folder: PathBuf,
    /// Killed right after so many tasks were handed to it.
    killed_at: Option<u64>,
    /// Nobody starts another one.
    alone: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    started: u64,
    handed: u64,
    done: Done,
}

#[derive(Debug)]
struct Running {
    child: Child,
    answers: BufReader<ChildStdout>,
}

/// What came back with a receipt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) tasks: u64,
    pub(crate) pieces: u64,
}

impl Process {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), killed_at: None, alone: false, state: Arc::default() }
    }

    pub(crate) fn killed_at(self, task: u64) -> Self {
        Self { killed_at: Some(task), ..self }
    }

    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(crate) fn done(&self) -> Done {
        self.state.lock().unwrap().done
    }

    /// How many processes it took.
    pub(crate) fn started(&self) -> u64 {
        self.state.lock().unwrap().started
    }

    fn start(&self) -> Running {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve::worker_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, &self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Running { child, answers }
    }

    /// One task at a time: hands it over and waits for the answer.
    fn ask(&self, task: &Task, pieces: usize) -> Result<Answer> {
        tokio::task::block_in_place(|| {
            let mut state = self.state.lock().unwrap();
            if state.running.is_none() {
                if self.alone && state.started > 0 {
                    return Err(Error::unavailable("no process is left to do the task"));
                }
                state.running = Some(self.start());
                state.started += 1;
            }
            state.handed += 1;
            let killed = self.killed_at == Some(state.handed);
            let running = state.running.as_mut().unwrap();
            let mut line = serde_json::to_string(task).unwrap();
            line.push('\n');
            running.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
            if killed {
                running.child.kill().unwrap();
            }
            let mut answer = None;
            // What was answered before the kill, nobody hears.
            for line in running.answers.by_ref().lines().map_while(std::io::Result::ok) {
                if let Some(text) = line.strip_prefix(ANSWER).filter(|_| !killed) {
                    answer = Some(serde_json::from_str(text).unwrap());
                    break;
                }
            }
            let Some(answer) = answer else {
                running.child.wait().unwrap();
                state.running = None;
                return Err(Error::unavailable("the process that had the task is dead"));
            };
            if !matches!(answer, Answer::Failed(..)) {
                state.done.tasks += 1;
                state.done.pieces += pieces as u64;
            }
            Ok(answer)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn unexpected(answer: Answer) -> Error {
    match answer {
        Answer::Failed(kind, what) => Error::new(kind, what),
        other => Error::internal(format!("a task was answered with {other:?}")),
    }
}

#[async_trait]
impl Worker for Process {
    async fn store(&self, task: &StoreTask, _: &Arc<Progress>) -> Result<StoreReceipt> {
        match self.ask(&Task::Store(task.clone()), task.pieces.len())? {
            Answer::Stored(receipt) => Ok(receipt),
            other => Err(unexpected(other)),
        }
    }

    async fn apply(&self, task: &ApplyTask, _: &Arc<Progress>) -> Result<ApplyReceipt> {
        match self.ask(&Task::Apply(task.clone()), task.pieces.len())? {
            Answer::Applied(receipt) => Ok(receipt),
            other => Err(unexpected(other)),
        }
    }
}
