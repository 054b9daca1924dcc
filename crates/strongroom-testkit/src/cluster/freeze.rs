//! Fixing a moment and cutting it into pieces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{FreezeRequest, Frozen, FrozenPart, PieceKind, PieceSpec};
use strongroom_core::model::{Deletes, Filter, Window};
use strongroom_core::{Error, Key, Result, Timestamp};

use super::history::{FILES, PARTITIONS, Version, at, partition};
use super::{PartFault, SimulatedCluster, State};

/// What is needed to read or write a piece: the whole of it travels in the spec.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Detail {
    pub(super) freeze: u64,
    pub(super) part: String,
    pub(super) what: What,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Timestamp,
    pub(super) filter: Filter,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Schema,
    Data { first: u16, end: u16 },
    Deletes { first: u16, end: u16 },
    Zero,
    FileBody { name: String, at: Timestamp },
    FileStat { name: String, at: Timestamp },
}

/// Whether a record is meant by a filter.
pub(super) fn takes(filter: &Filter, table: &str, record: &str) -> bool {
    filter.tables.as_ref().is_none_or(|tables| tables.contains(table))
        && filter.partitions.as_ref().is_none_or(|wanted| wanted.contains(&partition(table, record)))
}

pub(super) fn supported(filter: &Filter) -> Result<()> {
    match filter {
        Filter { bins: Some(_), .. } => Err(Error::unsupported("a simulated cluster has no bins to filter by")),
        Filter { expression: Some(text), .. } => {
            Err(Error::unsupported(format!("a simulated cluster has no filter expressions, got '{text}'")))
        }
        _ => Ok(()),
    }
}

impl SimulatedCluster {
    /// The ids of its nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = String> {
        (1..=self.shared.options.nodes.max(1)).map(|number| format!("node-{number}"))
    }

    pub(super) fn freeze_now(&self, request: &FreezeRequest) -> Result<Frozen> {
        let mut state = self.lock();
        let until = state.moment(&*self.shared.clock);
        let wanted: BTreeMap<String, Filter> = match &request.scope.parts {
            Some(parts) => parts.clone(),
            None => state.parts.keys().map(|part| (part.clone(), Filter::default())).collect(),
        };
        let freeze = state.freezes + 1;
        let mut frozen = Frozen { parts: Vec::new(), failed: BTreeMap::new(), token: freeze.into() };
        for (part, filter) in wanted {
            let Some(found) = state.parts.get(&part) else {
                return Err(Error::not_found(format!("part '{part}' of cluster {}", self.shared.name)));
            };
            supported(&filter)?;
            let since = request.since.get(&part).copied();
            if since.is_some() && !self.shared.options.incremental {
                return Err(Error::unsupported("this simulated cluster can't tell what changed"));
            }
            if since.is_some_and(|since| since < found.horizon) {
                let what = format!("part '{part}' can't tell what changed before {}", found.horizon);
                return Err(Error::broken_chain(what).hint("take a base"));
            }
            let refused = state.fault(&part, |fault| match fault {
                PartFault::Freeze(why) => Some(why.clone()),
                _ => None,
            });
            if let Some(why) = refused {
                frozen.failed.insert(part, why);
                continue;
            }
            let detail = Detail { freeze, part, what: What::Zero, since, until, filter };
            frozen.parts.push(self.frozen_part(&state, &detail, Window::new(since, until, until)?));
        }
        for part in &frozen.parts {
            state.part(&part.part).freezes.insert(until);
        }
        state.freezes = freeze;
        state.frozen.insert(freeze);
        Ok(frozen)
    }

    fn frozen_part(&self, state: &State, detail: &Detail, window: Window) -> FrozenPart {
        let options = &self.shared.options;
        let seen = options.deletes == Deletes::Seen;
        let mut pieces = vec![spec("schema", PieceKind::Schema, detail, What::Schema)];
        let count = state.pieces.unwrap_or(options.pieces).clamp(1, PARTITIONS);
        for number in 0..count {
            let edge = |number: u16| u16::try_from(u32::from(number) * u32::from(PARTITIONS) / u32::from(count));
            let (first, end) = (edge(number).unwrap_or(0), edge(number + 1).unwrap_or(PARTITIONS));
            let (mut bytes, mut records, mut deletes) = (0, 0, 0);
            for (_, version) in state.changed(detail, (first, end), detail.until) {
                match &version.value {
                    Some(value) => (bytes, records) = (bytes + value.len() as u64, records + 1),
                    None => deletes += 1,
                }
            }
            if records > 0 || options.empty_pieces || options.live {
                let data = spec(&format!("data/{number:03}"), PieceKind::Data, detail, What::Data { first, end });
                pieces.push(PieceSpec { bytes: Some(bytes), ..data });
            }
            // A living cluster puts deletes between the data, where no change can slip past them.
            if detail.since.is_some() && deletes > 0 && seen && !options.live {
                let what = What::Deletes { first, end };
                pieces.push(spec(&format!("deletes/{number:03}"), PieceKind::Deletes, detail, what));
            }
        }
        pieces.extend(state.files(detail));
        if options.zero_byte_piece {
            pieces.push(PieceSpec { bytes: Some(0), ..spec("zero", PieceKind::Data, detail, What::Zero) });
        }
        if options.nodes > 1 {
            for (piece, node) in pieces.iter_mut().zip(self.nodes().collect::<Vec<_>>().iter().cycle()) {
                piece.place = Some(node.clone());
            }
        }
        let missing = state.fault(&detail.part, |fault| match fault {
            PartFault::Missing(what) => Some(what.clone()),
            _ => None,
        });
        FrozenPart {
            part: detail.part.clone(),
            filter: detail.filter.clone(),
            window,
            applies: options.applies,
            deletes: options.deletes,
            missing: missing.into_iter().collect(),
            notes: Vec::new(),
            pieces,
        }
    }
}

