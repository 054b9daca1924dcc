//! Emptying what a restore is about to fill.
//!
//! A server truncates by time: what was last written before a moment is gone, what is written later stays. The moment is the
//! fastest clock's, and the command waits until the slowest has come to it: so everything that was there goes, and nothing
//! that the session writes afterwards does, on whatever node.

use std::collections::BTreeMap;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::{Name, Sieve};

use crate::AerospikeCluster;
use crate::schema::told;

impl AerospikeCluster {
    /// Truncates the targets of `parts`; gives the moment, in seconds since 1970.
    pub(crate) async fn truncate(&self, parts: &BTreeMap<String, Filter>, options: &RestoreOptions) -> Result<i64> {
        let cut = self.common_moment().await?;
        let nanos = cut.saturating_mul(1_000_000_000);
        for (part, filter) in parts {
            let target = options.target_of(part);
            if !options.no_data {
                match &filter.tables {
                    None => {
                        let command = format!("truncate-namespace:namespace={target};lut={nanos}");
                        told(&self.ask(&command).await?, &format!("to truncate namespace '{target}'"))?;
                    }
                    Some(sets) => {
                        for set in sets {
                            let command = format!("truncate:namespace={target};set={set};lut={nanos}");
                            told(
                                &self.ask(&command).await?,
                                &format!("to truncate set '{set}' of namespace '{target}'"),
                            )?;
                        }
                    }
                }
            }
            if !options.no_definitions {
                self.drop_indexes(target, filter).await?;
            }
        }
        Ok(cut)
    }

    async fn drop_indexes(&self, target: &str, filter: &Filter) -> Result<()> {
        let sieve = Sieve::new(filter)?;
        for index in self.indexes(target).await? {
            if sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)) {
                let answer = self.ask(&format!("sindex-delete:namespace={target};indexname={}", index.name)).await?;
                told(&answer, &format!("the deletion of index '{}'", index.name))?;
            }
        }
        Ok(())
    }

    /// A moment that every clock of the cluster has come to, and before which everything was written that is there now.
    async fn common_moment(&self) -> Result<i64> {
        let first = self.clocks().await?;
        let skew = first.fastest - first.slowest;
        let most = self.config().restore.most_clock_skew.micros() / 1_000_000;
        if skew > most {
            return Err(Error::unavailable(format!(
                "the nodes' clocks are {skew} s apart, and a truncate goes by time"
            ))
            .hint(format!("set the clocks right; {most} s are allowed")));
        }
        // Clocks tell whole seconds: all that was written until now is older than the next one.
        let cut = first.fastest + 1;
        let mut patience = self.patience();
        while self.clocks().await?.slowest < cut {
            patience.wait(Error::unavailable("the nodes' clocks stand still, and a truncate goes by time")).await?;
        }
        Ok(cut)
    }
}
