//! Which nodes a part's cluster had when: what the backups of a lane tell.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::Lane;
use super::reason::Reason;
use super::rows::Rows;

/// Nodes that were told from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    /// The end of the last backup that told the nodes before.
    before: i64,
    /// The end of the first that tells these.
    since: i64,
    nodes: BTreeSet<String>,
}

/// The nodes of a lane over time, by the ends of its backups: every backup counts, usable or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Vec<Change>);

impl Told {
    pub(super) fn of(rows: &Rows, lane: &Lane) -> Self {
        let mut changes: Vec<Change> = Vec::new();
        let mut newest = i64::MIN;
        // Most backups are of a class that was just looked at.
        let mut group: Vec<u32> = Vec::new();
        let mut last: Vec<u32> = Vec::new();
        let mut at = lane.rows.start;
        while at < lane.rows.end {
            let until = rows.until[at as usize];
            group.clear();
            while at < lane.rows.end && rows.until[at as usize] == until {
                let class = rows.class[at as usize];
                if rows.bad.get(&at) != Some(&Reason::BadWindow) && !rows.class_of(at).nodes.is_empty() {
                    group.push(class);
                }
                at += 1;
            }
            if group.is_empty() {
                continue;
            }
            if group != last {
                let lists = group.iter().flat_map(|class| &rows.classes.list[*class as usize].nodes);
                let nodes: BTreeSet<String> = lists.cloned().collect();
                if changes.last().is_none_or(|change| change.nodes != nodes) {
                    changes.push(Change { before: newest, since: until, nodes });
                }
                last.clone_from(&group);
            }
            newest = until;
        }
        Self(changes)
    }

    /// The nodes at `moment`, by what was told last. Empty: nothing was told yet.
    pub(super) fn at(&self, moment: i64) -> Option<&BTreeSet<String>> {
        let next = self.0.partition_point(|change| change.since <= moment);
        Some(&self.0.get(next.checked_sub(1)?)?.nodes)
    }

    /// What is told after `moment`, in order: until when it was otherwise, since when it is so, and the nodes.
    pub(super) fn after(&self, moment: i64) -> impl Iterator<Item = (i64, i64, &BTreeSet<String>)> {
        let next = self.0.partition_point(|change| change.since <= moment);
        self.0[next..].iter().map(move |change| (change.before.max(moment), change.since, &change.nodes))
    }
}

/// By lane, for those that a log can carry forward.
pub(super) fn by_lane(rows: &Rows, lanes: &[Lane]) -> BTreeMap<u32, Told> {
    let logged: BTreeSet<_> = lanes.iter().filter(|lane| lane.node.is_some()).map(|lane| lane.cluster).collect();
    let states = lanes.iter().filter(|lane| lane.node.is_none() && logged.contains(&lane.cluster));
    states.map(|lane| (lane.rows.start, Told::of(rows, lane))).collect()
}
