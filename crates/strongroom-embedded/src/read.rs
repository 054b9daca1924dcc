//! Reading pieces.
//!
//! The handle that froze a state reads from that state. Any other reads from the state it finds:
//!
//! * a base may then hold changes made since, which `settled` tells; but if the namespace was emptied or restored
//!   since, the piece is gone (`NotFound`);
//! * an incremental is gone as soon as anything in its namespace has changed since it was frozen. Pieces of it read at
//!   different times would not fit together: a record deleted between the reading of the deletes and of the records
//!   would be in neither.

use bytes::Bytes;
use futures::{FutureExt as _, stream};
use redb::{ReadableTable, ReadableTableMetadata as _};
use strongroom_core::cluster::{PieceKind, PieceReader, PieceSpec, PieceSummary};
use strongroom_core::{ByteStream, Error, Result, Timestamp};
use strongroom_record::asb::{Encoder, GlobalsVersion};
use strongroom_record::deletes::{write_delete, write_header};
use strongroom_record::{Digest, Name, Record, Sieve};
use tokio::sync::{mpsc, oneshot};

use crate::definitions::{functions_in, indexes_in};
use crate::fault::Told as _;
use crate::look::Scan;
use crate::namespace::{checked_name, missing};
use crate::piece::PieceDetail;
use crate::row::{self, RowHead, Tombstone};
use crate::snapshot::Snapshot;
use crate::tables::{RecordKey, TableNames, digest_of, key_range, record_key};
use crate::{EmbeddedCluster, LookIn};

/// How much text is gathered before it is handed on.
const CHUNK: usize = 256 << 10;
/// How many chunks may wait for the reader.
const WAITING: usize = 4;
/// How many changed digests are sorted in memory; beyond, a whole range of partitions is read for what changed in it.
const SORTED: usize = if cfg!(test) { 50 } else { 1 << 19 };

/// What a piece is read from.
struct Source {
    snapshot: Snapshot,
    detail: PieceDetail,
    namespace: Name,
    tables: TableNames,
    sieve: Sieve,
    kind: PieceKind,
}

enum Message {
    Chunk(Bytes),
    End(PieceSummary),
    Failed(Error),
}

impl EmbeddedCluster {
    /// Finds the state that a piece was frozen in, or one that will do.
    fn source_of(&self, piece: &PieceSpec) -> Result<Source> {
        let detail = PieceDetail::of(piece)?;
        let gone = |why: String| {
            Error::not_found(format!("piece '{}' of part '{}' is gone: {why}", piece.name, detail.part))
                .hint("freeze the part again")
        };
        let (snapshot, kept) = match self.inner.snapshots.get(detail.until) {
            Some(snapshot) => (snapshot, true),
            None => (self.snapshot()?, false),
        };
        let (state, tables) = snapshot.namespace(&detail.part)?.ok_or_else(|| missing(&detail.part))?;
        if !kept {
            let until = Timestamp::from_micros(detail.until);
            if snapshot.clock < detail.until {
                return Err(gone(format!("the file has not come to {until}; an older copy may have been put back")));
            }
            if state.horizon > detail.since.unwrap_or(detail.until) {
                return Err(gone(format!("the part was emptied or restored, or forgot deletes, after {until}")));
            }
            if detail.since.is_some() && snapshot.changed_after(&tables, detail.until)? {
                return Err(gone(format!("the part changed after {until}, and that state was let go")));
            }
        }
        let sieve = Sieve::new(&detail.filter)?;
        Ok(Source { namespace: checked_name(&detail.part)?, snapshot, detail, tables, sieve, kind: piece.kind })
    }

