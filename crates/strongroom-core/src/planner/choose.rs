//! The point that each part reaches, by the target's kind; or why there is none.

use std::collections::BTreeMap;

use super::part::{Choice, LATEST, Lost, Part};
use super::plan::Reached;
use super::reason::{PlanError, Reason};
use super::target::{Cut, Request, Strictness, Target};
use super::why::in_words;
use crate::Timestamp;

/// Choices by part, and what was given up on the way (only if the request allows that).
pub(super) type Chosen = (Choice, Option<Lost>);

/// The latest moment that a target allows, and whether it must be met exactly.
pub(super) fn limit_of(target: &Target, log_end: Option<i64>) -> (i64, bool) {
    match target {
        Target::AtOrBefore(moment) => (moment.micros().clamp(-LATEST, LATEST), false),
        Target::Exactly(moment) => (moment.micros().clamp(-LATEST, LATEST), true),
        Target::LogPosition { .. } => (log_end.unwrap_or(LATEST), true),
        Target::Latest | Target::Backup(_) | Target::Run(_) => (LATEST, false),
    }
}

/// Chooses for a moment: every part by itself, or all together.
pub(super) fn by_moment(
    parts: &[Part<'_>],
    request: &Request,
    limit: i64,
    exact: bool,
) -> Result<Vec<Chosen>, Box<PlanError>> {
    let together = request.cut == Cut::Together && !exact;
    let mut chosen = Vec::with_capacity(parts.len());
    for part in parts {
        let choice = part.newest(limit);
        if choice.is_none() || !together {
            chosen.push(judge(part, choice, request, limit, exact)?);
        } else if let Some(choice) = choice {
            chosen.push((choice, None));
        }
    }
    let slowest = chosen.iter().map(|(choice, _)| choice.reached.until.micros()).min();
    if let Some(slowest) = slowest.filter(|_| together) {
        for ((choice, lost), part) in chosen.iter_mut().zip(parts) {
            if choice.reached.until.micros() == slowest {
                *lost = judge(part, Some(choice.clone()), request, limit, false)?.1;
            }
            if let Some(earlier) = earliest_from(part, slowest, limit) {
                *choice = earlier;
            }
        }
    }
    Ok(chosen)
}

/// Accepts or refuses what was found for one part.
fn judge(
    part: &Part<'_>,
    choice: Option<Choice>,
    request: &Request,
    limit: i64,
    exact: bool,
) -> Result<Chosen, Box<PlanError>> {
    let moment = Timestamp::from_micros(limit);
    let lost = part.lost(choice.as_ref(), limit);
    let Some(choice) = choice else {
        let (reason, message) = lost.map_or_else(
            || (Reason::BeforeFirst, format!("nothing of '{}' can be restored as of {}", part.name, named(limit))),
            |lost| (lost.reason, format!("no chain of '{}' ends there: {}", part.name, lost.what)),
        );
        return Err(refuse(part, reason, message, limit, None));
    };
    let missed = exact && choice.reached != Reached { until: moment, settled: moment };
    match request.strictness {
        Strictness::NearestEarlier => {
            let what = || format!("no chain ends exactly at {moment}");
            let not_exact = missed.then(|| Lost { reason: Reason::NotExact, what: what() });
            Ok((choice, lost.or(not_exact)))
        }
        Strictness::Refuse => {
            if let Some(lost) = lost {
                let message = format!("'{}' can't be restored up to {}: {}", part.name, named(limit), lost.what);
                return Err(refuse(part, lost.reason, message, limit, Some(&choice)));
            }
            if missed {
                let message = missed_words(part, &choice, moment);
                return Err(refuse(part, Reason::NotExact, message, limit, Some(&choice)));
            }
            Ok((choice, None))
        }
    }
}

fn missed_words(part: &Part<'_>, choice: &Choice, moment: Timestamp) -> String {
    let end = choice.cover.as_ref().map(|cover| &cover.end);
    let why = end.map_or_else(String::new, |end| format!("; {}", end.detail));
    format!("no chain of '{}' ends exactly at {moment}{why}", part.name)
}

fn named(limit: i64) -> String {
    if limit >= LATEST { "the newest backup".to_owned() } else { Timestamp::from_micros(limit).to_string() }
}

/// A refusal with the nearest points and the backups in the way.
pub(super) fn refuse(
    part: &Part<'_>,
    reason: Reason,
    message: String,
    limit: i64,
    choice: Option<&Choice>,
) -> Box<PlanError> {
    let before = choice.map(|choice| choice.reached);
    let nothing = super::view::Route { rows: Vec::new(), until: i64::MIN, settled: i64::MIN };
    let refused = part.histories.iter().rev().flat_map(|history| {
        let mine = choice.filter(|choice| std::ptr::eq(&raw const part.histories[choice.history], history));
        history.view.refusals(part.name, mine.map_or(&nothing, |choice| &choice.route), limit, 64)
    });
    let message = if message.is_empty() { in_words(reason).to_owned() } else { message };
    Box::new(PlanError {
        part: Some(part.name.to_owned()),
        asked: (limit < LATEST).then(|| Timestamp::from_micros(limit)),
        before,
        after: part.next_after(limit),
        refused: refused.take(64).collect(),
        ..*PlanError::new(reason, message)
    })
}

/// The point that holds every change up to `moment` and is settled first.
fn earliest_from(part: &Part<'_>, moment: i64, limit: i64) -> Option<Choice> {
    let mut bounds = vec![moment];
    for history in &part.histories {
        let (view, lane) = (&history.view, history.view.lane);
        let first = view.search().settled_before(moment);
        bounds
            .extend((first..lane.rows.end).map(|row| view.rows.settled(row)).filter(|at| *at > moment && *at <= limit));
    }
    bounds.sort_unstable();
    bounds.dedup();
    let enough = |bound: &i64| part.newest(*bound).is_some_and(|choice| choice.reached.until.micros() >= moment);
    let at = bounds.partition_point(|bound| !enough(bound));
    part.newest(bounds.get(at).copied()?)
}

/// Chooses the chain that ends at a certain row of each part.
pub(super) fn by_row(parts: &[Part<'_>], rows: &BTreeMap<&str, u32>) -> Result<Vec<Chosen>, Box<PlanError>> {
    let one = |part: &Part<'_>| {
        let row = rows[part.name];
        let found = part.histories.iter().enumerate().find(|(_, history)| history.view.lane.rows.contains(&row));
        let Some((at, history)) = found else {
            return Err(PlanError::new(Reason::OtherTimeline, "the backup is not on the timeline that was named"));
        };
        if let Some(route) = history.view.route_to(row) {
            let reached = route.reached();
            return Ok((Choice { history: at, route, replay: None, reached, cover: None }, None));
        }
        let (reason, what) = history.view.explain_unreached(row);
        let limit = history.view.rows.until[row as usize];
        Err(refuse(part, reason, what, limit, part.newest(limit).as_ref()))
    };
    parts.iter().map(one).collect()
}
