//! Aerospike's record model, the `.asb` text backup format, and what strongroom does with sorted pieces of records.
//!
//! ```text
//!  a tool's folder ──▶ folder ──▶ wrap ──▶ asb ──▶ model::Entity
//!                    (which files) (AES, zstd) (text)      │
//!                                                          ▼
//!  unsorted import ──▶ fold::Sorter ──▶ sorted pieces ──▶ fold::fold ──▶ each record once, in its final state
//!                                        (asb, deletes)                       │
//!                                                                             ▼
//!                                                   canonical: one hash that proves two sets equal
//! ```
//!
//! - A **data piece** of a record backup is plain compact `.asb` text of one namespace, sorted by partition and, highest first, digest
//!   ([`Digest::order`]), each digest once: written with [`asb::Encoder::COMPACT`].
//! - A **deletes piece** is the small text form of [`deletes`], sorted likewise.
//! - A **census piece**, in place of a deletes piece, says which records there are: the form of [`census`].
//! - A **schema piece** is an `.asb` text that holds only indexes and functions.
//!
//! Every reader here takes hostile bytes: it gives an error that names the place, never panics, and never allocates for
//! bytes that are not there. Nothing asks for the time or for chance: both come in as arguments.

pub mod asb;
pub mod canonical;
pub mod census;
pub mod deletes;
pub mod fold;
pub mod folder;
pub mod json;
pub mod model;
mod sieve;
pub mod wrap;

pub use model::{Bin, BinName, Digest, Double, Entity, Function, Name, Particle, Record, SecondaryIndex, UserKey};
pub use sieve::Sieve;
