//! The search for the best chain of each part.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::entry::{Entry, HOME, HeldState, Tier};
use super::plan::{Apply, ChosenCopy, PLAN_FORMAT, PartPlan, Plan, PlanTotals, Reached, Step};
use super::reason::{PlanError, Reason, Refusal, Warning, WarningCode};
use super::target::{Request, Strictness, Target};
use crate::Timestamp;
use crate::id::ClusterId;
use crate::manifest::Blake3;
use crate::model::{Applies, BackupKind, Deletes, Filter, Status};

/// What a chain is chosen by: deletes unseen, unverified steps, cost.
type Score = (u64, u64, u64);

/// The best chain that ends at an entry: its score, the largest `settled`, and the entry before.
#[derive(Clone, Copy)]
struct Best {
    score: Score,
    settled: Timestamp,
    before: Option<usize>,
}

pub(super) fn plan(catalogue: &Catalogue, request: &Request) -> Result<Plan, Box<PlanError>> {
    let cluster = cluster_of(catalogue, request)?;
    let mine = || catalogue.entries.iter().filter(|entry| entry.cluster == cluster);
    let names: BTreeSet<&str> = match &request.scope.parts {
        Some(parts) => parts.keys().map(String::as_str).collect(),
        None => mine().filter(|entry| entry.kind != BackupKind::LogSegment).map(|e| e.part.as_str()).collect(),
    };
    let wanted = match request.target {
        Target::Backup(id) => {
            let found = mine().find(|entry| entry.id == id);
            Some(found.ok_or_else(|| PlanError::new(Reason::Unknown, format!("no backup {id}")))?)
        }
        _ => None,
    };
    let (mut parts, mut warnings, mut refused, mut next) = (BTreeMap::new(), Vec::new(), Vec::new(), 0);
    for name in names.into_iter().filter(|name| wanted.is_none_or(|entry| entry.part == *name)) {
        let filter = request.scope.filter_of(name).unwrap_or_default();
        let entries: Vec<&Entry> = mine().filter(|entry| entry.part == name).collect();
        let steps = chain(&entries, &filter, request, wanted, &mut refused)
            .map_err(|error| Box::new(PlanError { part: Some(name.to_owned()), ..*error }))?;
        let part = part_plan(&steps, filter, request, &mut next);
        warn(name, &steps, &part, &mut warnings);
        parts.insert(name.to_owned(), part);
    }
    if parts.is_empty() {
        return Err(PlanError::new(Reason::PartMissing, "there is no backup to restore"));
    }
    Ok(finish(catalogue, request, cluster, parts, warnings, refused))
}

fn cluster_of(catalogue: &Catalogue, request: &Request) -> Result<ClusterId, Box<PlanError>> {
    if let Some(cluster) = request.cluster {
        return Ok(cluster);
    }
    let known: BTreeSet<ClusterId> = catalogue.entries.iter().map(|entry| entry.cluster).collect();
    let mut known = known.into_iter();
    match (known.next(), known.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(PlanError::new(Reason::PartMissing, "the repository holds no backup")),
        _ => Err(PlanError::new(Reason::Invalid, "the repository holds backups of several clusters: name one")),
    }
}

fn unusable(entry: &Entry, filter: &Filter, request: &Request) -> Option<Reason> {
    match entry.status {
        Status::Corrupt => return Some(Reason::Corrupt),
        Status::Deleted => return Some(Reason::Deleted),
        Status::Partial if !request.allow_partial => return Some(Reason::Partial),
        Status::Partial | Status::Complete => {}
    }
    if !entry.filter.covers(filter) {
        Some(Reason::FilterTooNarrow)
    } else if request.verified_only && entry.verified.is_none() {
        Some(Reason::Unverified)
    } else if copies(entry, request).is_empty() {
        Some(Reason::CopyUnavailable)
    } else if request.keys.as_ref().is_some_and(|keys| !entry.keys.iter().all(|key| keys.contains(key))) {
        Some(Reason::KeyMissing)
    } else {
        None
    }
}

fn copies(entry: &Entry, request: &Request) -> Vec<ChosenCopy> {
    let allowed = |storage: &str| request.storages.as_ref().is_none_or(|storages| storages.contains(storage));
    if entry.copies.is_empty() && allowed(HOME) {
        return vec![ChosenCopy { storage: HOME.to_owned(), tier: Tier::Hot, cost: entry.size.stored_bytes }];
    }
    let usable = entry.copies.iter().filter(|copy| copy.state == HeldState::Present && allowed(&copy.storage));
    let mut copies: Vec<ChosenCopy> = usable
        .map(|copy| ChosenCopy {
            storage: copy.storage.clone(),
            tier: copy.tier,
            cost: entry.size.stored_bytes.saturating_add(copy.cost),
        })
        .collect();
    copies.sort_by(|a, b| (a.cost, &a.storage).cmp(&(b.cost, &b.storage)));
    copies
}

