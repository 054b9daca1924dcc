//! From a request to a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::choose::{by_moment, by_row, limit_of};
use super::groups::StepGroups;
use super::part::{LATEST, Part};
use super::plan::{PLAN_FORMAT, Plan, Reached};
use super::precheck::{checks, stages};
use super::reason::{PlanError, Reason, Warning, WarningCode};
use super::steps::Steps;
use super::target::{Request, Target};
use crate::codec::CodecId;
use crate::id::{ClusterId, DataKeyId};
use crate::model::{BackupKind, Status};

/// Backups that a plan lists as not chosen, for each part.
const REFUSED: usize = 16;

/// Plans `request`; `gone` are rows to be taken as lost.
pub(super) fn plan(
    catalogue: &Catalogue,
    request: &Request,
    gone: Option<&BTreeSet<u32>>,
) -> Result<Plan, Box<PlanError>> {
    let Asked { cluster, parts, rows, limit, exact, warnings } = parts_of(catalogue, request, gone)?;
    let chosen = match &rows {
        Some(rows) => by_row(&parts, rows)?,
        None => by_moment(&parts, request, limit, exact)?,
    };
    let mut steps = Steps::new(request, &catalogue.rows);
    steps.warnings = warnings;
    let asked = serde_json::to_vec(request).unwrap_or_default();
    steps.put(&PLAN_FORMAT.to_le_bytes());
    steps.put(&catalogue.generation().to_le_bytes());
    steps.put(cluster.as_bytes());
    steps.put(&(asked.len() as u64).to_le_bytes());
    steps.put(&asked);
    let (mut made, mut refused) = (BTreeMap::new(), Vec::new());
    for (part, (choice, lost)) in parts.iter().zip(&chosen) {
        let view = &part.histories[choice.history].view;
        refused.extend(view.refusals(part.name, &choice.route, limit, REFUSED));
        if let Some(lost) = lost {
            let message = format!("a point earlier than asked is reached: {}", lost.what);
            let part = Some(part.name.to_owned());
            steps.warnings.push(Warning { code: WarningCode::MovedEarlier, part, message });
        }
        let plan = steps.part(part, choice);
        let plan = plan.map_err(|reason| PlanError::new(reason, "a step lost its copies while it was planned"))?;
        made.insert(part.name.to_owned(), plan);
    }
    let until = made.values().map(|part| part.reached.until).min().unwrap_or_default();
    let settled = made.values().map(|part| part.reached.settled).max().unwrap_or_default();
    let newest = made.values().map(|part| part.reached.until).max().unwrap_or_default();
    if made.values().any(|part| part.reached.settled < newest) {
        let message = format!("the parts reach different moments, between {until} and {newest}");
        steps.warnings.push(Warning { code: WarningCode::PartsDiffer, part: None, message });
    }
    if !catalogue.is_complete() {
        let message = "the catalogue is not complete: a better plan may exist".to_owned();
        steps.warnings.push(Warning { code: WarningCode::CatalogueIncomplete, part: None, message });
    }
    let classes = || steps.classes.iter().map(|class| &catalogue.rows.classes.list[*class as usize]);
    let keys: BTreeSet<DataKeyId> = classes().flat_map(|class| class.keys.iter().copied()).collect();
    let codecs: BTreeSet<&CodecId> = classes().flat_map(|class| &class.codecs).collect();
    let (keys, codecs): (Vec<_>, Vec<_>) = (keys.into_iter().collect(), codecs.into_iter().cloned().collect());
    let plan = Plan {
        format: PLAN_FORMAT,
        generation: catalogue.generation(),
        cluster,
        request: request.clone(),
        checks: checks(request, &steps.totals, &keys, &codecs, catalogue.is_complete()),
        stages: stages(),
        groups: StepGroups::of(&made.values().map(|part| part.steps.len()).collect::<Vec<_>>()),
        parts: made,
        reached: Reached { until, settled },
        totals: steps.totals,
        keys,
        codecs,
        hash: steps.hash(),
        warnings: steps.warnings,
        refused,
    };
    within(&plan, request)?;
    Ok(plan)
}

