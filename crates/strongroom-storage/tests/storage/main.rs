//! Every storage against the real thing: a file system, and servers that the tests install and start themselves.
//!
//! One binary, so that each server is started once. `docs/storage.md` says what must be on the machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails fails its test")]

mod azblob;
mod chain;
mod clouds;
mod durable;
mod gcs;
mod local;
#[cfg(feature = "minio-tests")]
mod minio;
mod requests;
mod s3;
mod support;
