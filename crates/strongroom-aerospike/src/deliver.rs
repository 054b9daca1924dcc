//! Records on their way to the masters of their partitions: in batches where they fit, alone where not.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use strongroom_aerospike_wire::write::{Exists, WritePolicy};
use strongroom_core::cluster::{Applied, Conflict, RestoreOptions};
use strongroom_core::{Error, Result};
use strongroom_record::deletes::Tombstone;
use strongroom_record::{Name, Record};
use tokio::task::JoinSet;

use crate::AerospikeCluster;
use crate::send::{Job, Load};
use crate::tally::Tally;

/// What one piece writes.
pub(crate) struct Delivery {
    job: Arc<Job>,
    /// The batches being filled, by their master.
    open: BTreeMap<String, Load>,
    flying: JoinSet<Result<Applied>>,
    applied: Applied,
}

impl Delivery {
    pub(crate) async fn new(
        cluster: &AerospikeCluster,
        options: &RestoreOptions,
        target: &Name,
        tally: Tally,
    ) -> Result<Self> {
        let replace = if cluster.config().restore.merge_bins { Exists::Update } else { Exists::Replace };
        let (exists, only_newer_generation) = match options.conflict {
            Conflict::Replace => (replace, false),
            Conflict::Keep => (Exists::CreateOnly, false),
            Conflict::Newer => (replace, true),
        };
        // Whether there is a cluster at all shows before anything of the body is read.
        cluster.client().await?;
        let job = Job {
            cluster: cluster.clone(),
            target: target.clone(),
            policy: WritePolicy { exists, only_newer_generation },
            tally,
            now: options.now.map(|now| now.micros().div_euclid(1_000_000)),
        };
        let (open, flying, applied) = (BTreeMap::new(), JoinSet::new(), Applied::default());
        Ok(Self { job: Arc::new(job), open, flying, applied })
    }

    /// Writes a record, sooner or later.
    pub(crate) async fn put(&mut self, record: Record) -> Result<()> {
        let config = &self.job.cluster.config().restore;
        let (most_records, most_bytes) = (config.batch_records.max(1), config.batch_bytes.0);
        let weight = record.weight() as u64;
        if most_records == 1 || weight > most_bytes {
            let job = Arc::clone(&self.job);
            return self.launch(async move { job.alone(record).await }.boxed()).await;
        }
        let master = self.job.master(&record.digest).await?.unwrap_or_default();
        let load = self.open.entry(master.clone()).or_default();
        load.bytes += weight;
        load.records.push(record);
        if load.records.len() >= usize::try_from(most_records).unwrap_or(usize::MAX) || load.bytes >= most_bytes {
            let load = self.open.remove(&master).unwrap_or_default();
            self.batch(load).await?;
        }
        Ok(())
    }

    /// Deletes a record.
    pub(crate) async fn delete(&mut self, tombstone: &Tombstone) -> Result<()> {
        let (job, digest) = (Arc::clone(&self.job), tombstone.digest);
        self.launch(async move { job.delete(digest).await }.boxed()).await
    }

    async fn batch(&mut self, load: Load) -> Result<()> {
        let job = Arc::clone(&self.job);
        self.launch(async move { job.batch(load.records).await }.boxed()).await
    }

    /// Lets something go off, once there is room for it.
    async fn launch(&mut self, work: BoxFuture<'static, Result<Applied>>) -> Result<()> {
        let most = usize::from(self.job.cluster.config().restore.batches_in_flight.max(1));
        while self.flying.len() >= most {
            match self.flying.join_next().await {
                Some(applied) => self.applied += landed(applied)?,
                None => break,
            }
        }
        // Tasks of their own: they go on while the piece's next bytes are waited for, and end with this delivery.
        self.flying.spawn(work);
        Ok(())
    }

    /// Waits until everything is written, and tells what that did.
    pub(crate) async fn finish(mut self) -> Result<Applied> {
        for load in std::mem::take(&mut self.open).into_values() {
            self.batch(load).await?;
        }
        while let Some(applied) = self.flying.join_next().await {
            self.applied += landed(applied)?;
        }
        Ok(self.applied)
    }
}

fn landed(applied: std::result::Result<Result<Applied>, tokio::task::JoinError>) -> Result<Applied> {
    applied.unwrap_or_else(|error| Err(Error::internal("a write ended early").because(error)))
}

/// The error for a record that the server will not take.
pub(crate) fn not_taken(error: Error, record: &Record) -> Error {
    error.within(named(record))
}

/// A record by what people know it by.
pub(crate) fn named(record: &Record) -> String {
    let set = record.set.as_ref().map_or_else(String::new, |set| format!(" of set '{set}'"));
    format!("record {}{set}", record.digest)
}
