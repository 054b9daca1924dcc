//! Aerospike's wire protocol, as far as backing up and restoring needs it.
//!
//! ```text
//!   Query, Write, Batch ──encode──▶ bytes ─▶ server ─▶ frames ──Messages──▶ Message { header, fields, bins }
//!   info commands       ──encode──▶ bytes ─▶ server ─▶ frames ──Answers───▶ name → value ─▶ typed answers
//! ```
//!
//! - **Values stay raw.** A bin is its particle type and the bytes that the server sent; nothing is decoded, so nothing is
//!   lost: order marks of lists and maps, strings that are not UTF-8, types of clients long gone.
//! - **Every decoder is total.** Hostile bytes give a [`Malformed`]; nothing panics, nothing is allocated for bytes that are
//!   not there.
//! - **No I/O in the codecs.** They turn values into bytes and bytes into borrowed views; [`client`] moves them.
//!
//! Facts were read off a server, community 8.1.2.0, and off the recorded conversations in `testdata`.

pub mod admin;
pub mod batch;
pub mod client;
mod error;
pub mod expression;
pub mod frame;
pub mod info;
pub mod message;
pub mod query;
mod request;
mod result_code;
pub mod write;

use thiserror::Error;

pub use error::WireError;
pub use result_code::{Class, ResultCode};

/// How many partitions every namespace has.
pub const PARTITIONS: u16 = 4096;

/// The bytes of a record's digest.
pub type Digest = [u8; 20];

/// Bytes that are not what the protocol says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the server's answer makes no sense: {what}, at byte {at}")]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// How far into the frame it was found.
    pub at: usize,
}

impl Malformed {
    pub(crate) const fn new(what: &'static str, at: usize) -> Self {
        Self { what, at }
    }
}

/// A value that can't be put into a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} of {is} bytes can't be sent: the most is {most}")]
pub struct TooLong {
    /// What it is.
    pub what: &'static str,
    /// How long it is.
    pub is: usize,
    /// How long it may be.
    pub most: usize,
}
