//! Writing pieces: text to records, in batches, each in the file before the next begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::cluster::{Applied, Conflict, PieceKind, PieceSpec, RestoreSession, StepId};
use strongroom_core::{ByteStream, Error, Result};
use strongroom_record::asb::{AsbError, Decoder};
use strongroom_record::deletes::{DeletesDecoder, Tombstone};
use strongroom_record::{Entity, Name, Record};
use tokio::sync::mpsc;

use crate::batch::Rule;
use crate::definitions::Origin;
use crate::namespace::checked_name;
use crate::options::seconds;
use crate::session::Stored;
use crate::{Batch, EmbeddedCluster, Generation, Put, PutOptions};
use strongroom_record::Sieve;

/// Most records of one batch.
const BATCH_RECORDS: usize = 16 << 10;
/// Most bytes of one batch, about.
const BATCH_BYTES: usize = 16 << 20;
/// How many chunks may wait to be written.
const WAITING: usize = 4;

/// What comes over the channel. Without an end the body was dropped half-way, and is not to be taken for a whole one.
enum Feed {
    Chunk(Bytes),
    End,
}

impl EmbeddedCluster {
    pub(crate) async fn write_piece(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        mut body: ByteStream,
    ) -> Result<Applied> {
        let (feed, chunks) = mpsc::channel(WAITING);
        let dropped = Dropped::default();
        let writer = {
            let (cluster, session, dropped) = (self.clone(), session.clone(), Arc::clone(&dropped.0));
            let (part, name, kind) = (part.to_owned(), piece.name.clone(), piece.kind);
            tokio::task::spawn_blocking(move || {
                let place = format!("piece '{name}' of part '{part}'");
                let stored = cluster.open_session(&session)?;
                let writer = Writer::new(cluster, stored, session.id.as_bytes(), step, &part, dropped)?;
                writer.write(kind, chunks).map_err(|error| error.within(place))
            })
        };
        let mut failed = None;
        while let Some(chunk) = body.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            if feed.send(Feed::Chunk(chunk)).await.is_err() {
                // The writer has failed and tells why.
                break;
            }
        }
        if failed.is_none() {
            // If the writer is gone, it has failed: likewise.
            drop(feed.send(Feed::End).await);
        }
        drop(feed);
        let written = writer.await;
        match failed {
            Some(error) => Err(error),
            None => written.unwrap_or_else(|error| {
                Err(Error::internal("writing into the embedded cluster broke off").because(error))
            }),
        }
    }
}

/// Tells the writer that nobody waits for it any more.
#[derive(Default)]
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One piece on its way into the file.
struct Writer {
    cluster: EmbeddedCluster,
    stored: Stored,
    origin: Origin,
    source: Name,
    target: Name,
    sieve: Sieve,
    now: Option<u64>,
    applied: Applied,
    dropped: Arc<AtomicBool>,
}

impl Writer {
    fn new(
        cluster: EmbeddedCluster,
        stored: Stored,
        id: &[u8; 16],
        step: StepId,
        part: &str,
        dropped: Arc<AtomicBool>,
    ) -> Result<Self> {
        let filter = stored.parts.get(part).ok_or_else(|| {
            Error::invalid(format!("part '{part}' is not in the plan that this restore was begun with"))
        })?;
        Ok(Self {
            sieve: Sieve::new(filter)?,
            source: checked_name(part)?,
            target: checked_name(stored.options.target_of(part))?,
            now: stored.options.now.map(seconds),
            origin: Origin { session: *id, step },
            applied: Applied::default(),
            cluster,
            stored,
            dropped,
        })
    }

