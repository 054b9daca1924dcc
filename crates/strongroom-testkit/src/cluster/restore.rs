//! Taking pieces in: last write wins within a session, so that writing twice is the same as once.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use strongroom_core::cluster::{
    Applied, Conflict, PieceKind, PieceSpec, Preflight, RestoreOptions, RestoreOutline, RestoreSession, StepId,
};
use strongroom_core::id::SessionId;
use strongroom_core::model::{Filter, PartName};
use strongroom_core::{ByteStream, Error, Result, Timestamp};

use super::freeze::{Detail, What, supported, takes};
use super::history::{FILES, Version, line};
use super::piece::{Decoder, Entry};
use super::{PartFault, SimulatedCluster, State};

/// What the cluster remembers of a restore.
pub(super) struct Session {
    pub(super) open: bool,
    begun: RestoreSession,
    /// Target part, table and record of what this session wrote, with the source's moment: the newest stays.
    written: BTreeMap<(PartName, String, String), Timestamp>,
    /// Files whose pieces wait for the others of their group.
    staged: BTreeMap<(StepId, PartName, String), Staged>,
}

#[derive(Default)]
struct Staged {
    body: Option<Bytes>,
    stat: Option<Bytes>,
}

impl SimulatedCluster {
    pub(super) fn preflight(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Preflight {
        let state = self.lock();
        let mut preflight = Preflight::default();
        if options.truncate && !self.shared.options.truncate {
            preflight.refusals.push("this cluster can't be emptied".to_owned());
        }
        for (part, wanted) in &outline.parts {
            let target = options.target_of(part);
            if let Err(error) = supported(&wanted.filter) {
                preflight.refusals.push(error.to_string());
            }
            if !state.parts.contains_key(target) {
                preflight.warnings.push(format!("part '{target}' will be made"));
            }
        }
        preflight
    }

    pub(super) fn begin_now(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        if let Some(session) = self.lock().sessions.get(&id) {
            return Ok(session.begun.clone());
        }
        if options.truncate && !self.shared.options.truncate {
            return Err(Error::unsupported("this simulated cluster can't be emptied"));
        }
        let filters: BTreeMap<&str, &Filter> =
            outline.parts.iter().map(|(part, wanted)| (part.as_str(), &wanted.filter)).collect();
        for filter in filters.values() {
            supported(filter)?;
        }
        let detail = serde_json::to_value(&filters)
            .map_err(|error| Error::internal("filters of a restore as JSON").because(error))?;
        let begun = RestoreSession { id, options: options.clone(), detail };
        let mut state = self.lock();
        for (part, filter) in filters {
            let now = state.moment(&*self.shared.clock);
            let target = state.part(options.target_of(part));
            target.freezes.clear();
            if options.truncate {
                for (table, records) in &mut target.tables {
                    let meant = records.iter_mut().filter(|(record, _)| takes(filter, table, record));
                    for (_, history) in meant.filter(|(_, history)| history.last().is_some_and(|v| v.value.is_some())) {
                        history.push(Version { at: now, value: None });
                    }
                }
            }
        }
        let session = Session { open: true, begun: begun.clone(), written: BTreeMap::new(), staged: BTreeMap::new() };
        state.sessions.insert(id, session);
        Ok(begun)
    }

    pub(super) async fn write_all(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        mut body: ByteStream,
    ) -> Result<Applied> {
        let what = match &piece.detail {
            serde_json::Value::Null => None,
            detail => serde_json::from_value::<Detail>(detail.clone()).ok().map(|detail| detail.what),
        };
        let mut fails = self.lock().use_up(part, |fault| match fault {
            PartFault::Write { after, kind, .. } => Some((*after, *kind)),
            _ => None,
        });
        let (mut applied, mut decoder, mut whole) = (Applied::default(), Decoder::default(), BytesMut::new());
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            self.pause(part).await;
            if matches!(what, Some(What::Zero | What::FileBody { .. } | What::FileStat { .. })) {
                whole.extend_from_slice(&chunk);
                continue;
            }
            let mut entries = Vec::new();
            decoder.push(&chunk, &mut entries)?;
            for entry in entries {
                if let Some((after, kind)) = fails.take() {
                    if applied.written >= after {
                        return Err(Error::new(kind, format!("writing '{}' fails as the test wants", piece.name)));
                    }
                    fails = Some((after, kind));
                }
                applied += self.apply(session, part, piece.kind, entry)?;
            }
        }
        let whole = whole.freeze();
        match what {
            Some(What::Zero) if whole.is_empty() => {}
            Some(What::Zero) => return Err(Error::corrupt(format!("piece '{}' must be empty", piece.name))),
            Some(What::FileBody { name, .. }) => {
                self.stage(session, (step, part, &name), |staged| staged.body = Some(whole))?;
                applied.written += u64::from(!session.options.no_data);
            }
            Some(What::FileStat { name, .. }) => {
                self.stage(session, (step, part, &name), |staged| staged.stat = Some(whole))?;
            }
            _ => decoder.finish()?,
        }
        Ok(applied)
    }

    async fn pause(&self, part: &str) {
        let slow = self.lock().fault(part, |fault| match fault {
            PartFault::Slow(pause) => Some(*pause),
            _ => None,
        });
        match slow {
            Some(pause) => tokio::time::sleep(pause).await,
            None => tokio::task::yield_now().await,
        }
    }

