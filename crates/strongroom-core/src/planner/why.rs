//! Why a row was not used.

use super::reason::{Reason, Refusal};
use super::rows::NEVER;
use super::sweep::parent;
use super::terms::Kind;
use super::view::{Route, View};
use crate::Timestamp;

impl View<'_> {
    /// Why no chain ends at `row`, and which backup is to blame: the cause is followed back through what it needs.
    pub(super) fn explain_unreached(&self, row: u32) -> (Reason, String) {
        let mut at = row;
        for _ in 0..64 {
            let (reason, next) = self.own_reason(at);
            if let Some(next) = next.filter(|next| *next < at) {
                at = next;
                continue;
            }
            let what = if at == row {
                format!("the {} is not usable: {}", self.named(row), in_words(reason))
            } else {
                let (this, it) = (self.named(row), self.named(at));
                format!("the {this} needs the {it}, which is not usable: {}", in_words(reason))
            };
            return (reason, what);
        }
        (Reason::Gap, format!("the {} can't be reached", self.named(row)))
    }

    /// The reason of `row` alone, and the row that it fails by.
    fn own_reason(&self, row: u32) -> (Reason, Option<u32>) {
        if let Some(reason) = self.terms.refusal(row) {
            return (reason, None);
        }
        let class = self.rows.class_of(row);
        match Kind::of(class.kind, class.applies) {
            Kind::Exact => {
                if let Some(parent) = parent(&self.terms, self.ids, row) {
                    return (Reason::ParentUnusable, Some(parent).filter(|parent| !self.is_reached(*parent)));
                }
                let named = self.rows.detail(row).parent;
                let there = named.and_then(|id| self.ids.find(self.rows, id)).is_some();
                (if there { Reason::ParentUnusable } else { Reason::ParentMissing }, None)
            }
            Kind::Cover => {
                let from = self.rows.from[row as usize];
                let first = if from == NEVER { row } else { self.after(from.saturating_sub(1)) };
                let until = self.rows.until[row as usize];
                let within = (first..row).rev().take(256).find(|at| self.rows.until[*at as usize] < until);
                (Reason::Gap, within)
            }
            Kind::Begin | Kind::Log => (Reason::Gap, None),
        }
    }

    /// A row in words: kind and moment.
    pub(super) fn named(&self, row: u32) -> String {
        let until = Timestamp::from_micros(self.rows.until[row as usize]);
        format!("{} until {until}", self.rows.class_of(row).kind)
    }

    /// Why `row` is not in `route`, which was chosen with `limit`.
    pub(super) fn refusal_of(&self, row: u32, route: &Route, limit: i64) -> (Reason, String) {
        if let Some(reason) = self.terms.refusal(row) {
            return (reason, format!("the {}: {}", self.named(row), in_words(reason)));
        }
        if self.rows.settled(row) > limit {
            return (Reason::AfterTarget, format!("the {} may hold changes after the target", self.named(row)));
        }
        if !self.is_reached(row) {
            return self.explain_unreached(row);
        }
        let begins = Kind::of(self.rows.class_of(row).kind, self.rows.class_of(row).applies) == Kind::Begin;
        let later = route.rows.first().is_some_and(|first| *first < row);
        let reason = if begins && later || self.rows.until[row as usize] >= route.until {
            Reason::Dearer
        } else {
            Reason::Covered
        };
        (reason, format!("the {}: {}", self.named(row), in_words(reason)))
    }

    /// The rows around the target that are not in `route`, newest first, at most `most`.
    pub(super) fn refusals(&self, part: &str, route: &Route, limit: i64, most: usize) -> Vec<Refusal> {
        let end = self.after(limit).saturating_add(1).min(self.lane.rows.end);
        let begin = route.rows.first().copied().unwrap_or(self.lane.rows.start);
        let mut refusals = Vec::new();
        for row in (begin.saturating_sub(2).max(self.lane.rows.start)..end).rev().take(most.saturating_mul(8)) {
            if refusals.len() >= most {
                break;
            }
            if route.rows.binary_search(&row).is_err() {
                let (reason, detail) = self.refusal_of(row, route, limit);
                refusals.push(Refusal {
                    backup: self.rows.id[row as usize],
                    part: part.to_owned(),
                    kind: self.rows.class_of(row).kind,
                    window: self.rows.window(row),
                    reason,
                    detail,
                });
            }
        }
        refusals
    }
}

/// A reason as the end of a sentence.
pub(super) fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Gap => "nothing reaches the state it starts from",
        Reason::ParentMissing => "the backup it needs is not in the catalogue",
        Reason::ParentUnusable => "the backup it needs can't be used, or does not end where this one starts",
        Reason::OtherTimeline => "it belongs to another timeline",
        Reason::OtherCluster => "it was taken of another cluster",
        Reason::FilterTooNarrow => "it took less than is asked for",
        Reason::KeyMissing => "a key that it is sealed with is not at hand",
        Reason::CodecMissing => "a codec that it is packed with is not at hand",
        Reason::Corrupt => "a check found damage",
        Reason::Partial => "ranges are missing in it",
        Reason::Unverified => "no check has found it whole",
        Reason::Deleted => "it was deleted",
        Reason::AfterTarget => "it may hold changes after the target",
        Reason::Covered => "other steps bring all that it would",
        Reason::Dearer => "the chosen chain risks or costs less",
        Reason::CopyUnavailable => "no allowed storage holds a readable copy",
        Reason::ListingIncomplete => "the catalogue is not complete",
        Reason::DuplicateId => "another backup has the same id",
        Reason::BadWindow => "its window is empty or reversed",
        Reason::LogGap => "a node's log has a hole",
        Reason::LogEndsEarly => "a node's log does not go far enough",
        Reason::LogStartsLate => "a node's log does not go back far enough",
        Reason::NodesUnknown => "no backup tells of which nodes it was taken, so no log can be proven whole",
        Reason::PartMissing => "the part has no backup",
        Reason::Unknown => "it is not in the catalogue",
        Reason::NotExact => "no chain ends exactly there",
        Reason::BeforeFirst => "nothing was backed up that early",
        Reason::TooLarge => "it is larger than was allowed",
        Reason::Invalid => "the request makes no sense",
    }
}
