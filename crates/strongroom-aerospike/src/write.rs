//! Writing pieces: text to records, records to batches for their masters.

use futures::StreamExt as _;
use strongroom_core::cluster::{Applied, Conflict, PieceKind, PieceSpec, RestoreOptions, RestoreSession};
use strongroom_core::{ByteStream, Error, Result};
use strongroom_record::asb::{AsbError, Decoder};
use strongroom_record::census;
use strongroom_record::deletes::DeletesDecoder;
use strongroom_record::{Entity, Name, Record, Sieve};

use crate::AerospikeCluster;
use crate::deliver::Delivery;
use crate::session::SessionDetail;
use crate::tally::Tally;

/// A piece on its way into the cluster.
struct Writer<'a> {
    cluster: &'a AerospikeCluster,
    options: &'a RestoreOptions,
    source: Name,
    target: Name,
    sieve: Sieve,
    tally: Tally,
    applied: Applied,
}

impl AerospikeCluster {
    pub(crate) async fn write_piece(
        &self,
        session: &RestoreSession,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        let options = &session.options;
        let detail = SessionDetail::of(session)?;
        let filter = detail.parts.get(part).ok_or_else(|| {
            Error::invalid(format!("part '{part}' is not in the plan that this restore was begun with"))
        })?;
        let writer = Writer {
            cluster: self,
            options,
            source: Name::namespace(part.to_owned())?,
            target: Name::namespace(options.target_of(part).to_owned())?,
            sieve: Sieve::new(filter)?,
            tally: self.tally_of(session),
            applied: Applied::default(),
        };
        writer.write(piece.kind, body, &format!("piece '{}' of part '{part}'", piece.name)).await
    }
}

/// Why a piece was not written: what its body said goes on unchanged.
enum Stop {
    Body(Error),
    Own(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl From<AsbError> for Stop {
    /// In a piece, what the reader does not know is damage: which formats there are is the manifest's business.
    fn from(error: AsbError) -> Self {
        Self::Own(Error::corrupt(error.to_string()).hint(error.hint))
    }
}

impl Writer<'_> {
    async fn write(mut self, kind: PieceKind, body: ByteStream, place: &str) -> Result<Applied> {
        let outcome = match kind {
            PieceKind::Schema if self.options.no_definitions => drain(body).await,
            PieceKind::Data | PieceKind::Deletes if self.options.no_data => drain(body).await,
            PieceKind::Schema => self.schema(body).await,
            PieceKind::Data => self.data(body).await,
            PieceKind::Deletes => self.deletes(body).await,
            PieceKind::Log => Err(Error::unsupported("an Aerospike cluster replays no commit logs").into()),
        };
        match outcome {
            Ok(()) => Ok(self.applied),
            Err(Stop::Body(error)) => Err(error),
            Err(Stop::Own(error)) => Err(error.within(place)),
        }
    }

    async fn schema(&mut self, mut body: ByteStream) -> Result<(), Stop> {
        let mut definitions = Vec::new();
        let mut decoder = Decoder::default();
        while let Some(chunk) = body.next().await {
            decoder.push(chunk.map_err(Stop::Body)?);
            while let Some(entity) = decoder.next_entity()? {
                definitions.push(entity);
            }
        }
        decoder.finish()?;
        // Only what was read to its end is applied.
        let replace = self.options.conflict == Conflict::Replace;
        for definition in definitions {
            match definition {
                Entity::Record(_) => {
                    return Err(Error::corrupt("a record where only indexes and functions are expected").into());
                }
                Entity::Function(function) => {
                    self.cluster.define_function(&function, replace, &mut self.applied).await?;
                }
                Entity::Index(mut index) => {
                    self.check_namespace(&index.namespace, || format!("index '{}'", index.name))?;
                    // Counters are of records: an index of another set is none.
                    if self.sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)) {
                        index.namespace = self.target.clone();
                        self.cluster.define_index(&index, replace, &mut self.applied).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn data(&mut self, mut body: ByteStream) -> Result<(), Stop> {
        let mut delivery = Delivery::new(self.cluster, self.options, &self.target, self.tally.clone()).await?;
        let mut decoder = Decoder::default();
        while let Some(chunk) = body.next().await {
            decoder.push(chunk.map_err(Stop::Body)?);
            while let Some(entity) = decoder.next_entity()? {
                if let Some(record) = self.admit(entity)? {
                    delivery.put(record).await?;
                }
            }
        }
        decoder.finish()?;
        self.applied += delivery.finish().await?;
        Ok(())
    }

    /// The record as it shall be written; `None`: not at all.
    fn admit(&mut self, entity: Entity) -> Result<Option<Record>> {
        let Entity::Record(mut record) = entity else {
            return Err(Error::corrupt("an index or function where only records are expected"));
        };
        self.check_namespace(&record.namespace, || format!("record {}", record.digest))?;
        let had_bins = !record.bins.is_empty();
        self.sieve.strip(&mut record);
        // A server has no record without bins.
        if !self.sieve.takes_record(&record) || (had_bins && record.bins.is_empty()) {
            self.applied.filtered += 1;
            return Ok(None);
        }
        record.namespace = self.target.clone();
        Ok(Some(record))
    }

    async fn deletes(&mut self, mut body: ByteStream) -> Result<(), Stop> {
        let mut delivery = Delivery::new(self.cluster, self.options, &self.target, self.tally.clone()).await?;
        let mut decoder = DeletesDecoder::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(Stop::Body)?;
            if chunk.starts_with(census::MAGIC) {
                return Err(Error::unsupported(
                    "a census says what is gone only when it is merged with the backups before it",
                )
                .hint("restore the chain merged, as is usual")
                .into());
            }
            decoder.push(chunk);
            while let Some(tombstone) = decoder.next_delete()? {
                self.check_namespace(&tombstone.namespace, || format!("delete of {}", tombstone.digest))?;
                let set = tombstone.set.as_ref();
                if !self.sieve.takes_partition(tombstone.digest.partition())
                    || set.is_some_and(|set| !self.sieve.takes_set(set.as_bytes()))
                {
                    self.applied.filtered += 1;
                } else if self.options.conflict == Conflict::Replace {
                    delivery.delete(&tombstone).await?;
                }
            }
        }
        decoder.finish()?;
        self.applied += delivery.finish().await?;
        Ok(())
    }

    fn check_namespace(&self, found: &Name, what: impl FnOnce() -> String) -> Result<()> {
        if *found == self.source {
            return Ok(());
        }
        Err(Error::corrupt(format!("{} belongs to namespace '{found}', not '{}'", what(), self.source))
            .hint("the piece was mixed up with one of another part: verify the backup"))
    }
}

async fn drain(mut body: ByteStream) -> Result<(), Stop> {
    while let Some(chunk) = body.next().await {
        chunk.map_err(Stop::Body)?;
    }
    Ok(())
}
