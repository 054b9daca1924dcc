//! Reading pieces.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, stream};
use strongroom_aerospike_wire::client::{Node, Stream};
use strongroom_aerospike_wire::expression::Expression;
use strongroom_aerospike_wire::message::Messages;
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::{Class, Digest as WireDigest, WireError};
use strongroom_core::cluster::{PieceKind, PieceReader, PieceSpec, PieceSummary};
use strongroom_core::{ByteStream, Error, Result};
use strongroom_record::asb::Encoder;
use strongroom_record::{Digest, Name, census};
use tokio::sync::oneshot;

use crate::AerospikeCluster;
use crate::convert::Intake;
use crate::fault::{fault, nonsense, refused};
use crate::freeze::expression_of;
use crate::group::{Form, Group};
use crate::patience::Patience;
use crate::piece::PieceDetail;
use crate::selection::after;

/// How much text is gathered before it is handed on.
const CHUNK: usize = 256 << 10;
/// So many times more than was planned may be gathered before fewer partitions are asked for at once.
const OVERRUN: usize = 2;
/// Where servers keep the monitors of transactions: no data of anybody's.
const MONITORS: &str = "<ERO~MRT";

impl AerospikeCluster {
    pub(crate) async fn open_piece(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let detail = PieceDetail::of(piece)?;
        let source = match piece.kind {
            PieceKind::Schema => Source::Schema(self.schema_text(&detail).await?),
            PieceKind::Data => Source::Records(Box::new(Reading::new(self.clone(), detail, Form::Records)?)),
            PieceKind::Deletes => Source::Records(Box::new(Reading::new(self.clone(), detail, Form::Digests)?)),
            PieceKind::Log => {
                return Err(Error::invalid(format!("piece '{}': a live cluster has no such pieces", piece.name)));
            }
        };
        let (told, summary) = oneshot::channel();
        let summary =
            summary.map(|summary| summary.unwrap_or_else(|_| Err(Error::invalid("the piece was not read to its end"))));
        Ok(PieceReader { body: body(self.clone(), source, told), summary: summary.boxed() })
    }
}

enum Source {
    Schema((Vec<u8>, u64)),
    Records(Box<Reading>),
    Ended(PieceSummary),
}

impl Source {
    /// The next chunk, and what is left.
    async fn chunk(self) -> Result<(Bytes, Self)> {
        match self {
            Self::Schema((text, definitions)) => {
                Ok((text.into(), Self::Ended(PieceSummary { definitions, ..PieceSummary::default() })))
            }
            Self::Records(mut reading) => match reading.chunk().await? {
                Some(chunk) => Ok((chunk, Self::Records(reading))),
                None => Ok((Bytes::new(), Self::Ended(reading.summary))),
            },
            Self::Ended(summary) => Ok((Bytes::new(), Self::Ended(summary))),
        }
    }
}

fn body(cluster: AerospikeCluster, source: Source, told: oneshot::Sender<Result<PieceSummary>>) -> ByteStream {
    let state = Some((source, told));
    Box::pin(stream::unfold(state, move |state| {
        let cluster = cluster.clone();
        async move {
            let (source, told) = state?;
            if let Source::Ended(summary) = source {
                let settled = cluster.clocks().await.map(|clocks| cluster.settled(clocks));
                // The caller may not want the summary.
                drop(told.send(settled.map(|settled| PieceSummary { settled: Some(settled), ..summary })));
                return None;
            }
            match source.chunk().await {
                Ok((chunk, rest)) => Some((Ok(chunk), Some((rest, told)))),
                Err(error) => Some((Err(error), None)),
            }
        }
    }))
}

/// The records of some partitions on their way.
struct Reading {
    cluster: AerospikeCluster,
    part: String,
    form: Form,
    set: Option<Vec<u8>>,
    bins: Vec<Vec<u8>>,
    filter: Option<Expression>,
    intake: Intake,
    most_gathered: usize,
    /// The partitions that are not begun, in ascending order.
    rest: VecDeque<u16>,
    /// How many of them are asked for at once.
    width: usize,
    /// Where partitions begin, if not at their beginning.
    after: BTreeMap<u16, Digest>,
    compressed: bool,
    /// At most so many records.
    most: Option<u64>,
    group: Group,
    /// Whom to ask for what next.
    queries: Vec<(Arc<Node>, Vec<u16>)>,
    open: Option<(Stream, Vec<u16>)>,
    /// Why something has to be asked for again.
    failed: Option<Error>,
    patience: Patience,
    /// The lines at the top, until they are handed on.
    head: Vec<u8>,
    ended: bool,
    out: Vec<u8>,
    summary: PieceSummary,
}

