//! What a loss would do, as text.

use std::fmt;

use super::windows::moments;
use crate::planner::loss::Loss;
use crate::planner::page::{Page, count};
use crate::planner::plan::Reached;
use crate::planner::what_if::{Change, Effect, WhatIf};

/// Parts, and changes of a part: the first.
const PARTS: usize = 20;
const CHANGES: usize = 10;

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        for loss in &self.losses {
            page.entry("Lost:    ", &lost(loss));
        }
        page.entry("That is: ", &count(self.lost.count, "backup"));
        if self.stranded.count > 0 {
            let what = format!("{} that nothing leads to any more", count(self.stranded.count, "whole backup"));
            page.entry("And:     ", &what);
        }
        let (before, after) = (self.before.newest, self.after.newest);
        let newest = |at: Option<crate::Timestamp>| at.map_or_else(|| "nowhere".to_owned(), |at| at.to_string());
        if before != after {
            let text = format!("every part can be restored up to {} instead of {}", newest(after), newest(before));
            page.entry("Newest:  ", &text);
        }
        let changed = || self.changes.iter().filter(|(_, changes)| !changes.is_empty());
        for (name, changes) in changed().take(PARTS) {
            page.line("");
            page.line(format!("part '{name}'"));
            changes.iter().take(CHANGES).for_each(|it| change(it, &mut page));
            if changes.len() > CHANGES {
                page.line(format!("  … and {}", count((changes.len() - CHANGES) as u64, "more change")));
            }
        }
        let parts = changed().count();
        if parts > PARTS {
            page.line("");
            page.line(format!("… and {}", count((parts - PARTS) as u64, "more part")));
        }
        if self.is_harmless() {
            page.line("");
            page.line("HARMLESS: whatever can be restored now could still be restored.");
        }
        page.write(f)
    }
}

fn lost(loss: &Loss) -> String {
    match loss {
        Loss::Backup(id) => format!("backup {id} with all its copies"),
        Loss::Object(key) => format!("object {key} in every storage"),
        Loss::Storage(name) => format!("storage {name} with all that it holds"),
    }
}

fn change(change: &Change, page: &mut Page) {
    let point = |point: Option<Reached>| point.map_or_else(|| "nothing".to_owned(), |point| point.until.to_string());
    let span = moments(&change.span);
    let points = match change.points {
        0 => String::new(),
        points => format!(", {}", count(points, "point")),
    };
    let code = change.refused.map_or_else(String::new, |reason| format!(" [{reason}]"));
    let (head, text) = match change.effect {
        Effect::Refused => {
            let instead = point(change.instead);
            ("  REFUSED  ", format!("{span}{points}{code}; the nearest point before would be {instead}"))
        }
        Effect::Earlier => {
            ("  EARLIER  ", format!("{span}{points}: {} instead of {}", point(change.instead), point(change.last)))
        }
        Effect::Gained => ("  gained   ", format!("{span}: {}, now refused", point(change.instead))),
        Effect::Later => {
            ("  later    ", format!("{span}: {} instead of {}", point(change.instead), point(change.last)))
        }
    };
    page.entry(head, &text);
}
