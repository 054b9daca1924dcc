//! Jobs, as JavaScript holds them: the façade's handle.

use std::future::Future;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use strongroom::calls::json;
use strongroom::core::engine::Job as CoreJob;
use strongroom::core::pipeline::ProgressSnapshot;
use strongroom::handle::Report;
use strongroom::{JobHandle, Result};
use tokio::sync::Mutex;

use crate::answer::{Answer, Failure, promise};

/// How a job ended: both where something of it failed and the rest was done.
#[napi(object)]
pub struct Outcome {
    /// Its report, as JSON.
    pub report: Option<String>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// A running job. When nothing holds it any more it is cancelled.
#[napi]
pub struct Job(JobHandle);

impl Job {
    /// Begins a job.
    pub(crate) fn begin<T: Report>(
        name: &'static str,
        work: impl Future<Output = Result<CoreJob<T>>> + Send + 'static,
    ) -> Self {
        Self(within_runtime_if_available(|| JobHandle::begin(name, work)))
    }
}

#[napi]
impl Job {
    /// What it does, in one word.
    #[napi(getter)]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Whether it has ended.
    #[napi(getter)]
    pub fn done(&self) -> bool {
        self.0.ended().is_some()
    }

    /// Asks it to end.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// The counters, as JSON.
    #[napi]
    pub fn progress(&self) -> napi::Result<String> {
        json(&self.0.progress()).map_err(|error| napi::Error::from_reason(error.to_string()))
    }

    /// Ends when the job has, with its outcome.
    #[napi]
    pub fn ended<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome>> {
        let ended = self.0.wait();
        env.spawn_future(async move {
            let ended = ended.await;
            Ok(Outcome { report: ended.report.clone(), failure: ended.error.as_ref().map(Failure::from) })
        })
    }

    /// Its events from now on.
    #[napi]
    pub fn events(&self) -> Events {
        Events { handle: self.0.clone(), last: Arc::new(Mutex::new(None)) }
    }
}

/// The events of a job, for one listener.
#[napi]
pub struct Events {
    handle: JobHandle,
    last: Arc<Mutex<Option<ProgressSnapshot>>>,
}

#[napi]
impl Events {
    /// The next event as JSON; nothing after the last one.
    #[napi]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Answer<Option<String>>>> {
        let (handle, last) = (self.handle.clone(), Arc::clone(&self.last));
        promise(env, async move {
            let mut last = last.lock().await;
            let Some(event) = handle.changed(last.as_ref()).await else { return Ok(None) };
            *last = Some(event);
            json(&event).map(Some)
        })
    }
}
