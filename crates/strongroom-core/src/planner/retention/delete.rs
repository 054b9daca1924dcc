//! Deleting certain backups: the same guard as for a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::check::{Broken, broken};
use super::marks::{Marks, size_of};
use super::outcome::Outcome;
use super::plan::{Block, Blocked, RetentionPlan};
use super::reasons::{KeepReason, Reasons};
use super::request::Activity;
use super::round::{Decided, is_settled_already, parts_of};
use super::series::PartSeries;
use crate::id::{BackupId, ClusterId};
use crate::model::PartName;
use crate::planner::catalogue::Catalogue;
use crate::{Error, ErrorKind, Timestamp};

/// Which backups to delete.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteRequest {
    /// They.
    pub backups: BTreeSet<BackupId>,
    /// Delete what could not be restored without them as well.
    pub cascade: bool,
    /// Allow that the last point of a part goes, or the last one that is verified.
    pub allow_last: bool,
    /// The time.
    pub now: Timestamp,
    /// What is going on meanwhile.
    pub activity: Activity,
}

/// Everything that speaks against deleting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeleteRefusal {
    /// There are no such backups.
    pub unknown: Vec<BackupId>,
    /// What keeps some of them.
    pub blocked: Vec<Blocked>,
    /// What could not be restored any more, oldest first.
    pub dependents: Vec<Dependent>,
    /// The parts that would lose their last point.
    pub last: Vec<(ClusterId, PartName)>,
}

/// A backup that needs one that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependent {
    /// The backup.
    pub backup: BackupId,
    /// The end of its window.
    pub until: Timestamp,
    /// The backup that it needs.
    pub needs: BackupId,
    /// It can still be restored, but to another point than before; a cascade does not delete it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moves: bool,
}

impl DeleteRefusal {
    /// Whether nothing speaks against it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for DeleteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clauses = Vec::new();
        if let Some(first) = self.unknown.first() {
            clauses.push(format!("there is no backup {first}"));
        }
        if let Some(first) = self.blocked.first() {
            let by = first.by.first().map_or_else(String::new, ToString::to_string);
            clauses.push(format!("backup {} is kept by {by}", first.backup));
        }
        if let Some(first) = self.dependents.first() {
            let count = self.dependents.len();
            let others = if count > 1 { format!(" ({count} in all)") } else { String::new() };
            let verb = if first.moves { "reaches its point through" } else { "needs" };
            clauses.push(format!("backup {} until {} {verb} {}{others}", first.backup, first.until, first.needs));
        }
        if let Some((_, part)) = self.last.first() {
            clauses.push(format!("'{part}' would lose its last point"));
        }
        f.write_str(&clauses.join("; "))
    }
}

impl std::error::Error for DeleteRefusal {}

impl From<Box<DeleteRefusal>> for Error {
    fn from(refusal: Box<DeleteRefusal>) -> Self {
        let (kind, hint) = if !refusal.unknown.is_empty() {
            (ErrorKind::NotFound, "see the list of backups")
        } else if !refusal.blocked.is_empty() {
            (ErrorKind::Denied, refusal.blocked.iter().find_map(|one| one.by.first()).map_or("keep it", Block::advice))
        } else if refusal.dependents.iter().any(|dependent| !dependent.moves) {
            (ErrorKind::BrokenChain, "delete these as well with --cascade, or keep it")
        } else if refusal.dependents.is_empty() {
            (ErrorKind::BrokenChain, "allow it with --last, or take a base before")
        } else {
            (ErrorKind::BrokenChain, "name that backup too, or keep this one")
        };
        Self::new(kind, format!("nothing was deleted: {refusal}")).hint(hint)
    }
}

