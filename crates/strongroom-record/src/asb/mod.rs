//! The `.asb` text format of Aerospike backups, versions 3.0 to 3.2: streaming reader and writer.
//!
//! A file is a version line, `#` lines about the file, `*` lines (indexes, functions), and records:
//!
//! ```text
//! Version 3.1
//! # namespace test
//! # first-file
//! * i test users by-age N 1 age N
//! + k S 5 alice                      user key, where the server stores it
//! + n test                           namespace
//! + d AAECAwQFBgcICQoLDA0ODxAREhM=   digest
//! + s users                          set, if any
//! + g 3                              generation
//! + t 0                              void time
//! + b 2                              number of bins, which follow
//! - I age 42
//! - S name 5 Alice
//! ```
//!
//! Lines end with LF, but values are raw bytes behind their length and may hold anything. Names are escaped with `\`.
//!
//! **The format has no trailer, count or checksum.** A file that was cut exactly between two records is a valid,
//! shorter file, and nothing in it can tell. A cut anywhere else is an error here. Whoever stores such files needs
//! the count or a hash from elsewhere, as strongroom's manifests and the backup service's `metadata.yaml` have.
//!
//! The text has one NaN, so the bits of unusual NaNs do not survive; every other value comes back bit by bit.
//!
//! What the writer does is canonical: one record always gives the same bytes, its bins sorted by name.

mod cursor;
mod decode;
mod draft;
mod encode;
mod error;
mod float;
mod global;
mod input;
mod lines;
mod read;

pub use decode::{Decoder, Header, Limits, Version};
pub use encode::{Encoder, GlobalsVersion};
pub use error::AsbError;
pub use read::{Reader, entities};

pub(crate) use cursor::{Cursor, Stop, shown};
pub(crate) use draft::Names;
pub(crate) use encode::{append_base64, escape_into};
pub(crate) use lines::Lines;
