//! One batch, one record, one delete: sent until the server has answered for all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_aerospike_wire::batch::Batch;
use strongroom_aerospike_wire::client::Node;
use strongroom_aerospike_wire::message::Messages;
use strongroom_aerospike_wire::write::{self, Exists, Expiry, RecordName, Write, WritePolicy};
use strongroom_aerospike_wire::{Class, ResultCode, WireError};
use strongroom_core::cluster::Applied;
use strongroom_core::{Error, Result};
use strongroom_record::{Digest, Name, Record};

use crate::AerospikeCluster;
use crate::convert::Outgoing;
use crate::deliver::not_taken;
use crate::fault::{fault, refused};

/// A batch being filled.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) records: Vec<Record>,
    pub(crate) bytes: u64,
}

/// How records are written.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) cluster: AerospikeCluster,
    pub(crate) target: Name,
    pub(crate) policy: WritePolicy,
    /// What has expired by this moment is left out, in seconds since 1970.
    pub(crate) now: Option<i64>,
}

/// What became of one record.
enum Fate {
    Done(Applied),
    /// It may work later, or elsewhere.
    Again(Error),
}

const WRITTEN: Applied = Applied { written: 1, deleted: 0, kept: 0, expired: 0, filtered: 0, definitions: 0 };
const KEPT: Applied = Applied { kept: 1, written: 0, ..WRITTEN };
const EXPIRED: Applied = Applied { expired: 1, written: 0, ..WRITTEN };
const DELETED: Applied = Applied { deleted: 1, written: 0, ..WRITTEN };

impl Job {
    /// The id of the master of a record's partition; `None`: nobody serves it now.
    pub(crate) async fn master(&self, digest: &Digest) -> Result<Option<String>> {
        let maps = self.cluster.client().await?.partition_maps();
        let map = self.target.as_str().and_then(|name| maps.get(name));
        Ok(map.and_then(|map| map.owner(0, digest.partition())).map(str::to_owned))
    }

    async fn master_of(&self, digest: &Digest) -> Result<Arc<Node>> {
        let gone = || Error::unavailable(format!("no node serves partition {}", digest.partition()));
        let master = self.master(digest).await?.ok_or_else(gone)?;
        self.cluster.client().await?.node(&master).ok_or_else(gone)
    }

    fn timeout_millis(&self) -> u32 {
        u32::try_from(self.cluster.config().restore.write_timeout.0.as_millis()).unwrap_or(u32::MAX)
    }

    /// How long a record has to live on `node`; `None`: it has expired.
    async fn expiry(&self, record: &Record, node: &str) -> Result<Option<Expiry>> {
        let Some(at) = record.expires_at() else { return Ok(Some(Expiry::Never)) };
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let now = self.cluster.now_at(node).await?;
        let expired = at <= now || self.now.is_some_and(|now| at <= now);
        Ok((!expired).then(|| Expiry::Seconds(u32::try_from(at - now).unwrap_or(u32::MAX))))
    }

    /// What a result means for a record.
    fn judge(&self, code: ResultCode, record: &Record) -> Result<Fate> {
        let kept = match code {
            ResultCode::KEY_EXISTS => self.policy.exists == Exists::CreateOnly,
            ResultCode::GENERATION => self.policy.only_newer_generation,
            _ => false,
        };
        if kept {
            return Ok(Fate::Done(KEPT));
        }
        let error = || not_taken(refused(code, format_args!("the server refused to write it: {code}")), record);
        match code.class() {
            Class::Done => Ok(Fate::Done(WRITTEN)),
            Class::Busy | Class::Elsewhere | Class::Session => Ok(Fate::Again(error())),
            _ => Err(error()),
        }
    }

    /// Writes records until the server has answered for each of them.
    pub(crate) async fn batch(&self, mut records: Vec<Record>) -> Result<Applied> {
        let mut applied = Applied::default();
        let mut patience = self.cluster.patience();
        loop {
            let mut failed = None;
            let mut by_master: BTreeMap<String, Vec<Record>> = BTreeMap::new();
            for record in records.drain(..) {
                by_master.entry(self.master(&record.digest).await?.unwrap_or_default()).or_default().push(record);
            }
            for (master, load) in by_master {
                let count = load.len();
                let (done, left, why) = self.batch_to(&master, load).await?;
                applied += done;
                if left.len() < count {
                    patience.renew();
                }
                records.extend(left);
                failed = why.or(failed);
            }
            if records.is_empty() {
                return Ok(applied);
            }
            patience
                .wait(failed.unwrap_or_else(|| Error::unavailable("the server did not answer for all records")))
                .await?;
            self.refresh().await?;
        }
    }

    /// Looks at the cluster anew. One that can't be looked at now may answer at the next attempt.
    async fn refresh(&self) -> Result<()> {
        match self.cluster.client().await?.refresh().await {
            Err(error) if !error.is_temporary() => Err(fault(error)),
            _ => Ok(()),
        }
    }