/// The best chain of one part, in the order of application.
fn chain<'a>(
    entries: &[&'a Entry],
    filter: &Filter,
    request: &Request,
    wanted: Option<&Entry>,
    refused: &mut Vec<Refusal>,
) -> Result<Vec<&'a Entry>, Box<PlanError>> {
    let limit = match request.target {
        Target::AtOrBefore(moment) | Target::Exactly(moment) => moment,
        _ => Timestamp::MAX,
    };
    let best = search(entries, limit, filter, request);
    let reached = |at: usize| best[at].map(|found| Reached { until: entries[at].window.until, settled: found.settled });
    let newest = (0..entries.len()).rev().find(|at| match wanted {
        Some(wanted) => best[*at].is_some() && entries[*at].id == wanted.id,
        None => best[*at].is_some(),
    });
    for (at, entry) in entries.iter().enumerate().rev().take(64) {
        let reason = unusable(entry, filter, request).or_else(|| {
            (entry.window.settled > limit).then_some(Reason::AfterTarget).or(best[at].is_none().then_some(Reason::Gap))
        });
        if let Some(reason) = reason {
            let detail = format!("{} until {}", entry.kind, entry.window.until);
            refused.push(Refusal { backup: entry.id, part: entry.part.clone(), reason, detail });
        }
    }
    let after = || {
        let all = search(entries, Timestamp::MAX, filter, request);
        let found = entries.iter().zip(all).find(|(entry, found)| found.is_some() && entry.window.settled > limit);
        found.and_then(|(entry, found)| Some(Reached { until: entry.window.until, settled: found?.settled }))
    };
    let refuse = |reason, message: String, before, refused: &mut Vec<Refusal>| {
        Box::new(PlanError {
            asked: (limit != Timestamp::MAX).then_some(limit),
            before,
            after: after(),
            refused: std::mem::take(refused),
            ..*PlanError::new(reason, message)
        })
    };
    let Some(end) = newest else {
        return Err(refuse(Reason::Gap, "no complete chain ends there".to_owned(), None, refused));
    };
    if request.strictness == Strictness::Refuse && wanted.is_none() {
        let evidence = |entry: &&&Entry| {
            entry.window.settled <= limit
                && entry.window.until > entries[end].window.until
                && !matches!(unusable(entry, filter, request), Some(Reason::Deleted | Reason::FilterTooNarrow))
        };
        if let Some(lost) = entries.iter().rev().find(evidence) {
            let message = format!("the backup until {} can't be reached", lost.window.until);
            let reason = unusable(lost, filter, request).unwrap_or(Reason::Gap);
            return Err(refuse(reason, message, reached(end), refused));
        }
        if matches!(request.target, Target::Exactly(moment)
            if reached(end) != Some(Reached { until: moment, settled: moment }))
        {
            return Err(refuse(Reason::NotExact, format!("no chain ends exactly at {limit}"), reached(end), refused));
        }
    }
    let mut steps: Vec<&Entry> =
        std::iter::successors(Some(end), |at| best[*at].and_then(|found| found.before)).map(|at| entries[at]).collect();
    steps.reverse();
    Ok(steps)
}

fn search(entries: &[&Entry], limit: Timestamp, filter: &Filter, request: &Request) -> Vec<Option<Best>> {
    let mut best: Vec<Option<Best>> = vec![None; entries.len()];
    for (at, entry) in entries.iter().enumerate() {
        let window = entry.window;
        if window.settled > limit || unusable(entry, filter, request).is_some() {
            continue;
        }
        let own: Score = (
            u64::from(!entry.kind.starts_a_chain() && entry.deletes == Deletes::Unseen),
            u64::from(entry.verified.is_none()),
            copies(entry, request).first().map_or(u64::MAX, |copy| copy.cost),
        );
        let add = |before: Score| (before.0 + own.0, before.1 + own.1, before.2.saturating_add(own.2));
        best[at] = match entry.kind {
            BackupKind::LogSegment => None,
            BackupKind::Base | BackupKind::Synthetic => {
                Some(Best { score: own, settled: window.settled, before: None })
            }
            BackupKind::Incremental => (0..at)
                .filter(|j| entries[*j].timeline == entry.timeline && entries[*j].window.until < window.until)
                .filter(|j| match entry.applies {
                    Applies::Cover => window.from.is_some_and(|from| from <= entries[*j].window.until),
                    Applies::Exact => {
                        entry.parent == Some(entries[*j].id) && window.from == Some(entries[*j].window.until)
                    }
                })
                .filter_map(|j| best[j].map(|found| (add(found.score), j, found.settled)))
                .min()
                .map(|(score, j, settled)| Best { score, settled: settled.max(window.settled), before: Some(j) }),
        };
    }
    best
}