impl Block {
    /// What to do about it.
    const fn advice(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "take the pin off, or wait until it ends",
            Self::Hold { .. } => "let who set the hold release it, or wait until it ends",
            Self::Lease { .. } | Self::InFlight { .. } => "wait until the other one is done",
            Self::Locked { .. } => "wait until the lock ends",
            Self::StorageUnreachable { .. } => "try again when the storage answers",
            Self::CatalogueIncomplete => "mend the catalogue before",
            Self::LogWitness => "keep it as long as the logs are kept",
            Self::DuplicateId => "which of the two is meant can't be told: name others",
            Self::Unusable { .. } | Self::NothingNewer => "keep it for now",
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |until: &Option<Timestamp>| until.map_or_else(String::new, |until| format!(" until {until}"));
        let of = |by: &str| if by.is_empty() { String::new() } else { format!(" of {by}") };
        match self {
            Self::Pin { reason, until, by } => write!(f, "a pin{}{} ({reason})", of(by), end(until)),
            Self::Hold { reason, until, by } => write!(f, "a legal hold{}{} ({reason})", of(by), end(until)),
            Self::Lease { name } => write!(f, "the lease '{name}'"),
            Self::InFlight { backup } => write!(f, "the backup {backup}, which is being taken"),
            Self::Locked { storage, until } => write!(f, "an object lock in '{storage}' until {until}"),
            Self::StorageUnreachable { storage } => write!(f, "the storage '{storage}', which does not answer"),
            Self::CatalogueIncomplete => f.write_str("a catalogue that is not complete"),
            Self::LogWitness => f.write_str("the commit logs: it tells which nodes wrote them"),
            Self::DuplicateId => f.write_str("another backup of the same id"),
            Self::Unusable { until } => write!(f, "the policy until {until}, though no restore can use it"),
            Self::NothingNewer => f.write_str("there being no newer point, though no restore can use it"),
        }
    }
}

/// Everything before anything goes.
struct Survey<'a> {
    catalogue: &'a Catalogue,
    parts: Vec<PartSeries<'a>>,
    gone: BTreeSet<u32>,
    refusal: DeleteRefusal,
}

pub(super) fn delete(catalogue: &Catalogue, request: &DeleteRequest) -> Result<RetentionPlan, Box<DeleteRefusal>> {
    let mut survey = Survey {
        catalogue,
        parts: parts_of(catalogue, None).collect(),
        gone: BTreeSet::new(),
        refusal: DeleteRefusal::default(),
    };
    survey.name(&request.backups);
    survey.follow(request.cascade);
    survey.blocked(request);
    if !request.allow_last {
        survey.last();
    }
    if survey.refusal.is_empty() { Ok(survey.plan(request)) } else { Err(Box::new(survey.refusal)) }
}

