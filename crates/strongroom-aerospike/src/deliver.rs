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
    /// What is under way, with the bytes of its records.
    flying: JoinSet<(u64, Result<Applied>)>,
    flying_bytes: u64,
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
        Ok(Self { job: Arc::new(job), open, flying, flying_bytes: 0, applied })
    }

    /// Writes a record, sooner or later.
    pub(crate) async fn put(&mut self, record: Record) -> Result<()> {
        let config = &self.job.cluster.config().restore;
        let (most_records, most_bytes) = (config.batch_records.max(1), config.batch_bytes.0);
        let weight = record.weight() as u64;
        if most_records == 1 || weight > most_bytes {
            let job = Arc::clone(&self.job);
            return self.launch(weight, async move { job.alone(record).await }.boxed()).await;
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
        self.launch(0, async move { job.delete(digest).await }.boxed()).await
    }

    async fn batch(&mut self, load: Load) -> Result<()> {
        let job = Arc::clone(&self.job);
        self.launch(load.bytes, async move { job.batch(load.records).await }.boxed()).await
    }

    /// Lets something go off, once there is room for it. What is larger than all the room goes off alone.
    async fn launch(&mut self, bytes: u64, work: BoxFuture<'static, Result<Applied>>) -> Result<()> {
        let config = &self.job.cluster.config().restore;
        let most = usize::from(config.batches_in_flight.max(1));
        let most_bytes = config.batch_bytes.0.saturating_mul(most as u64);
        while self.flying.len() >= most || (!self.flying.is_empty() && self.flying_bytes + bytes > most_bytes) {
            if !self.land().await? {
                break;
            }
        }
        self.flying_bytes += bytes;
        // Tasks of their own: they go on while the piece's next bytes are waited for, and end with this delivery.
        self.flying.spawn(async move { (bytes, work.await) });
        Ok(())
    }

    /// Waits for the next of what is under way; `false`: there is nothing.
    async fn land(&mut self) -> Result<bool> {
        let Some(landed) = self.flying.join_next().await else { return Ok(false) };
        let (bytes, applied) = landed.map_err(|error| Error::internal("a write ended early").because(error))?;
        self.flying_bytes = self.flying_bytes.saturating_sub(bytes);
        self.applied += applied?;
        Ok(true)
    }

    /// Waits until everything is written, and tells what that did.
    pub(crate) async fn finish(mut self) -> Result<Applied> {
        for load in std::mem::take(&mut self.open).into_values() {
            self.batch(load).await?;
        }
        while self.land().await? {}
        Ok(self.applied)
    }
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