fn within(plan: &Plan, request: &Request) -> Result<(), Box<PlanError>> {
    let over = |most: Option<u64>, is: u64, what: &str| {
        most.filter(|most| is > *most).map(|most| format!("the plan takes {is} {what}, more than the {most} allowed"))
    };
    let found = over(request.at_most.bytes, plan.totals.bytes, "bytes")
        .or_else(|| over(request.at_most.steps, plan.totals.steps, "steps"));
    found.map_or(Ok(()), |message| Err(PlanError::new(Reason::TooLarge, message)))
}

/// The parts that a request is about.
pub(super) struct Asked<'a> {
    pub(super) cluster: ClusterId,
    pub(super) parts: Vec<Part<'a>>,
    /// For targets that name backups: the row of each part.
    pub(super) rows: Option<BTreeMap<&'a str, u32>>,
    pub(super) limit: i64,
    pub(super) exact: bool,
    warnings: Vec<Warning>,
}

pub(super) fn parts_of<'a>(
    catalogue: &'a Catalogue,
    request: &Request,
    gone: Option<&'a BTreeSet<u32>>,
) -> Result<Asked<'a>, Box<PlanError>> {
    let cluster = cluster_of(catalogue, request)?;
    let known = catalogue.parts_of_cluster(cluster);
    let rows = named_rows(catalogue, request, cluster)?;
    let mut names: Vec<&'a str> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    match (&request.scope.parts, &rows) {
        (Some(wanted), _) => {
            for name in wanted.keys() {
                match known.iter().find(|known| *known == name) {
                    Some(known) => names.push(known),
                    None => missing.push(name.clone()),
                }
            }
        }
        (None, Some(rows)) if matches!(request.target, Target::Backup(_)) => names.extend(rows.keys()),
        (None, _) => names.extend(&known),
    }
    if let Some(rows) = &rows {
        let (there, not): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| rows.contains_key(*name));
        names = there;
        missing.extend(not.into_iter().map(str::to_owned));
    }
    // A run that misses parts was asked for as it is; a part that was asked for by name was not.
    let excused = request.allow_missing_parts || (rows.is_some() && request.scope.parts.is_none());
    if let Some(name) = missing.first().filter(|_| !excused) {
        let message = format!("there is no backup of '{name}' to restore");
        return Err(Box::new(PlanError { part: Some(name.clone()), ..*PlanError::new(Reason::PartMissing, message) }));
    }
    let mut warnings: Vec<Warning> = missing.iter().map(|name| left_out(name)).collect();
    let (limit, exact) = limit_of(&request.target, log_end(catalogue, request, cluster)?);
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let Some(part) = Part::of(catalogue, cluster, name, request, gone) else {
            let message = format!("'{name}' has no backup on the timeline that was named");
            return Err(PlanError::new(Reason::OtherTimeline, message));
        };
        let nothing = || part.newest(limit).is_none();
        if rows.is_none() && request.allow_missing_parts && nothing() {
            warnings.push(left_out(name));
        } else {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return Err(PlanError::new(Reason::PartMissing, "there is no backup to restore"));
    }
    Ok(Asked { cluster, parts, rows, limit, exact, warnings })
}

fn left_out(name: &str) -> Warning {
    let message = format!("'{name}' is left out: it can't be restored");
    Warning { code: WarningCode::PartLeftOut, part: Some(name.to_owned()), message }
}

fn cluster_of(catalogue: &Catalogue, request: &Request) -> Result<ClusterId, Box<PlanError>> {
    let known: BTreeSet<ClusterId> = catalogue.lanes.iter().map(|lane| lane.cluster).collect();
    if let Some(cluster) = request.cluster {
        return if known.contains(&cluster) {
            Ok(cluster)
        } else {
            Err(PlanError::new(Reason::OtherCluster, format!("there is no backup of cluster {cluster}")))
        };
    }
    let mut known = known.into_iter();
    match (known.next(), known.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(PlanError::new(Reason::PartMissing, "the repository holds no backup")),
        _ => Err(PlanError::new(Reason::Invalid, "the repository holds backups of several clusters: name one")),
    }
}

