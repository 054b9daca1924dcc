//! Before anything is touched: who the cluster is, what the catalogue knows, what each part shall become.

use std::sync::Arc;

use super::ByPart;
use super::choice::{BackupKindWish, Choice, Continued, Wish, choose};
use super::history::live_timeline;
use super::note::BegunNote;
use super::report::{BackupReport, Committed, PartOutcome, PartReport};
use super::resume::{Left, left};
use super::run::Run;
use crate::cluster::{Frozen, FrozenPart, Topology};
use crate::codec::{CodecId, CodecRegistry};
use crate::engine::CodedList;
use crate::id::{BackupId, RunId, TimelineId};
use crate::model::{BackupKind, PartName, Scope, Status};
use crate::planner::Entry;
use crate::repository::Loaded;
use crate::{Error, ErrorKind, Result, Timestamp};

/// What is known before anything is touched.
pub(super) struct Prepared {
    pub(super) run: RunId,
    pub(super) topology: Topology,
    pub(super) loaded: Loaded,
    pub(super) scope: Scope,
    pub(super) wish: BackupKindWish,
    pub(super) choices: ByPart<Choice>,
    pub(super) left: ByPart<Left>,
    pub(super) failed: ByPart<Error>,
    pub(super) committed: ByPart<Committed>,
    pub(super) list: CodedList,
}

impl Prepared {
    /// The report of the parts that were committed before, failed to be chosen or to be frozen.
    pub(super) fn report(&self, frozen: &Frozen) -> BackupReport {
        let mut parts: Vec<PartReport> = self
            .committed
            .iter()
            .map(|(part, committed)| PartReport {
                part: part.clone(),
                reason: None,
                outcome: PartOutcome::Already(Box::new(committed.clone())),
                warnings: Vec::new(),
            })
            .collect();
        parts.extend(self.failed.iter().map(|(part, error)| PartReport::failed(part, None, error)));
        for (part, choice) in &self.choices {
            if let Some(why) = frozen.failed.get(part) {
                let error = Error::unavailable(format!("the cluster could not freeze it: {why}"));
                parts.push(PartReport::failed(part, choice.reason.clone(), &error));
            } else if !frozen.parts.iter().any(|frozen| frozen.part == *part) {
                let error = Error::internal("the cluster's adapter did not say what became of it");
                parts.push(PartReport::failed(part, choice.reason.clone(), &error));
            }
        }
        BackupReport { run: self.run, parts, warnings: Vec::new() }
    }

    /// The backups that must stay meanwhile.
    pub(super) fn chains(&self) -> Vec<BackupId> {
        let continued = self.choices.values().filter_map(|choice| choice.continued.as_ref());
        continued.flat_map(|continued| continued.chain.iter().copied()).collect()
    }

    /// What is remembered of a part that is about to begin.
    pub(super) fn note(
        &self,
        frozen: &FrozenPart,
        choice: &Choice,
        kind: BackupKind,
        codecs: Vec<CodecId>,
        started: Timestamp,
    ) -> BegunNote {
        let continued = choice.continued.as_ref().filter(|_| kind == BackupKind::Incremental);
        BegunNote {
            run: self.run,
            scope: self.scope.clone(),
            wish: self.wish,
            cluster: self.topology.identity.id,
            part: frozen.part.clone(),
            filter: frozen.filter.clone(),
            timeline: choice.timeline,
            kind,
            since: continued.map(|continued| continued.since),
            parent: continued.map(|continued| continued.parent),
            bridges: continued.and_then(|continued| continued.over).map(|over| over.base),
            window: frozen.window,
            applies: frozen.applies,
            codecs,
            reason: choice.reason.clone(),
            started,
        }
    }
}

impl Run {
    /// Looks at cluster and catalogue, and chooses for each part.
    pub(super) async fn prepare(&self, run: Option<RunId>) -> Result<Prepared> {
        let topology = self.cluster.describe().await?;
        self.check_cluster(&topology).await?;
        let loaded = self.repository.load().await?;
        let environment = self.repository.environment();
        let run = match run.or(self.request.run) {
            Some(run) => run,
            None => RunId::fresh(environment)?,
        };
        let registry: Arc<dyn CodecRegistry> = Arc::new(self.registry());
        let list = CodedList::new(
            self.repository.id(),
            environment.clone(),
            Arc::clone(&registry),
            self.request.stack.clone(),
        );
        let left = if self.resumed { left(&self.repository, &list, &loaded, run).await? } else { ByPart::new() };
        let mut prepared = Prepared {
            run,
            scope: self.request.scope.clone(),
            wish: self.request.kind,
            choices: ByPart::new(),
            left,
            failed: ByPart::new(),
            committed: ByPart::new(),
            list,
            topology,
            loaded,
        };
        if self.resumed {
            self.take_up(&mut prepared).await?;
        }
        self.choose(&mut prepared).await?;
        if prepared.choices.is_empty() && prepared.failed.is_empty() && prepared.committed.is_empty() {
            return Err(Error::invalid("there is nothing to back up: the scope holds no part of the cluster")
                .hint("look at the cluster's parts and at the scope"));
        }
        Ok(prepared)
    }