impl Reading {
    fn new(cluster: AerospikeCluster, detail: PieceDetail, form: Form) -> Result<Self> {
        let namespace = Name::namespace(detail.part.clone())?;
        let mut filters = Vec::new();
        let mut set = None;
        match detail.filter.tables.as_ref().map(|sets| sets.iter().collect::<Vec<_>>()).as_deref() {
            None => filters.push(Expression::not_in_set(MONITORS)),
            Some([only]) if !only.is_empty() => set = Some(only.as_bytes().to_vec()),
            Some(sets) => filters.extend(Expression::any(sets.iter().map(|set| Expression::in_set(set)).collect())),
        }
        // A census is of all records, whenever they were written.
        let nanos = |millis: Option<i64>| {
            millis.filter(|_| form == Form::Records).map(|millis| millis.saturating_mul(1_000_000))
        };
        filters.extend(nanos(detail.since).map(Expression::updated_since));
        filters.extend(nanos(detail.before).map(Expression::updated_before));
        filters.extend(detail.omitted.expiring.then(Expression::never_expires));
        filters.extend(expression_of(&detail.filter)?);
        // No set at all is asked for: nothing is.
        let nothing = detail.filter.tables.as_ref().is_some_and(std::collections::BTreeSet::is_empty);
        let partitions = if nothing { Vec::new() } else { detail.wanted()? };
        let gathered = usize::try_from(cluster.config().backup.gathered_bytes.0).unwrap_or(usize::MAX);
        let mut out = Vec::new();
        match form {
            Form::Records => Encoder::COMPACT.header(&mut out, &namespace, false),
            Form::Digests => census::write_header(&mut out, &namespace),
        }
        Ok(Self {
            after: after(&detail.after)?,
            compressed: detail.compressed,
            part: detail.part,
            form,
            ended: false,
            head: out,
            set,
            bins: detail.filter.bins.into_iter().flatten().map(String::into_bytes).collect(),
            filter: Expression::all(filters),
            intake: Intake::new(namespace),
            most_gathered: gathered.saturating_mul(OVERRUN),
            rest: partitions.into(),
            width: usize::from(detail.gathered.max(1)),
            most: (detail.omitted.max_records > 0).then_some(detail.omitted.max_records),
            group: Group::default(),
            queries: Vec::new(),
            open: None,
            failed: None,
            patience: cluster.patience(),
            out: Vec::new(),
            summary: PieceSummary::default(),
            cluster,
        })
    }