impl Survey<'_> {
    fn name(&mut self, backups: &BTreeSet<BackupId>) {
        for backup in backups {
            let mut rows = self.catalogue.ids.all(&self.catalogue.rows, *backup).peekable();
            if rows.peek().is_none() {
                self.refusal.unknown.push(*backup);
            }
            self.gone.extend(rows.filter(|row| !is_settled_already(self.catalogue, *row)));
        }
    }

    /// What could not be restored as before: goes as well, or speaks against it.
    fn follow(&mut self, cascade: bool) {
        // Each round adds a row or is the last one.
        loop {
            let broken = self.broken();
            let news: Vec<u32> = broken.iter().filter(|one| one.lost).map(|one| one.row).collect();
            if !cascade || news.is_empty() {
                let mut nearest = BTreeMap::new();
                self.refusal.dependents = broken.iter().map(|one| self.dependent(*one, &mut nearest)).collect();
                self.refusal.dependents.sort_by_key(|one| (one.until, one.backup));
                return;
            }
            self.gone.extend(news);
        }
    }

    fn broken(&self) -> Vec<Broken> {
        if self.gone.is_empty() {
            return Vec::new();
        }
        let gone: Vec<u32> = self.gone.iter().copied().collect();
        let rows = &self.catalogue.rows;
        // How far logs carry a point changes only with them.
        let logs = gone.iter().any(|row| rows.place(*row).is_some()).then_some(i64::MIN);
        let left = self.catalogue.without(&gone);
        let touched = self.parts.iter().filter(|part| self.touches(part));
        let broken = touched.flat_map(|part| {
            let after = part.left(&left, part.name);
            broken(self.catalogue, part, &left, &after, |row| !self.gone.contains(&row), |_| logs)
        });
        broken.collect()
    }

    /// Whether something of the part, or of logs, goes.
    fn touches(&self, part: &PartSeries<'_>) -> bool {
        let mine = |range: &std::ops::Range<u32>| self.gone.range(range.clone()).next().is_some();
        let logs = self.catalogue.lanes.iter().filter(|lane| lane.node.is_some() && lane.cluster == part.cluster);
        part.lanes.iter().copied().chain(logs).any(|lane| mine(&lane.rows))
    }

    /// The rows that `row`'s chains apply right before it.
    fn previous(&self, row: u32) -> Vec<u32> {
        let series = self.parts.iter().flat_map(|part| &part.series);
        let histories = series.flat_map(|series| series.part.histories.iter().zip(&series.chains));
        let reached =
            histories.filter(|(history, chains)| history.view.lane.rows.contains(&row) && chains.is_reached(row));
        reached.flat_map(|(history, chains)| chains.previous(&history.view, row)).collect()
    }

    /// The nearest row that goes in the chains of one that stays. `nearest` holds what was found for other rows: each is
    /// looked at once, however many stand on it.
    fn nearest_gone(&self, row: u32, nearest: &mut BTreeMap<u32, Option<u32>>) -> Option<u32> {
        let mut open = vec![(row, None)];
        while let Some((row, previous)) = open.pop() {
            let Some(previous) = previous else {
                if nearest.contains_key(&row) {
                    continue;
                }
                let gone = self.gone.contains(&row).then_some(row);
                nearest.insert(row, gone);
                if gone.is_none() {
                    let previous = self.previous(row);
                    let further: Vec<_> = previous.iter().map(|previous| (*previous, None)).collect();
                    open.push((row, Some(previous)));
                    open.extend(further);
                }
                continue;
            };
            let found = previous.iter().filter_map(|previous| *nearest.get(previous)?).max();
            nearest.insert(row, found);
        }
        nearest.get(&row).copied().flatten()
    }

    fn dependent(&self, broken: Broken, nearest: &mut BTreeMap<u32, Option<u32>>) -> Dependent {
        let rows = &self.catalogue.rows;
        let needs = self.nearest_gone(broken.row, nearest);
        // None of its chain: a segment of a log that carries it.
        let needs = needs.or_else(|| self.gone.iter().copied().find(|row| rows.place(*row).is_some()));
        Dependent {
            backup: rows.id[broken.row as usize],
            until: Timestamp::from_micros(rows.until[broken.row as usize]),
            needs: rows.id[needs.unwrap_or(broken.row) as usize],
            moves: !broken.lost,
        }
    }

    fn blocked(&mut self, request: &DeleteRequest) {
        let blocks = Blocks::of(self.catalogue, request.now, &request.activity);
        for row in &self.gone {
            let mut by = blocks.of_row(*row);
            for lane in self.catalogue.lanes.iter().filter(|lane| lane.rows.contains(row)) {
                by.extend(blocks.of_lane(lane));
            }
            if !by.is_empty() {
                let backup = self.catalogue.rows.id[*row as usize];
                self.refusal.blocked.push(Blocked { backup, by, freed: size_of(&self.catalogue.rows, *row) });
            }
        }
    }

    /// Parts that had a point, or a verified one, and would have none.
    fn last(&mut self) {
        for part in &self.parts {
            let points = || part.series.iter().flat_map(|series| &series.points);
            let loses = |verified: bool| {
                let mut wanted = points().filter(|point| point.verified || !verified).peekable();
                wanted.peek().is_some() && wanted.all(|point| self.gone.contains(&point.row))
            };
            if loses(false) || loses(true) {
                self.refusal.last.push((part.cluster, part.name.to_owned()));
            }
        }
    }

    fn plan(self, request: &DeleteRequest) -> RetentionPlan {
        let mut marks = Marks::new(self.catalogue.len());
        self.catalogue.rows.all().filter(|row| !self.gone.contains(row)).for_each(|row| marks.keep(row));
        let not_named: Reasons = [KeepReason::NotNamed].into_iter().collect();
        let gone = &self.gone;
        let reason = |row: u32| if gone.contains(&row) { Reasons::default() } else { not_named };
        let mut decided = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            let points = part.series.iter().map(|series| &series.points);
            let why = points.map(|points| points.iter().map(|point| reason(point.row)).collect()).collect();
            decided.push(Decided { part, why, blocked: BTreeMap::new(), over_size: 0 });
        }
        let mut outcome = Outcome::new(self.catalogue, request.now, &marks);
        for one in &decided {
            outcome.part(one);
        }
        outcome.segments(gone);
        outcome.finish().0
    }
}
