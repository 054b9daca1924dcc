//! What the tests share: rounds over pictures, and their outcome in few words.

use strongroom_core::Timestamp;
use strongroom_core::id::BackupId;
use strongroom_core::planner::{
    Activity, Block, Catalogue, KeepReason, RetentionPlan, RetentionPolicy, RetentionRequest,
};

use crate::drawn::at;

/// A policy without rules that keeps nothing in any case but the newest points, and looks at nothing damaged.
pub(crate) fn bare() -> RetentionPolicy {
    RetentionPolicy {
        min_redundancy: 0,
        keep_unusable: strongroom_core::units::Span::secs(0),
        ..RetentionPolicy::default()
    }
}

pub(crate) fn last(count: u32) -> RetentionPolicy {
    RetentionPolicy { keep_last: Some(count), ..bare() }
}

pub(crate) fn request(policy: RetentionPolicy, now: i64) -> RetentionRequest {
    RetentionRequest::new(policy, at(now))
}

pub(crate) fn round(catalogue: &Catalogue, policy: RetentionPolicy, now: i64) -> RetentionPlan {
    catalogue.retain(&request(policy, now)).unwrap()
}

pub(crate) fn number(id: BackupId) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

pub(crate) fn numbers(ids: impl IntoIterator<Item = BackupId>) -> Vec<u128> {
    ids.into_iter().map(number).collect()
}

pub(crate) fn kept(plan: &RetentionPlan) -> Vec<u128> {
    numbers(plan.parts.iter().flat_map(|part| &part.kept).map(|point| point.backup))
}

pub(crate) fn needed(plan: &RetentionPlan) -> Vec<(u128, u128)> {
    let needed = plan.parts.iter().flat_map(|part| &part.needed);
    needed.map(|needed| (number(needed.backup), number(needed.by))).collect()
}

/// What goes, in its order.
pub(crate) fn going(plan: &RetentionPlan) -> Vec<u128> {
    numbers(plan.parts.iter().flat_map(|part| &part.going).map(|going| going.backup))
}

pub(crate) fn segments_going(plan: &RetentionPlan) -> Vec<u128> {
    numbers(plan.logs.iter().flat_map(|log| &log.going).map(|going| going.backup))
}

pub(crate) fn blocked(plan: &RetentionPlan) -> Vec<(u128, Vec<Block>)> {
    let parts = plan.parts.iter().flat_map(|part| &part.blocked);
    let all = parts.chain(plan.logs.iter().flat_map(|log| &log.blocked));
    all.map(|blocked| (number(blocked.backup), blocked.by.clone())).collect()
}

/// Why the point of a backup is kept.
pub(crate) fn why(plan: &RetentionPlan, backup: u128) -> Vec<KeepReason> {
    let mut points = plan.parts.iter().flat_map(|part| &part.kept);
    points.find(|point| number(point.backup) == backup).map_or_else(Vec::new, |point| point.why.iter().collect())
}

/// The points kept for a reason.
pub(crate) fn kept_for(plan: &RetentionPlan, reason: KeepReason) -> Vec<u128> {
    let points = plan.parts.iter().flat_map(|part| &part.kept);
    numbers(points.filter(|point| point.why.contains(reason)).map(|point| point.backup))
}

pub(crate) fn leased(backups: &[u128], name: &str) -> Activity {
    let leases = backups.iter().map(|backup| (BackupId::from_u128(*backup), name.to_owned())).collect();
    Activity { leases, ..Activity::default() }
}

pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}
