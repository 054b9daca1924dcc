//! Which pieces are stored by one task: large ones alone, small ones together. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::PieceSpec;
use crate::pipeline::Settings;

/// Pieces below this are stored together.
const SMALL: u64 = 1 << 20;
/// A task of small pieces has at least about this many bytes, if there are so many.
const LEAST: u64 = 1 << 20;
/// A task has at most so many pieces, so that its receipt stays small.
const MOST: usize = 1000;

/// The tasks for the pieces `numbers` of `specs`: all pieces of a task have the same place, and the places take turns.
/// Large pieces come first, since what is begun last shall end soon.
pub(super) fn batches(numbers: &[u64], specs: &[PieceSpec], settings: &Settings) -> Vec<Vec<u64>> {
    let mut places: BTreeMap<Option<&str>, (Vec<Piece>, Vec<Piece>)> = BTreeMap::new();
    let (mut bytes, mut count) = (0_u64, 0_usize);
    for number in numbers {
        let Some(spec) = usize::try_from(*number).ok().and_then(|number| specs.get(number)) else { continue };
        // What is not known may be anything: somewhat below large keeps such pieces in tasks of a few dozen.
        let piece = Piece { number: *number, weight: spec.bytes.unwrap_or(SMALL - 1) };
        let (large, small) = places.entry(spec.place.as_deref()).or_default();
        if piece.weight < SMALL {
            bytes = bytes.saturating_add(piece.weight);
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
    let mut queues: Vec<VecDeque<Vec<u64>>> = Vec::with_capacity(places.len());
    for (mut large, small) in places.into_values() {
        large.sort_by_key(|piece| (std::cmp::Reverse(piece.weight), piece.number));
        let mut queue: VecDeque<_> = large.into_iter().map(|piece| vec![piece.number]).collect();
        let mut batch: Vec<u64> = Vec::new();
        let mut filled = 0;
        for piece in small {
            if filled >= fill || batch.len() >= most {
                queue.push_back(std::mem::take(&mut batch));
                filled = 0;
            }
            filled += piece.weight;
            batch.push(piece.number);
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

struct Piece {
    number: u64,
    weight: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::PieceKind;

    fn piece(place: Option<&str>, bytes: Option<u64>) -> PieceSpec {
        PieceSpec {
            name: String::new(),
            kind: PieceKind::Data,
            place: place.map(str::to_owned),
            group: None,
            bytes,
            content: None,
            detail: serde_json::Value::Null,
        }
    }

    fn all(specs: &[PieceSpec], settings: &Settings) -> Vec<Vec<u64>> {
        batches(&(0..specs.len() as u64).collect::<Vec<_>>(), specs, settings)
    }

    #[test]
    fn a_hundred_thousand_small_pieces_are_few_tasks() {
        let tasks = all(&vec![piece(None, Some(3000)); 100_000], &Settings::default());
        assert!((100..400).contains(&tasks.len()), "{}", tasks.len());
    }

    #[test]
    fn large_pieces_are_alone_and_first_and_places_take_turns() {
        let mib = 1 << 20;
        let specs = [
            piece(Some("a"), Some(1)),
            piece(Some("a"), Some(5 * mib)),
            piece(Some("a"), Some(9 * mib)),
            piece(Some("b"), Some(2 * mib)),
            piece(Some("a"), Some(2)),
        ];
        let settings = Settings { parallel: 1, ..Settings::default() };
        assert_eq!(all(&specs, &settings), [vec![2], vec![3], vec![1], vec![0, 4]]);
        assert_eq!(batches(&[4, 1], &specs, &settings), [vec![1], vec![4]]);
    }

    proptest! {
        #[test]
        fn every_piece_is_in_exactly_one_task(
            pieces in proptest::collection::vec((proptest::option::of(0..3u8), proptest::option::of(0..5_000_000u64)), 0..200),
            parallel in 1..20usize,
        ) {
            let specs: Vec<_> = pieces
                .into_iter()
                .map(|(place, bytes)| piece(place.map(|place| place.to_string()).as_deref(), bytes))
                .collect();
            let tasks = all(&specs, &Settings { parallel, ..Settings::default() });
            let place = |number: u64| &specs[usize::try_from(number).unwrap()].place;
            for task in &tasks {
                prop_assert!(!task.is_empty() && task.len() <= MOST);
                prop_assert!(task.iter().all(|number| place(*number) == place(task[0])));
            }
            let mut numbers: Vec<u64> = tasks.into_iter().flatten().collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..specs.len() as u64).collect::<Vec<_>>());
        }
    }
}