    pub(crate) fn open_piece(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let source = self.source_of(piece)?;
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut sink = Sink { sender, text: Vec::new(), summary: PieceSummary::default() };
            let last = match source.pour(&mut sink).and_then(|()| sink.flush()) {
                Ok(()) => Message::End(sink.summary),
                Err(error) => Message::Failed(error),
            };
            // Nobody listens any more: nothing to tell.
            drop(sink.sender.blocking_send(last));
        });
        let (told, summary) = oneshot::channel();
        let summary =
            summary.map(|summary| summary.unwrap_or_else(|_| Err(Error::invalid("the piece was not read to its end"))));
        Ok(PieceReader { body: body(receiver, told), summary: summary.boxed() })
    }
}

/// The chunks that come over the channel. A channel that closes without an end is an error, never a short piece.
fn body(receiver: mpsc::Receiver<Message>, told: oneshot::Sender<Result<PieceSummary>>) -> ByteStream {
    let state = Some((receiver, told));
    Box::pin(stream::unfold(state, |state| async move {
        let (mut receiver, told) = state?;
        match receiver.recv().await {
            Some(Message::Chunk(chunk)) => Some((Ok(chunk), Some((receiver, told)))),
            Some(Message::End(summary)) => {
                // The caller may not want the summary.
                drop(told.send(Ok(summary)));
                None
            }
            Some(Message::Failed(error)) => Some((Err(error), None)),
            None => Some((Err(Error::internal("reading a piece of the embedded cluster broke off")), None)),
        }
    }))
}

struct Sink {
    sender: mpsc::Sender<Message>,
    text: Vec<u8>,
    summary: PieceSummary,
}

impl Sink {
    fn record(&mut self, record: &Record) -> Result<()> {
        Encoder::COMPACT.record(&mut self.text, record)?;
        self.summary.records += 1;
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<()> {
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::replace(&mut self.text, Vec::with_capacity(CHUNK + CHUNK / 8)));
        let sent = self.sender.blocking_send(Message::Chunk(chunk));
        sent.map_err(|_| Error::cancelled("nobody reads the piece any more"))
    }
}

impl Source {
    fn pour(&self, sink: &mut Sink) -> Result<()> {
        sink.summary.settled = Some(Timestamp::from_micros(self.snapshot.clock));
        match self.kind {
            PieceKind::Schema => self.pour_definitions(sink),
            PieceKind::Data => self.pour_records(sink),
            PieceKind::Deletes => self.pour_deletes(sink),
            PieceKind::Log => Err(Error::invalid("an embedded cluster has no commit log")),
        }
    }