    fn write(mut self, kind: PieceKind, chunks: mpsc::Receiver<Feed>) -> Result<Applied> {
        match kind {
            PieceKind::Schema if self.stored.options.no_definitions => drain(chunks)?,
            PieceKind::Data | PieceKind::Deletes if self.stored.options.no_data => drain(chunks)?,
            PieceKind::Schema => self.write_schema(chunks)?,
            PieceKind::Data => self.write_data(chunks)?,
            PieceKind::Deletes => self.write_deletes(chunks)?,
            PieceKind::Log => return Err(Error::unsupported("an embedded cluster replays no commit logs")),
        }
        Ok(self.applied)
    }

    fn write_schema(&mut self, chunks: mpsc::Receiver<Feed>) -> Result<()> {
        let mut definitions = Vec::new();
        decode_entities(chunks, |entity| {
            if matches!(entity, Entity::Record(_)) {
                return Err(Error::corrupt("a record where only indexes and functions are expected"));
            }
            definitions.push(entity);
            Ok(())
        })?;
        let mut applied = Applied::default();
        self.write_batch(|batch| {
            batch.drop_outdated(self.target_text()?, self.origin)?;
            definitions.drain(..).try_for_each(|definition| self.define(batch, definition, &mut applied))
        })?;
        self.applied += applied;
        Ok(())
    }

    fn define(&self, batch: &mut Batch<'_>, definition: Entity, applied: &mut Applied) -> Result<()> {
        let replace = self.stored.options.conflict == Conflict::Replace;
        let there = match definition {
            Entity::Record(_) => return Ok(()),
            Entity::Function(function) => batch.store_function(function, self.origin, replace)?,
            Entity::Index(mut index) => {
                self.check_namespace(&index.namespace, || format!("index '{}'", index.name))?;
                if !self.sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)) {
                    applied.filtered += 1;
                    return Ok(());
                }
                index.namespace = self.target.clone();
                batch.store_index(index, self.origin, replace)?
            }
        };
        if there.is_none() || (replace && there == Some(false)) {
            applied.definitions += 1;
        } else {
            applied.kept += 1;
        }
        Ok(())
    }

    fn write_data(&mut self, chunks: mpsc::Receiver<Feed>) -> Result<()> {
        let mut gathered = Vec::new();
        let mut weight = 0;
        decode_entities(chunks, |entity| {
            let Entity::Record(mut record) = entity else {
                return Err(Error::corrupt("an index or function where only records are expected"));
            };
            self.check_namespace(&record.namespace, || format!("record {}", record.digest))?;
            if !self.sieve.takes_record(&record) {
                self.applied.filtered += 1;
                return Ok(());
            }
            self.sieve.strip(&mut record);
            record.namespace = self.target.clone();
            weight += record.weight();
            gathered.push(record);
            if gathered.len() >= BATCH_RECORDS || weight >= BATCH_BYTES {
                weight = 0;
                self.write_records(&mut gathered)?;
            }
            Ok(())
        })?;
        self.write_records(&mut gathered)
    }

    /// Writes a batch, or nothing of it.
    fn write_records(&mut self, records: &mut Vec<Record>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        // Stable: of two records with one digest the later one counts.
        records.sort_by_key(Record::order);
        let options = PutOptions { generation: Generation::Given, conflict: self.stored.options.conflict };
        let rule = Rule { options, own_after: Some(self.stored.begun) };
        let mut applied = Applied::default();
        let target = self.target_text()?;
        self.write_batch(|batch| {
            for record in records.drain(..) {
                if self.now.is_some_and(|now| record.expired_at(now)) {
                    // An earlier step of this restore may have written what was alive then.
                    batch.delete_if(target, record.digest, |there| there.changed > self.stored.begun)?;
                    applied.expired += 1;
                } else {
                    match batch.store(record, rule)? {
                        Put::Written { .. } => applied.written += 1,
                        Put::Kept => applied.kept += 1,
                    }
                }
            }
            Ok(())
        })?;
        self.applied += applied;
        Ok(())
    }

    fn write_deletes(&mut self, chunks: mpsc::Receiver<Feed>) -> Result<()> {
        let mut decoder = DeletesDecoder::new();
        let mut gathered = Vec::new();
        each_chunk(chunks, |chunk| {
            let Some(chunk) = chunk else { return decoder.finish().map_err(|error| no_piece(&error)) };
            decoder.push(chunk);
            while let Some(tombstone) = decoder.next_delete().map_err(|error| no_piece(&error))? {
                self.check_namespace(&tombstone.namespace, || format!("delete of {}", tombstone.digest))?;
                gathered.push(tombstone);
                if gathered.len() >= BATCH_RECORDS {
                    self.delete_records(&mut gathered)?;
                }
            }
            Ok(())
        })?;
        self.delete_records(&mut gathered)
    }

    fn delete_records(&mut self, tombstones: &mut Vec<Tombstone>) -> Result<()> {
        if tombstones.is_empty() {
            return Ok(());
        }
        let target = self.target_text()?;
        // What was there before is only deleted if it would be replaced, too.
        let own_after = match self.stored.options.conflict {
            Conflict::Replace => i64::MIN,
            Conflict::Keep | Conflict::Newer => self.stored.begun,
        };
        let mut applied = Applied::default();
        self.write_batch(|batch| {
            for tombstone in tombstones.drain(..) {
                if !self.sieve.takes_partition(tombstone.digest.partition()) {
                    applied.filtered += 1;
                    continue;
                }
                // The tombstone may not know the set; the record does.
                let deleted = batch.delete_if(target, tombstone.digest, |there| {
                    there.changed > own_after && self.sieve.takes_set(there.set)
                })?;
                applied.deleted += u64::from(deleted);
            }
            Ok(())
        })?;
        self.applied += applied;
        Ok(())
    }

    /// A batch, unless the future that wanted it was dropped: what comes after must not be overtaken by it.
    fn write_batch(&self, work: impl FnOnce(&mut Batch<'_>) -> Result<()>) -> Result<()> {
        self.cluster.write_batch(|batch| {
            if self.dropped.load(Ordering::Acquire) {
                return Err(Error::cancelled("the restore was cancelled"));
            }
            work(batch)
        })
    }

    fn target_text(&self) -> Result<&str> {
        crate::namespace::text_of(&self.target)
    }

    fn check_namespace(&self, found: &Name, what: impl FnOnce() -> String) -> Result<()> {
        if *found == self.source {
            return Ok(());
        }
        Err(Error::corrupt(format!("{} belongs to namespace '{found}', not '{}'", what(), self.source))
            .hint("the piece was mixed up with one of another part: verify the backup"))
    }
}

