//! Calls of somebody's own adapter, written in JavaScript: each method may be plain or async. The other half is `lib/port.ts`,
//! which never throws: what an adapter threw is told as data.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use napi::bindgen_prelude::{Buffer, FnArgs, Promise};
use napi::threadsafe_function::ThreadsafeFunction;
use napi::{Env, Status};
use napi_derive::napi;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom::calls::json;
use strongroom::core::{ByteStream, ErrorKind};
use strongroom::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::answer::{Answer, Failure, promise};

/// What a call came to.
#[napi(object)]
pub struct Told {
    /// What the adapter threw.
    pub failure: Option<Failure>,
    /// An answer: JSON, or the name of something that goes on, such as an upload.
    pub text: Option<String>,
    /// Bytes, one chunk of several.
    pub bytes: Option<Buffer>,
}

/// Which adapter, method, argument as JSON, and what goes with it.
pub(crate) type Arguments = FnArgs<(u32, String, String, Option<Buffer>, Option<Body>)>;

/// The other half. It does not keep the process: the job that calls it does.
pub(crate) type PortFunction = ThreadsafeFunction<Arguments, Promise<Told>, Arguments, Status, false, true>;

/// An adapter written in JavaScript.
#[derive(Clone)]
pub(crate) struct Port {
    function: Arc<PortFunction>,
    /// Which of several adapters behind it is meant.
    number: u32,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an adapter written in JavaScript")
    }
}

/// What an adapter threw, kept where JavaScript finds it again by this number.
#[derive(Debug)]
pub(crate) struct Raised(pub(crate) u32);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("thrown by an adapter")
    }
}

impl StdError for Raised {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == failure.code).unwrap_or(ErrorKind::Internal);
        let error = Self::new(kind, failure.message);
        let error = match failure.raised {
            Some(number) => error.because(Raised(number)),
            None => error,
        };
        match failure.advice {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}

impl Told {
    /// The answer, or what was thrown.
    pub(crate) fn taken(self) -> Result<Self> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => Ok(self),
        }
    }

    /// The answer's JSON, read.
    pub(crate) fn read<T: DeserializeOwned>(&self, method: &str) -> Result<T> {
        serde_json::from_str(self.text.as_deref().unwrap_or("null"))
            .map_err(|error| Error::invalid(format!("an adapter's answer to {method} makes no sense")).because(error))
    }
}

/// The environment is gone, or what was given is no answer at all.
pub(crate) fn lost(error: napi::Error) -> Error {
    Error::cancelled("a call of an adapter written in JavaScript was given up").because(error.to_string())
}

impl Port {
    pub(crate) fn new(function: PortFunction) -> Self {
        Self { function: Arc::new(function), number: 0 }
    }

    /// The same for another of the adapters behind it.
    pub(crate) fn of(&self, number: u32) -> Self {
        Self { number, ..self.clone() }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// What it threw.
    pub(crate) async fn call(&self, method: &str, argument: &impl Serialize) -> Result<Told> {
        self.send(method, argument, None, None).await
    }

    /// Calls a method, and reads what it gave.
    ///
    /// # Errors
    /// What it threw; `Invalid` for an answer that makes no sense.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, method: &str, argument: &impl Serialize) -> Result<T> {
        self.call(method, argument).await?.read(method)
    }

    /// The same with bytes, whole or on their way.
    ///
    /// # Errors
    /// As [`Port::call`].
    pub(crate) async fn send(
        &self,
        method: &str,
        argument: &impl Serialize,
        bytes: Option<Bytes>,
        body: Option<Body>,
    ) -> Result<Told> {
        let bytes = bytes.map(|bytes| Buffer::from(Vec::from(bytes)));
        let arguments = FnArgs::from((self.number, method.to_owned(), json(argument)?, bytes, body));
        self.function.call_async(arguments).await.map_err(lost)?.await.map_err(lost)?.taken()
    }

    /// Begins something that goes on.
    ///
    /// # Errors
    /// As [`Port::call`].
    pub(crate) async fn begin(&self, method: &str, argument: &impl Serialize) -> Result<Going> {
        let name = self.call(method, argument).await?.text;
        let name = name.ok_or_else(|| Error::internal(format!("nothing to go on with after {method}")))?;
        Ok(Going { port: self.clone(), name: Some(name) })
    }
}

/// Something of an adapter that goes on: an upload, or what is iterated over. Dropped before its end, it is given up.
#[derive(Debug)]
pub(crate) struct Going {
    port: Port,
    name: Option<String>,
}

impl Going {
    /// Calls a method of it.
    ///
    /// # Errors
    /// What it threw.
    pub(crate) async fn call(&self, method: &str, bytes: Option<Bytes>) -> Result<Told> {
        self.port.send(method, &self.name, bytes, None).await
    }

    /// It has ended by itself.
    pub(crate) fn ended(&mut self) {
        self.name = None;
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let (Some(name), Ok(handle)) = (self.name.take(), Handle::try_current()) {
            let port = self.port.clone();
            handle.spawn(async move { port.call("giveUp", &name).await.map(drop) });
        }
    }
}

/// The bytes of a piece, one chunk after the other.
#[napi]
pub struct Body(Arc<Mutex<ByteStream>>);

impl Body {
    pub(crate) fn new(bytes: ByteStream) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }
}

#[napi]
impl Body {
    /// The next bytes; nothing after the last ones.
    #[napi]
    pub fn next<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<napi::bindgen_prelude::PromiseRaw<'env, Answer<Option<Buffer>>>> {
        let bytes = Arc::clone(&self.0);
        promise(env, async move {
            let chunk = bytes.lock().await.next().await.transpose()?;
            Ok(chunk.map(|chunk| Buffer::from(Vec::from(chunk))))
        })
    }
}
