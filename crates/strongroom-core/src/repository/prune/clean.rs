//! Tidying what prunes and leases leave behind.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::document::Kind;
use super::super::lease::Lease;
use super::super::objects::{found, list_all};
use super::super::{Repository, layout};
use crate::{ErrorKind, Key, Result};

impl Repository {
    /// Deletes superseded epochs of leases, worked-off condemned lists, and what catalogue snapshots made superfluous,
    /// having written a new snapshot if it is worth while.
    /// Of each series the newest object stays, so that no number is ever used twice. Gives what people should know: that
    /// the storage refused to delete some of it, which hurts nothing.
    ///
    /// # Errors
    /// As the storage, but for refusals; `Cancelled` when the lease is lost.
    pub async fn tidy(&self, lease: &Lease, grace: Duration) -> Result<Vec<String>> {
        let tidied = async {
            let mut notes = Vec::new();
            let outcomes = [
                ("superseded epochs of leases", self.tidy_leases(lease).await),
                ("worked-off condemned lists", self.tidy_lists(lease).await),
                ("the catalogue", self.tidy_catalogue(lease, grace).await),
            ];
            for (what, outcome) in outcomes {
                match outcome {
                    Err(error) if error.kind() == ErrorKind::Denied => {
                        notes.push(format!("{what} can't be tidied up: {error}"));
                    }
                    other => other?,
                }
            }
            Ok(notes)
        };
        lease.during(tidied).await
    }

    async fn tidy_catalogue(&self, lease: &Lease, grace: Duration) -> Result<()> {
        self.compact(false).await?;
        self.trim_catalogue(lease, grace).await.map(drop)
    }

    async fn tidy_leases(&self, lease: &Lease) -> Result<()> {
        let mut epochs: BTreeMap<String, Vec<(u64, Key)>> = BTreeMap::new();
        for meta in list_all(&*self.storage, layout::LEASES).await? {
            if let Some((number, "")) = layout::number_of(&meta.key) {
                epochs.entry(meta.key.folder().to_owned()).or_default().push((number, meta.key));
            }
        }
        lease.check().await?;
        for mut series in epochs.into_values() {
            series.sort_unstable();
            // The one before the newest too: a reader may be between its listing and its read.
            for (_, key) in series.iter().rev().skip(2) {
                self.storage.delete(key).await?;
            }
        }
        Ok(())
    }

    async fn tidy_lists(&self, lease: &Lease) -> Result<()> {
        let condemned = self.condemned().await?;
        lease.check().await?;
        for list in condemned.lists.iter().filter(|list| list.done && list.number < condemned.newest) {
            self.storage.delete(&layout::numbered(layout::CONDEMNED, list.number)?).await?;
            self.storage.delete(&layout::condemned_done(list.number)?).await?;
        }
        // A list that can't be read condemns nothing, and would keep every writer from sharing content.
        for (number, key, _) in &condemned.damaged {
            let done = layout::condemned_done(*number)?;
            if found(self.put_document(&done, Kind::Done, number).await.map(Some).or_else(exists))?.is_some() {
                self.storage.delete(key).await?;
            }
        }
        Ok(())
    }
}

fn exists(error: crate::Error) -> Result<Option<()>> {
    if error.kind() == ErrorKind::AlreadyExists { Ok(Some(())) } else { Err(error) }
}
