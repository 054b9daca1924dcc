//! Where everything lies in time.

use super::{Drawing, ExplainedStep, GapMark, Mark};
use crate::Timestamp;
use crate::planner::course::Course;
use crate::planner::part::Part;
use crate::planner::plan::Reached;
use crate::planner::reason::Refusal;
use crate::planner::windows::Span;

/// The drawing of one part; `None` without any backup.
pub(super) fn draw(
    asked: Option<Timestamp>,
    reached: Option<Reached>,
    steps: &[ExplainedStep],
    refused: &[Refusal],
    found: Option<&(Part<'_>, Course)>,
) -> Option<Drawing> {
    let chosen = steps.iter().map(|step| Mark {
        step: Some(step.step),
        backup: step.backup,
        kind: step.kind,
        node: step.node.clone(),
        window: step.window,
        reason: None,
    });
    let others = refused.iter().map(|refusal| Mark {
        step: None,
        backup: refusal.backup,
        kind: refusal.kind,
        node: None,
        window: refusal.window,
        reason: Some(refusal.reason),
    });
    let marks: Vec<Mark> = chosen.chain(others).collect();
    let axis = axis(&marks, asked, reached)?;
    let gaps = found.map_or_else(Vec::new, |(part, course)| course.windows(part).gaps);
    let gaps = gaps.iter().filter_map(|gap| Some(GapMark { span: gap.span.intersect(&axis)?, reason: gap.reason }));
    let begun = |(part, _): &(Part<'_>, Course)| {
        let began = part.histories.iter().map(|history| Timestamp::from_micros(history.began));
        began.filter(|began| axis.contains(*began)).collect()
    };
    Some(Drawing {
        axis,
        gaps: gaps.collect(),
        restores: found.map_or_else(Vec::new, begun),
        marks,
        target: asked,
        reached,
    })
}

/// From where the chosen chain begins to what is reached and the backups around it. A target that lies far beyond does
/// not shrink all else.
fn axis(marks: &[Mark], asked: Option<Timestamp>, reached: Option<Reached>) -> Option<Span> {
    let begins = |mark: &Mark| mark.window.from.unwrap_or(mark.window.until);
    let chosen = marks.iter().filter(|mark| mark.step.is_some()).map(begins).min();
    // Without a chain the others alone; a log segment may begin long before.
    let from = chosen.or_else(|| marks.iter().map(begins).min())?;
    let ends = marks.iter().map(|mark| mark.window.settled);
    let last = ends.chain(reached.map(|reached| reached.settled)).max()?.max(from);
    let length = last.since(from).max(1_000_000);
    let far = |moment: Timestamp, from: Timestamp| moment.since(from) > length / 2;
    let (mut first, mut end) = (from, from.plus_micros(length));
    if let Some(asked) = asked {
        if asked > end {
            end = if far(asked, end) { end.plus_micros(length / 8) } else { asked };
        } else if asked < first {
            first = if far(first, asked) { first.plus_micros(-length / 8) } else { asked };
        }
    }
    Some(Span { from: first, until: Some(end) })
}
