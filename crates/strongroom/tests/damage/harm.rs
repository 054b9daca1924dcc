//! What can happen to an object.

use bytes::Bytes;
use strongroom_core::Key;
use strongroom_testkit::Contents;

use crate::world::{Object, World};

/// One kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// It is gone.
    Deleted,
    /// Its second half is gone.
    Truncated,
    /// It has no bytes.
    Emptied,
    /// One bit differs, at so many tenths of its length.
    Flipped(usize),
    /// Two of its frames, or of its lines, have changed places.
    FramesSwapped,
    /// It has changed places with another object of its kind.
    Swapped,
    /// An older one of its kind lies in its place.
    Old,
    /// One of another repository lies in its place.
    Foreign,
}

pub(crate) const HARMS: [Harm; 12] = [
    Harm::Deleted,
    Harm::Truncated,
    Harm::Emptied,
    Harm::Flipped(0),
    Harm::Flipped(3),
    Harm::Flipped(5),
    Harm::Flipped(8),
    Harm::Flipped(10),
    Harm::FramesSwapped,
    Harm::Swapped,
    Harm::Old,
    Harm::Foreign,
];

/// The world's objects after the harm, and the names of those that are damaged; `None` where it can't happen.
pub(crate) fn harmed(world: &World, foreign: &World, object: Object, harm: Harm) -> Option<(Contents, Vec<Key>)> {
    let all = world.of(object);
    let key = match harm {
        Harm::FramesSwapped => all.iter().find(|key| frames_swapped(&world.contents[*key]).is_some())?.clone(),
        _ => all.first()?.clone(),
    };
    let mut contents = world.contents.clone();
    let body = contents[&key].clone();
    let mut damaged = vec![key.clone()];
    let new: Option<Bytes> = match harm {
        Harm::Deleted => None,
        Harm::Truncated => Some(body.slice(..body.len() / 2)),
        Harm::Emptied => Some(Bytes::new()),
        Harm::Flipped(tenths) => {
            let mut flipped = body.to_vec();
            let at = (body.len() * tenths / 10).min(body.len() - 1);
            flipped[at] ^= 1;
            Some(flipped.into())
        }
        Harm::FramesSwapped => Some(frames_swapped(&body)?),
        Harm::Swapped => {
            let other = all.get(1).filter(|other| contents[*other] != body)?.clone();
            let theirs = contents.insert(other.clone(), body)?;
            damaged.push(other);
            Some(theirs)
        }
        Harm::Old => Some(world.earlier(object)?),
        Harm::Foreign => Some(foreign.contents[foreign.of(object).first()?].clone()),
    };
    match new {
        Some(new) => drop(contents.insert(key, new)),
        None => drop(contents.remove(&key)),
    }
    Some((contents, damaged))
}

fn frames_swapped(body: &Bytes) -> Option<Bytes> {
    if !body.starts_with(b"SROOM") {
        let mut lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.len() < 3 {
            return None;
        }
        let last = lines.len() - 2;
        lines.swap(last - 1, last);
        return Some(lines.concat().into()).filter(|swapped: &Bytes| swapped != body);
    }
    let head = usize::from(u16::from_le_bytes([body[10], body[11]]));
    let frame = |at: usize| {
        let coded = u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?);
        body.get(at..at + 20 + usize::try_from(coded).ok()?)
    };
    let first = frame(head)?;
    let second = frame(head + first.len())?;
    let rest = &body[head + first.len() + second.len()..];
    // Behind the last frame of a pack comes another part.
    if second.starts_with(b"SROOM") {
        return None;
    }
    Some([&body[..head], second, first, rest].concat().into())
}
