//! What can be restored over all of time: windows, gaps with their edges, and the moments that every part can reach.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::compose::parts_of;
use super::course::Course;
use super::part::{LATEST, Part};
use super::plan::Reached;
use super::reason::{PlanError, Reason};
use super::target::{Request, Target};
use crate::Timestamp;
use crate::id::{BackupId, ClusterId};
use crate::model::PartName;

/// What "at or before" answers for neighbouring moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The first moment. `None`: there is none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The last moment. `None`: there is none after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The point that is reached, settled as early as possible; or that could be reached, where the request is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// By logs, each of the moments is reached exactly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_moment: bool,
    /// The last backup of a chain to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// Why the request is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
}

/// What can be restored of a cluster, and what can't although it was backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The generation of the catalogue it was made from.
    pub generation: u64,
    /// Whether the catalogue holds all backups there are. If not, more may be restorable.
    pub complete: bool,
    /// The cluster.
    pub cluster: ClusterId,
    /// By part.
    pub parts: BTreeMap<PartName, PartWindows>,
    /// The moments at which every part can be restored.
    pub together: Vec<Span>,
    /// The newest moment up to which every part can be restored with all changes. `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

/// The windows of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartWindows {
    /// Where "at or before" has a plan, oldest first.
    pub windows: Vec<RestoreWindow>,
    /// Where it is refused although something was backed up, oldest first.
    pub gaps: Vec<Gap>,
}

/// Moments, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub from: Timestamp,
    /// The last. `None`: no end, so that every later moment restores the newest point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Moments that can be asked for, and what they reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreWindow {
    /// The moments.
    #[serde(flatten)]
    pub span: Span,
    /// The oldest point in it.
    pub oldest: Reached,
    /// The newest point in it.
    pub newest: Reached,
    /// How many points backups reach in it; moments between two of them restore the earlier one.
    pub points: u64,
    /// Where logs reach every moment exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub every_moment: Vec<Span>,
}

/// Moments that are refused: something was backed up and no chain can use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The moments.
    #[serde(flatten)]
    pub span: Span,
    /// Its earlier edge: the newest point that can be restored before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Reached>,
    /// Its later edge: the first point that can be restored after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Reached>,
    /// Why.
    pub reason: Reason,
    /// The same in words.
    pub detail: String,
    /// The first backup in it that no chain can use; `None` where a log has a hole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// How many backups settled in it that no chain can use.
    pub stranded: u64,
}

impl Span {
    pub(super) fn of(from: i64, until: i64) -> Self {
        let from = Timestamp::from_micros(from);
        Self { from, until: (until < LATEST).then(|| Timestamp::from_micros(until)) }
    }

    /// Whether `moment` is one of them.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.from <= moment && self.until.is_none_or(|until| moment <= until)
    }

    /// The moments that are in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        until.is_none_or(|until| from <= until).then_some(Self { from, until })
    }
}

/// The moments that are in a span of both lists; each list growing and without overlaps.
fn intersect(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut at, mut other, mut both) = (0, 0, Vec::new());
    while let (Some(one), Some(two)) = (a.get(at), b.get(other)) {
        both.extend(one.intersect(two));
        let ends_first = match (one.until, two.until) {
            (Some(a), Some(b)) => a <= b,
            (a, _) => a.is_some(),
        };
        if ends_first { at += 1 } else { other += 1 }
    }
    both
}

impl Windows {
    /// Whether every part can be restored at or before `moment`.
    #[must_use]
    pub fn restorable(&self, moment: Timestamp) -> bool {
        let at = self.together.partition_point(|span| span.from <= moment);
        at.checked_sub(1).is_some_and(|at| self.together[at].contains(moment))
    }
}

/// Every part that was asked for, with its course.
pub(super) type Courses<'a> = Vec<(Part<'a>, Course)>;

impl Catalogue {
    /// What can be restored for `request`, whose target, strictness, cut and bounds are not looked at: a moment lies in
    /// a window if and only if [`Target::AtOrBefore`] it has a plan that goes no earlier in silence.
    ///
    /// # Errors
    /// As [`Catalogue::plan`] for a cluster or part that is not there.
    pub fn windows(&self, request: &Request) -> Result<Windows, Box<PlanError>> {
        let (cluster, courses) = self.courses(request, None)?;
        Ok(self.windows_of(cluster, &courses))
    }

    /// What each moment restores, for every part: all of time as a list. For `request` as in [`Catalogue::windows`].
    ///
    /// # Errors
    /// As [`Catalogue::windows`].
    pub fn answers(&self, request: &Request) -> Result<BTreeMap<PartName, Vec<Answer>>, Box<PlanError>> {
        let (_, courses) = self.courses(request, None)?;
        Ok(courses.iter().map(|(part, course)| (part.name.to_owned(), course.answers(part))).collect())
    }

    pub(super) fn windows_of(&self, cluster: ClusterId, courses: &Courses<'_>) -> Windows {
        let mut together: Option<Vec<Span>> = None;
        let mut newest: Option<Option<Timestamp>> = None;
        let mut parts = BTreeMap::new();
        for (part, course) in courses {
            let made = course.windows(part);
            let spans: Vec<Span> = made.windows.iter().map(|window| window.span).collect();
            let last = made.windows.last().map(|window| window.newest.until);
            newest = Some(newest.map_or(last, |newest| newest.min(last)));
            together = Some(together.map_or_else(|| spans.clone(), |together| intersect(&together, &spans)));
            parts.insert(part.name.to_owned(), made);
        }
        Windows {
            generation: self.generation(),
            complete: self.is_complete(),
            cluster,
            parts,
            together: together.unwrap_or_default(),
            newest: newest.flatten(),
        }
    }

    /// The course of every part that `request` is about; `gone` are rows to be taken as deleted.
    pub(super) fn courses<'a>(
        &'a self,
        request: &Request,
        gone: Option<&'a BTreeSet<u32>>,
    ) -> Result<(ClusterId, Courses<'a>), Box<PlanError>> {
        let request = Request { target: Target::Latest, allow_missing_parts: false, ..request.clone() };
        let asked = parts_of(self, &request, gone)?;
        let courses = asked.parts.into_iter().map(|part| {
            let course = Course::of(&part);
            (part, course)
        });
        Ok((asked.cluster, courses.collect()))
    }
}
