//! What the tests share.

pub(crate) mod certificates;
pub(crate) mod data;
pub(crate) mod proxy;
pub(crate) mod server;
