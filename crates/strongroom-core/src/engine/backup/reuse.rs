//! What a resumed backup may keep of what an earlier attempt stored. Pure; the reasons are in
//! `docs/decisions/0002-resuming-a-backup.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::note::BegunNote;
use super::store::Kept;
use crate::cluster::{FrozenPart, PieceKind, PieceSpec};
use crate::manifest::StoredPiece;
use crate::model::{Applies, Window};
use crate::{Error, Result};

/// The window of a resumed backup, and the stored pieces that it keeps, by the index of the piece in `frozen`.
///
/// # Errors
/// `Unsupported` when the backup can't be gone on with and must be started again.
pub(super) fn reuse(
    note: &BegunNote,
    frozen: &FrozenPart,
    stored: Vec<StoredPiece>,
) -> Result<(Window, BTreeMap<u64, Kept>)> {
    let refuse = |why: &str| {
        Err(Error::unsupported(format!("the backup of part '{}' can't be resumed: {why}", note.part))
            .hint("start a new backup; the interrupted one is collected by prune"))
    };
    if frozen.window.from != note.window.from {
        return refuse("its changes begin at another moment now");
    }
    if frozen.window.until < note.window.until {
        return refuse("the cluster's clock went back since it was begun");
    }
    let same_state = frozen.window == note.window;
    if !same_state && frozen.applies == Applies::Exact {
        return refuse("this cluster's backups must show one exact state, and that has passed");
    }
    let settled = frozen.window.settled.max(note.window.settled);
    let window = Window { settled, ..note.window };
    let mut by_name: BTreeMap<String, StoredPiece> =
        stored.into_iter().map(|piece| (piece.spec.name.clone(), piece)).collect();
    let deletes_apart = frozen.pieces.iter().any(|piece| piece.kind == PieceKind::Deletes)
        || by_name.values().any(|piece| piece.spec.kind == PieceKind::Deletes);
    // A group is kept whole or not at all: its pieces describe each other, and a name may be that of another file by now.
    let now: BTreeMap<&str, &PieceSpec> = frozen.pieces.iter().map(|piece| (piece.name.as_str(), piece)).collect();
    let news =
        frozen.pieces.iter().filter(|piece| !by_name.get(&piece.name).is_some_and(|old| alike(piece, &old.spec)));
    let gone = by_name.values().map(|old| &old.spec).filter(|old| !now.contains_key(old.name.as_str()));
    let changed: BTreeSet<String> = news.chain(gone).filter_map(|piece| piece.group.clone()).collect();
    let mut kept = BTreeMap::new();
    for (index, piece) in (0..).zip(&frozen.pieces) {
        let Some(stored) = by_name.remove(&piece.name) else { continue };
        let unchanging = same_state || piece.content.is_some();
        let group_kept = piece.group.as_deref().is_none_or(|group| !changed.contains(group));
        let may_mix = piece.kind == PieceKind::Data && !deletes_apart && group_kept;
        if alike(piece, &stored.spec) && (unchanging || may_mix) {
            kept.insert(index, stored.into());
        }
    }
    Ok((window, kept))
}

/// Whether a piece may be the same thing as one of its name.
fn alike(now: &PieceSpec, before: &PieceSpec) -> bool {
    now.content == before.content && now.kind == before.kind
}

#[cfg(test)]
mod tests {
    use super::super::choice::BackupKindWish;
    use super::*;
    use crate::Timestamp;
    use crate::cluster::PieceSummary;
    use crate::id::{ClusterId, RunId, TimelineId};
    use crate::model::{BackupKind, Deletes, Filter, Scope};

    fn window(from: Option<i64>, until: i64, settled: i64) -> Window {
        let at = Timestamp::from_secs;
        Window { from: from.map(at), until: at(until), settled: at(settled) }
    }

    fn note(window: Window) -> BegunNote {
        BegunNote {
            run: RunId::from_u128(1),
            scope: Scope::all(),
            wish: BackupKindWish::Auto,
            cluster: ClusterId::from_u128(1),
            part: "a".to_owned(),
            filter: Filter::default(),
            timeline: TimelineId::from_u128(1),
            kind: BackupKind::Base,
            since: window.from,
            parent: None,
            bridges: None,
            window,
            applies: Applies::Cover,
            codecs: Vec::new(),
            reason: None,
            started: Timestamp::EPOCH,
        }
    }

