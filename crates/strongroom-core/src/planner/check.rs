//! Whether a moment can be restored: a short answer, where a plan or an explanation says more than is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::compose::parts_of;
use super::explain::{moment, only};
use super::plan::{PartPlan, Reached};
use super::reason::{PlanError, Reason, Warning};
use super::target::{Request, Target};
use crate::id::{BackupId, ClusterId};
use crate::model::{BackupKind, PartName, Window};
use crate::{ErrorKind, Timestamp};

/// The version of a check's JSON.
pub const CHECK_FORMAT: u32 = 1;

/// Whether a request can be met, and if not, why. Its `Display` is text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// [`CHECK_FORMAT`].
    pub format: u32,
    /// The generation of the catalogue it was made from.
    pub generation: u64,
    /// Whether the catalogue holds all backups there are.
    pub complete: bool,
    /// The cluster. `None`: the request was refused before it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// What was asked.
    pub request: Request,
    /// The moment that was asked for, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub message: String,
    /// What all parts together reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The code of the error that a restore would end with, see [`ErrorKind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The part that it fails by, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartName>,
    /// The newest moment up to the one asked for at which every part can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// The earliest one after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// Each part by itself.
    pub parts: BTreeMap<PartName, PartCheck>,
    /// What the plan warns of.
    pub warnings: Vec<Warning>,
}

/// The answer of a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The very moment, or the very state, that was asked for: every change up to it and none after.
    Exact,
    /// The newest state that there is at or before it. What changed after that state is not restored.
    Earlier,
    /// There is no plan.
    Refused,
}

/// One part of a [`Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCheck {
    /// The answer.
    pub verdict: Verdict,
    /// What is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// Why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The backup that the restore begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<CheckedBase>,
    /// How many steps it takes, the base among them.
    pub steps: u64,
    /// By node: the newest change that has been archived of its log, usable or not.
    pub logs: BTreeMap<String, Timestamp>,
    /// The nearest point before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Reached>,
    /// The nearest point after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Reached>,
}

/// The backup that a restore begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedBase {
    /// The backup.
    pub backup: BackupId,
    /// What it is.
    pub kind: BackupKind,
    /// Its window.
    pub window: Window,
    /// The storage that it is read from.
    pub storage: String,
}

impl Check {
    /// Whether there is a plan.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.verdict != Verdict::Refused
    }

    /// The kind of the error that a restore would end with.
    #[must_use]
    pub fn error_kind(&self) -> Option<ErrorKind> {
        self.reason.map(Reason::error_kind)
    }
}

impl Catalogue {
    /// Whether `request` can be met. It is possible if and only if [`Catalogue::plan`] gives a plan.
    #[must_use]
    pub fn check(&self, request: &Request) -> Check {
        let asked = moment(&request.target);
        let (before, after) = asked.map_or((None, None), |asked| self.nearest_moments(request, asked));
        let mut check = Check {
            format: CHECK_FORMAT,
            generation: self.generation(),
            complete: self.is_complete(),
            cluster: request.cluster.or_else(|| self.lanes.first().map(|lane| lane.cluster)),
            request: request.clone(),
            asked,
            verdict: Verdict::Refused,
            message: String::new(),
            reached: None,
            reason: None,
            error: None,
            part: None,
            before,
            after,
            parts: BTreeMap::new(),
            warnings: Vec::new(),
        };
        match self.plan(request) {
            Ok(plan) => {
                check.cluster = Some(plan.cluster);
                check.reached = Some(plan.reached);
                for (name, part) in &plan.parts {
                    let made = self.part_check(&only(request, plan.cluster, name), Ok(part), asked);
                    check.parts.insert(name.clone(), made);
                }
                let all = check.parts.values().all(|part| part.verdict == Verdict::Exact);
                check.verdict = if all { Verdict::Exact } else { Verdict::Earlier };
                check.message = possible(&check);
                check.warnings = plan.warnings;
            }
            Err(error) => {
                check.reason = Some(error.reason);
                check.error = Some(error.reason.error_kind().code().to_owned());
                check.part.clone_from(&error.part);
                check.message.clone_from(&error.message);
                check.asked = asked.or(error.asked);
                check.parts = self.refused_parts(request, &error, asked);
                if matches!(error.reason, Reason::OtherCluster | Reason::Invalid) {
                    check.cluster = None;
                }
            }
        }
        check
    }

