//! Which pieces are stored by one task: large ones alone, small ones together. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::pipeline::{NumberedPiece, Settings};

/// Pieces below this are stored together.
const SMALL: u64 = 1 << 20;
/// A task of small pieces has at least about this many bytes, if there are so many.
const LEAST: u64 = 1 << 20;
/// A task has at most so many pieces, so that its receipt stays small.
const MOST: usize = 1000;

/// The tasks for `pieces`: all pieces of a task have the same place, and the places take turns. Large pieces come first,
/// since what is begun last shall end soon.
pub(super) fn batches(pieces: Vec<NumberedPiece>, settings: &Settings) -> Vec<Vec<NumberedPiece>> {
    let mut places: BTreeMap<Option<String>, (Vec<NumberedPiece>, Vec<NumberedPiece>)> = BTreeMap::new();
    let (mut bytes, mut count) = (0_u64, 0_usize);
    for piece in pieces {
        let (large, small) = places.entry(piece.spec.place.clone()).or_default();
        if weight(&piece) < SMALL {
            bytes = bytes.saturating_add(weight(&piece));
            count += 1;
            small.push(piece);
        } else {
            large.push(piece);
        }
    }
    // Enough tasks for everybody who works at once, with some to spare for those who are quick.
    let share = settings.parallel.max(1) * 4;
    let fill = (bytes / share as u64).clamp(LEAST, settings.pack_bytes.max(LEAST));
    let most = MOST.min(count.div_ceil(settings.parallel.max(1)).max(1));
    let mut queues: Vec<VecDeque<Vec<NumberedPiece>>> = Vec::with_capacity(places.len());
    for (mut large, small) in places.into_values() {
        large.sort_by_key(|piece| (std::cmp::Reverse(weight(piece)), piece.number));
        let mut queue: VecDeque<_> = large.into_iter().map(|piece| vec![piece]).collect();
        let mut batch: Vec<NumberedPiece> = Vec::new();
        let mut filled = 0;
        for piece in small {
            if filled >= fill || batch.len() >= most {
                queue.push_back(std::mem::take(&mut batch));
                filled = 0;
            }
            filled += weight(&piece);
            batch.push(piece);
        }
        if !batch.is_empty() {
            queue.push_back(batch);
        }
        queues.push(queue);
    }
    let mut tasks = Vec::new();
    while queues.iter().any(|queue| !queue.is_empty()) {
        tasks.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
    }
    tasks
}

/// About how many bytes a piece has. What is not known may be anything: somewhat below large keeps such pieces in
/// tasks of a few dozen.
fn weight(piece: &NumberedPiece) -> u64 {
    piece.spec.bytes.unwrap_or(SMALL - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::{PieceKind, PieceSpec};

    fn piece(number: u64, place: Option<&str>, bytes: Option<u64>) -> NumberedPiece {
        let spec = PieceSpec {
            name: format!("p{number}"),
            kind: PieceKind::Data,
            place: place.map(str::to_owned),
            group: None,
            bytes,
            content: None,
            detail: serde_json::Value::Null,
        };
        NumberedPiece { number, spec }
    }

    #[test]
    fn a_hundred_thousand_small_pieces_are_few_tasks() {
        let pieces = (0..100_000).map(|number| piece(number, None, Some(3000))).collect();
        let tasks = batches(pieces, &Settings::default());
        assert!((100..400).contains(&tasks.len()), "{}", tasks.len());
    }

    #[test]
    fn large_pieces_are_alone_and_first_and_places_take_turns() {
        let mib = 1 << 20;
        let pieces = vec![
            piece(0, Some("a"), Some(1)),
            piece(1, Some("a"), Some(5 * mib)),
            piece(2, Some("a"), Some(9 * mib)),
            piece(3, Some("b"), Some(2 * mib)),
            piece(4, Some("a"), Some(2)),
        ];
        let settings = Settings { parallel: 1, ..Settings::default() };
        let tasks = batches(pieces, &settings);
        let numbers: Vec<Vec<u64>> = tasks.iter().map(|task| task.iter().map(|piece| piece.number).collect()).collect();
        assert_eq!(numbers, [vec![2], vec![3], vec![1], vec![0, 4]]);
    }

    proptest! {
        #[test]
        fn every_piece_is_in_exactly_one_task(
            pieces in proptest::collection::vec((proptest::option::of(0..3u8), proptest::option::of(0..5_000_000u64)), 0..200),
            parallel in 1..20usize,
        ) {
            let pieces: Vec<_> = (0..).zip(pieces).map(|(number, (place, bytes))| {
                piece(number, place.map(|place| place.to_string()).as_deref(), bytes)
            }).collect();
            let tasks = batches(pieces.clone(), &Settings { parallel, ..Settings::default() });
            for task in &tasks {
                prop_assert!(!task.is_empty() && task.len() <= MOST);
                prop_assert!(task.iter().all(|piece| piece.spec.place == task[0].spec.place));
            }
            let mut numbers: Vec<u64> = tasks.iter().flatten().map(|piece| piece.number).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..pieces.len() as u64).collect::<Vec<_>>());
        }
    }
}
