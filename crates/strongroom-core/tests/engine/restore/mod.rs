//! The restore job.

mod cancel;
mod crash;
mod failover;
mod history;
mod invariants;
mod proof;
mod read_only;
mod refuse;
mod timeline;
