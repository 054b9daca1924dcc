//! The data path: pieces become frames, frames become parts, parts become objects, and back.
//!
//! ```text
//!  Cluster::read ──▶ frames of 1 MiB ──▶ codecs, on all cores ──▶ in order: hash ──▶ Upload      store
//!  Cluster::write ◀── in order ◀── codecs, on all cores ◀── CRC, hash ◀── Storage::read          apply
//! ```
//!
//! Every stage waits for the next one, so memory is bounded by the number of pieces at work and the frames between
//! their stages, whatever the size of the data.

pub mod coder;
pub mod frame;
pub mod part;

#[cfg(test)]
mod toy;
