//! Restores in progress.
//!
//! A live cluster keeps nothing of a session. What makes it the same in another process is the session itself, which the
//! engine's journal holds: begun once, it is never begun again there. Within a process the ids that were begun are known, so
//! that the same id is the same session and truncates nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{RestoreOptions, RestoreOutline, RestoreReport, RestoreSession};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::{Name, Sieve};

use crate::AerospikeCluster;
use crate::tally::Tally;

/// How many ended sessions are remembered, so that a repeated call finds its own.
const REMEMBERED: usize = 64;

/// A session that began in this process.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    session: RestoreSession,
    tally: Tally,
    ended: bool,
}

/// What any process needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionDetail {
    /// The parts of the plan and what of them is restored.
    pub(crate) parts: BTreeMap<String, Filter>,
    /// What was last written before this moment was truncated: seconds since 1970, by the servers' clocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) truncated: Option<i64>,
}

impl SessionDetail {
    pub(crate) fn of(session: &RestoreSession) -> Result<Self> {
        serde_json::from_value(session.detail.clone()).map_err(|error| {
            Error::invalid(format!("restore {} was not begun in an Aerospike cluster", session.id)).because(error)
        })
    }
}

/// What can be said against an outline before anything is touched.
pub(crate) fn objections(outline: &RestoreOutline, options: &RestoreOptions) -> Vec<Error> {
    let mut found = Vec::new();
    let mut targets: BTreeMap<&str, &str> = BTreeMap::new();
    for (part, detail) in &outline.parts {
        let target = options.target_of(part);
        found.extend(Name::namespace(target.to_owned()).err().map(Error::from));
        found.extend(Sieve::new(&detail.filter).err());
        if options.truncate && !options.no_data && (detail.filter.partitions.is_some() || takes_no_set(&detail.filter))
        {
            let what = format!("namespace '{target}': a server can't truncate partitions, or records without a set");
            found.push(Error::unsupported(what).hint("restore without truncate, or whole sets"));
        }
        if let Some(other) = targets.insert(target, part) {
            found.push(Error::invalid(format!("parts '{other}' and '{part}' would both be restored as '{target}'")));
        }
    }
    found
}

/// Whether a filter names the records that are in no set.
fn takes_no_set(filter: &Filter) -> bool {
    filter.tables.as_ref().is_some_and(|sets| sets.contains(""))
}

impl AerospikeCluster {
    pub(crate) async fn begin_session(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let parts: BTreeMap<_, _> =
            outline.parts.iter().map(|(part, detail)| (part.clone(), detail.filter.clone())).collect();
        if let Some(known) = self.sessions().get(&id) {
            let detail = SessionDetail::of(&known.session)?;
            return if known.session.options == *options && detail.parts == parts {
                Ok(known.session.clone())
            } else {
                Err(Error::invalid(format!("restore {id} was begun with another plan or other options"))
                    .hint("resume it with its own, or begin a new one"))
            };
        }
        if let Some(error) = objections(outline, options).into_iter().next() {
            return Err(error);
        }
        let there = self.namespace_names().await?;
        if let Some(target) = parts.keys().map(|part| options.target_of(part)).find(|target| !there.contains(*target)) {
            return Err(crate::describe::missing(target));
        }
        let truncated = if options.truncate { Some(self.truncate(&parts, options).await?) } else { None };
        let detail = serde_json::to_value(SessionDetail { parts, truncated })
            .map_err(|error| Error::internal("a session can't be described").because(error))?;
        let session = RestoreSession { id, options: options.clone(), detail };
        let mut sessions = self.sessions();
        if sessions.values().filter(|known| known.ended).count() > REMEMBERED {
            sessions.retain(|_, known| !known.ended);
        }
        sessions.insert(id, Known { session: session.clone(), tally: self.new_tally(), ended: false });
        Ok(session)
    }

    fn new_tally(&self) -> Tally {
        Tally::of(&self.config().restore)
    }

    /// What a session's writes have to tell. One that began in another process is known from here on.
    pub(crate) fn tally_of(&self, session: &RestoreSession) -> Tally {
        let known = || Known { session: session.clone(), tally: self.new_tally(), ended: false };
        self.sessions().entry(session.id).or_insert_with(known).tally.clone()
    }

    pub(crate) async fn finish_session(&self, session: &RestoreSession) -> Result<RestoreReport> {
        let mut warnings = self.tally_of(session).warnings();
        if self.config().restore.wait_for_indexes && !session.options.no_definitions {
            let detail = SessionDetail::of(session)?;
            for part in detail.parts.keys() {
                warnings.extend(self.wait_for_indexes(session.options.target_of(part)).await?);
            }
        }
        self.end_session(session.id);
        Ok(RestoreReport { warnings })
    }

    pub(crate) fn end_session(&self, id: SessionId) {
        if let Some(known) = self.sessions().get_mut(&id) {
            known.ended = true;
        }
    }
}
