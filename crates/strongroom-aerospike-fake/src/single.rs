//! Writing, deleting and reading single records.

use crate::answer::{
    Answer, BIN_NAME, EXISTS, FORBIDDEN, GENERATION, NO_NAMESPACE, NO_SPACE, NOT_FOUND, OK, PARAMETER, TOO_BIG,
    UNSUPPORTED,
};
use crate::record::{Bin, Digest, Record, place_of};
use crate::request::{Head, Op, Request};
use crate::store::{Namespace, Store};

mod info2 {
    pub(super) const WRITE: u8 = 1;
    pub(super) const DELETE: u8 = 2;
    pub(super) const GENERATION: u8 = 4;
    pub(super) const GENERATION_GT: u8 = 8;
    pub(super) const CREATE_ONLY: u8 = 32;
}
mod info3 {
    pub(super) const UPDATE_ONLY: u8 = 8;
    pub(super) const CREATE_OR_REPLACE: u8 = 16;
    pub(super) const REPLACE_ONLY: u8 = 32;
}
const READ: u8 = 1;
const WRITE_BIN: u8 = 2;

/// One write as asked for, alone or in a batch.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) head: Head,
    pub(crate) namespace: &'a str,
    pub(crate) set: &'a [u8],
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) digest: Digest,
    pub(crate) ops: &'a [Op<'a>],
}

/// Answers a request about one record.
pub(crate) fn answer(store: &mut Store, request: &Request<'_>, refuse: Option<u8>) -> Answer {
    let mut answer = Answer::default();
    let (Some(namespace), Some(digest)) = (request.namespace(), request.digest()) else {
        answer.result(PARAMETER, None);
        return answer;
    };
    let (head, key) = (request.head, request.field(2));
    let asked = Asked { head, namespace, set: request.set(), key, digest, ops: &request.ops };
    if head.info2 & info2::WRITE != 0 {
        let result = refuse.map_or_else(|| write(store, &asked), Err);
        let record = store.get(namespace, &digest);
        answer.result(result.err().unwrap_or(OK), record);
    } else if head.info1 & READ != 0 {
        let now = store.now_2010();
        match store.get(namespace, &digest).filter(|record| !record.has_expired(now)) {
            None => answer.result(NOT_FOUND, None),
            Some(record) => {
                let wanted: Vec<&[u8]> = request.ops.iter().map(|op| op.name).collect();
                answer.read(record, &wanted);
            }
        }
    } else {
        answer.result(UNSUPPORTED, None);
    }
    answer
}

/// Does a write or delete, or says the result that refuses it.
pub(crate) fn write(store: &mut Store, asked: &Asked<'_>) -> Result<(), u8> {
    let (now_millis, now) = (store.now_millis, store.now_2010());
    let namespace = store.namespaces.get_mut(asked.namespace).ok_or(NO_NAMESPACE)?;
    if namespace.settings.stop_writes {
        return Err(NO_SPACE);
    }
    let place = place_of(&asked.digest);
    let known = namespace.records.get(&place).filter(|record| !record.has_expired(now));
    if asked.head.info2 & info2::DELETE != 0 {
        known.ok_or(NOT_FOUND)?;
        namespace.records.remove(&place);
        return Ok(());
    }
    may_write(&asked.head, known)?;
    let mut record = known.cloned().unwrap_or_default();
    if asked.head.info3 & (info3::CREATE_OR_REPLACE | info3::REPLACE_ONLY) != 0 {
        record.bins.clear();
    }
    record.void_time = void_time(namespace, asked.head.ttl, record.void_time, now)?;
    if known.is_none() {
        record.set = asked.set.to_vec();
    }
    if let Some(key) = asked.key {
        record.key = Some(key.to_vec());
    }
    for op in asked.ops {
        apply(&mut record, op)?;
    }
    let size: usize = record.bins.iter().map(|bin| bin.name.len() + bin.value.len()).sum();
    if size > namespace.settings.write_block {
        return Err(TOO_BIG);
    }
    record.generation = record.generation.wrapping_add(1).max(1);
    record.last_update_millis = now_millis;
    namespace.records.insert(place, record);
    Ok(())
}

fn may_write(head: &Head, known: Option<&Record>) -> Result<(), u8> {
    if head.info2 & info2::CREATE_ONLY != 0 && known.is_some() {
        return Err(EXISTS);
    }
    if head.info3 & (info3::UPDATE_ONLY | info3::REPLACE_ONLY) != 0 && known.is_none() {
        return Err(NOT_FOUND);
    }
    let stored = known.map_or(0, |record| u32::from(record.generation));
    if head.info2 & info2::GENERATION != 0 && head.generation != stored {
        return Err(GENERATION);
    }
    if head.info2 & info2::GENERATION_GT != 0 && head.generation <= stored {
        return Err(GENERATION);
    }
    Ok(())
}

/// When a written record expires.
fn void_time(namespace: &Namespace, ttl: u32, before: u32, now: u32) -> Result<u32, u8> {
    match ttl {
        u32::MAX => Ok(0),
        // "Leave it as it is."
        0xffff_fffe => Ok(before),
        0 if namespace.settings.default_ttl == 0 => Ok(0),
        0 => Ok(now.saturating_add(namespace.settings.default_ttl)),
        // A namespace that never expires anything refuses what would have to.
        _ if !namespace.settings.expires => Err(FORBIDDEN),
        _ => Ok(now.saturating_add(ttl)),
    }
}

fn apply(record: &mut Record, op: &Op<'_>) -> Result<(), u8> {
    if op.kind != WRITE_BIN {
        return Err(UNSUPPORTED);
    }
    if op.name.len() > 15 {
        return Err(BIN_NAME);
    }
    record.bins.retain(|bin| bin.name != op.name);
    // A nil takes the bin away.
    if op.particle != 0 {
        record.bins.push(Bin { name: op.name.to_vec(), particle: op.particle, value: op.value.to_vec() });
    }
    Ok(())
}