    /// `data`, `deletes`, `schema`; `+c` has content, `@g` is in group g, `=2` is another content under the same name.
    fn piece(text: &str) -> PieceSpec {
        let (text, version) = text.split_once('=').unwrap_or((text, ""));
        let kind = match text {
            _ if text.starts_with("deletes") => PieceKind::Deletes,
            _ if text.starts_with("schema") => PieceKind::Schema,
            _ => PieceKind::Data,
        };
        PieceSpec {
            name: text.to_owned(),
            kind,
            place: None,
            group: text.split_once('@').map(|(_, group)| group.to_owned()),
            bytes: None,
            content: text.contains("+c").then(|| format!("{text}{version}")),
            detail: serde_json::Value::Null,
        }
    }

    fn frozen(window: Window, applies: Applies, pieces: &[&str]) -> FrozenPart {
        FrozenPart {
            part: "a".to_owned(),
            filter: Filter::default(),
            window,
            applies,
            deletes: Deletes::Seen,
            pieces: pieces.iter().map(|text| piece(text)).collect(),
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn stored(pieces: &[&str]) -> Vec<StoredPiece> {
        let stored = |(number, text): (u64, &&str)| StoredPiece {
            spec: piece(text),
            summary: PieceSummary::default(),
            plain_bytes: number,
            parts: Vec::new(),
        };
        (0..).zip(pieces).map(stored).collect()
    }

    fn kept(now: Window, applies: Applies, pieces: &[&str], before: &[&str]) -> Option<Vec<String>> {
        let note = note(window(None, 10, 12));
        let (window, kept) = reuse(&note, &frozen(now, applies, pieces), stored(before)).ok()?;
        assert_eq!((window.from, window.until), (note.window.from, note.window.until));
        assert!(window.settled >= now.settled && window.settled >= note.window.settled);
        // The number of plain bytes tells which one was kept.
        let name = |kept: &Kept| before[usize::try_from(kept.plain_bytes).unwrap()];
        assert!(kept.iter().all(|(index, kept)| pieces[usize::try_from(*index).unwrap()] == name(kept)));
        Some(kept.values().map(|kept| name(kept).to_owned()).collect())
    }

    #[test]
    fn the_same_state_keeps_everything() {
        let all = ["schema", "data1", "deletes1", "data2@g", "data3@g"];
        let before = ["schema", "deletes1", "data2@g"];
        assert_eq!(
            kept(window(None, 10, 12), Applies::Exact, &all, &before).unwrap(),
            ["schema", "deletes1", "data2@g"]
        );
    }

    #[test]
    fn a_later_state_keeps_data_that_stands_for_itself() {
        let later = window(None, 20, 25);
        let all = ["schema", "data1", "data2", "data3"];
        assert_eq!(
            kept(later, Applies::Cover, &all, &["schema", "data1", "data3", "gone"]).unwrap(),
            ["data1", "data3"]
        );
    }

    #[test]
    fn data_and_deletes_of_two_states_are_never_mixed() {
        let later = window(None, 20, 25);
        assert!(kept(later, Applies::Cover, &["data1", "deletes1"], &["data1"]).unwrap().is_empty());
        assert!(kept(later, Applies::Cover, &["data1"], &["data1", "deletes1"]).unwrap().is_empty());
        assert_eq!(kept(later, Applies::Cover, &["data1+c", "deletes1"], &["data1+c"]).unwrap(), ["data1+c"]);
    }

    #[test]
    fn a_group_is_kept_whole_but_unchanging_content_always() {
        let later = window(None, 20, 25);
        let all = ["data1@g", "data2+c@g", "data3@h", "data4@h"];
        let before = ["data1@g", "data3@h", "data4@h"];
        assert_eq!(kept(later, Applies::Cover, &all, &before).unwrap(), ["data3@h", "data4@h"]);
        assert_eq!(kept(later, Applies::Cover, &all, &["data2+c@g"]).unwrap(), ["data2+c@g"]);
    }

    #[test]
    fn a_group_in_which_a_name_is_another_file_now_is_not_kept() {
        let later = window(None, 20, 25);
        let all = ["data1@g", "data2+c@g=2", "data3@h", "data4+c@h"];
        let before = ["data1@g", "data2+c@g", "data3@h", "data4+c@h"];
        assert_eq!(kept(later, Applies::Cover, &all, &before).unwrap(), ["data3@h", "data4+c@h"]);
        let fewer = ["data1@g", "data3@h", "data4+c@h"];
        assert_eq!(kept(later, Applies::Cover, &fewer, &before).unwrap(), ["data3@h", "data4+c@h"], "one is gone");
    }

    #[test]
    fn what_would_be_wrong_is_refused() {
        assert!(kept(window(None, 20, 25), Applies::Exact, &["data1"], &["data1"]).is_none(), "not one state");
        assert!(kept(window(None, 9, 25), Applies::Cover, &["data1"], &["data1"]).is_none(), "the clock went back");
        assert!(kept(window(Some(1), 10, 12), Applies::Cover, &["data1"], &["data1"]).is_none(), "another beginning");
    }
}
