//! What the planner answers besides the steps of a restore: plans as JSON, windows and gaps, losses, differences, checks
//! and explanations.
#![expect(clippy::expect_used, clippy::panic, reason = "a fixture that is wrong shall stop the test")]

mod check;
mod difference;
mod explain;
mod plan_json;
mod random;
mod support;
mod what_if;
mod windows;