    fn apply(&self, session: &RestoreSession, part: &str, kind: PieceKind, entry: Entry) -> Result<Applied> {
        let mut state = self.lock();
        let state = &mut *state;
        open(state, session)?;
        let (options, mut applied) = (&session.options, Applied::default());
        let target = options.target_of(part).to_owned();
        let (table, record, moment, value) = match entry {
            Entry::Table(table) => {
                if !options.no_definitions {
                    state.part(&target).tables.entry(table).or_default();
                    applied.definitions = 1;
                }
                return Ok(applied);
            }
            Entry::Record { .. } if kind == PieceKind::Schema => {
                return Err(Error::corrupt("a simulated schema piece holds a record"));
            }
            Entry::Record { .. } if options.no_data => return Ok(applied),
            Entry::Record { table, record, at, value } => (table, record, at, value),
        };
        if !filter_of(session, part)?.is_none_or(|filter| takes(&filter, &table, &record)) {
            applied.filtered = 1;
            return Ok(applied);
        }
        *state.writes.entry(line(&target, &table, &record)).or_default() += 1;
        let place = (target, table, record);
        let count =
            |applied: &mut Applied| *if value.is_some() { &mut applied.written } else { &mut applied.deleted } += 1;
        let known = open(state, session)?;
        match known.written.get(&place) {
            Some(done) if *done >= moment => {
                count(&mut applied);
                return Ok(applied);
            }
            Some(_) => {}
            None => {
                let there = state.parts.get(&place.0).and_then(|part| part.newest(&place.1, &place.2));
                let stays =
                    there.filter(|version| version.value.is_some()).is_some_and(|version| match options.conflict {
                        Conflict::Replace => false,
                        Conflict::Keep => true,
                        Conflict::Newer => version.at > moment,
                    });
                if stays {
                    applied.kept = 1;
                    return Ok(applied);
                }
            }
        }
        count(&mut applied);
        let now = state.moment(&*self.shared.clock);
        state.part(&place.0).set(&place.1, &place.2, now, value);
        open(state, session)?.written.insert(place, moment);
        Ok(applied)
    }

    fn stage(
        &self,
        session: &RestoreSession,
        (step, part, name): (StepId, &str, &str),
        put: impl FnOnce(&mut Staged),
    ) -> Result<()> {
        let mut state = self.lock();
        let key = (step, part.to_owned(), name.to_owned());
        put(open(&mut state, session)?.staged.entry(key).or_default());
        Ok(())
    }

    pub(super) fn seal_now(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        let staged: Vec<_> = {
            let mut state = self.lock();
            let known = open(&mut state, session)?;
            let all = std::mem::take(&mut known.staged);
            let (now, later) = all.into_iter().partition::<BTreeMap<_, _>, _>(|((of, ..), _)| *of == step);
            known.staged = later;
            now.into_iter().collect()
        };
        for ((_, part, name), Staged { body, stat }) in staged {
            let half = || Error::corrupt(format!("file '{name}' of part '{part}' came without its other piece"));
            let (body, stat) = (body.ok_or_else(half)?, stat.ok_or_else(half)?);
            let stat = std::str::from_utf8(&stat).unwrap_or_default();
            let mut numbers = stat.split(' ').map(str::parse::<i64>);
            let (Some(Ok(size)), Some(Ok(at))) = (numbers.next(), numbers.next()) else {
                return Err(Error::corrupt(format!("file '{name}' of part '{part}': its stat piece is no such thing")));
            };
            if usize::try_from(size) != Ok(body.len()) {
                return Err(Error::corrupt(format!(
                    "file '{name}' of part '{part}' has another size than its stat says"
                )));
            }
            let at = Timestamp::from_micros(at);
            let entry = Entry::Record { table: FILES.to_owned(), record: name, at, value: Some(body) };
            self.apply(session, &part, PieceKind::Data, entry)?;
        }
        Ok(())
    }

    /// Closes a session. One that is closed already, or unknown, is no error: the reply may have been lost.
    pub(super) fn end(&self, session: &RestoreSession) {
        let mut state = self.lock();
        let Some(known) = state.sessions.get_mut(&session.id) else { return };
        known.staged.clear();
        if !std::mem::replace(&mut known.open, false) {
            return;
        }
        // What was frozen while the restore went on does not lead up to its end either.
        let parts: Vec<PartName> = session.detail.as_object().iter().flat_map(|parts| parts.keys().cloned()).collect();
        for part in parts {
            state.part(session.options.target_of(&part)).freezes.clear();
        }
    }
}

fn open<'a>(state: &'a mut State, session: &RestoreSession) -> Result<&'a mut Session> {
    let known = state.sessions.get_mut(&session.id).filter(|known| known.open);
    known.ok_or_else(|| Error::not_found(format!("restore {} is not under way", session.id)))
}

fn filter_of(session: &RestoreSession, part: &str) -> Result<Option<Filter>> {
    let filters = session.detail.get(part).cloned();
    filters
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| Error::invalid("a session's filters").because(error))
}

impl State {
    /// The first fault of `part` that `pick` takes; it is used up by one.
    pub(super) fn use_up<T>(&mut self, part: &str, pick: impl Fn(&PartFault) -> Option<T>) -> Option<T> {
        let found = self.faults.iter().position(|(name, fault)| name == part && pick(fault).is_some())?;
        let picked = pick(&self.faults[found].1);
        if self.faults[found].1.used_up() {
            self.faults.remove(found);
        }
        picked
    }
}
