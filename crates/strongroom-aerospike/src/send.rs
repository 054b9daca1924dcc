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
use crate::tally::Tally;

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
    pub(crate) tally: Tally,
}

/// What one attempt at a batch came to.
#[derive(Default)]
struct Attempt {
    applied: Applied,
    left: Vec<Record>,
    why: Option<Error>,
    /// The server takes no such batches.
    no_batches: bool,
}

impl Attempt {
    /// So many writes were under way when the connection broke.
    fn doubt(&mut self, why: Error, writes: usize) {
        self.applied.in_doubt += writes as u64;
        self.why = Some(why);
    }
}

/// What became of one record.
enum Fate {
    Done(Applied),
    /// It may work later, or elsewhere.
    Again(Error),
    /// Whether it was written is not known: the connection broke.
    Doubt(Error),
}

const BATCHES_DISABLED: ResultCode = ResultCode(150);
const BATCH_TOO_LARGE: ResultCode = ResultCode(151);
const NOTHING: Applied = Applied {
    written: 0,
    deleted: 0,
    kept: 0,
    fresher: 0,
    ignored: 0,
    in_doubt: 0,
    expired: 0,
    filtered: 0,
    definitions: 0,
};
const WRITTEN: Applied = Applied { written: 1, ..NOTHING };
const EXISTED: Applied = Applied { kept: 1, ..NOTHING };
const FRESHER: Applied = Applied { kept: 1, fresher: 1, ..NOTHING };
const IGNORED: Applied = Applied { ignored: 1, ..NOTHING };
const EXPIRED: Applied = Applied { expired: 1, ..NOTHING };
const DELETED: Applied = Applied { deleted: 1, ..NOTHING };

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
        let longer = self.cluster.config().restore.extra_ttl.micros() / 1_000_000;
        let at = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(longer);
        let now = self.cluster.now_at(node).await?;
        let expired = at <= now || self.now.is_some_and(|now| at <= now);
        Ok((!expired).then(|| Expiry::Seconds(u32::try_from(at - now).unwrap_or(u32::MAX))))
    }

    /// What a result means for a record.
    fn judge(&self, code: ResultCode, record: &Record) -> Result<Fate> {
        match code {
            ResultCode::KEY_EXISTS if self.policy.exists == Exists::CreateOnly => return Ok(self.kept(EXISTED, record)),
            ResultCode::GENERATION if self.policy.only_newer_generation => return Ok(self.kept(FRESHER, record)),
            _ => {}
        }
        let error = || not_taken(refused(code, format_args!("the server refused to write it: {code}")), record);
        match code.class() {
            Class::Done => Ok(Fate::Done(WRITTEN)),
            Class::Busy | Class::Elsewhere | Class::Session => Ok(Fate::Again(error())),
            Class::Record => self.leave_out(error()).map(Fate::Done),
            _ if code == ResultCode::BIN_NAME => self.leave_out(error()).map(Fate::Done),
            _ => Err(error()),
        }
    }

    /// What is there stays.
    fn kept(&self, applied: Applied, record: &Record) -> Fate {
        self.tally.skip(record, if applied.fresher > 0 { "what is there is fresher" } else { "there is one already" });
        Fate::Done(applied)
    }

    fn expired(&self, record: &Record) -> Applied {
        self.tally.skip(record, "it has expired");
        EXPIRED
    }

    /// A record that the server takes in no form: left out if that was asked for, and listed; else an error.
    fn leave_out(&self, error: Error) -> Result<Applied> {
        if !self.cluster.config().restore.ignore_record_errors {
            return Err(error);
        }
        self.tally.ignore(&error);
        Ok(IGNORED)
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
                let attempt = self.batch_to(&master, load).await?;
                applied += attempt.applied;
                if attempt.no_batches {
                    for record in attempt.left {
                        applied += self.alone(record).await?;
                    }
                    continue;
                }
                if attempt.left.len() < count {
                    patience.renew();
                }
                records.extend(attempt.left);
                failed = attempt.why.or(failed);
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

    /// One attempt.
    async fn batch_to(&self, master: &str, records: Vec<Record>) -> Result<Attempt> {
        let mut attempt = Attempt::default();
        let Some(node) = self.cluster.client().await?.node(master) else {
            let why = Some(Error::unavailable("no node serves some partitions"));
            return Ok(Attempt { left: records, why, ..attempt });
        };
        let mut batch = Batch::new(self.policy);
        let mut alive = Vec::with_capacity(records.len());
        for record in records {
            let Some(expiry) = self.expiry(&record, master).await? else {
                attempt.applied += self.expired(&record);
                continue;
            };
            let outgoing = Outgoing::of(&record);
            match self.pushed(&mut batch, &record, &outgoing, expiry) {
                Ok(()) => alive.push(Some(record)),
                Err(error) => attempt.applied += self.leave_out(error)?,
            }
        }
        if batch.is_empty() {
            return Ok(attempt);
        }
        let request = batch.encode(false, self.timeout_millis()).map_err(|error| fault(WireError::TooLong(error)))?;
        match node.batch(&request).await {
            Ok(mut stream) => loop {
                match stream.next().await {
                    Ok(Some(body)) => self.answers(&body, &mut alive, &mut attempt)?,
                    Ok(None) => break,
                    Err(error) => {
                        attempt.doubt(doubt(error)?, alive.iter().flatten().count());
                        break;
                    }
                }
            },
            Err(error) => attempt.doubt(doubt(error)?, alive.len()),
        }
        attempt.left = alive.into_iter().flatten().collect();
        Ok(attempt)
    }

    fn pushed(&self, batch: &mut Batch, record: &Record, outgoing: &Outgoing<'_>, expiry: Expiry) -> Result<()> {
        let bins = outgoing.bins();
        has_bins(&bins, record)?;
        let pushed = batch.push(&self.write(record, outgoing, &bins, expiry));
        pushed.map(drop).map_err(|error| not_taken(fault(WireError::TooLong(error)), record))
    }

    /// Takes a frame of answers in: what is answered for good is no longer among `alive`.
    fn answers(&self, body: &Bytes, alive: &mut [Option<Record>], attempt: &mut Attempt) -> Result<()> {
        for message in Messages::of(body) {
            let message = message.map_err(|error| Error::invalid(format!("a batch's answer: {error}")))?;
            let code = message.head.result;
            if message.is_last() {
                match code.class() {
                    Class::Done => {}
                    _ if matches!(code, BATCHES_DISABLED | BATCH_TOO_LARGE) => attempt.no_batches = true,
                    Class::Busy | Class::Elsewhere | Class::Session => {
                        attempt.why = Some(refused(code, format_args!("the server refused a batch: {code}")));
                    }
                    _ => return Err(refused(code, format_args!("the server refused a batch: {code}"))),
                }
                continue;
            }
            let row = usize::try_from(message.head.index).ok().and_then(|index| alive.get_mut(index));
            let Some((row, record)) = row.and_then(|row| row.take().map(|record| (row, record))) else {
                return Err(Error::invalid("the server answered for a record that was not in the batch"));
            };
            match self.judge(code, &record)? {
                Fate::Done(done) => attempt.applied += done,
                Fate::Again(error) | Fate::Doubt(error) => {
                    self.tally.repeat(1);
                    attempt.why = Some(error);
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
        let mut in_doubt = 0;
        loop {
            let failed = match self.once(&record).await? {
                Fate::Done(applied) => return Ok(Applied { in_doubt, ..applied }),
                Fate::Again(error) => error,
                Fate::Doubt(error) => {
                    in_doubt += 1;
                    error
                }
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
        let Some(expiry) = self.expiry(record, node.id()).await? else { return Ok(Fate::Done(self.expired(record))) };
        let outgoing = Outgoing::of(record);
        let bins = outgoing.bins();
        if let Err(error) = has_bins(&bins, record) {
            return self.leave_out(error).map(Fate::Done);
        }
        let request = self.write(record, &outgoing, &bins, expiry).encode(self.policy, self.timeout_millis());
        let request = match request.map_err(|error| not_taken(fault(WireError::TooLong(error)), record)) {
            Ok(request) => request,
            Err(error) => return self.leave_out(error).map(Fate::Done),
        };
        match self.result(&node, &request).await? {
            Ok(code) => {
                let fate = self.judge(code, record)?;
                if matches!(fate, Fate::Again(_)) {
                    self.tally.repeat(1);
                }
                Ok(fate)
            }
            Err(error) => Ok(Fate::Doubt(error)),
        }
    }

    /// Deletes a record, if it is there.
    pub(crate) async fn delete(&self, digest: Digest) -> Result<Applied> {
        let mut patience = self.cluster.patience();
        let durable = self.cluster.config().restore.durable_deletes;
        let mut in_doubt = 0;
        loop {
            let name = RecordName { namespace: self.target.as_bytes(), set: None, digest: digest.as_bytes() };
            let request = write::delete(&name, durable, self.timeout_millis())
                .map_err(|error| fault(WireError::TooLong(error)))?;
            let answer = match self.master_of(&digest).await {
                Ok(node) => {
                    let answer = self.result(&node, &request).await?;
                    in_doubt += u64::from(answer.is_err());
                    answer
                }
                Err(error) => Err(error),
            };
            let failed = match answer {
                Ok(ResultCode::OK) => return Ok(Applied { in_doubt, ..DELETED }),
                // In doubt: it was this delete that took it away, or it was never there.
                Ok(ResultCode::KEY_NOT_FOUND) => return Ok(Applied { in_doubt, ..NOTHING }),
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
            Err(error) => doubt(error).map(Err),
        }
    }
}

/// A server keeps no record without bins, and takes none.
fn has_bins(bins: &[strongroom_aerospike_wire::message::Bin<'_>], record: &Record) -> Result<()> {
    if bins.is_empty() {
        return Err(not_taken(Error::invalid("it has no bins, and a server keeps no such record"), record));
    }
    Ok(())
}

/// The connection broke while writes were under way: they are sent again, unless that can't help.
fn doubt(error: WireError) -> Result<Error> {
    let temporary = error.is_temporary();
    let error = fault(error);
    if temporary { Ok(error) } else { Err(error) }
}
