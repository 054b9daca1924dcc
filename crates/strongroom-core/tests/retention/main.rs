//! Retention: what stays, what goes, and that nothing that stays is lost.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on shall stop")]

mod blocks;
mod bugs;
mod deletes;
#[path = "../planner_answers/support.rs"]
#[expect(dead_code, reason = "what others draw with it is not all needed here")]
mod drawn;
mod edges;
#[path = "../planner/generator.rs"]
#[expect(dead_code, reason = "retention asks for no restores")]
mod generator;
mod logs;
#[path = "../planner/picture.rs"]
mod picture;
mod random;
mod rules;
mod strange;
mod support;
mod worlds;
