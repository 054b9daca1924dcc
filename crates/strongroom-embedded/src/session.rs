//! Restores in progress. A session is kept in the file itself, so that it goes on in another process.
//!
//! Conflict policy is about what was there before the session began: everything that was written later counts as the
//! restore's own and is replaced by its later steps. So a chain that is written backup by backup ends in the same state
//! as one that was folded first.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{RestoreOptions, RestoreOutline, RestoreReport, RestoreSession};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::Name;

use crate::fault::Told as _;
use crate::file::{from_json, to_json};
use crate::namespace::checked_name;
use crate::tables::SESSIONS;
use crate::{Batch, EmbeddedCluster, Emptying};
use strongroom_record::Sieve;

/// How many ended sessions are remembered, so that a repeated call finds its own.
const REMEMBERED: usize = 64;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Open,
    Finished,
    GivenUp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) options: RestoreOptions,
    /// The parts of the plan and what of them is restored.
    pub(crate) parts: BTreeMap<String, Filter>,
    /// What was written after this moment of the file's clock is the session's own.
    pub(crate) begun: i64,
    pub(crate) stage: Stage,
}

impl Stored {
    fn targets(&self) -> BTreeSet<&str> {
        self.parts.keys().map(|part| self.options.target_of(part)).collect()
    }
}

/// What can be said against an outline before anything is touched.
pub(crate) fn objections(outline: &RestoreOutline, options: &RestoreOptions) -> Vec<Error> {
    let mut found = Vec::new();
    let mut targets: BTreeMap<&str, &str> = BTreeMap::new();
    for (part, detail) in &outline.parts {
        let target = options.target_of(part);
        if let Err(error) = checked_name(target) {
            found.push(error);
        }
        if let Err(error) = Sieve::new(&detail.filter) {
            found.push(error);
        }
        if let Some(other) = targets.insert(target, part) {
            found.push(Error::invalid(format!("parts '{other}' and '{part}' would both be restored as '{target}'")));
        }
    }
    found
}

impl EmbeddedCluster {
    pub(crate) fn begin_session(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let parts: BTreeMap<_, _> =
            outline.parts.iter().map(|(part, detail)| (part.clone(), detail.filter.clone())).collect();
        let session = RestoreSession { id, options: options.clone(), detail: serde_json::Value::Null };
        if let Some(stored) = self.stored_session(id)? {
            return if stored.stage == Stage::GivenUp {
                Err(Error::invalid(format!("restore {id} was given up")).hint("begin a new one"))
            } else if stored.options == *options && stored.parts == parts {
                Ok(session)
            } else {
                Err(Error::invalid(format!("restore {id} was begun with another plan or other options"))
                    .hint("resume it with its own, or begin a new one"))
            };
        }
        if let Some(error) = objections(outline, options).into_iter().next() {
            return Err(error);
        }
        self.write_batch(|batch| {
            for (part, filter) in &parts {
                batch.prepare(options.target_of(part), filter, options)?;
            }
            let begun = batch.tick();
            batch.forget_old_sessions()?;
            batch.write_session(id, &Stored { options: options.clone(), parts, begun, stage: Stage::Open })
        })?;
        Ok(session)
    }

    fn stored_session(&self, id: SessionId) -> Result<Option<Stored>> {
        let table = self.begin_read()?.open_table(SESSIONS).told("reading a restore session")?;
        let json = table.get(id.as_bytes()).told("reading a restore session")?;
        json.map(|json| from_json(json.value())).transpose()
    }

    /// A session that can be written to.
    pub(crate) fn open_session(&self, session: &RestoreSession) -> Result<Stored> {
        let id = session.id;
        let stored = self.stored_session(id)?.ok_or_else(|| {
            Error::not_found(format!("this file knows no restore {id}")).hint("begin it, or open the file it began in")
        })?;
        match stored.stage {
            Stage::Open => Ok(stored),
            Stage::Finished => Err(Error::invalid(format!("restore {id} has been finished"))),
            Stage::GivenUp => Err(Error::invalid(format!("restore {id} was given up")).hint("begin a new one")),
        }
    }

    pub(crate) fn finish_session(&self, session: &RestoreSession) -> Result<RestoreReport> {
        let id = session.id;
        let Some(stored) = self.stored_session(id)? else {
            return Err(Error::not_found(format!("this file knows no restore {id}")));
        };
        match stored.stage {
            Stage::GivenUp => return Err(Error::invalid(format!("restore {id} was given up")).hint("begin a new one")),
            Stage::Finished => {}
            Stage::Open => self.end_session(id, stored, Stage::Finished)?,
        }
        Ok(RestoreReport::default())
    }

    pub(crate) fn abort_session(&self, session: &RestoreSession) -> Result<()> {
        match self.stored_session(session.id)? {
            Some(stored) if stored.stage == Stage::Open => self.end_session(session.id, stored, Stage::GivenUp),
            _ => Ok(()),
        }
    }

    /// Ends a session. Finished or given up, what it wrote is no continuation of what was before: a new timeline.
    fn end_session(&self, id: SessionId, mut stored: Stored, stage: Stage) -> Result<()> {
        self.write_batch(|batch| {
            for target in stored.targets() {
                // It may have been dropped meanwhile.
                if batch.has_namespace(target)? {
                    let horizon = batch.tick();
                    batch.existing(target)?.state.timeline += 1;
                    batch.begin_history(target)?;
                    batch.forget_deletes(target, horizon)?;
                }
            }
            stored.stage = stage;
            batch.write_session(id, &stored)
        })
    }
}

impl Batch<'_> {
    fn write_session(&mut self, id: SessionId, stored: &Stored) -> Result<()> {
        let mut table = self.transaction.open_table(SESSIONS).told("writing a restore session")?;
        table.insert(id.as_bytes(), to_json(stored)?.as_slice()).told("writing a restore session")?;
        Ok(())
    }

    fn forget_old_sessions(&mut self) -> Result<()> {
        let mut table = self.transaction.open_table(SESSIONS).told("reading restore sessions")?;
        let mut ended = Vec::new();
        for entry in table.iter().told("reading restore sessions")? {
            let (id, json) = entry.told("reading restore sessions")?;
            let stored: Stored = from_json(json.value())?;
            if stored.stage != Stage::Open {
                ended.push((stored.begun, *id.value()));
            }
        }
        ended.sort_unstable();
        for (_, id) in ended.iter().take(ended.len().saturating_sub(REMEMBERED)) {
            table.remove(id).told("forgetting a restore session")?;
        }
        Ok(())
    }

    /// Makes a namespace ready to be restored into: empties what the restore is about to fill, if asked to, and breaks
    /// the history, since the records get the time of the restore.
    fn prepare(&mut self, target: &str, filter: &Filter, options: &RestoreOptions) -> Result<()> {
        self.create_namespace(target)?;
        if options.truncate {
            if !options.no_data {
                self.empty(target, filter, Emptying::Cut)?;
            }
            if !options.no_definitions {
                let sieve = Sieve::new(filter)?;
                self.drop_indexes_where(target, |index| {
                    sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes))
                })?;
            }
        }
        let horizon = self.tick();
        self.forget_deletes(target, horizon)?;
        self.begin_history(target)
    }
}