    /// The moments nearest to `asked` at which every part can be restored: one at or before, one after.
    fn nearest_moments(&self, request: &Request, asked: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let Ok(windows) = self.windows(request) else { return (None, None) };
        let next = windows.together.partition_point(|span| span.from <= asked);
        let before = next.checked_sub(1).and_then(|at| windows.together.get(at));
        let before = before.map(|span| span.until.map_or(asked, |until| until.min(asked)));
        (before, windows.together.get(next).map(|span| span.from))
    }

    /// Each part of a refused request by itself; of one that names a backup or a run the part that fails.
    fn refused_parts(
        &self,
        request: &Request,
        error: &PlanError,
        asked: Option<Timestamp>,
    ) -> BTreeMap<PartName, PartCheck> {
        let cluster = request.cluster.or_else(|| self.lanes.first().map(|lane| lane.cluster));
        let unknown = matches!(error.reason, Reason::OtherCluster | Reason::Invalid);
        let Some(cluster) = cluster.filter(|_| !unknown) else { return BTreeMap::new() };
        let named = matches!(request.target, Target::Backup(_) | Target::Run(_));
        let meant = |name: &str| match &error.part {
            Some(part) if named => part == name,
            _ => request.scope.parts.as_ref().is_none_or(|parts| parts.contains_key(name)),
        };
        let asked_for = self.parts_of_cluster(cluster).into_iter().filter(|name| meant(name));
        let one = |name: &str| {
            let request = only(request, cluster, name);
            let plan = if named { Err(Box::new(error.clone())) } else { self.plan(&request) };
            let plan = plan.map(|mut plan| plan.parts.remove(name));
            let made = match &plan {
                Ok(Some(part)) => self.part_check(&request, Ok(part), asked),
                Ok(None) => return None,
                Err(error) => self.part_check(&request, Err(error), asked),
            };
            Some((name.to_owned(), made))
        };
        asked_for.filter_map(one).collect()
    }

    /// `request` is for the part alone.
    fn part_check(
        &self,
        request: &Request,
        plan: Result<&PartPlan, &PlanError>,
        asked: Option<Timestamp>,
    ) -> PartCheck {
        let mut check = PartCheck {
            verdict: Verdict::Refused,
            reached: None,
            reason: None,
            message: None,
            base: None,
            steps: 0,
            logs: self.archived(request),
            before: None,
            after: None,
        };
        match plan {
            Ok(plan) => {
                let met = plan.reached.is_exact() && asked.is_none_or(|asked| asked == plan.reached.until);
                check.verdict = if met { Verdict::Exact } else { Verdict::Earlier };
                check.reached = Some(plan.reached);
                check.steps = plan.steps.len() as u64;
                check.base = plan.steps.first().map(|step| CheckedBase {
                    backup: step.backup,
                    kind: step.kind,
                    window: step.window,
                    storage: step.copy.storage.clone(),
                });
            }
            Err(error) => {
                check.reason = Some(error.reason);
                check.message = Some(error.message.clone());
                (check.before, check.after) = (error.before, error.after);
            }
        }
        check
    }

    /// By node, the newest change that was archived of its log.
    fn archived(&self, request: &Request) -> BTreeMap<String, Timestamp> {
        let request = Request { target: Target::Latest, ..request.clone() };
        let Ok(asked) = parts_of(self, &request, None) else { return BTreeMap::new() };
        let mut newest = BTreeMap::new();
        let histories = asked.parts.iter().flat_map(|part| &part.histories);
        for stream in histories.flat_map(|history| &history.logs.streams).filter(|stream| stream.newest > i64::MIN) {
            let known = newest.entry(stream.node().to_owned()).or_insert(Timestamp::from_micros(stream.newest));
            *known = (*known).max(Timestamp::from_micros(stream.newest));
        }
        newest
    }
}

fn possible(check: &Check) -> String {
    let reached = check.reached.map(|reached| reached.until).unwrap_or_default();
    match (check.verdict, check.asked) {
        (Verdict::Exact, Some(asked)) => format!("{asked} can be restored exactly"),
        (Verdict::Exact, None) => format!("what was asked for can be restored: {reached} exactly"),
        (_, Some(asked)) => format!("{asked} can be asked for: all changes up to {reached} are restored"),
        (_, None) => format!("what was asked for can be restored: all changes up to {reached}"),
    }
}
