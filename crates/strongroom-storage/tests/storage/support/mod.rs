//! What the tests share.

pub(crate) mod data;
pub(crate) mod server;
