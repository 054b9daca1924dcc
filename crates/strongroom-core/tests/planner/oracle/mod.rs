//! The planner's specification as the slowest program that meets it: every sequence of backups is tried, every rule is
//! read off the definition of the words (windows, exact, cover, ledger, timeline), and the best is kept. It shares the
//! planner's input and output types and none of its code.
//!
//! ```text
//!   facts     what a backup is worth: twins, windows, filters, statuses, keys, copies, prices
//!   chains    every valid sequence of backups of one history
//!   logs      how far the logs carry a state, by the ledger
//!   history   the timelines of a part, and the best point at or before a moment
//!   answer    targets, strictness, cuts: what a plan must reach, or why it must be refused
//! ```

pub(crate) mod answer;
pub(crate) mod chains;
pub(crate) mod facts;
pub(crate) mod history;
pub(crate) mod logs;
