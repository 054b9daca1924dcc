//! What a plan must reach, or why it must be refused.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::id::{ClusterId, TimelineId};
use strongroom_core::model::{BackupKind, Status};
use strongroom_core::planner::{Cut, Entry, Reason, Request, Strictness, Target};

use super::facts::{Fact, Score, facts};
use super::history::{Part, Point};
use crate::picture::World;

/// Later than everything.
pub(crate) const LATEST: i64 = 1 << 61;

/// What must come of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) timeline: TimelineId,
    pub(crate) until: i64,
    /// `Some` where the target asks for it and is met. Else any of equal risk and cost will do.
    pub(crate) settled: Option<i64>,
    pub(crate) score: Score,
    /// Whether the plan must say that it is earlier than asked.
    pub(crate) moved: bool,
}

/// A plan that must be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) cluster: ClusterId,
    pub(crate) parts: BTreeMap<String, Reach>,
    pub(crate) left_out: BTreeSet<String>,
}

/// One good reason to refuse; a plan may be refused for any of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) part: Option<String>,
    pub(crate) reasons: BTreeSet<Reason>,
    /// The nearest point before, if the refusal must name it.
    pub(crate) before: Option<i64>,
}

fn refused(part: Option<&str>, reasons: impl IntoIterator<Item = Reason>, before: Option<Point>) -> Refused {
    let before = before.map(|point| point.until);
    Refused { part: part.map(str::to_owned), reasons: reasons.into_iter().collect(), before }
}

/// What `request` must give; its bounds on the plan's size are not looked at.
pub(crate) fn answer(world: &World, request: &Request) -> Result<Expected, Vec<Refused>> {
    let one = |part: Option<&str>, reason| vec![refused(part, [reason], None)];
    let facts = facts(world);
    let clusters: BTreeSet<ClusterId> = world.entries.iter().map(|entry| entry.cluster).collect();
    let cluster = match (request.cluster, clusters.len()) {
        (Some(cluster), _) if clusters.contains(&cluster) => cluster,
        (Some(_), _) => return Err(one(None, Reason::OtherCluster)),
        (None, 1) => *clusters.iter().next().unwrap(),
        (None, 0) => return Err(one(None, Reason::PartMissing)),
        (None, _) => return Err(one(None, Reason::Invalid)),
    };
    let states: Vec<&Fact<'_>> = facts
        .iter()
        .filter(|fact| fact.entry.cluster == cluster && fact.entry.kind != BackupKind::LogSegment)
        .collect();
    let left = states.iter().filter(|fact| fact.entry.status != Status::Deleted);
    let known: BTreeSet<&str> = left.map(|fact| fact.entry.part.as_str()).collect();
    let target = named(&facts, &states, request, cluster).map_err(|mut errors| {
        let unknown = request.scope.parts.iter().flatten().filter(|(name, _)| !known.contains(name.as_str()));
        errors.extend(unknown.map(|(name, _)| refused(Some(name), [Reason::PartMissing], None)));
        errors
    })?;
    let mut names: BTreeSet<&str> = match (&request.scope.parts, &target) {
        (Some(parts), _) => parts.keys().map(String::as_str).collect(),
        (None, Named::Backups(backups)) if matches!(request.target, Target::Backup(_)) => {
            backups.keys().map(String::as_str).collect()
        }
        (None, _) => known.clone(),
    };
    let there = |name: &&str| match &target {
        Named::Backups(backups) if request.scope.parts.is_none() => backups.contains_key(*name),
        Named::Backups(backups) => known.contains(name) && backups.contains_key(*name),
        Named::Moment(..) => known.contains(name),
    };
    let mut left_out: BTreeSet<String> = names.iter().filter(|name| !there(name)).map(ToString::to_string).collect();
    names.retain(there);
    // A run that misses parts was asked for as it is.
    let as_it_is = matches!(target, Named::Backups(_)) && request.scope.parts.is_none();
    let excused = request.allow_missing_parts || as_it_is;
    if !left_out.is_empty() && !excused {
        return Err(left_out.iter().map(|name| refused(Some(name), [Reason::PartMissing], None)).collect());
    }
    let mut parts = Vec::new();
    for name in names {
        let part = Part::of(world, cluster, name, request);
        if part.histories.is_empty() {
            return Err(one(None, Reason::OtherTimeline));
        }
        match &target {
            Named::Moment(limit, _) if request.allow_missing_parts && part.newest(*limit).is_none() => {
                left_out.insert(name.to_owned());
            }
            _ => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(one(None, Reason::PartMissing));
    }
    let parts = match &target {
        Named::Backups(backups) => by_backup(&parts, backups)?,
        Named::Moment(limit, exact) => by_moment(&parts, request, *limit, *exact)?,
    };
    Ok(Expected { cluster, parts, left_out })
}

/// What a target names.
enum Named<'a> {
    /// A backup of each part: the entry, since two may have one id.
    Backups(BTreeMap<String, &'a Entry>),
    /// A moment, and whether it must be met exactly.
    Moment(i64, bool),
}

fn named<'a>(
    facts: &[Fact<'a>],
    states: &[&Fact<'a>],
    request: &Request,
    cluster: ClusterId,
) -> Result<Named<'a>, Vec<Refused>> {
    let one = |reason| vec![refused(None, [reason], None)];
    match &request.target {
        Target::Latest => Ok(Named::Moment(LATEST, false)),
        Target::AtOrBefore(moment) => Ok(Named::Moment(moment.micros(), false)),
        Target::Exactly(moment) => Ok(Named::Moment(moment.micros(), true)),
        Target::Backup(id) => {
            let mut named = facts.iter().filter(|fact| fact.entry.id == *id);
            let first = named.clone().next().ok_or_else(|| one(Reason::Unknown))?;
            if named.clone().count() > 1 {
                return Err(one(Reason::DuplicateId));
            }
            match named.next() {
                Some(fact) if fact.entry.kind == BackupKind::LogSegment => Err(one(Reason::Invalid)),
                Some(fact) if fact.entry.cluster != cluster => Err(one(Reason::OtherCluster)),
                _ => Ok(Named::Backups([(first.entry.part.clone(), first.entry)].into())),
            }
        }
        Target::Run(run) => {
            let mut newest = BTreeMap::new();
            let mut of_run: Vec<_> = states.iter().filter(|fact| fact.entry.run == *run).collect();
            of_run.sort_by_key(|fact| (fact.until(), fact.settled(), fact.entry.id));
            newest.extend(of_run.iter().map(|fact| (fact.entry.part.clone(), fact.entry)));
            if newest.is_empty() { Err(one(Reason::Unknown)) } else { Ok(Named::Backups(newest)) }
        }
        Target::LogPosition { node, epoch, seq } => {
            let here = |fact: &&Fact<'_>| {
                let log = fact.entry.log.as_ref();
                log.is_some_and(|log| (&log.node, log.epoch, log.seq) == (node, *epoch, *seq))
            };
            let there = facts.iter().filter(|fact| fact.entry.cluster == cluster && fact.has_time()).filter(here);
            let end = there.map(Fact::until).max().ok_or_else(|| one(Reason::Unknown))?;
            Ok(Named::Moment(end, true))
        }
    }
}