    /// One attempt: what was done, what is left, and why.
    async fn batch_to(&self, master: &str, records: Vec<Record>) -> Result<(Applied, Vec<Record>, Option<Error>)> {
        let Some(node) = self.cluster.client().await?.node(master) else {
            return Ok((Applied::default(), records, Some(Error::unavailable("no node serves some partitions"))));
        };
        let mut applied = Applied::default();
        let mut batch = Batch::new(self.policy);
        let mut alive = Vec::with_capacity(records.len());
        for record in records {
            match self.expiry(&record, master).await? {
                None => applied += EXPIRED,
                Some(expiry) => {
                    let outgoing = Outgoing::of(&record);
                    batch
                        .push(&self.write(&record, &outgoing, &outgoing.bins(), expiry))
                        .map_err(|error| not_taken(fault(WireError::TooLong(error)), &record))?;
                    alive.push(Some(record));
                }
            }
        }
        if batch.is_empty() {
            return Ok((applied, Vec::new(), None));
        }
        let request = batch.encode(false, self.timeout_millis()).map_err(|error| fault(WireError::TooLong(error)))?;
        let mut failed = None;
        match node.stream(&request).await {
            Ok(mut stream) => loop {
                match stream.next().await {
                    Ok(Some(body)) => self.answers(&body, &mut alive, &mut applied, &mut failed)?,
                    Ok(None) => break,
                    Err(error) if error.is_temporary() => {
                        failed = Some(fault(error));
                        break;
                    }
                    Err(error) => return Err(fault(error)),
                }
            },
            Err(error) if error.is_temporary() => failed = Some(fault(error)),
            Err(error) => return Err(fault(error)),
        }
        Ok((applied, alive.into_iter().flatten().collect(), failed))
    }

    /// Takes a frame of answers in: what is answered for good is no longer among `alive`.
    fn answers(
        &self,
        body: &Bytes,
        alive: &mut [Option<Record>],
        applied: &mut Applied,
        failed: &mut Option<Error>,
    ) -> Result<()> {
        for message in Messages::of(body) {
            let message = message.map_err(|error| Error::invalid(format!("a batch's answer: {error}")))?;
            let code = message.head.result;
            if message.is_last() {
                if code.class() != Class::Done {
                    let error = refused(code, format_args!("the server refused a batch: {code}"));
                    if !matches!(code.class(), Class::Busy | Class::Elsewhere | Class::Session) {
                        return Err(error);
                    }
                    *failed = Some(error);
                }
                continue;
            }
            let row = usize::try_from(message.head.index).ok().and_then(|index| alive.get_mut(index));
            let Some((row, record)) = row.and_then(|row| row.take().map(|record| (row, record))) else {
                return Err(Error::invalid("the server answered for a record that was not in the batch"));
            };
            match self.judge(code, &record)? {
                Fate::Done(done) => *applied += done,
                Fate::Again(error) => {
                    *failed = Some(error);
                    *row = Some(record);
                }
            }
        }
        Ok(())
    }

    fn write<'a>(
        &'a self,
        record: &'a Record,
        outgoing: &'a Outgoing<'a>,
        bins: &'a [strongroom_aerospike_wire::message::Bin<'a>],
        expiry: Expiry,
    ) -> Write<'a> {
        let name = RecordName {
            namespace: self.target.as_bytes(),
            set: record.set.as_ref().map(Name::as_bytes),
            digest: record.digest.as_bytes(),
        };
        Write { name, key: outgoing.key(), generation: u32::from(record.generation), expiry, bins }
    }

    /// Writes one record that is in no batch.
    pub(crate) async fn alone(&self, record: Record) -> Result<Applied> {
        let mut patience = self.cluster.patience();
        loop {
            let failed = match self.once(&record).await? {
                Fate::Done(applied) => return Ok(applied),
                Fate::Again(error) => error,
            };
            patience.wait(failed).await?;
            self.refresh().await?;
        }
    }

    async fn once(&self, record: &Record) -> Result<Fate> {
        let node = match self.master_of(&record.digest).await {
            Ok(node) => node,
            Err(error) => return Ok(Fate::Again(error)),
        };
        let Some(expiry) = self.expiry(record, node.id()).await? else { return Ok(Fate::Done(EXPIRED)) };
        let outgoing = Outgoing::of(record);
        let bins = outgoing.bins();
        let request = self.write(record, &outgoing, &bins, expiry).encode(self.policy, self.timeout_millis());
        let request = request.map_err(|error| not_taken(fault(WireError::TooLong(error)), record))?;
        match self.result(&node, &request).await? {
            Ok(code) => self.judge(code, record),
            Err(error) => Ok(Fate::Again(error)),
        }
    }

    /// Deletes a record, if it is there.
    pub(crate) async fn delete(&self, digest: Digest) -> Result<Applied> {
        let mut patience = self.cluster.patience();
        loop {
            let name = RecordName { namespace: self.target.as_bytes(), set: None, digest: digest.as_bytes() };
            let request =
                write::delete(&name, false, self.timeout_millis()).map_err(|error| fault(WireError::TooLong(error)))?;
            let answer = match self.master_of(&digest).await {
                Ok(node) => self.result(&node, &request).await?,
                Err(error) => Err(error),
            };
            let failed = match answer {
                Ok(ResultCode::OK) => return Ok(DELETED),
                Ok(ResultCode::KEY_NOT_FOUND) => return Ok(Applied::default()),
                Ok(code) => {
                    let error = refused(code, format_args!("the server refused to delete record {digest}: {code}"));
                    if !matches!(code.class(), Class::Busy | Class::Elsewhere | Class::Session) {
                        return Err(error);
                    }
                    error
                }
                Err(error) => error,
            };
            patience.wait(failed).await?;
            self.refresh().await?;
        }
    }

    /// The result of a request about one record, or why there is none yet.
    async fn result(&self, node: &Node, request: &Bytes) -> Result<std::result::Result<ResultCode, Error>> {
        match node.one(request).await {
            Ok(body) => match Messages::of(&body).next() {
                Some(Ok(message)) => Ok(Ok(message.head.result)),
                Some(Err(error)) => Err(Error::invalid(error.to_string())),
                None => Err(Error::invalid("the server answered a write with nothing")),
            },
            Err(error) if error.is_temporary() => Ok(Err(fault(error))),
            Err(error) => Err(fault(error)),
        }
    }
}
