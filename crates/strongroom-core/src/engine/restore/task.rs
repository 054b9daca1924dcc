//! Which pieces are written by one task: small ones that share an object, so that they share a request too. Pure.

use std::collections::BTreeMap;

use crate::manifest::StoredPiece;

/// A task has at most so many pieces, so that its receipt stays small and little is written again after a crash.
const MOST: usize = 256;
/// A task of small pieces has at least so many, if there are so many.
const LEAST: usize = 8;

/// The tasks for the pieces `numbers`: packed pieces of one object and one place together, in the order in which they
/// lie there; every other piece alone, in the order of the list.
pub(super) fn tasks(numbers: &[u32], pieces: &[StoredPiece], parallel: usize) -> Vec<Vec<u32>> {
    // By object and place: offsets and numbers.
    let mut packs = BTreeMap::<(&str, Option<&str>), Vec<(u64, u32)>>::new();
    let mut tasks: Vec<Vec<u32>> = Vec::new();
    let mut packed = 0_usize;
    for number in numbers {
        let Some(piece) = usize::try_from(*number).ok().and_then(|number| pieces.get(number)) else { continue };
        match piece.parts.as_slice() {
            [part] if part.slice.is_some() => {
                let offset = part.slice.map_or(0, |slice| slice.offset);
                let pack = packs.entry((part.object.key.as_str(), piece.spec.place.as_deref())).or_default();
                pack.push((offset, *number));
                packed += 1;
            }
            _ => tasks.push(vec![*number]),
        }
    }
    let most = packed.div_ceil(parallel.max(1)).clamp(LEAST, MOST);
    for mut pack in packs.into_values() {
        pack.sort_unstable();
        tasks.extend(pack.chunks(most).map(|chunk| chunk.iter().map(|(_, number)| *number).collect()));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use crate::cluster::{PieceKind, PieceSpec, PieceSummary};
    use crate::manifest::{Blake3, ObjectRef, Slice, StoredPart};

    fn piece(object: &str, offset: Option<u64>, place: Option<&str>) -> StoredPiece {
        let blake3 = Blake3::of(b"");
        let part = StoredPart {
            object: ObjectRef { key: Key::new(object).unwrap(), size: 100, blake3 },
            part: "p".to_owned(),
            plain_bytes: 1,
            slice: offset.map(|offset| Slice { offset, length: 1, blake3 }),
            codecs: None,
        };
        let spec = PieceSpec { place: place.map(str::to_owned), ..PieceSpec::new("p", PieceKind::Data) };
        StoredPiece { spec, summary: PieceSummary::default(), plain_bytes: 1, parts: vec![part] }
    }

    #[test]
    fn neighbours_in_one_object_go_together_in_their_order() {
        let pieces = [
            piece("b", Some(5), None),
            piece("alone", None, None),
            piece("a", Some(1), None),
            piece("b", Some(2), None),
            piece("b", Some(0), Some("n1")),
        ];
        let all: Vec<u32> = (0..5).collect();
        assert_eq!(tasks(&all, &pieces, 8), [vec![1], vec![2], vec![3, 0], vec![4]]);
        assert_eq!(tasks(&[3, 1], &pieces, 8), [vec![1], vec![3]]);
    }

    #[test]
    fn one_large_pack_keeps_everybody_busy_and_no_task_is_endless() {
        let pieces: Vec<_> = (0..4000).map(|offset| piece("a", Some(offset), None)).collect();
        let all: Vec<u32> = (0..4000).collect();
        for (parallel, count) in [(1, 16), (8, 16), (40, 40), (4000, 500)] {
            let tasks = tasks(&all, &pieces, parallel);
            assert_eq!(tasks.len(), count, "{parallel}");
            assert_eq!(tasks.concat(), all);
        }
    }
}
