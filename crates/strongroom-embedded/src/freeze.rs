//! Fixing a state and cutting it into pieces.
//!
//! A frozen state is a moment of the file's clock. The handle that froze it keeps the state itself until it is released,
//! so what is read from it is exact: `settled` is `until`. Another process that reads a piece later (it can only open
//! the file once the first has closed it) sees the state of its own time; see the module `read` for what it may do.

use redb::ReadableTable;
use serde_json::json;
use strongroom_core::cluster::{FreezeRequest, Frozen, FrozenPart};
use strongroom_core::model::{Applies, Deletes, Filter, Window};
use strongroom_core::{Error, Result, Timestamp};
use strongroom_record::model::PARTITIONS;

use crate::EmbeddedCluster;
use crate::fault::Told as _;
use crate::namespace::{Count, missing};
use crate::piece::PieceDetail;
use crate::snapshot::Snapshot;
use crate::tables::COUNTS;
use strongroom_record::Sieve;

impl EmbeddedCluster {
    pub(crate) fn freeze_now(&self, request: &FreezeRequest) -> Result<Frozen> {
        // What changes from here on gets a later moment, even if the wall clock goes back.
        if !self.inner.read_only {
            self.write_batch(|batch| {
                batch.tick();
                Ok(())
            })?;
        }
        let snapshot = self.snapshot()?;
        let wanted = match &request.scope.parts {
            Some(parts) => parts.clone(),
            None => self.namespaces()?.into_keys().map(|name| (name, Filter::default())).collect(),
        };
        let mut parts = Vec::with_capacity(wanted.len());
        for (part, filter) in wanted {
            let since = request.since.get(&part).copied();
            let frozen = self.freeze_part(&snapshot, &part, filter, since);
            parts.push(frozen.map_err(|error| error.within(format_args!("part '{part}'")))?);
        }
        self.note_freeze(parts.iter().map(|part| part.part.as_str()), snapshot.clock)?;
        let token = json!({ "until": snapshot.clock });
        self.inner.snapshots.keep(snapshot);
        Ok(Frozen { parts, failed: std::collections::BTreeMap::default(), token })
    }

    fn freeze_part(
        &self,
        snapshot: &Snapshot,
        part: &str,
        filter: Filter,
        since: Option<Timestamp>,
    ) -> Result<FrozenPart> {
        let sieve = Sieve::new(&filter)?;
        let (state, tables) = snapshot.namespace(part)?.ok_or_else(|| missing(part))?;
        let until = Timestamp::from_micros(snapshot.clock);
        let mut detail = PieceDetail {
            part: part.to_owned(),
            partitions: (0, PARTITIONS - 1),
            filter: filter.clone(),
            since: None,
            until: snapshot.clock,
        };
        let count = count_in(snapshot, part, &sieve)?;
        let mut pieces = vec![detail.schema()?];
        if let Some(since) = since {
            self.check_since(since, Timestamp::from_micros(state.horizon), until)?;
            detail.since = Some(since.micros());
            let after = since.micros().saturating_add(1);
            let transaction = snapshot.transaction();
            let changes = count_from(&transaction.open_table(tables.changes()).told("counting changes")?, after)?;
            let deletes = count_from(&transaction.open_table(tables.deletions()).told("counting deletes")?, after)?;
            pieces.extend(detail.changes(changes, count.bytes.checked_div(count.records).unwrap_or(0))?);
            pieces.extend(detail.deletes(deletes)?);
        } else {
            pieces.extend(detail.records(count.records, count.bytes)?);
        }
        Ok(FrozenPart {
            part: part.to_owned(),
            filter,
            window: Window::new(since, until, until)?,
            applies: Applies::Cover,
            deletes: Deletes::Seen,
            pieces,
            missing: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Whether the changes since a moment are all known.
    fn check_since(&self, since: Timestamp, horizon: Timestamp, until: Timestamp) -> Result<()> {
        let base = "take a base";
        if since < horizon {
            return Err(Error::broken_chain(format!(
                "changes are known since {horizon}, when it was made, emptied or restored, or deletes were forgotten; \
                 not since {since}"
            ))
            .hint(base));
        }
        if since > until || (since == until && !self.inner.read_only) {
            return Err(Error::broken_chain(format!(
                "changes are wanted since {since}, but this file only came to {until}: an older copy of it may have \
                 been put back"
            ))
            .hint(base));
        }
        if since == until {
            let what =
                format!("nothing has changed since {since}, and a file opened for reading only can't begin anew");
            return Err(Error::unsupported(what).hint("open it for writing, or take a base"));
        }
        Ok(())
    }

    pub(crate) fn release_now(&self, frozen: &Frozen) {
        if let Some(until) = frozen.token.get("until").and_then(serde_json::Value::as_i64) {
            self.inner.snapshots.release(until);
        }
    }
}

fn count_in(snapshot: &Snapshot, namespace: &str, sieve: &Sieve) -> Result<Count> {
    let mut total = Count::default();
    let counts = snapshot.transaction().open_table(COUNTS).told("counting")?;
    for entry in counts.range((namespace, &[][..])..).told("counting")? {
        let (key, count) = entry.told("counting")?;
        let (owner, set) = key.value();
        if owner != namespace {
            break;
        }
        if sieve.takes_set(set) {
            let (records, bytes) = count.value();
            total += Count { records, bytes };
        }
    }
    Ok(total)
}

fn count_from(table: &impl ReadableTable<i64, &'static [u8; 20]>, after: i64) -> Result<u64> {
    let mut count = 0;
    for entry in table.range(after..).told("counting changes")? {
        entry.told("counting changes")?;
        count += 1;
    }
    Ok(count)
}
