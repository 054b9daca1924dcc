//! The bound on what a part takes.

use super::logs::LogSizes;
use super::marks::{Marks, size_of};
use super::policy::RetentionPolicy;
use super::reasons::Reasons;
use super::series::PartSeries;
use crate::planner::rows::Rows;

/// Gives up the oldest of what the rules want until the rest fits; `why` is by series and point. What is blocked and
/// what stays in any case counts, and is not given up.
pub(super) fn limit(
    part: &PartSeries<'_>,
    why: &mut [Vec<Reasons>],
    marks: &mut Marks,
    rows: &Rows,
    logs: &LogSizes,
    policy: &RetentionPolicy,
    bound: u64,
) {
    let mut wanted: Vec<(i64, usize, usize)> = Vec::new();
    let mut logs_from = i64::MAX;
    for (at, (series, why)) in part.series.iter().zip(&*why).enumerate() {
        for ((number, point), why) in series.points.iter().enumerate().zip(why) {
            if !why.and(Reasons::ALWAYS).is_empty() {
                marks.keep(point.row);
                logs_from = logs_from.min(if policy.needs_logs(*why) { point.until } else { i64::MAX });
            } else if !why.is_empty() {
                wanted.push((point.until, at, number));
            }
        }
    }
    marks.close(part);
    let mut total = staying(part, marks, rows).saturating_add(logs.after(logs_from));
    wanted.sort_unstable_by(|a, b| b.cmp(a));
    let mut full = total > bound;
    for moment in wanted.chunk_by(|a, b| a.0 == b.0) {
        if !full {
            let points = moment.iter().map(|(_, at, number)| part.series[*at].points[*number].row).collect();
            let mut attempt = total.saturating_add(marks.cost(part, rows, points));
            let until = moment[0].0;
            if until < logs_from && moment.iter().any(|(_, at, number)| policy.needs_logs(why[*at][*number])) {
                attempt = attempt.saturating_add(logs.after(until).saturating_sub(logs.after(logs_from)));
                logs_from = until;
            }
            full = attempt > bound;
            total = attempt;
        }
        for (_, at, number) in moment {
            if full {
                why[*at][*number] = Reasons::default();
            } else {
                marks.keep_chain(part, part.series[*at].points[*number].row);
            }
        }
    }
}

/// The bytes of the rows of a part that stay.
pub(super) fn staying(part: &PartSeries<'_>, marks: &Marks, rows: &Rows) -> u64 {
    let stay = part.lanes.iter().flat_map(|lane| lane.rows.clone()).filter(|row| marks.stays(*row));
    stay.map(|row| size_of(rows, row).bytes).fold(0, u64::saturating_add)
}