    fn pour_definitions(&self, sink: &mut Sink) -> Result<()> {
        let mut indexes = indexes_in(self.snapshot.transaction(), &self.detail.part)?;
        indexes.retain(|index| self.sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)));
        let functions = functions_in(self.snapshot.transaction())?;
        let encoder = Encoder { compact: true, version: GlobalsVersion::needed(&indexes) };
        encoder.header(&mut sink.text, &self.namespace, false);
        for index in &indexes {
            encoder.index(&mut sink.text, index)?;
        }
        for function in &functions {
            encoder.function(&mut sink.text, function)?;
            sink.flush_if_full()?;
        }
        sink.summary.definitions = (indexes.len() + functions.len()) as u64;
        Ok(())
    }

    fn pour_records(&self, sink: &mut Sink) -> Result<()> {
        Encoder::COMPACT.header(&mut sink.text, &self.namespace, false);
        let since = self.detail.since.unwrap_or(i64::MIN);
        if self.detail.since.is_some() {
            let changes = self.snapshot.transaction().open_table(self.tables.changes()).told("reading changes")?;
            if let Some(digests) = self.since(&changes, since)? {
                return self.pour_changed(sink, &digests);
            }
        }
        let (snapshot, part) = (&self.snapshot, self.detail.part.as_str());
        let partitions = self.detail.partitions;
        for found in Scan::within(snapshot, part, self.sieve.clone(), LookIn::default(), partitions, since)? {
            sink.record(&found?.record)?;
        }
        Ok(())
    }

    fn pour_changed(&self, sink: &mut Sink, digests: &[Digest]) -> Result<()> {
        let records = self.snapshot.transaction().open_table(self.tables.records()).told("reading records")?;
        for &digest in digests {
            let Some(row) = records.get(&record_key(digest)).told("reading records")? else {
                return Err(Error::corrupt(format!("record {digest} has changed, but is not there")));
            };
            if self.sieve.takes_set(RowHead::of(row.value())?.set) {
                let mut record = row::decode(&self.namespace, digest, row.value())
                    .map_err(|error| error.within(format_args!("record {digest}")))?;
                self.sieve.strip(&mut record);
                sink.record(&record)?;
            }
        }
        Ok(())
    }

    fn pour_deletes(&self, sink: &mut Sink) -> Result<()> {
        write_header(&mut sink.text, &self.namespace);
        let since = self.detail.since.unwrap_or(i64::MIN);
        let deletions = self.snapshot.transaction().open_table(self.tables.deletions()).told("reading deletes")?;
        let tombstones = self.snapshot.transaction().open_table(self.tables.tombstones()).told("reading deletes")?;
        if let Some(digests) = self.since(&deletions, since)? {
            for digest in digests {
                let tombstone = tombstones.get(&record_key(digest)).told("reading deletes")?;
                let lost = || Error::corrupt(format!("record {digest} was deleted, but left no tombstone"));
                self.pour_delete(sink, digest, tombstone.ok_or_else(lost)?.value(), since)?;
            }
            return Ok(());
        }
        for range in self.sieve.ranges(self.detail.partitions) {
            let (first, last) = key_range(range);
            for entry in tombstones.range::<&RecordKey>(&first..=&last).told("reading deletes")? {
                let (key, tombstone) = entry.told("reading deletes")?;
                self.pour_delete(sink, digest_of(key.value()), tombstone.value(), since)?;
            }
        }
        Ok(())
    }

    fn pour_delete(&self, sink: &mut Sink, digest: Digest, tombstone: &[u8], since: i64) -> Result<()> {
        let tombstone = Tombstone::decode(tombstone)?;
        if tombstone.deleted > since && self.sieve.takes_set(tombstone.set) {
            let set = (!tombstone.set.is_empty()).then(|| Name::set(tombstone.set.to_vec())).transpose()?;
            write_delete(&mut sink.text, &digest, set.as_ref());
            sink.summary.deletes += 1;
            sink.flush_if_full()?;
        }
        Ok(())
    }

    /// The digests of this piece that are in `moments` after one of them, sorted; `None` if there are too many.
    fn since(&self, moments: &impl ReadableTable<i64, &'static [u8; 20]>, since: i64) -> Result<Option<Vec<Digest>>> {
        let (first, last) = self.detail.partitions;
        let mut digests = Vec::new();
        for entry in moments.range(since.saturating_add(1)..).told("reading changes")? {
            let (_, digest) = entry.told("reading changes")?;
            let digest = Digest(*digest.value());
            let partition = digest.partition();
            if (first..=last).contains(&partition) && self.sieve.takes_partition(partition) {
                if digests.len() == SORTED {
                    return Ok(None);
                }
                digests.push(digest);
            }
        }
        digests.sort_unstable_by_key(Digest::order);
        Ok(Some(digests))
    }
}

