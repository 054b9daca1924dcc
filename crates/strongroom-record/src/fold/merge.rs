//! The merge itself, without input or output: told of batches, it says what comes next or which source it needs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use strongroom_core::{Error, Result};

use crate::deletes::Tombstone;
use crate::model::{Digest, Name, PartitionKey, Record};

/// The final state of one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The record is there, like this.
    Put(Record),
    /// The record is gone.
    Delete(Tombstone),
}

impl Change {
    /// The digest that it is about.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Put(record) => &record.digest,
            Self::Delete(tombstone) => &tombstone.digest,
        }
    }

    /// The namespace that it is in.
    #[must_use]
    pub const fn namespace(&self) -> &Name {
        match self {
            Self::Put(record) => &record.namespace,
            Self::Delete(tombstone) => &tombstone.namespace,
        }
    }

    pub(super) const fn order(&self) -> PartitionKey {
        self.digest().order()
    }
}

/// What a source knows of one digest.
#[derive(Debug)]
enum Known {
    Change(Change),
    /// A census has it: it is there, in whatever state an older source tells.
    Present(Digest),
}

impl Known {
    const fn order(&self) -> PartitionKey {
        match self {
            Self::Change(change) => change.order(),
            Self::Present(digest) => digest.order(),
        }
    }
}

/// What a merge does next.
pub(super) enum Step {
    /// This source must be fed, or ended, first.
    Want(usize),
    Item(Change),
    /// A digest that only censuses have.
    Nothing,
    Done,
}

#[derive(Debug, Default)]
struct Source {
    queue: VecDeque<Known>,
    last: Option<PartitionKey>,
    /// Whether it is a census: what it does not have, and older sources do, is gone.
    census: bool,
}

/// Merges sources that are numbered by precedence: of those that know a digest, the lowest number decides. Two neighbours, from
/// an even number on, are a layer: a census speaks of its own layer and of all older ones.
#[derive(Debug)]
pub(super) struct Merge {
    sources: Vec<Source>,
    /// The head of every source that has one.
    heads: BinaryHeap<Reverse<(PartitionKey, usize)>>,
    /// Sources without a head that have not ended.
    wanting: Vec<usize>,
    namespace: Option<Name>,
}

impl Merge {
    pub(super) fn new(sources: usize) -> Self {
        Self {
            sources: (0..sources).map(|_| Source::default()).collect(),
            heads: BinaryHeap::with_capacity(sources),
            wanting: (0..sources).collect(),
            namespace: None,
        }
    }

    /// Gives the next changes of the source that [`Step::Want`] named; an empty batch changes nothing.
    pub(super) fn feed(&mut self, source: usize, batch: impl IntoIterator<Item = Change>) -> Result<()> {
        for change in batch {
            self.same_namespace(change.namespace(), change.digest())?;
            self.queue(source, Known::Change(change))?;
        }
        self.fed(source);
        Ok(())
    }

    /// Gives the next digests of a census.
    pub(super) fn feed_census(&mut self, source: usize, namespace: &Name, digests: Vec<Digest>) -> Result<()> {
        self.sources[source].census = true;
        for digest in digests {
            self.same_namespace(namespace, &digest)?;
            self.queue(source, Known::Present(digest))?;
        }
        self.fed(source);
        Ok(())
    }

    fn queue(&mut self, source: usize, known: Known) -> Result<()> {
        let order = known.order();
        let from = &mut self.sources[source];
        if from.last.is_some_and(|last| last >= order) {
            let error = Error::corrupt(format!("record {} is not behind the one before it", order.1.0));
            return Err(error.hint("this is no sorted piece: sort the records first"));
        }
        from.last = Some(order);
        from.queue.push_back(known);
        Ok(())
    }

    fn fed(&mut self, source: usize) {
        if let Some(head) = self.sources[source].queue.front() {
            self.heads.push(Reverse((head.order(), source)));
            self.wanting.retain(|wanting| *wanting != source);
        }
    }

    fn same_namespace(&mut self, found: &Name, digest: &Digest) -> Result<()> {
        match &self.namespace {
            Some(namespace) if namespace == found => Ok(()),
            Some(namespace) => Err(Error::invalid(format!(
                "record {digest} is in namespace {found}, the others are in {namespace}: merge one namespace at a time"
            ))),
            None => {
                self.namespace = Some(found.clone());
                Ok(())
            }
        }
    }

    /// Says that a source has no more.
    pub(super) fn end(&mut self, source: usize) {
        self.wanting.retain(|wanting| *wanting != source);
    }

    pub(super) fn step(&mut self) -> Step {
        if let Some(&source) = self.wanting.last() {
            return Step::Want(source);
        }
        let Some(&Reverse((order, _))) = self.heads.peek() else {
            return Step::Done;
        };
        let mut winner = None;
        let mut present = Vec::new();
        while let Some(&Reverse((next, source))) = self.heads.peek()
            && next == order
        {
            self.heads.pop();
            match self.take(source) {
                Some(Known::Change(change)) if winner.is_none() => winner = Some((source, change)),
                Some(Known::Present(_)) => present.push(source),
                Some(Known::Change(_)) | None => {}
            }
        }
        match winner {
            None => Step::Nothing,
            Some((source, Change::Put(record))) if self.is_gone(source, &present) => {
                let Record { namespace, set, digest, .. } = record;
                Step::Item(Change::Delete(Tombstone { namespace, set, digest }))
            }
            Some((_, change)) => Step::Item(change),
        }
    }

    /// Whether a census that is not older than what `source` knows does not have it.
    fn is_gone(&self, source: usize, present: &[usize]) -> bool {
        let last = (source | 1).min(self.sources.len().saturating_sub(1));
        (0..=last).any(|at| self.sources[at].census && !present.contains(&at))
    }

    fn take(&mut self, source: usize) -> Option<Known> {
        let from = &mut self.sources[source];
        let change = from.queue.pop_front();
        match from.queue.front() {
            Some(head) => self.heads.push(Reverse((head.order(), source))),
            None => self.wanting.push(source),
        }
        change
    }
}