/// Calls `take` with every chunk, then with `None` at the end.
fn each_chunk(mut chunks: mpsc::Receiver<Feed>, mut take: impl FnMut(Option<Bytes>) -> Result<()>) -> Result<()> {
    loop {
        match chunks.blocking_recv() {
            Some(Feed::Chunk(chunk)) => take(Some(chunk))?,
            Some(Feed::End) => return take(None),
            None => return Err(Error::cancelled("the piece was not handed over to its end")),
        }
    }
}

/// In a piece, what the reader does not know is damage: which formats there are is the manifest's business.
fn no_piece(error: &AsbError) -> Error {
    Error::corrupt(error.to_string()).hint(error.hint)
}

fn drain(chunks: mpsc::Receiver<Feed>) -> Result<()> {
    each_chunk(chunks, |_| Ok(()))
}

fn decode_entities(chunks: mpsc::Receiver<Feed>, mut take: impl FnMut(Entity) -> Result<()>) -> Result<()> {
    let mut decoder = Decoder::default();
    each_chunk(chunks, |chunk| {
        let Some(chunk) = chunk else { return decoder.finish().map_err(|error| no_piece(&error)) };
        decoder.push(chunk);
        while let Some(entity) = decoder.next_entity().map_err(|error| no_piece(&error))? {
            take(entity)?;
        }
        Ok(())
    })
}