impl Snapshot {
    /// Whether anything in a namespace was written or deleted after a moment.
    fn changed_after(&self, tables: &TableNames, moment: i64) -> Result<bool> {
        let after = moment.saturating_add(1);
        let changes = self.transaction().open_table(tables.changes()).told("reading changes")?;
        let deletions = self.transaction().open_table(tables.deletions()).told("reading deletes")?;
        let any = |mut range: redb::Range<'_, i64, &'static [u8; 20]>| range.next().is_some();
        Ok(!deletions.is_empty().told("reading deletes")? && any(deletions.range(after..).told("reading deletes")?)
            || any(changes.range(after..).told("reading changes")?))
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use strongroom_core::Cluster as _;
    use strongroom_core::model::Filter;
    use strongroom_record::asb::{Limits, entities};
    use strongroom_record::deletes::tombstones;
    use strongroom_record::model::PARTITIONS;
    use strongroom_testkit::TestEnvironment;

    use super::*;
    use crate::PutOptions;

    fn record(number: u32) -> Record {
        let key = strongroom_record::UserKey::Integer(number.into());
        Record {
            namespace: Name::namespace("test").unwrap(),
            set: None,
            digest: Digest::of_key(None, &key),
            key: None,
            generation: 1,
            void_time: 0,
            bins: Vec::new(),
        }
    }

    fn digests(numbers: impl IntoIterator<Item = u32>) -> Vec<Digest> {
        let mut digests: Vec<_> = numbers.into_iter().map(|number| record(number).digest).collect();
        digests.sort_unstable_by_key(Digest::order);
        digests
    }

    fn change(cluster: &EmbeddedCluster, put: std::ops::Range<u32>, delete: std::ops::Range<u32>) {
        cluster
            .write_batch(|batch| {
                for number in put {
                    batch.put(record(number), PutOptions::default())?;
                }
                for number in delete {
                    batch.delete("test", record(number).digest)?;
                }
                Ok(())
            })
            .unwrap();
    }

    /// The digests in some pieces, one piece after the other.
    async fn read(cluster: &EmbeddedCluster, pieces: &[PieceSpec]) -> Vec<Digest> {
        let mut found = Vec::new();
        for piece in pieces {
            let body = cluster.read(piece).await.unwrap().body;
            if piece.kind == PieceKind::Deletes {
                let batches: Vec<_> = tombstones(body).try_collect().await.unwrap();
                found.extend(batches.concat().iter().map(|tombstone| tombstone.digest));
            } else {
                let batches: Vec<_> = entities(body, Limits::default(), 100).try_collect().await.unwrap();
                found.extend(batches.concat().into_iter().map(|entity| entity.into_record().unwrap().digest));
            }
        }
        found
    }

    #[tokio::test]
    async fn many_pieces_and_many_changes_read_like_few() {
        let cluster = EmbeddedCluster::in_memory(TestEnvironment::new(1).environment()).unwrap();
        change(&cluster, 0..1000, 0..0);
        let since = cluster.snapshot().unwrap().clock;
        for (last, is_sorted) in [(20, true), (400, false)] {
            change(&cluster, 900..900 + last, 0..last);
            let until = cluster.snapshot().unwrap().clock;
            let all = PieceDetail {
                part: "test".into(),
                partitions: (0, PARTITIONS - 1),
                filter: Filter::default(),
                since: None,
                until,
            };
            let later = PieceDetail { since: Some(since), ..all.clone() };
            for size in [1, 1 << 24] {
                let (whole, part) = (digests(last..(900 + last).max(1000)), digests(900..900 + last));
                assert_eq!(read(&cluster, &all.records(size, size).unwrap()).await, whole);
                assert_eq!(read(&cluster, &later.changes(size, 10).unwrap()).await, part);
                assert_eq!(read(&cluster, &later.deletes(size).unwrap()).await, digests(0..last));
            }
            let source = cluster.source_of(&later.changes(1, 10).unwrap()[0]).unwrap();
            let changes = source.snapshot.transaction().open_table(source.tables.changes()).unwrap();
            assert_eq!(source.since(&changes, since).unwrap().is_some(), is_sorted);
        }
    }

    #[tokio::test]
    async fn a_summary_that_is_asked_for_too_early_is_an_error() {
        let cluster = EmbeddedCluster::in_memory(TestEnvironment::new(1).environment()).unwrap();
        change(&cluster, 0..10, 0..0);
        let until = cluster.snapshot().unwrap().clock;
        let detail =
            PieceDetail { part: "test".into(), partitions: (0, 4095), filter: Filter::default(), since: None, until };
        let reader = cluster.read(&detail.records(1, 1).unwrap()[0]).await.unwrap();
        drop(reader.body);
        assert!(reader.summary.await.unwrap_err().to_string().contains("not read to its end"));
    }
}
