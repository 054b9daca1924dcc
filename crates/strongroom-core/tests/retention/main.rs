//! Retention: what stays, what goes, and that nothing that stays is lost.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on shall stop")]

mod blocks;
mod bugs;
mod deletes;
mod logs;
#[path = "../planner_answers/support.rs"]
mod picture;
mod random;
mod rules;
mod support;
mod worlds;
