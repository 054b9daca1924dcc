//! What every native call gives: a value, or what went wrong as data. The public half makes the `Error` of it, where the
//! caller's stack is known.

use std::error::Error as StdError;
use std::future::Future;

use napi::Env;
use napi::bindgen_prelude::{Either, PromiseRaw, ToNapiValue};
use napi_derive::napi;
use strongroom::core::ErrorKind;
use strongroom::{Error, Result};

use crate::port::Raised;

/// What went wrong.
#[napi(object)]
pub struct Failure {
    /// The same in every language.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// Why, one line each, from the outermost.
    pub causes: Vec<String>,
    /// What an adapter threw, by its number.
    pub raised: Option<u32>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let (mut causes, mut raised) = (Vec::new(), None);
        let mut source = error.source();
        while let Some(cause) = source {
            match cause.downcast_ref::<Raised>() {
                Some(cause) => raised = Some(cause.0),
                None => causes.push(cause.to_string()),
            }
            source = cause.source();
        }
        let (code, message) = (error.kind().code().to_owned(), error.message().to_owned());
        Self { code, message, advice: error.advice().map(str::to_owned), causes, raised }
    }
}

/// A value, or what went wrong.
pub(crate) type Answer<T> = Either<Failure, T>;

/// As an answer.
pub(crate) fn answer<T>(result: Result<T>) -> Answer<T> {
    match result {
        Ok(value) => Either::B(value),
        Err(error) => Either::A(Failure::from(&error)),
    }
}

/// A promise of an answer. The process lives until it is there.
pub(crate) fn promise<T: ToNapiValue + Send + 'static>(
    env: &Env,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, Answer<T>>> {
    env.spawn_future(async move { Ok(answer(work.await)) })
}

/// Every code, in the order of the documentation.
#[napi]
pub(crate) fn codes() -> Vec<&'static str> {
    ErrorKind::ALL.map(ErrorKind::code).to_vec()
}