    /// The next text; `None` after the last.
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let records = self.group.hand_on(&mut self.out, CHUNK);
            self.summary.records += if self.form == Form::Records { records } else { 0 };
            if self.out.len() >= CHUNK {
                break;
            }
            if self.group.is_empty() {
                if self.left() == Some(0) {
                    self.ended = true;
                    break;
                }
                if self.rest.is_empty() {
                    self.ended = true;
                    break;
                }
                let next = self.rest.drain(..self.width.min(self.rest.len()));
                let after = &self.after;
                self.group = Group::of(next.map(|partition| (partition, after.get(&partition).copied())));
                self.queries.clear();
            }
            self.step().await.map_err(|error| error.within(format_args!("namespace '{}'", self.part)))?;
            if self.group.gathered() > self.most_gathered {
                self.narrow();
            }
        }
        let mut text = std::mem::take(&mut self.head);
        let gathered = std::mem::take(&mut self.out);
        match self.form {
            Form::Records if text.is_empty() => text = gathered,
            Form::Records => text.extend_from_slice(&gathered),
            Form::Digests => {
                census::write_digests(&mut text, &gathered);
                if self.ended {
                    census::write_end(&mut text);
                }
            }
        }
        Ok(Some(text.into()))
    }

    /// How many records are still wanted, if not all are.
    fn left(&self) -> Option<u64> {
        self.most.map(|most| most.saturating_sub(self.summary.records))
    }

    /// The partitions are larger than was thought: from here on half as many are asked for at once.
    fn narrow(&mut self) {
        let others = self.group.narrow();
        if !others.is_empty() {
            (self.open, self.failed) = (None, None);
            self.queries.clear();
            self.width = (self.width / 2).max(1);
            others.into_iter().rev().for_each(|partition| self.rest.push_front(partition));
        }
    }

    /// Reads one frame, or asks whoever is next.
    async fn step(&mut self) -> Result<()> {
        if let Some((stream, _)) = &mut self.open {
            match stream.next().await {
                Ok(Some(body)) => return self.take(&body),
                Ok(None) => self.open = None,
                Err(error) => {
                    self.open = None;
                    self.again(error)?;
                }
            }
        }
        let Some((node, partitions)) = self.queries.pop() else { return self.plan().await };
        let mut asked = node.query(&self.request(&partitions)?).await;
        // The server may have closed a connection that was idle. Another query, since its id is not taken twice.
        if let Err(WireError::Io { .. }) = asked {
            asked = node.query(&self.request(&partitions)?).await;
        }
        match asked {
            Ok(stream) => self.open = Some((stream, partitions)),
            Err(error) => self.again(error)?,
        }
        Ok(())
    }

    /// What is pending is asked for again, unless that can't help.
    fn again(&mut self, error: WireError) -> Result<()> {
        let temporary = error.is_temporary();
        let error = fault(error);
        if !temporary {
            return Err(error);
        }
        self.failed = Some(error);
        Ok(())
    }

    /// Finds out whom to ask for what is pending.
    async fn plan(&mut self) -> Result<()> {
        let client = self.cluster.client().await?;
        if let Some(failed) = self.failed.take() {
            self.patience.wait(failed).await?;
            if let Err(error) = client.refresh().await {
                return self.again(error);
            }
        }
        let maps = client.partition_maps();
        let mut asked: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        for (partition, _) in self.group.pending() {
            match maps.get(&self.part).and_then(|map| map.owner(0, partition)) {
                Some(owner) => asked.entry(owner).or_default().push(partition),
                None => self.failed = Some(Error::unavailable(format!("no node serves partition {partition}"))),
            }
        }
        for (owner, partitions) in asked.into_iter().rev() {
            match client.node(owner) {
                Some(node) => self.queries.push((node, partitions)),
                None => self.failed = Some(Error::unavailable(format!("node {owner} has left the cluster"))),
            }
        }
        Ok(())
    }

    fn request(&self, partitions: &[u16]) -> Result<Bytes> {
        let mut whole = Vec::new();
        let mut after: Vec<WireDigest> = Vec::new();
        for (partition, last) in
            self.group.pending().filter(|(partition, _)| partitions.binary_search(partition).is_ok())
        {
            match last {
                Some(last) => after.push(last.0),
                None => whole.push(partition),
            }
        }
        let bins: Vec<&[u8]> = self.bins.iter().map(Vec::as_slice).collect();
        let query = Query {
            namespace: self.part.as_bytes(),
            set: self.set.as_deref(),
            partitions: &whole,
            after: &after,
            bins: &bins,
            no_bins: self.form == Form::Digests,
            filter: self.filter.as_ref(),
            max_records: self.left().unwrap_or(0),
            socket_timeout_millis: u32::try_from(self.cluster.config().silence_timeout.0.as_millis())
                .unwrap_or(u32::MAX),
            id: self.cluster.query_id(),
            compress: self.compressed,
            ..Query::default()
        };
        query.encode().map_err(|error| Error::invalid(error.to_string()))
    }

    /// Takes in a frame.
    fn take(&mut self, body: &Bytes) -> Result<()> {
        let Some((_, partitions)) = &mut self.open else { return Ok(()) };
        for message in Messages::of(body) {
            let message = message.map_err(|error| nonsense("that was asked", "a query", &error))?;
            let code = message.head.result;
            if let Some(partition) = message.partition() {
                partitions.retain(|asked| *asked != partition);
                self.failed = Some(Error::unavailable(format!("partition {partition} moves from node to node")));
            } else if message.ends_query() {
                match code.class() {
                    Class::Done => {
                        // Also where there was no record: a partition that is read to its end is a success.
                        if !partitions.is_empty() {
                            self.patience.renew();
                        }
                        partitions.drain(..).for_each(|partition| self.group.is_done(partition));
                    }
                    Class::Busy | Class::Elsewhere | Class::Session => {
                        self.failed = Some(refused(code, format_args!("the query failed: {code}")));
                    }
                    _ => return Err(query_refused(code, self.filter.is_some())),
                }
                self.open = None;
                break;
            } else {
                // A server has no record without bins: this one has none of those that were asked for.
                if message.bins().len() > 0 || self.form == Form::Digests {
                    self.group.take(self.form, &message, body, &mut self.intake)?;
                }
                self.patience.renew();
            }
        }
        Ok(())
    }
}

fn query_refused(code: strongroom_aerospike_wire::ResultCode, filtered: bool) -> Error {
    let error = refused(code, format_args!("the query was refused: {code}"));
    if code == strongroom_aerospike_wire::ResultCode::PARAMETER && filtered {
        return error.hint("does the filter expression fit this server's version?");
    }
    error
}