    /// Makes sure that it is the cluster that the repository knows. A dry run registers nothing.
    async fn check_cluster(&self, topology: &Topology) -> Result<()> {
        let unknown = |error: &Error| error.kind() == ErrorKind::NotFound;
        if self.request.dry_run
            && self.repository.registration(topology.identity.id).await.is_err_and(|error| unknown(&error))
        {
            return Ok(());
        }
        let accept = self.request.accept_cluster && !self.request.dry_run;
        self.repository.register_cluster(&topology.identity, accept).await.map(drop)
    }

    /// What the run was asked for is what is gone on with.
    async fn take_up(&self, prepared: &mut Prepared) -> Result<()> {
        let run = prepared.run;
        let own = |entry: &Entry| entry.run == run && entry.cluster == prepared.topology.identity.id;
        let entries: Vec<Entry> = prepared.loaded.entries().filter(own).collect();
        for entry in entries {
            let committed = Committed::of(&self.repository.manifest(&entry.manifest).await?, entry.manifest);
            prepared.committed.insert(entry.part, committed);
        }
        let Some(first) = prepared.left.values().next() else {
            if prepared.committed.is_empty() {
                return Err(Error::not_found(format!("nothing is left of run {run} to go on with"))
                    .hint("it may be another repository; or start a new backup"));
            }
            // Everything that was begun is committed.
            prepared.scope = Scope::of_parts(prepared.committed.keys().cloned());
            return Ok(());
        };
        let note = &first.note;
        if note.cluster != prepared.topology.identity.id {
            return Err(Error::invalid(format!("run {run} is of the cluster {}, not of this one", note.cluster)));
        }
        if note.codecs != self.request.stack.ids() {
            return Err(Error::invalid(format!(
                "run {run} was begun with the codecs {:?}, and can't go on with {:?}",
                note.codecs,
                self.request.stack.ids()
            ))
            .hint("name the same codecs, or start a new backup"));
        }
        (prepared.scope, prepared.wish) = (note.scope.clone(), note.wish);
        Ok(())
    }

    async fn choose(&self, prepared: &mut Prepared) -> Result<()> {
        let known = &prepared.topology.parts;
        let wanted: Vec<PartName> = match &prepared.scope.parts {
            Some(parts) => parts.keys().cloned().collect(),
            None => known.keys().cloned().collect(),
        };
        let wish = Wish {
            kind: prepared.wish,
            incremental: self.cluster.capabilities().incremental,
            bridge: !self.request.no_bridging,
        };
        for part in wanted.into_iter().filter(|part| !prepared.committed.contains_key(part)) {
            if let Some(left) = prepared.left.get(&part) {
                let usable = |entry: Entry| entry.status != Status::Deleted;
                if let Some(parent) =
                    left.note.parent.filter(|parent| !prepared.loaded.entry(*parent).is_some_and(usable))
                {
                    let error = Error::broken_chain(format!("the backup {parent} that it continues was deleted"));
                    prepared.failed.insert(part, error.hint("start a new backup"));
                    continue;
                }
                let live = live_timeline(&prepared.loaded, &prepared.topology.identity, &part);
                let same = live.is_none_or(|live| live == left.note.timeline)
                    && self.remembers(&part, left.note.window.until).await? != Some(false);
                if same {
                    prepared.choices.insert(part, left.choice());
                } else {
                    let error = Error::unsupported("a restore has begun a new history since the backup was begun");
                    prepared.failed.insert(part, error.hint("start a new backup: it will be a base"));
                }
                continue;
            }
            let history = self.history(prepared, &part).await?;
            let choice = choose(
                &prepared.loaded,
                &prepared.topology.identity,
                &part,
                prepared.scope.filter_of(&part).unwrap_or_default(),
                wish,
                &history,
                TimelineId::fresh(self.repository.environment())?,
            );
            match choice {
                Ok(choice) => drop(prepared.choices.insert(part, choice)),
                Err(error) => drop(prepared.failed.insert(part, error)),
            }
        }
        Ok(())
    }
}

impl Left {
    /// What an earlier attempt chose.
    fn choice(&self) -> Choice {
        let continued = self.note.since.zip(self.note.parent);
        let continued = continued.map(|(since, parent)| Continued { since, parent, chain: vec![parent], over: None });
        let (filter, timeline, reason) = (self.note.filter.clone(), self.note.timeline, self.note.reason.clone());
        Choice { filter, timeline, new_timeline: false, continued, reason, warnings: Vec::new(), otherwise: None }
    }
}
