//! A job as other languages hold it: shared, without a type of its result, its report as JSON.
//!
//! Several may wait for it and look at it at the same time. The report is the same JSON that the program prints.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use strongroom_core::engine::{
    BackupReport, CopyReport, Job, PruneReport, RestoreSummary, SynthesizeReport, VerifyReport,
};
use strongroom_core::pipeline::{Phase, Progress, ProgressSnapshot};
use strongroom_core::{Error, Result};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often progress is looked at for [`JobHandle::changed`].
const PERIOD: Duration = Duration::from_millis(100);

/// The report of a job.
pub trait Report: Serialize + Send + Sync + 'static {
    /// What makes a report one of failure, though the job itself came to its end.
    fn failure(&self) -> Option<Error> {
        None
    }
}

impl Report for BackupReport {
    fn failure(&self) -> Option<Error> {
        self.clone().into_result().err()
    }
}
impl Report for RestoreSummary {}
impl Report for VerifyReport {}
impl Report for CopyReport {}
impl Report for PruneReport {}
impl Report for SynthesizeReport {}

/// How a job ended: a report, an error, or both where something of it failed and the rest was done.
#[derive(Debug)]
pub struct Ended {
    /// The report as JSON.
    pub report: Option<String>,
    /// What went wrong.
    pub error: Option<Error>,
}

impl Ended {
    fn of<T: Report>(outcome: Result<T>) -> Self {
        let written = outcome.and_then(|report| {
            let json = serde_json::to_string(&report)
                .map_err(|error| Error::internal("a report can't be written as JSON").because(error))?;
            Ok((json, report.failure()))
        });
        match written {
            Ok((json, error)) => Self { report: Some(json), error },
            Err(error) => Self { report: None, error: Some(error) },
        }
    }
}

/// A running job, shared. When the last handle is dropped it is cancelled.
#[derive(Clone)]
pub struct JobHandle(Arc<Inner>);

struct Inner {
    name: &'static str,
    /// Not there before the job has begun.
    progress: Arc<OnceLock<Arc<Progress>>>,
    cancel: CancellationToken,
    ended: watch::Receiver<Option<Arc<Ended>>>,
    _on_drop: DropGuard,
}

impl JobHandle {
    /// Takes a job over. To be called within a tokio runtime.
    #[must_use = "a job whose last handle is dropped is cancelled"]
    pub fn new<T: Report>(job: Job<T>) -> Self {
        Self::begin(job.name(), async move { Ok(job) })
    }

    /// Holds a job that `work` is about to begin, such as a restore that is planned first. To be called within a tokio
    /// runtime. Until the job has begun its counters are zero; cancelled by then, it never begins.
    #[must_use = "a job whose last handle is dropped is cancelled"]
    pub fn begin<T: Report>(name: &'static str, work: impl Future<Output = Result<Job<T>>> + Send + 'static) -> Self {
        let (cancel, progress) = (CancellationToken::new(), Arc::new(OnceLock::new()));
        let (tell, ended) = watch::channel(None);
        let (token, counters) = (cancel.clone(), Arc::clone(&progress));
        tokio::spawn(async move {
            let outcome = async {
                let job = tokio::select! {
                    biased;
                    () = token.cancelled() => return Err(Error::cancelled(format!("the {name} was cancelled"))),
                    job = work => job?,
                };
                counters.get_or_init(|| job.counters());
                let canceller = job.canceller();
                let mut job = std::pin::pin!(job.wait());
                tokio::select! {
                    biased;
                    outcome = &mut job => return outcome,
                    () = token.cancelled() => canceller.cancel(),
                }
                // It puts things in order before it ends.
                job.await
            };
            let ended = Ended::of(outcome.await);
            // Nobody may be left to be told.
            let _ = tell.send(Some(Arc::new(ended)));
        });
        let on_drop = cancel.clone().drop_guard();
        Self(Arc::new(Inner { name, progress, cancel, ended, _on_drop: on_drop }))
    }

    /// What it does, in one word: `backup`, `restore`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The counters now.
    #[must_use]
    pub fn progress(&self) -> ProgressSnapshot {
        self.0.progress.get().map(|progress| progress.snapshot()).unwrap_or_default()
    }

