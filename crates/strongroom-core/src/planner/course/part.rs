//! The course of a part: its timelines, each while it was live.

use super::history::{Own, own};
use super::{Course, Piece, Reach, Why};
use crate::planner::part::{LATEST, Part};

/// A choice that stays the same while a later timeline has none of its own.
#[derive(Debug, Clone)]
struct Inherited {
    reach: Reach,
    refused: Option<Why>,
    /// The history it is taken from.
    from: usize,
}

impl Course {
    /// Of `part`.
    pub(in crate::planner) fn of(part: &Part<'_>) -> Self {
        let own: Vec<Own> = part.histories.iter().zip(0..).map(|(history, number)| own(history, number)).collect();
        let mut course = Self { pieces: Vec::new(), stranded: Vec::new() };
        course.push(-LATEST, Reach::Nothing, Some(Why::BeforeFirst));
        for (number, history) in part.histories.iter().enumerate() {
            let next = part.histories.get(number + 1).map_or(i64::MAX, |next| next.began);
            let begins = history.began.max(-LATEST);
            if begins < next {
                course.while_live(part, &own, number, begins, next);
            }
            course.stranded.extend(own[number].stranded.iter().map(|(settled, _)| *settled));
        }
        course.stranded.sort_unstable();
        course
    }

    fn push(&mut self, from: i64, reach: Reach, refused: Option<Why>) {
        let from = from.clamp(-LATEST, LATEST);
        while self.pieces.pop_if(|last| last.from >= from).is_some() {}
        if self.pieces.last().is_none_or(|last| last.reach != reach || last.refused != refused) {
            self.pieces.push(Piece { from, reach, refused });
        }
    }

    /// The moments from `begins` until before `next`, while `part.histories[number]` is the newest that has begun.
    fn while_live(&mut self, part: &Part<'_>, own: &[Own], number: usize, begins: i64, next: i64) {
        let ended = part.histories[number].ended;
        let inherited = inherit(part, own, number);
        let stranded = &own[number].stranded;
        let mut at = begins;
        let mut pieces = own[number].pieces.iter().filter(|piece| piece.from <= ended).peekable();
        let (mut counted, mut newest) = (0, None::<u32>);
        let mut first: Option<Why> = None;
        let mut current = inherited.as_ref().map_or(
            Piece { from: at, reach: Reach::Nothing, refused: Some(Why::BeforeFirst) },
            |it| Piece { from: at, reach: it.reach, refused: it.refused.clone() },
        );
        let mut older = older_stranded(part, own, number, inherited.as_ref());
        loop {
            while let Some(piece) = pieces.next_if(|piece| piece.from <= at) {
                current = piece.clone();
                older = None;
            }
            while let Some((_, row)) = stranded.get(counted).filter(|(settled, _)| *settled <= at && *settled <= ended)
            {
                newest = newest.max(Some(*row));
                counted += 1;
            }
            let reached = match current.reach {
                Reach::Nothing => i64::MIN,
                Reach::Point { until, .. } => until,
                Reach::Every { .. } => i64::MAX,
            };
            let beyond = |row: &u32| part.histories[number].view.rows.until[*row as usize] > reached;
            let stuck = newest.filter(beyond).map(|row| Why::Row { history: place(number), row });
            let why = stuck.or_else(|| older.clone());
            // The first that stands in the way names the cause as long as it does.
            let before = first.take().filter(|before| match before {
                Why::Row { history, row } if *history == place(number) => beyond(row),
                other => older.as_ref() == Some(other),
            });
            first = why.map(|why| before.unwrap_or(why));
            let refused = match (&current.refused, &first) {
                (None | Some(Why::BeforeFirst), Some(why)) => Some(why.clone()),
                (refused, _) => refused.clone(),
            };
            self.push(at, current.reach, refused);
            if let Reach::Every { .. } = current.reach
                && at <= ended
                && ended < next
            {
                // Where the timeline ended, the state stays.
                self.push(ended.saturating_add(1), frozen(current.reach, ended), None);
            }
            let settled = stranded.get(counted).map(|(settled, _)| *settled).filter(|settled| *settled <= ended);
            let coming = pieces.peek().map(|piece| piece.from).into_iter().chain(settled).min();
            match coming.filter(|coming| *coming < next) {
                Some(coming) => at = coming.max(at),
                None => break,
            }
        }
    }
}

/// A history's number.
fn place(number: usize) -> u32 {
    crate::planner::rows::number(number)
}

/// What a timeline gives that has ended.
fn frozen(reach: Reach, ended: i64) -> Reach {
    match reach {
        Reach::Every { history, row } => Reach::Point { history, row, until: ended, settled: ended },
        other => other,
    }
}

/// What the timelines before `number` give while it has nothing of its own.
fn inherit(part: &Part<'_>, own: &[Own], number: usize) -> Option<Inherited> {
    (0..number).rev().find_map(|from| {
        let ended = part.histories[from].ended;
        let pieces = &own[from].pieces;
        let piece = pieces.get(pieces.partition_point(|piece| piece.from <= ended).checked_sub(1)?)?;
        Some(Inherited { reach: frozen(piece.reach, ended), refused: piece.refused.clone(), from })
    })
}

/// The stranded backup of an ended timeline that stands in the way of what is inherited: the newest timeline's newest.
fn older_stranded(part: &Part<'_>, own: &[Own], number: usize, inherited: Option<&Inherited>) -> Option<Why> {
    let (oldest, reached) = match inherited.map(|it| (it.from, it.reach)) {
        Some((from, Reach::Point { until, .. })) => (from, until),
        Some((from, _)) => (from, i64::MAX),
        None => (0, i64::MIN),
    };
    (oldest..number).rev().find_map(|history| {
        let (ended, rows) = (part.histories[history].ended, part.histories[history].view.rows);
        let mine = own[history].stranded.iter().take_while(|(settled, _)| *settled <= ended);
        let row = mine.map(|(_, row)| *row).max()?;
        (rows.until[row as usize] > reached).then_some(Why::Row { history: place(history), row })
    })
}