fn part_plan(steps: &[&Entry], filter: Filter, request: &Request, next: &mut u32) -> PartPlan {
    let until = steps.last().map_or(Timestamp::EPOCH, |entry| entry.window.until);
    let settled = steps.iter().map(|entry| entry.window.settled).max().unwrap_or(until);
    let steps_out = steps.iter().map(|entry| {
        let mut copies = copies(entry, request).into_iter();
        let home = || ChosenCopy { storage: HOME.to_owned(), tier: Tier::Hot, cost: 0 };
        let step = *next;
        *next += 1;
        Step {
            step,
            backup: entry.id,
            manifest: entry.manifest.clone(),
            kind: entry.kind,
            apply: match (entry.kind.starts_a_chain(), entry.applies) {
                (true, _) => Apply::Begin,
                (false, Applies::Cover) => Apply::Cover,
                (false, Applies::Exact) => Apply::Exact,
            },
            window: entry.window,
            bytes: entry.size.stored_bytes,
            plain_bytes: entry.size.plain_bytes,
            records: entry.size.records,
            objects: entry.size.objects,
            requests: entry.size.objects,
            copy: copies.next().unwrap_or_else(home),
            alternates: copies.collect(),
        }
    });
    let steps_out = steps_out.collect();
    let timeline = steps.first().map_or(crate::id::TimelineId::from_u128(0), |entry| entry.timeline);
    PartPlan { timeline, filter, reached: Reached { until, settled }, steps: steps_out }
}

fn warn(name: &str, steps: &[&Entry], part: &PartPlan, warnings: &mut Vec<Warning>) {
    let mut say = |code, count: usize, message: &str| {
        if count > 0 {
            warnings.push(Warning { code, part: Some(name.to_owned()), message: format!("{count} {message}") });
        }
    };
    let unseen = |entry: &&&Entry| !entry.kind.starts_a_chain() && entry.deletes == Deletes::Unseen;
    say(
        WarningCode::DeletesUnseen,
        steps.iter().filter(unseen).count(),
        "steps do not hold deletes: deleted things come back",
    );
    say(
        WarningCode::Unverified,
        steps.iter().filter(|e| e.verified.is_none()).count(),
        "steps have never been verified",
    );
    say(
        WarningCode::Partial,
        steps.iter().filter(|e| e.status == Status::Partial).count(),
        "steps have missing ranges",
    );
    say(
        WarningCode::Fuzzy,
        usize::from(!part.reached.is_exact()),
        "span between until and settled: changes in it may or may not be in",
    );
}

fn finish(
    catalogue: &Catalogue,
    request: &Request,
    cluster: ClusterId,
    parts: BTreeMap<String, PartPlan>,
    warnings: Vec<Warning>,
    refused: Vec<Refusal>,
) -> Plan {
    let reached = Reached {
        until: parts.values().map(|part| part.reached.until).min().unwrap_or_default(),
        settled: parts.values().map(|part| part.reached.settled).max().unwrap_or_default(),
    };
    let mut totals = PlanTotals::default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&catalogue.generation().to_le_bytes());
    let (mut keys, mut codecs, mut groups) = (BTreeSet::new(), BTreeSet::new(), Vec::<Vec<u32>>::new());
    for part in parts.values() {
        for (depth, step) in part.steps.iter().enumerate() {
            totals.steps += 1;
            totals.bytes += step.bytes;
            totals.plain_bytes += step.plain_bytes;
            totals.records += step.records;
            totals.objects += step.objects;
            totals.requests += step.requests;
            totals.cost = totals.cost.saturating_add(step.copy.cost);
            hasher.update(step.backup.as_bytes());
            hasher.update(step.copy.storage.as_bytes());
            if groups.len() <= depth {
                groups.push(Vec::new());
            }
            groups[depth].push(step.step);
            if let Some(entry) = catalogue.entries.iter().find(|entry| entry.id == step.backup) {
                keys.extend(entry.keys.iter().copied());
                codecs.extend(entry.codecs.iter().cloned());
                totals.unverified += u64::from(entry.verified.is_none());
            }
        }
    }
    Plan {
        format: PLAN_FORMAT,
        generation: catalogue.generation(),
        cluster,
        target: request.target.clone(),
        parts,
        reached,
        totals,
        keys: keys.into_iter().collect(),
        codecs: codecs.into_iter().collect(),
        groups,
        warnings,
        refused,
        hash: Blake3::from(hasher.finalize()),
    }
}
