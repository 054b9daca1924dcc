//! Neighbouring partitions that are asked for together, and handed on one after the other.
//!
//! A server sends the records of one partition from the highest digest down, those of several partitions mixed. So each
//! partition's text is gathered apart; that of the first is handed on as it comes.

use std::collections::VecDeque;

use bytes::Bytes;
use strongroom_aerospike_wire::message::Message;
use strongroom_core::{Error, Result};
use strongroom_record::Digest;
use strongroom_record::asb::Encoder;

use crate::convert::Intake;

/// What is gathered of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its text.
    Records,
    /// Its digest's 20 bytes.
    Digests,
}

/// One partition on its way.
#[derive(Debug)]
struct Slot {
    partition: u16,
    text: Vec<u8>,
    records: u64,
    /// The last digest that came: where a cut-off query goes on.
    last: Option<Digest>,
    done: bool,
}

impl Slot {
    const fn new((partition, last): (u16, Option<Digest>)) -> Self {
        Self { partition, text: Vec::new(), records: 0, last, done: false }
    }
}

/// Partitions that are asked for together, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Group {
    slots: VecDeque<Slot>,
    gathered: usize,
}

impl Group {
    /// Each partition from its beginning, or from after a digest.
    pub(crate) fn of(partitions: impl IntoIterator<Item = (u16, Option<Digest>)>) -> Self {
        Self { slots: partitions.into_iter().map(Slot::new).collect(), gathered: 0 }
    }

    /// The partitions that are not read to their end, each with the digest after which to go on.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (u16, Option<Digest>)> + '_ {
        self.slots.iter().filter(|slot| !slot.done).map(|slot| (slot.partition, slot.last))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn slot(&mut self, partition: u16) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&partition, |slot| slot.partition).ok()?;
        self.slots.get_mut(at)
    }

    /// A partition was read to its end.
    pub(crate) fn is_done(&mut self, partition: u16) {
        if let Some(slot) = self.slot(partition) {
            slot.done = true;
        }
    }

    /// Takes a record in.
    pub(crate) fn take(&mut self, form: Form, message: &Message<'_>, body: &Bytes, intake: &mut Intake) -> Result<()> {
        let digest = message.digest.ok_or_else(|| Error::invalid("the server sent a record without a digest"))?;
        let digest = Digest(*digest);
        let Some(slot) = self.slot(digest.partition()).filter(|slot| !slot.done) else {
            return Err(Error::invalid(format!("the server sent record {digest}, whose partition was not asked for")));
        };
        if slot.last.is_some_and(|last| digest >= last) {
            return Err(Error::unsupported(format!(
                "the server sent record {digest} out of order: partitions are known to come from the highest digest down"
            ))
            .hint("please report it, with the server's version"));
        }
        let before = slot.text.len();
        match form {
            Form::Digests => slot.text.extend_from_slice(digest.as_bytes()),
            Form::Records => Encoder::COMPACT.record(&mut slot.text, &intake.record(digest, message, body)?)?,
        }
        slot.last = Some(digest);
        slot.records += 1;
        let grown = slot.text.len() - before;
        self.gathered += grown;
        Ok(())
    }

    /// Moves to `out` what can be handed on, and tells of how many records that is.
    pub(crate) fn hand_on(&mut self, out: &mut Vec<u8>, most: usize) -> u64 {
        let mut records = 0;
        while let Some(slot) = self.slots.front_mut() {
            records += std::mem::take(&mut slot.records);
            self.gathered -= slot.text.len();
            if out.is_empty() {
                std::mem::swap(out, &mut slot.text);
            } else {
                out.append(&mut slot.text);
            }
            if !slot.done || out.len() >= most {
                if slot.done {
                    self.slots.pop_front();
                }
                break;
            }
            self.slots.pop_front();
        }
        records
    }

    /// How many bytes are gathered.
    pub(crate) const fn gathered(&self) -> usize {
        self.gathered
    }

    /// Gives up all partitions but the first, to be asked for again, fewer at once: they are larger than was thought.
    pub(crate) fn narrow(&mut self) -> Vec<u16> {
        let others = self.slots.split_off(1.min(self.slots.len()));
        self.gathered = self.slots.iter().map(|slot| slot.text.len()).sum();
        others.into_iter().map(|slot| slot.partition).collect()
    }
}
