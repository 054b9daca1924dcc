//! Which rows of a lane may be used for a request, and what each adds to the score of a chain.
//!
//! A score is one number, so that comparing is one instruction and adding keeps the order:
//!
//! ```text
//!   partial steps:24 │ steps without deletes:24 │ unverified steps:24 │ cost:56
//! ```

use std::collections::BTreeSet;

use super::class::Copy;
use super::lane::Lane;
use super::reason::Reason;
use super::rows::Rows;
use super::target::Request;
use crate::model::{Applies, BackupKind, Filter};

/// Risk, then cost. Lower is better.
pub(super) type Score = u128;

/// The rules of one lane for one request.
#[derive(Debug, Clone)]
pub(super) struct Terms<'a> {
    pub(super) rows: &'a Rows,
    classes: &'a [u32],
    verdicts: Vec<Verdict<'a>>,
    gone: Option<&'a BTreeSet<u32>>,
}

#[derive(Debug, Clone)]
enum Verdict<'a> {
    No(Reason),
    Yes {
        risk: Score,
        kind: Kind,
        /// `None`: the cost column holds for them.
        copies: Option<Vec<Copy<'a>>>,
    },
}

/// How a row joins a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Begin,
    Cover,
    Exact,
    Log,
}

impl Kind {
    pub(super) fn of(kind: BackupKind, applies: Applies) -> Self {
        match (kind, applies) {
            (BackupKind::Base | BackupKind::Synthetic, _) => Self::Begin,
            (BackupKind::LogSegment, _) => Self::Log,
            (BackupKind::Incremental, Applies::Cover) => Self::Cover,
            (BackupKind::Incremental, Applies::Exact) => Self::Exact,
        }
    }
}

impl<'a> Terms<'a> {
    /// The rules for `request`, and whether they are those of the prepared search.
    pub(super) fn of(
        rows: &'a Rows,
        lane: &'a Lane,
        request: &Request,
        filter: Option<&Filter>,
        gone: Option<&'a BTreeSet<u32>>,
    ) -> (Self, bool) {
        let prepared = Request::anything();
        let gone = gone.filter(|gone| gone.range(lane.rows.clone()).next().is_some());
        let mut same = gone.is_none();
        let verdict = |number: &u32| {
            let class = &rows.classes.list[*number as usize];
            let usual = class.judge(&prepared, None);
            let now = class.judge(request, filter);
            same &= usual.as_ref().ok() == now.as_ref().ok();
            match now {
                Err(reason) => Verdict::No(reason),
                Ok(copies) => Verdict::Yes {
                    risk: class.risk(),
                    kind: Kind::of(class.kind, class.applies),
                    copies: (usual.as_ref() != Ok(&copies)).then_some(copies),
                },
            }
        };
        let verdicts = lane.classes.iter().map(verdict).collect();
        (Self { rows, classes: &lane.classes, verdicts, gone }, same)
    }

    fn verdict(&self, row: u32) -> &Verdict<'a> {
        const STRANGER: &Verdict<'static> = &Verdict::No(Reason::OtherTimeline);
        let class = self.rows.class[row as usize];
        let at = match self.classes {
            [only] => usize::from(*only != class),
            several => several.binary_search(&class).unwrap_or(usize::MAX),
        };
        self.verdicts.get(at).unwrap_or(STRANGER)
    }

    /// Why a row can't be used by itself, if it can't.
    pub(super) fn refusal(&self, row: u32) -> Option<Reason> {
        if let Some(reason) = self.rows.bad.get(&row) {
            return Some(*reason);
        }
        if self.gone.is_some_and(|gone| gone.contains(&row)) {
            return Some(Reason::Deleted);
        }
        match self.verdict(row) {
            Verdict::No(reason) => Some(*reason),
            Verdict::Yes { .. } => None,
        }
    }

    /// What a row adds to a chain and how it joins one; `None` when it can't be used.
    pub(super) fn own(&self, row: u32) -> Option<(Score, Kind)> {
        if (!self.rows.bad.is_empty() && self.rows.bad.contains_key(&row))
            || self.gone.is_some_and(|gone| gone.contains(&row))
        {
            return None;
        }
        match self.verdict(row) {
            Verdict::No(_) => None,
            Verdict::Yes { risk, kind, copies: None } => Some((risk + u128::from(self.rows.cost(row)), *kind)),
            Verdict::Yes { risk, kind, copies: Some(copies) } => {
                let size = self.rows.counts(row).size;
                let price = copies.iter().map(|copy| copy.price(size.stored_bytes, size.objects)).min();
                Some((risk + u128::from(price.unwrap_or(0)), *kind))
            }
        }
    }
}
