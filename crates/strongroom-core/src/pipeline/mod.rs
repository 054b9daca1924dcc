//! The data path: pieces become frames, frames become parts, parts become objects, and back.
//!
//! ```text
//!  Cluster::read ──▶ frames of 1 MiB ──▶ codecs, on all cores ──▶ in order: hash ──▶ Upload      store
//!  Cluster::write ◀── in order ◀── codecs, on all cores ◀── CRC, hash ◀── Storage::read          apply
//! ```
//!
//! Every stage waits for the next one, so memory is bounded by the number of pieces at work and the frames between
//! their stages, whatever the size of the data.

mod buffers;
pub mod coder;
mod cpu;
mod cut;
pub mod frame;
mod object;
pub mod part;
pub mod progress;
pub mod reader;
pub mod room;
mod run;
pub mod task;
pub mod throttle;
pub mod worker;
pub mod writer;

pub use coder::Stack;
pub use part::Origin;
pub use progress::{Phase, Progress, ProgressSnapshot, Share};
pub use reader::PartReader;
pub use room::{Settings, Workroom};
pub use task::{ApplyReceipt, ApplyTask, AtHand, Resolver, StoreReceipt, StoreTask};
pub use throttle::Limits;
pub use worker::{PieceWorker, Worker};
pub use writer::{NumberedPiece, PieceWriter, Written};
