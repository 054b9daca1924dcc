//! Batches of writes, and of reads by clients.

use crate::answer::{Answer, NO_NAMESPACE, NOT_FOUND, NOT_HERE, OK, UNSUPPORTED};
use crate::faults::Faults;
use crate::record::{Digest, partition_of};
use crate::request::{Head, Op, half, read_fields, read_ops, take};
use crate::single::{Asked, write};
use crate::store::Store;

const REPEAT: u8 = 1;
const INFO: u8 = 2;
const GENERATION: u8 = 4;
const TTL: u8 = 8;
const INFO4: u8 = 16;
const WRITE: u8 = 1;

/// What a row says, or the row before it.
#[derive(Debug, Clone, Default)]
struct Row<'a> {
    head: Head,
    fields: Vec<(u8, &'a [u8])>,
    ops: Vec<Op<'a>>,
}

/// Answers a batch; `None`: it is none.
pub(crate) fn answer(
    store: &mut Store,
    body: &[u8],
    faults: &mut Faults,
    is_mine: &dyn Fn(&str, u16) -> bool,
) -> Option<Answer> {
    let mut rest = body;
    let count = u32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
    take(&mut rest, 1)?;
    let (mut answer, mut row) = (Answer::default(), Row::default());
    for _ in 0..count {
        let index = u32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let digest: Digest = take(&mut rest, 20)?.try_into().ok()?;
        let flags = take(&mut rest, 1)?[0];
        if flags & REPEAT == 0 {
            row = read_row(&mut rest, flags)?;
        }
        one(store, &row, digest, index, faults, is_mine, &mut answer);
    }
    answer.last(OK);
    rest.is_empty().then_some(answer)
}

fn read_row<'a>(rest: &mut &'a [u8], flags: u8) -> Option<Row<'a>> {
    let mut head = Head::default();
    if flags & INFO != 0 {
        let info = take(rest, 3)?;
        (head.info1, head.info2, head.info3) = (info[0], info[1], info[2]);
        if flags & INFO4 != 0 {
            take(rest, 1)?;
        }
        if flags & GENERATION != 0 {
            head.generation = u32::from(half(take(rest, 2)?, 0));
        }
        if flags & TTL != 0 {
            head.ttl = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
        }
    } else {
        head.info1 = take(rest, 1)?[0];
    }
    let counts = take(rest, 4)?;
    let (fields, ops) = (half(counts, 0), half(counts, 2));
    Some(Row { head, fields: read_fields(rest, fields)?, ops: read_ops(rest, ops)? })
}

fn one(
    store: &mut Store,
    row: &Row<'_>,
    digest: Digest,
    index: u32,
    faults: &mut Faults,
    is_mine: &dyn Fn(&str, u16) -> bool,
    answer: &mut Answer,
) {
    let field = |kind: u8| row.fields.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value);
    let Some(namespace) = field(0).and_then(|name| std::str::from_utf8(name).ok()) else {
        return answer.row(index, NO_NAMESPACE, None);
    };
    if !is_mine(namespace, partition_of(&digest)) {
        return answer.row(index, NOT_HERE, None);
    }
    if row.head.info2 & WRITE == 0 {
        let now = store.now_2010();
        return match store.get(namespace, &digest).filter(|record| !record.has_expired(now)) {
            Some(_) => answer.row(index, UNSUPPORTED, None),
            None => answer.row(index, NOT_FOUND, None),
        };
    }
    let set = field(1).unwrap_or_default();
    let asked = Asked { head: row.head, namespace, set, key: field(2), digest, ops: &row.ops };
    let result = faults.refuse(&digest, true).map_or_else(|| write(store, &asked), Err);
    answer.row(index, result.err().unwrap_or(OK), store.get(namespace, &digest));
}