fn spec(name: &str, kind: PieceKind, detail: &Detail, what: What) -> PieceSpec {
    let detail = serde_json::to_value(Detail { what, ..detail.clone() }).unwrap_or_default();
    PieceSpec { name: name.to_owned(), kind, place: None, group: None, bytes: None, content: None, detail }
}

impl State {
    /// The first fault of `part` that `pick` takes.
    pub(super) fn fault<T>(&self, part: &str, pick: impl Fn(&PartFault) -> Option<T>) -> Option<T> {
        self.faults.iter().filter(|(name, _)| name == part).find_map(|(_, fault)| pick(fault))
    }

    /// The records of partitions `first..end` whose newest version up to `moment` is after `since`, deleted ones too;
    /// in the order of pieces. Of files only the deleted ones: the others are pieces of their own.
    pub(super) fn changed<'a>(
        &'a self,
        detail: &'a Detail,
        (first, end): (u16, u16),
        moment: Timestamp,
    ) -> Vec<((u16, &'a str, &'a str), &'a Version)> {
        let mut found = Vec::new();
        for (table, records) in self.parts.get(&detail.part).iter().flat_map(|part| &part.tables) {
            for (record, history) in records {
                let place = partition(table, record);
                let Some(newest) = at(history, moment) else { continue };
                let new = detail.since.is_none_or(|since| newest.at > since);
                let meant = takes(&detail.filter, table, record) && (table != FILES || newest.value.is_none());
                if new && meant && (first..end).contains(&place) {
                    found.push(((place, table.as_str(), record.as_str()), newest));
                }
            }
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        found
    }

    /// The pieces of files: those written since, and one piece for those deleted since.
    fn files(&self, detail: &Detail) -> Vec<PieceSpec> {
        let files = self.parts.get(&detail.part).and_then(|part| part.tables.get(FILES));
        let mut pieces = Vec::new();
        for (name, history) in files.iter().flat_map(|files| files.iter()) {
            let Some(version) = at(history, detail.until) else { continue };
            let old = detail.since.is_some_and(|since| version.at <= since);
            let Some(body) = version.value.as_ref().filter(|_| !old && takes(&detail.filter, FILES, name)) else {
                continue;
            };
            let (folder, at) = (format!("file/{}", Key::escape(name)), version.at);
            let stat = What::FileStat { name: name.clone(), at };
            let stat = spec(&format!("{folder}/stat"), PieceKind::Data, detail, stat);
            let what = What::FileBody { name: name.clone(), at };
            let data = spec(&format!("{folder}/body"), PieceKind::Data, detail, what);
            let content = Some(format!("{}/{folder}@{}", Key::escape(&detail.part), at.micros()));
            pieces.push(PieceSpec { group: Some(folder.clone()), ..stat });
            pieces.push(PieceSpec { group: Some(folder), bytes: Some(body.len() as u64), content, ..data });
        }
        pieces
    }
}
