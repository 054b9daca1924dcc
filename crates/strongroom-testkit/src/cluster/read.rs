//! Reading pieces, from the frozen moment or from the living cluster.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::channel::oneshot;
use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::cluster::{PieceReader, PieceSpec, PieceSummary};
use strongroom_core::{Error, Result, Timestamp};

use super::freeze::{Detail, What};
use super::history::{FILES, at};
use super::piece::{Encoder, Entry};
use super::{PartFault, SimulatedCluster};

/// What is still to be read of one piece.
struct Reading {
    cluster: SimulatedCluster,
    detail: Detail,
    source: Source,
    sent: usize,
    fails: Option<(usize, Error)>,
    slow: Option<Duration>,
    summary: PieceSummary,
    told: Option<oneshot::Sender<PieceSummary>>,
}

enum Source {
    /// Tables or records to look up, one by one, and the encoder while the end is not written.
    Entries(std::vec::IntoIter<Wanted>, Option<Encoder>),
    Body(Bytes),
}

enum Wanted {
    Table(String),
    Record(String, String),
}

impl SimulatedCluster {
    pub(super) fn read_now(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let detail: Detail = serde_json::from_value(piece.detail.clone()).map_err(|error| {
            Error::invalid(format!("piece '{}' is not of a simulated cluster", piece.name)).because(error)
        })?;
        let source = self.source(piece, &detail)?;
        let mut state = self.lock();
        *state.reads.entry(format!("{}/{}", detail.part, piece.name)).or_default() += 1;
        let slow = state.fault(&detail.part, |fault| match fault {
            PartFault::Slow(pause) => Some(*pause),
            _ => None,
        });
        let fails = state.use_up(&detail.part, |fault| match fault {
            PartFault::Read { after, kind, .. } => {
                Some((*after, Error::new(*kind, format!("piece '{}' fails as the test wants", piece.name))))
            }
            _ => None,
        });
        drop(state);
        let (told, summary) = oneshot::channel();
        let summary_or =
            |told: Result<PieceSummary, _>| told.map_err(|_| Error::internal("a body was not read to its end"));
        let reading = Reading {
            cluster: self.clone(),
            detail,
            source,
            sent: 0,
            fails,
            slow,
            summary: PieceSummary::default(),
            told: Some(told),
        };
        let body = stream::unfold(Some(reading), async |reading| {
            let mut reading = reading?;
            match reading.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reading))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(PieceReader { body: body.boxed(), summary: summary.map(summary_or).boxed() })
    }

    fn source(&self, piece: &PieceSpec, detail: &Detail) -> Result<Source> {
        let state = self.lock();
        let released = || Error::not_found(format!("piece '{}': what was frozen is released", piece.name));
        if !state.frozen.contains(&detail.freeze) {
            return Err(released());
        }
        let part = state.parts.get(&detail.part).ok_or_else(released)?;
        let file = |name: &str, moment: Timestamp| {
            let history = part.tables.get(FILES).and_then(|files| files.get(name)).ok_or_else(released)?;
            let version = history.iter().find(|version| version.at == moment).ok_or_else(released)?;
            version.value.clone().ok_or_else(released)
        };
        let records = |first, end, seen: fn(bool) -> bool| {
            let changed = state.changed(detail, (first, end), self.moment_of(detail));
            let wanted = changed.into_iter().filter(|(_, version)| seen(version.value.is_some()));
            let wanted = wanted.map(|((_, table, record), _)| Wanted::Record(table.to_owned(), record.to_owned()));
            Source::Entries(wanted.collect::<Vec<_>>().into_iter(), Some(Encoder::default()))
        };
        Ok(match &detail.what {
            What::Schema => {
                let meant =
                    |table: &&String| detail.filter.tables.as_ref().is_none_or(|wanted| wanted.contains(*table));
                let tables: Vec<_> = part.tables.keys().filter(meant).cloned().map(Wanted::Table).collect();
                Source::Entries(tables.into_iter(), Some(Encoder::default()))
            }
            What::Data { first, end } if self.shared.options.live && detail.since.is_some() => {
                records(*first, *end, |_| true)
            }
            What::Data { first, end } => records(*first, *end, |alive| alive),
            What::Deletes { first, end } => records(*first, *end, |alive| !alive),
            What::Zero => Source::Body(Bytes::new()),
            What::FileBody { name, at } => Source::Body(file(name, *at)?),
            What::FileStat { name, at } => {
                let stat = format!("{} {} {}", file(name, *at)?.len(), at.micros(), strongroom_core::Key::escape(name));
                Source::Body(stat.into())
            }
        })
    }

    fn moment_of(&self, detail: &Detail) -> Timestamp {
        if self.shared.options.live { Timestamp::MAX } else { detail.until }
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.slow {
            Some(pause) => tokio::time::sleep(pause).await,
            None => tokio::task::yield_now().await,
        }
        let mut chunk = self.chunk()?;
        if let Some((after, error)) = self.fails.take() {
            let room = after.saturating_sub(self.sent);
            if room == 0 || chunk.is_empty() {
                return Err(error);
            }
            chunk.truncate(room);
            self.fails = Some((after, error));
        }
        self.sent += chunk.len();
        if chunk.is_empty() {
            if self.cluster.shared.options.live {
                let now = self.cluster.lock().moment(&*self.cluster.shared.clock);
                self.summary.settled = Some(now);
            }
            // Nobody may be there to hear it.
            self.told.take().map(|told| told.send(self.summary));
            return Ok(None);
        }
        Ok(Some(chunk))
    }

    fn chunk(&mut self) -> Result<Bytes> {
        let (cluster, detail) = (self.cluster.clone(), &self.detail);
        let (state, size) = (cluster.lock(), cluster.shared.options.chunk.max(1));
        if !state.frozen.contains(&detail.freeze) {
            return Err(Error::not_found(format!("part '{}' was released while it was read", detail.part)));
        }
        let (entries, encoder) = match &mut self.source {
            Source::Body(rest) => {
                self.summary.records = 1;
                return Ok(rest.split_to(size.min(rest.len())));
            }
            Source::Entries(entries, encoder) => (entries, encoder),
        };
        let mut out = BytesMut::new();
        while let Some(writer) = encoder.as_mut().filter(|_| out.len() < size) {
            let entry = match entries.next() {
                Some(Wanted::Table(table)) => Entry::Table(table),
                Some(Wanted::Record(table, record)) => {
                    let history = state.parts.get(&detail.part).and_then(|part| part.tables.get(&table)?.get(&record));
                    let Some(version) = history.and_then(|history| at(history, cluster.moment_of(detail))) else {
                        continue;
                    };
                    // A base needs no deletes; of a record that went while it was read there is nothing to tell.
                    if version.value.is_none() && detail.since.is_none() {
                        continue;
                    }
                    Entry::Record { at: version.at, value: version.value.clone(), table, record }
                }
                None => {
                    encoder.take().unwrap_or_default().finish(&mut out);
                    break;
                }
            };
            match &entry {
                Entry::Table(_) => self.summary.definitions += 1,
                Entry::Record { value: Some(_), .. } => self.summary.records += 1,
                Entry::Record { value: None, .. } => self.summary.deletes += 1,
            }
            writer.push(&entry, &mut out);
        }
        Ok(out.freeze())
    }
}