fn by_backup(parts: &[Part<'_>], backups: &BTreeMap<String, &Entry>) -> Result<BTreeMap<String, Reach>, Vec<Refused>> {
    let mut reached = BTreeMap::new();
    let mut errors = Vec::new();
    for part in parts {
        let entry = backups[part.name];
        let place = |lane: &[Fact<'_>]| lane.iter().position(|fact| fact.entry == entry);
        let found = part.histories.iter().find_map(|history| Some((history, place(&history.lane)?)));
        let Some((history, at)) = found else {
            errors.push(refused(None, [Reason::OtherTimeline], None));
            continue;
        };
        let ends = history.chains.iter().filter(|chain| chain.steps.last() == Some(&at));
        if let Some(best) = ends.min_by_key(|chain| chain.score) {
            let (until, timeline) = (best.until, history.timeline);
            let reach = Reach { timeline, until, settled: None, score: best.score, moved: false };
            reached.insert(part.name.to_owned(), reach);
        } else {
            let before = part.newest(history.lane[at].until());
            errors.push(refused(Some(part.name), history.causes(at), before));
        }
    }
    if errors.is_empty() { Ok(reached) } else { Err(errors) }
}

fn by_moment(
    parts: &[Part<'_>],
    request: &Request,
    limit: i64,
    exact: bool,
) -> Result<BTreeMap<String, Reach>, Vec<Refused>> {
    let together = request.cut == Cut::Together && !exact;
    let newest: Vec<Option<Point>> = parts.iter().map(|part| part.newest(limit)).collect();
    let slowest = newest.iter().flatten().map(|point| point.until).min();
    let mut reached = BTreeMap::new();
    let mut errors = Vec::new();
    for (part, point) in parts.iter().zip(&newest) {
        let losses = part.losses(*point, limit);
        let Some(point) = *point else {
            let reasons = if losses.is_empty() { BTreeSet::from([Reason::BeforeFirst]) } else { losses };
            errors.push(refused(Some(part.name), reasons, None));
            continue;
        };
        let missed = exact && (point.until, point.settled) != (limit, limit);
        // Of parts that go together only the slowest is kept back by its losses.
        let lost = !losses.is_empty() && (!together || Some(point.until) == slowest);
        if request.strictness == Strictness::Refuse && (lost || missed) {
            let reasons = if lost { losses } else { BTreeSet::from([Reason::NotExact]) };
            errors.push(refused(Some(part.name), reasons, Some(point)));
            continue;
        }
        let point =
            if let Some(slowest) = slowest.filter(|_| together) { earliest(part, slowest, limit) } else { point };
        let reach = Reach {
            timeline: part.histories[point.history].timeline,
            until: point.until,
            settled: Some(point.settled).filter(|_| exact && !missed),
            score: point.score,
            moved: lost || missed,
        };
        reached.insert(part.name.to_owned(), reach);
    }
    if errors.is_empty() { Ok(reached) } else { Err(errors) }
}

/// The point that holds every change up to `moment` and is settled first.
fn earliest(part: &Part<'_>, moment: i64, limit: i64) -> Point {
    let mut bounds = part.settling();
    bounds.extend([moment, limit]);
    let within = bounds.range(moment..=limit);
    within.filter_map(|bound| part.newest(*bound)).find(|point| point.until >= moment).unwrap()
}
