//! States that were frozen and not yet let go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{ReadTransaction, ReadableDatabase as _};
use strongroom_core::Result;

use crate::EmbeddedCluster;
use crate::fault::Told as _;
use crate::file::{clock_of, from_json};
use crate::namespace::NamespaceState;
use crate::tables::{META, NAMESPACES, TableNames};

/// One state of the whole file. Cheap to clone; holds the pages it shows, whatever is written meanwhile.
#[derive(Clone)]
pub(crate) struct Snapshot {
    transaction: Arc<ReadTransaction>,
    /// The file's clock in this state: all changes in it are at or before, all later ones after.
    pub(crate) clock: i64,
}

/// The frozen states of a handle, by the clock they show.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<BTreeMap<i64, Snapshot>>);

impl Snapshots {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Snapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, snapshot: Snapshot) {
        self.lock().insert(snapshot.clock, snapshot);
    }

    pub(crate) fn get(&self, clock: i64) -> Option<Snapshot> {
        self.lock().get(&clock).cloned()
    }

    pub(crate) fn release(&self, clock: i64) {
        self.lock().remove(&clock);
    }
}

impl Snapshot {
    pub(crate) fn transaction(&self) -> &ReadTransaction {
        &self.transaction
    }

    /// The state of a namespace; `None` if it is not there.
    pub(crate) fn namespace(&self, namespace: &str) -> Result<Option<(NamespaceState, TableNames)>> {
        let table = self.transaction.open_table(NAMESPACES).told("listing namespaces")?;
        let state = table.get(namespace).told("listing namespaces")?;
        state.map(|json| Ok((from_json(json.value())?, TableNames::of(namespace)))).transpose()
    }
}

impl EmbeddedCluster {
    /// The state of now.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let transaction = self.inner.db.begin_read().told(self.place())?;
        let clock = clock_of(&transaction.open_table(META).told("reading the clock")?)?;
        Ok(Snapshot { transaction: Arc::new(transaction), clock })
    }
}
