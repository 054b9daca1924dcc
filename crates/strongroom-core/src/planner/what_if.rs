//! What would be left if something got lost: windows before and after, the points that die, and what takes their place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::loss::{Loss, Taken};
use super::part::Part;
use super::plan::Reached;
use super::reason::{PlanError, Reason};
use super::target::Request;
use super::windows::{Span, Windows};
use crate::id::BackupId;
use crate::model::PartName;

/// So many backups are named; the others are counted.
const NAMED: usize = 64;

/// What losses would do: the blast radius.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIf {
    /// What is taken as lost.
    pub losses: Vec<Loss>,
    /// The backups that are lost with it.
    pub lost: Backups,
    /// Backups that are whole, but that no chain leads to any more.
    pub stranded: Backups,
    /// What can be restored now.
    pub before: Windows,
    /// What could be restored then.
    pub after: Windows,
    /// What changes for which moments, by part, oldest first.
    pub changes: BTreeMap<PartName, Vec<Change>>,
}

/// Some backups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backups {
    /// How many.
    pub count: u64,
    /// Those with the oldest ends, at most 64.
    pub oldest: Vec<BackupId>,
}

/// Neighbouring moments for which "at or before" would give something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The moments.
    #[serde(flatten)]
    pub span: Span,
    /// What changes.
    pub effect: Effect,
    /// How many of the points that backups reach now are concerned.
    pub points: u64,
    /// What is reached now at the first of the moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Reached>,
    /// What is reached now at the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Reached>,
    /// What would be reached instead at the last of them; where the request would be refused, if the nearest earlier
    /// point were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Reached>,
    /// Why the request would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
}

/// What changes for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It can be restored now, and would be refused.
    Refused,
    /// An earlier point would be reached.
    Earlier,
    /// It is refused now, and could be restored: what stood in the way is gone.
    Gained,
    /// A later point would be reached.
    Later,
}

impl WhatIf {
    /// Whether nothing that can be restored now would be missing.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        let bad = |change: &Change| matches!(change.effect, Effect::Refused | Effect::Earlier);
        !self.changes.values().flatten().any(bad)
    }
}

impl Backups {
    fn of(mut found: Vec<(i64, BackupId)>) -> Self {
        let count = found.len() as u64;
        found.sort_unstable();
        Self { count, oldest: found.into_iter().take(NAMED).map(|(_, id)| id).collect() }
    }
}

impl Catalogue {
    /// What `losses` would do to what can be restored for `request`, which is taken as in [`Catalogue::windows`]. One
    /// sweep over the catalogue before and one after, however many backups depend on what is lost.
    ///
    /// # Errors
    /// As [`Catalogue::windows`]; `Unknown` for a loss that is not in the catalogue.
    pub fn what_if(&self, request: &Request, losses: &[Loss]) -> Result<WhatIf, Box<PlanError>> {
        let taken = self.taken(losses)?;
        let then = taken.request(self, request);
        let (cluster, now) = self.courses(request, None)?;
        let (_, left) = self.courses(&then, Some(&taken.rows))?;
        let mut changes = BTreeMap::new();
        let mut stranded = Vec::new();
        for ((part, before), (part_left, after)) in now.iter().zip(&left) {
            changes.insert(part.name.to_owned(), before.changes(part_left, after));
            stranded.extend(self.stranded(part, part_left));
        }
        Ok(WhatIf {
            losses: losses.to_vec(),
            lost: Backups::of(self.lost(request, &then, &taken)),
            stranded: Backups::of(stranded),
            before: self.windows_of(cluster, &now),
            after: self.windows_of(cluster, &left),
            changes,
        })
    }

    /// What can't be used any more because of itself.
    fn lost(&self, now: &Request, then: &Request, taken: &Taken) -> Vec<(i64, BackupId)> {
        let classes = &self.rows.classes.list;
        let gone: BTreeSet<u32> = (0_u32..)
            .zip(classes)
            .filter(|(_, class)| class.judge(now, None).is_ok() && class.judge(then, None).is_err())
            .map(|(number, _)| number)
            .collect();
        let lost = |row: &u32| taken.rows.contains(row) || gone.contains(&self.rows.class[*row as usize]);
        let rows = self.rows.all().filter(lost);
        rows.map(|row| (self.rows.until[row as usize], self.rows.id[row as usize])).collect()
    }

    /// What can be used by itself and is reached now, but not then.
    fn stranded(&self, now: &Part<'_>, then: &Part<'_>) -> Vec<(i64, BackupId)> {
        let mut stranded = Vec::new();
        for (now, then) in now.histories.iter().zip(&then.histories) {
            let rows = now.view.lane.rows.clone().filter(|row| {
                now.view.is_reached(*row) && !then.view.is_reached(*row) && then.view.terms.own(*row).is_some()
            });
            stranded.extend(rows.map(|row| (self.rows.until[row as usize], self.rows.id[row as usize])));
        }
        stranded
    }
}
