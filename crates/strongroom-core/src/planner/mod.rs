//! The planner: which backups a restore applies, in what order, and why; pure functions over what the catalogue knows.
//!
//! ```text
//!   Entry, Timeline ──▶ Catalogue ──plan(Request)──▶ Plan | PlanError (with the nearest points)
//! ```
//!
//! No I/O, no clock, no randomness: the same entries in any order and the same request give the same plan.

mod axis;
mod bytes;
mod carried;
mod catalogue;
mod check;
mod choose;
mod class;
mod compose;
mod course;
mod detail;
mod difference;
mod end;
mod entry;
mod explain;
mod groups;
mod ids;
mod lane;
mod links;
mod logs;
mod loss;
mod minima;
mod packed;
mod page;
mod parents;
mod part;
mod plan;
mod precheck;
mod ready;
mod reason;
mod retention;
mod rows;
mod shape;
mod shapes;
mod steps;
mod sweep;
mod target;
mod terms;
mod text;
mod told;
mod view;
mod what_if;
mod why;
mod windows;
mod within;

pub use catalogue::{Builder, Catalogue};
pub use check::{CHECK_FORMAT, Check, CheckedBase, PartCheck, Verdict};
pub use difference::{Changed, DIFFERENCE_FORMAT, Difference, PartDifference, PlanSide, StepChange, StepSide};
pub use entry::{Entry, HOME, Held, HeldState, LogPlace, LogSeq, Pin, PinKind, Size, Tier, Timeline, Verified};
pub use explain::{
    Drawing, EXPLANATION_FORMAT, ExplainedPart, ExplainedRefusal, ExplainedStep, ExplainedWarning, Explanation,
    GapMark, LossOfStep, Losses, Mark, Nearest, PlanSummary, StepReason,
};
pub use groups::StepGroups;
pub use loss::Loss;
pub use plan::{Apply, ChosenCopy, PLAN_FORMAT, PartPlan, Plan, PlanTotals, Reached, Step};
pub use precheck::{CheckCode, CheckState, PreCheck, Stage, StageKind};
pub use reason::{PlanError, Reason, Refusal, Warning, WarningCode};
pub use retention::{
    Activity, Block, Blocked, DeleteRefusal, DeleteRequest, Dependent, Freed, Going, InFlight, KEEP_UNUSABLE,
    KeepReason, KeptPoint, Later, LogRetention, Needed, PartRetention, RETENTION_FORMAT, Reasons, Rebase,
    RetentionPlan, RetentionPolicy, RetentionRequest, RetentionTotals, Zone,
};
pub use target::{AtMost, Cut, Request, Strictness, Target};
pub use what_if::{Backups, Change, Effect, WhatIf};
pub use windows::{Answer, Gap, PartWindows, RestoreWindow, Span, Windows};
