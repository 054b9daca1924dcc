//! What must hold before a restore changes anything, and the order in which it goes.

use serde::{Deserialize, Serialize};

use super::plan::PlanTotals;
use super::target::Request;
use crate::codec::CodecId;
use crate::id::DataKeyId;
use crate::manifest::FORMAT;

/// One thing that must hold before the target changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreCheck {
    /// What is looked at.
    pub code: CheckCode,
    /// Whether the planner knows the answer already.
    pub state: CheckState,
    /// One sentence.
    pub message: String,
}

/// What a [`PreCheck`] looks at. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckCode {
    /// The catalogue holds all backups there are.
    Catalogue,
    /// Every step has a copy in a storage that may be read.
    Copies,
    /// The manifests are of formats that this version reads.
    Format,
    /// The data keys are at hand.
    Keys,
    /// The codecs are at hand.
    Codecs,
    /// The target has room.
    Space,
    /// The target agrees: schema, permissions, versions.
    Target,
    /// The objects are there and are what the manifests say.
    Objects,
}

/// How far a [`PreCheck`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// The planner looked: it holds, by the catalogue and the request.
    Holds,
    /// The restore looks before it changes the target, and ends if it does not hold.
    AtStart,
    /// It does not hold; the plan warns of it, and nothing else will look.
    Warned,
}

/// A stage of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What is done.
    pub stage: StageKind,
    /// Whether the target changes in it.
    pub changes_target: bool,
    /// Whether it can destroy what the target holds.
    pub destructive: bool,
}

/// What is done in a [`Stage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// The checks but for the objects.
    Check,
    /// The objects are proven at the depth asked for.
    Prove,
    /// The restore begins in the target; parts are emptied, if that was asked for.
    Begin,
    /// Definitions of tables, indexes and functions, of the newest step that has some.
    Define,
    /// The steps are applied, by group.
    Apply,
    /// The restore ends, and a new timeline begins.
    Finish,
}

/// The stages of every restore, in order. Only what stands in the way can differ from plan to plan, not this order.
pub(super) fn stages() -> Vec<Stage> {
    let stage = |stage, changes_target, destructive| Stage { stage, changes_target, destructive };
    vec![
        stage(StageKind::Check, false, false),
        stage(StageKind::Prove, false, false),
        stage(StageKind::Begin, true, true),
        stage(StageKind::Define, true, false),
        stage(StageKind::Apply, true, true),
        stage(StageKind::Finish, true, false),
    ]
}

/// The checks of a plan.
pub(super) fn checks(
    request: &Request,
    totals: &PlanTotals,
    keys: &[DataKeyId],
    codecs: &[CodecId],
    complete: bool,
) -> Vec<PreCheck> {
    let known = |known: bool| if known { CheckState::Holds } else { CheckState::AtStart };
    let check = |code, state, message: String| PreCheck { code, state, message };
    let listed = |what: &str, names: Vec<String>| match names.as_slice() {
        [] => format!("no {what} is needed"),
        [only] => format!("one {what} is needed: {only}"),
        several => format!("{} {what}s are needed: {}", several.len(), several.join(", ")),
    };
    let catalogue = if complete {
        check(CheckCode::Catalogue, CheckState::Holds, "the catalogue is complete".to_owned())
    } else {
        let message = "the catalogue is not complete: a better plan may exist".to_owned();
        check(CheckCode::Catalogue, CheckState::Warned, message)
    };
    let storages = request.storages.as_ref().map_or_else(
        || "every step has a copy that can be read".to_owned(),
        |storages| {
            let names: Vec<&str> = storages.iter().map(String::as_str).collect();
            format!("every step has a copy in {}", names.join(" or "))
        },
    );
    let keys_known = keys.is_empty() || request.keys.is_some();
    let codecs_known = codecs.is_empty() || request.codecs.is_some();
    let keys = listed("data key", keys.iter().map(ToString::to_string).collect());
    let codecs = listed("codec", codecs.iter().map(ToString::to_string).collect());
    let format = format!("manifests are of formats up to {FORMAT}");
    let space = format!("the target has room for {} bytes before its own codecs", totals.plain_bytes);
    let target = "the target agrees: schema, permissions, versions".to_owned();
    let objects = format!("{} objects with {} bytes are there and whole", totals.objects, totals.bytes);
    vec![
        catalogue,
        check(CheckCode::Copies, CheckState::Holds, storages),
        check(CheckCode::Format, CheckState::AtStart, format),
        check(CheckCode::Keys, known(keys_known), keys),
        check(CheckCode::Codecs, known(codecs_known), codecs),
        check(CheckCode::Space, CheckState::AtStart, space),
        check(CheckCode::Target, CheckState::AtStart, target),
        check(CheckCode::Objects, CheckState::AtStart, objects),
    ]
}
