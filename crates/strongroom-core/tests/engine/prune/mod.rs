//! The prune job: what goes and what stays, what it is safe against, and what may happen at the same time.

mod crash;
mod locks;
mod meanwhile;
mod racing;
mod random;
mod support;
mod synthetic;
mod whole;
