//! Snapshots: the fold of all segments up to one, in a form that is quickly read back. See "Snapshots" in
//! `docs/format.md`.
//!
//! ```text
//! <head>
//! <the records of everything but the committed backups, one a line>
//! {"record":"packed","bytes":N}
//! <N bytes: the committed backups, see planner/packed.rs><LF>
//! <foot>
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::Repository;
use super::super::document::{self, Kind};
use super::state::{Line, State};
use crate::planner::{Builder, Catalogue};
use crate::{Error, Key, Result};

/// The last line before the packed entries.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename = "packed")]
struct Packed {
    bytes: usize,
}

impl Repository {
    /// A snapshot of `lines` and of the committed backups in `catalogue`.
    pub(super) fn seal_snapshot(&self, key: &Key, lines: &[Line], catalogue: &Catalogue) -> Result<Bytes> {
        let packed = catalogue.pack();
        document::seal_with(Kind::Snapshot, self.id(), key, self.environment.random()?, |out| {
            lines.iter().try_for_each(|line| document::push_line(out, line))?;
            document::push_line(out, &Packed { bytes: packed.len() })?;
            out.extend_from_slice(&packed);
            out.push(b'\n');
            Ok(())
        })
    }

    /// Reads a snapshot, off the async threads: proving and unpacking a large one takes a while.
    pub(super) async fn read_snapshot(&self, key: &Key, body: Bytes) -> Result<State> {
        let (key, repository) = (key.clone(), self.id());
        let work = move || {
            let opened = document::open(&key, &body, &[Kind::Snapshot], Some(repository))?;
            unpack(&key, opened.body())
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(Error::internal("reading a snapshot panicked").because(error)))
    }
}

fn unpack(key: &Key, mut body: &[u8]) -> Result<State> {
    let damaged = |why: &str| Error::corrupt(format!("{key} is damaged: {why}"));
    let mut lines = Vec::new();
    loop {
        let end = body.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it holds no packed entries"))?;
        let (line, rest) = body.split_at(end);
        body = &rest[1..];
        if line.is_empty() {
            continue;
        }
        if let Ok(Packed { bytes }) = serde_json::from_slice(line) {
            let packed = body.strip_suffix(b"\n").filter(|packed| packed.len() == bytes);
            let packed = packed.ok_or_else(|| damaged("its packed entries have another length"))?;
            let mut state = State::of(Builder::unpack(packed).map_err(|error| error.within(key.to_string()))?);
            for line in lines {
                state.line(line);
            }
            return Ok(state);
        }
        lines.push(Line::parse(line, key)?);
    }
}
