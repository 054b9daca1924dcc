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

/// What a merge does next.
pub(super) enum Step {
    /// This source must be fed, or ended, first.
    Want(usize),
    Item(Change),
    Done,
}

#[derive(Debug, Default)]
struct Source {
    queue: VecDeque<Change>,
    last: Option<PartitionKey>,
}

/// Merges sources that are numbered by precedence: of those that know a digest, the lowest number decides.
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
            self.same_namespace(&change)?;
            let order = change.order();
            let from = &mut self.sources[source];
            if from.last.is_some_and(|last| last >= order) {
                let error = Error::corrupt(format!("record {} is not behind the one before it", change.digest()));
                return Err(error.hint("this is no sorted piece: sort the records first"));
            }
            from.last = Some(order);
            from.queue.push_back(change);
        }
        if let Some(head) = self.sources[source].queue.front() {
            self.heads.push(Reverse((head.order(), source)));
            self.wanting.retain(|wanting| *wanting != source);
        }
        Ok(())
    }

    fn same_namespace(&mut self, change: &Change) -> Result<()> {
        match &self.namespace {
            Some(namespace) if namespace == change.namespace() => Ok(()),
            Some(namespace) => Err(Error::invalid(format!(
                "record {} is in namespace {}, the others are in {namespace}: merge one namespace at a time",
                change.digest(),
                change.namespace()
            ))),
            None => {
                self.namespace = Some(change.namespace().clone());
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
        let Some(Reverse((order, source))) = self.heads.pop() else {
            return Step::Done;
        };
        let winner = self.take(source);
        while let Some(&Reverse((next, older))) = self.heads.peek()
            && next == order
        {
            self.heads.pop();
            self.take(older);
        }
        winner.map_or(Step::Done, Step::Item)
    }

    fn take(&mut self, source: usize) -> Option<Change> {
        let from = &mut self.sources[source];
        let change = from.queue.pop_front();
        match from.queue.front() {
            Some(head) => self.heads.push(Reverse((head.order(), source))),
            None => self.wanting.push(source),
        }
        change
    }
}
