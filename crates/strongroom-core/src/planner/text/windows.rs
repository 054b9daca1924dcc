//! What can be restored, as text.

use std::fmt;

use crate::Timestamp;
use crate::planner::axis::{Axis, Row};
use crate::planner::page::{Page, count};
use crate::planner::plan::Reached;
use crate::planner::windows::{Gap, PartWindows, RestoreWindow, Span, Windows};

/// Parts that are told in full, and parts that get a row.
const PARTS: usize = 8;
const ROWS: usize = 40;
/// Windows and gaps of a part: the newest.
const NEWEST: usize = 8;

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        self.draw(&mut page);
        for (name, part) in self.parts.iter().take(if self.parts.len() > PARTS { 0 } else { PARTS }) {
            page.line("");
            page.line(format!("part '{name}'"));
            tell(part, &mut page);
        }
        page.line("");
        match (self.newest, self.together.last()) {
            (Some(newest), Some(span)) => {
                page.entry("Together:  ", &format!("every part can be restored up to {newest}"));
                page.entry("           ", &format!("moments {}", moments(span)));
                if self.together.len() > 1 {
                    let more = count(self.together.len() as u64 - 1, "earlier span");
                    page.entry("           ", &format!("and {more} of moments"));
                }
            }
            _ => page.line("Together:  there is no moment at which every part can be restored"),
        }
        if !self.complete {
            page.entry("Note:      ", "the catalogue is not complete; more may be restorable than is told here");
        }
        page.write(f)
    }
}

impl Windows {
    /// One row for each part.
    fn draw(&self, page: &mut Page) {
        let spans = || {
            let windows = self.parts.values().flat_map(|part| part.windows.iter().map(|window| &window.span));
            windows.chain(self.parts.values().flat_map(|part| part.gaps.iter().map(|gap| &gap.span)))
        };
        let newest = self.parts.values().flat_map(|part| part.windows.iter().map(|window| window.newest.settled));
        let Some(from) = spans().map(|span| span.from).min() else {
            page.line("nothing can be restored");
            return;
        };
        let ends = spans().map(|span| span.until.unwrap_or(span.from)).chain(newest);
        let until = ends.max().unwrap_or(from).max(from.plus_micros(1_000_000));
        let axis = Axis::of(from, until);
        axis.write(page);
        for (name, part) in self.parts.iter().take(ROWS) {
            let mut row = Row::new();
            part.gaps.iter().for_each(|gap| row.fill(&axis, &gap.span, '░'));
            part.windows.iter().for_each(|window| row.fill(&axis, &window.span, '═'));
            row.write(&short(name), "", page);
        }
        if self.parts.len() > ROWS {
            page.line(format!("  … and {}", count((self.parts.len() - ROWS) as u64, "more part")));
        }
        page.line(format!("{:22}═ can be restored   ░ refused although something was backed up", ""));
    }
}

/// A name that fits before the axis.
fn short(name: &str) -> String {
    let fits = name.chars().count() <= 18;
    if fits { format!("  {name}") } else { format!("  {}…", name.chars().take(17).collect::<String>()) }
}

fn tell(part: &PartWindows, page: &mut Page) {
    let elided = |all: usize, what: &str, page: &mut Page| {
        if all > NEWEST {
            page.line(format!("  {} before those", count((all - NEWEST) as u64, what)));
        }
    };
    elided(part.windows.len(), "restorable span", page);
    part.windows.iter().skip(part.windows.len().saturating_sub(NEWEST)).for_each(|window| restorable(window, page));
    elided(part.gaps.len(), "gap", page);
    part.gaps.iter().skip(part.gaps.len().saturating_sub(NEWEST)).for_each(|it| gap(it, page));
    if part.windows.is_empty() && part.gaps.is_empty() {
        page.line("  nothing was backed up");
    }
}

fn restorable(window: &RestoreWindow, page: &mut Page) {
    let points = match (window.points, window.newest) {
        (0, newest) => format!("up to {}", newest.until),
        (1, newest) => format!("one point, {}", point(newest)),
        (points, newest) => {
            format!("{}, the oldest {}, the newest {}", count(points, "point"), point(window.oldest), point(newest))
        }
    };
    page.entry("  restorable  ", &format!("{}: {points}", moments(&window.span)));
    for every in &window.every_moment {
        page.entry("              ", &format!("by logs every moment {}", moments(every)));
    }
}

fn gap(gap: &Gap, page: &mut Page) {
    let edge = |point: Option<Reached>| point.map_or_else(|| "nothing".to_owned(), |point| point.until.to_string());
    page.entry("  gap         ", &format!("{} [{}]: {}", moments(&gap.span), gap.reason, gap.detail));
    let stranded = match gap.stranded {
        0 => String::new(),
        stranded => format!("; {} in it can't be used", count(stranded, "backup")),
    };
    page.entry("              ", &format!("before it {}, after it {}{stranded}", edge(gap.after), edge(gap.before)));
}

fn point(point: Reached) -> String {
    if point.is_exact() { point.until.to_string() } else { format!("{} (not exact)", point.until) }
}

pub(super) fn moments(span: &Span) -> String {
    let until = |until: Timestamp| format!("from {} until {until}", span.from);
    span.until.map_or_else(|| format!("from {} on", span.from), until)
}
