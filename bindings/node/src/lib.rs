//! The native half of the Node.js package: what the façade offers, with JSON in and out. The public half is written in
//! TypeScript, in `lib`. No rule of backing up is here.

mod answer;
mod cluster;
mod embedded;
mod job;
mod js_cluster;
mod js_codec;
mod js_storage;
mod place;
mod port;
mod repository;
mod session;
#[cfg(feature = "testing")]
mod testing;
mod value;

/// The version of the package.
#[napi_derive::napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