/// The rows that a target names.
fn named_rows<'a>(
    catalogue: &'a Catalogue,
    request: &Request,
    cluster: ClusterId,
) -> Result<Option<BTreeMap<&'a str, u32>>, Box<PlanError>> {
    let rows = &catalogue.rows;
    match request.target {
        Target::Backup(id) => {
            let row = catalogue.ids.find(rows, id);
            let row = row.ok_or_else(|| PlanError::new(Reason::Unknown, format!("there is no backup {id}")))?;
            if catalogue.ids.all(rows, id).count() > 1 {
                let message = format!("two different backups have the id {id}: which is meant can't be told");
                return Err(PlanError::new(Reason::DuplicateId, message));
            }
            let class = rows.class_of(row);
            if class.kind == BackupKind::LogSegment {
                return Err(PlanError::new(Reason::Invalid, format!("{id} is a log segment: name a log position")));
            }
            if class.cluster != cluster {
                return Err(PlanError::new(Reason::OtherCluster, format!("backup {id} is of another cluster")));
            }
            Ok(Some(BTreeMap::from([(class.part.as_str(), row)])))
        }
        Target::Run(run) => {
            let mut found = BTreeMap::new();
            for lane in catalogue.lanes.iter().filter(|lane| lane.cluster == cluster && lane.node.is_none()) {
                // Of several backups of a part the newest, whatever timelines they are of.
                let newest = |row: u32| (rows.until[row as usize], rows.settled(row), rows.id[row as usize]);
                for row in lane.rows.clone().filter(|row| rows.counts(*row).run == run) {
                    let best = found.entry(lane.part.as_str()).or_insert(row);
                    if newest(*best) < newest(row) {
                        *best = row;
                    }
                }
            }
            if found.is_empty() {
                return Err(PlanError::new(Reason::Unknown, format!("there is no backup of run {run}")));
            }
            Ok(Some(found))
        }
        _ => Ok(None),
    }
}

/// The last change of the segment that a log position names.
fn log_end(catalogue: &Catalogue, request: &Request, cluster: ClusterId) -> Result<Option<i64>, Box<PlanError>> {
    let Target::LogPosition { node, epoch, seq } = &request.target else { return Ok(None) };
    let mine = |lane: &&super::lane::Lane| lane.cluster == cluster && lane.node.as_ref() == Some(node);
    let rows = catalogue.lanes.iter().filter(mine).flat_map(|lane| lane.rows.clone());
    let timed = |row: &u32| catalogue.rows.bad.get(row) != Some(&Reason::BadWindow);
    let at =
        |row: &u32| catalogue.rows.place(*row).is_some_and(|place| (place.at.epoch, place.at.seq) == (*epoch, *seq));
    let found = rows.filter(timed).filter(at).map(|row| catalogue.rows.until[row as usize].min(LATEST)).max();
    let message = || format!("there is no segment {epoch}-{seq} of node '{node}'");
    found.map(Some).ok_or_else(|| PlanError::new(Reason::Unknown, message()))
}

impl Catalogue {
    /// The parts of a cluster of which a backup is left, in order.
    pub(super) fn parts_of_cluster(&self, cluster: ClusterId) -> Vec<&str> {
        let left = |lane: &super::lane::Lane| {
            lane.classes.iter().any(|class| self.rows.classes.list[*class as usize].status != Status::Deleted)
        };
        let lanes = self.lanes.iter().filter(|lane| lane.cluster == cluster && lane.node.is_none() && left(lane));
        let mut names: Vec<&str> = lanes.map(|lane| lane.part.as_str()).collect();
        names.dedup();
        names
    }
}
