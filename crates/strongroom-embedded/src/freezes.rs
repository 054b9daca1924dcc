//! The moments at which a namespace was frozen: how the file knows what of the backups of it may be continued.
//!
//! A copy of the file has an identity and a past in common with it, and a future of its own; so has an older copy that is
//! put back. What was frozen by the one stands in the file of the one alone.

use redb::{ReadableTable as _, TableError};
use strongroom_core::{Result, Timestamp};

use crate::fault::Told as _;
use crate::tables::FREEZES;
use crate::{Batch, EmbeddedCluster};

/// So many are kept of each namespace: more than a year of hourly backups.
const KEPT: usize = 10_000;

impl EmbeddedCluster {
    /// Notes that these namespaces were frozen at `moment`. A file that is open for reading only keeps no note.
    pub(crate) fn note_freeze<'a>(&self, namespaces: impl Iterator<Item = &'a str>, moment: i64) -> Result<()> {
        if self.inner.read_only {
            return Ok(());
        }
        self.write_batch(|batch| {
            let mut table = batch.transaction.open_table(FREEZES).told("noting a freeze")?;
            for namespace in namespaces {
                table.insert((namespace, moment), ()).told("noting a freeze")?;
                let kept = table.range((namespace, i64::MIN)..=(namespace, i64::MAX)).told("noting a freeze")?.count();
                for _ in KEPT..kept {
                    let first = table.range((namespace, i64::MIN)..).told("noting a freeze")?.next();
                    let Some(first) = first.transpose().told("noting a freeze")? else { break };
                    let oldest = first.0.value().1;
                    drop(first);
                    table.remove((namespace, oldest)).told("noting a freeze")?;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn remembers_now(&self, namespace: &str, until: Timestamp) -> Result<Option<bool>> {
        match self.begin_read()?.open_table(FREEZES) {
            Ok(table) => Ok(Some(table.get((namespace, until.micros())).told("looking for a freeze")?.is_some())),
            // A file of before there were such notes.
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error).told("looking for a freeze"),
        }
    }
}

impl Batch<'_> {
    /// Nothing that was frozen before leads up to what comes now.
    pub(crate) fn begin_history(&mut self, namespace: &str) -> Result<()> {
        let mut table = self.transaction.open_table(FREEZES).told("forgetting freezes")?;
        let of_it = (namespace, i64::MIN)..=(namespace, i64::MAX);
        table.retain_in(of_it, |_, ()| false).told("forgetting freezes")
    }
}
