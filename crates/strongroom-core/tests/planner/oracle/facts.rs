//! What one backup is worth, whatever chain it stands in.

use strongroom_core::model::{BackupKind, Deletes, Filter, Status};
use strongroom_core::planner::{Entry, HOME, Held, HeldState, Reason, Request, Tier};

use crate::picture::World;

/// Risk, then cost: partial steps, steps without deletes, unverified steps, byte equivalents. Lower is better.
pub(crate) type Score = (u64, u64, u64, u128);

pub(crate) fn sum(a: Score, b: Score) -> Score {
    (a.0 + b.0, a.1 + b.1, a.2 + b.2, a.3 + b.3)
}

/// An entry that is seen once, and why nobody may use it, if so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) broken: Option<Reason>,
}

impl Fact<'_> {
    /// Whether its window says anything about when it was taken.
    pub(crate) fn has_time(&self) -> bool {
        self.broken != Some(Reason::BadWindow)
    }

    pub(crate) fn from(&self) -> i64 {
        self.entry.window.from.map_or(i64::MIN, strongroom_core::Timestamp::micros)
    }

    pub(crate) fn until(&self) -> i64 {
        self.entry.window.until.micros()
    }

    pub(crate) fn settled(&self) -> i64 {
        self.entry.window.settled.micros()
    }

    /// What it adds to a chain, or why it can't be in one, for a request that wants `filter` of its part.
    pub(crate) fn judge(&self, request: &Request, filter: &Filter) -> Result<Score, Reason> {
        if let Some(reason) = self.broken {
            return Err(reason);
        }
        let entry = self.entry;
        let partial = entry.status == Status::Partial || entry.missing > 0;
        let known = |key| request.keys.as_ref().is_none_or(|keys| keys.contains(key));
        let spoken = |codec: &strongroom_core::codec::CodecId| {
            let family = codec.as_str().split(':').next().unwrap_or_default();
            let speaks = |have: &strongroom_core::codec::CodecId| have == codec || have.as_str() == family;
            request.codecs.as_ref().is_none_or(|codecs| codecs.iter().any(speaks))
        };
        let price = prices(entry, request).into_iter().map(|(_, price)| price).min();
        match entry.status {
            Status::Corrupt => Err(Reason::Corrupt),
            Status::Deleted => Err(Reason::Deleted),
            _ if partial && !request.allow_partial => Err(Reason::Partial),
            _ if !entry.filter.covers(filter) => Err(Reason::FilterTooNarrow),
            _ if request.verified_only && entry.verified.is_none() => Err(Reason::Unverified),
            _ if !entry.keys.iter().all(known) => Err(Reason::KeyMissing),
            _ if !entry.codecs.iter().all(spoken) => Err(Reason::CodecMissing),
            _ => {
                let price = price.ok_or(Reason::CopyUnavailable)?;
                let unseen = entry.kind != BackupKind::Base && entry.deletes == Deletes::Unseen;
                let unverified = entry.verified.is_none();
                Ok((u64::from(partial), u64::from(unseen), u64::from(unverified), u128::from(price)))
            }
        }
    }
}

/// The copies that may be read, each with its price in byte equivalents.
pub(crate) fn prices(entry: &Entry, request: &Request) -> Vec<(Held, u64)> {
    let held = if entry.copies.is_empty() { vec![Held::in_storage(HOME)] } else { entry.copies.clone() };
    let allowed = |copy: &Held| request.storages.as_ref().is_none_or(|names| names.contains(&copy.storage));
    held.into_iter()
        .filter(|copy| copy.state == HeldState::Present && allowed(copy))
        .map(|copy| {
            let times = match copy.tier {
                Tier::Hot => 1,
                Tier::Cool => 2,
                Tier::Archive => 64,
            };
            let bytes = u128::from(entry.size.stored_bytes) * times;
            let price = bytes + u128::from(entry.size.objects) * (256 << 10) + u128::from(copy.cost);
            let price = u64::try_from(price.min(1 << 48)).unwrap();
            (copy, price)
        })
        .collect()
}

/// Every entry once.
pub(crate) fn facts(world: &World) -> Vec<Fact<'_>> {
    let mut facts: Vec<Fact<'_>> = Vec::new();
    for entry in &world.entries {
        let twins = world.entries.iter().filter(|other| other.id == entry.id);
        let contradicted = twins.clone().any(|twin| twin != entry);
        if !contradicted && facts.iter().any(|fact| fact.entry.id == entry.id) {
            continue;
        }
        let broken =
            if has_sense(entry) { contradicted.then_some(Reason::DuplicateId) } else { Some(Reason::BadWindow) };
        facts.push(Fact { entry, broken });
    }
    facts
}

/// Whether the window can be that of such a backup.
fn has_sense(entry: &Entry) -> bool {
    let (from, until, settled) = (entry.window.from, entry.window.until, entry.window.settled);
    let near = |moment: i64| moment.unsigned_abs() < 1 << 61;
    let fits = match entry.kind {
        BackupKind::Base | BackupKind::Synthetic => from.is_none_or(|from| from < until),
        BackupKind::Incremental => from.is_some_and(|from| from < until),
        BackupKind::LogSegment => from.is_some_and(|from| from <= until) && entry.log.is_some(),
    };
    fits && until <= settled && near(until.micros()) && near(settled.micros())
}