    /// Asks the job to end. It ends with `Cancelled` unless it was done already.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// A token that cancels the job, and does not keep it.
    #[must_use]
    pub fn canceller(&self) -> CancellationToken {
        self.0.cancel.clone()
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<Arc<Ended>> {
        self.0.ended.borrow().clone()
    }

    /// Waits for its end. The future does not keep the job: it is cancelled when the last handle is dropped.
    pub fn wait(&self) -> impl Future<Output = Arc<Ended>> + Send + 'static {
        let (name, mut ended) = (self.name(), self.0.ended.clone());
        async move {
            let told = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
            told.unwrap_or_else(|| {
                // The runtime was shut down under it.
                let error = Error::cancelled(format!("the {name} was given up: its runtime ended"));
                Arc::new(Ended { report: None, error: Some(error) })
            })
        }
    }

    /// The next event: waits until a counter or the phase is another one than in `last`. After the event of phase `over`
    /// there is none. Events that nobody waits for are not kept: the next one has what they told.
    pub async fn changed(&self, last: Option<&ProgressSnapshot>) -> Option<ProgressSnapshot> {
        if last.is_some_and(|last| last.phase == Phase::Over) {
            return None;
        }
        let mut first = true;
        loop {
            if self.ended().is_some() {
                return Some(ProgressSnapshot { phase: Phase::Over, ..self.progress() });
            }
            let now = self.progress();
            if last.is_none_or(|last| counters(last) != counters(&now)) && (last.is_none() || !first) {
                // The end is told once, when the result is there.
                if now.phase != Phase::Over {
                    return Some(now);
                }
            }
            first = false;
            let _ = tokio::time::timeout(PERIOD, self.wait()).await;
        }
    }
}

/// What an event is about: not the time that goes by.
fn counters(snapshot: &ProgressSnapshot) -> ProgressSnapshot {
    ProgressSnapshot { elapsed_micros: 0, bytes_per_second: 0, remaining_micros: None, ..*snapshot }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system_environment;

    #[derive(Debug, Serialize)]
    struct Told {
        whole: bool,
    }

    impl Report for Told {
        fn failure(&self) -> Option<Error> {
            (!self.whole).then(|| Error::corrupt("half of it"))
        }
    }

    fn job(whole: bool) -> Job<Told> {
        Job::start("test", &system_environment(), move |progress| async move {
            progress.expect(1, 10);
            progress.enter(Phase::Moving);
            Ok(Told { whole })
        })
    }

    #[tokio::test]
    async fn several_wait_for_one_end() {
        let handle = JobHandle::new(job(true));
        let other = handle.clone();
        let (one, two) = tokio::join!(handle.wait(), other.wait());
        assert_eq!(one.report.as_deref(), Some(r#"{"whole":true}"#));
        assert!(one.error.is_none() && Arc::ptr_eq(&one, &two) && handle.ended().is_some());
    }

    #[tokio::test]
    async fn a_report_of_failure_is_both() {
        let ended = JobHandle::new(job(false)).wait().await;
        assert!(ended.report.is_some());
        assert_eq!(ended.error.as_ref().unwrap().message(), "half of it");
    }

    #[tokio::test]
    async fn what_is_cancelled_before_it_has_begun_never_begins() {
        let handle = JobHandle::begin("test", std::future::pending::<Result<Job<Told>>>());
        assert_eq!(handle.progress(), ProgressSnapshot::default());
        handle.cancel();
        let ended = handle.wait().await;
        assert_eq!(ended.error.as_ref().unwrap().kind(), strongroom_core::ErrorKind::Cancelled);
    }

    #[tokio::test]
    async fn what_can_not_begin_ends_with_its_error() {
        let ended = JobHandle::begin("test", async { Err::<Job<Told>, _>(Error::not_found("no plan")) }).wait().await;
        assert_eq!(ended.error.as_ref().unwrap().message(), "no plan");
    }

    #[tokio::test]
    async fn events_end_with_the_job() {
        let handle = JobHandle::new(job(true));
        let (mut last, mut phases) = (None, Vec::new());
        while let Some(event) = handle.changed(last.as_ref()).await {
            phases.push(event.phase);
            last = Some(event);
        }
        assert_eq!(phases.last(), Some(&Phase::Over), "{phases:?}");
        assert_eq!(phases.iter().filter(|phase| **phase == Phase::Over).count(), 1, "{phases:?}");
    }

    #[tokio::test]
    async fn the_last_handle_cancels() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let job: Job<Told> = Job::start_with_token("test", &system_environment(), |_, token| async move {
            token.cancelled().await;
            let _ = tell.send(());
            Err(Error::cancelled("the test was cancelled"))
        });
        let handle = JobHandle::new(job);
        let other = handle.clone();
        drop(handle);
        assert!(other.ended().is_none());
        drop(other);
        told.await.unwrap();
    }
}
