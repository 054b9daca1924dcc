//! Freezing what was chosen, with a base where the cluster can't tell the changes any more; and checking the answer.

use std::collections::{BTreeMap, BTreeSet};

use super::choice::{BackupKindWish, Choice};
use crate::cluster::{FreezeRequest, Frozen, FrozenPart};
use crate::model::{Applies, BackupKind, PartName, Scope, Window};
use crate::{Cluster, Error, ErrorKind, Result, Timestamp};

/// Freezes the parts of `choices`. Incrementals that reach further back than the cluster can tell start at their base
/// instead; if that does not help either they become bases, or leave `choices` for `failed` if a base will not do.
pub(super) async fn freeze(
    cluster: &dyn Cluster,
    wish: BackupKindWish,
    fixed: &BTreeSet<PartName>,
    choices: &mut BTreeMap<PartName, Choice>,
    failed: &mut BTreeMap<PartName, Error>,
) -> Result<Frozen> {
    // Each round takes something back from a choice, or is the last one.
    loop {
        if choices.is_empty() {
            return Ok(Frozen { parts: Vec::new(), failed: BTreeMap::new(), token: serde_json::Value::Null });
        }
        match cluster.freeze(&request(choices.iter())).await {
            Ok(frozen) if takes_back_exact(&frozen, choices) => cluster.release(&frozen).await?,
            Err(error) if error.kind() == ErrorKind::BrokenChain => {
                if !take_back_untold(cluster, wish, fixed, choices, failed).await? {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
}

/// An incremental that fits onto its parent alone can't reach over a base.
fn takes_back_exact(frozen: &Frozen, choices: &mut BTreeMap<PartName, Choice>) -> bool {
    let mut changed = false;
    for part in frozen.parts.iter().filter(|part| part.applies == Applies::Exact) {
        if let Some(choice) = choices.get_mut(&part.part) {
            changed |= choice.start_at_the_base("this cluster's incrementals fit onto their parents alone");
        }
    }
    changed
}

/// Finds the parts whose changes the cluster can't tell any more, and asks less of them.
async fn take_back_untold(
    cluster: &dyn Cluster,
    wish: BackupKindWish,
    fixed: &BTreeSet<PartName>,
    choices: &mut BTreeMap<PartName, Choice>,
    failed: &mut BTreeMap<PartName, Error>,
) -> Result<bool> {
    // The error does not say which part it is about, so each is asked alone.
    let incremental = choices.iter().filter(|(_, choice)| choice.continued.is_some());
    let asked: Vec<PartName> = incremental.map(|(part, _)| part.clone()).collect();
    let mut changed = false;
    for part in asked {
        let alone = request(choices.iter().filter(|(name, _)| **name == part));
        let error = match cluster.freeze(&alone).await {
            Ok(frozen) => {
                cluster.release(&frozen).await?;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::BrokenChain => error,
            Err(error) => return Err(error),
        };
        changed = true;
        let Some(choice) = choices.get_mut(&part) else { continue };
        if choice.start_at_the_base(&error.to_string()) {
            continue;
        }
        // What an earlier attempt began as an incremental can't go on as something else.
        if wish == BackupKindWish::Incremental || fixed.contains(&part) {
            choices.remove(&part);
            failed.insert(part, error);
        } else {
            choice.become_a_base(&error);
        }
    }
    Ok(changed)
}

fn request<'a>(choices: impl Iterator<Item = (&'a PartName, &'a Choice)>) -> FreezeRequest {
    let (mut parts, mut since) = (BTreeMap::new(), BTreeMap::new());
    for (part, choice) in choices {
        parts.insert(part.clone(), choice.filter.clone());
        since.extend(choice.continued.as_ref().map(|continued| (part.clone(), continued.since)));
    }
    FreezeRequest { scope: Scope { parts: Some(parts) }, since }
}

/// What a frozen part is, after a look at whether it is what was asked for.
///
/// # Errors
/// `Internal` for an answer that breaks the cluster's contract.
pub(super) fn check(frozen: &FrozenPart, choice: &Choice) -> Result<BackupKind> {
    let since: Option<Timestamp> = choice.continued.as_ref().map(|continued| continued.since);
    let wrong =
        |what: String| Err(Error::internal(format!("the cluster's adapter froze part '{}' {what}", frozen.part)));
    let Window { from, until, settled } = frozen.window;
    Window::new(from, until, settled)?;
    if frozen.filter != choice.filter {
        return wrong("with another filter".to_owned());
    }
    match (since, from) {
        (None, Some(from)) => return wrong(format!("since {from}, where everything was asked for")),
        (Some(since), Some(from)) if from > since => {
            return wrong(format!("since {from}: changes after {since} would be in no backup"));
        }
        (Some(since), Some(from)) if from < since && frozen.applies == Applies::Exact => {
            return wrong(format!("since {from}, which fits onto no backup: the one before ends at {since}"));
        }
        _ => {}
    }
    let mut names = BTreeSet::new();
    for piece in &frozen.pieces {
        if !(1..=512).contains(&piece.name.len()) || !names.insert(piece.name.as_str()) {
            return wrong(format!(
                "with a piece '{}' whose name is not unique or not 1 to 512 bytes",
                piece.name.escape_debug()
            ));
        }
    }
    Ok(if from.is_some() { BackupKind::Incremental } else { BackupKind::Base })
}

#[cfg(test)]
mod tests {
    use super::super::choice::Continued;
    use super::*;
    use crate::cluster::{PieceKind, PieceSpec};
    use crate::id::{BackupId, TimelineId};
    use crate::model::{Deletes, Filter};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn choice(since: Option<i64>) -> Choice {
        Choice {
            filter: Filter::default(),
            timeline: TimelineId::from_u128(1),
            new_timeline: false,
            continued: since.map(|since| Continued {
                since: at(since),
                parent: BackupId::from_u128(1),
                chain: Vec::new(),
                over: None,
            }),
            reason: None,
            warnings: Vec::new(),
            otherwise: None,
        }
    }

    fn frozen(from: Option<i64>, applies: Applies, names: &[&str]) -> FrozenPart {
        let spec = |name: &&str| PieceSpec {
            name: (*name).to_owned(),
            kind: PieceKind::Data,
            place: None,
            group: None,
            bytes: None,
            content: None,
            detail: serde_json::Value::Null,
        };
        FrozenPart {
            part: "a".to_owned(),
            filter: Filter::default(),
            window: Window { from: from.map(at), until: at(100), settled: at(101) },
            applies,
            deletes: Deletes::Seen,
            pieces: names.iter().map(spec).collect(),
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn only_what_fits_is_taken() {
        let kind = |from, applies, since| check(&frozen(from, applies, &["p"]), &choice(since)).ok();
        assert_eq!(kind(None, Applies::Cover, None), Some(BackupKind::Base));
        assert_eq!(kind(Some(50), Applies::Cover, Some(50)), Some(BackupKind::Incremental));
        assert_eq!(
            kind(Some(49), Applies::Cover, Some(50)),
            Some(BackupKind::Incremental),
            "reaching back is harmless"
        );
        assert_eq!(kind(None, Applies::Exact, Some(50)), Some(BackupKind::Base), "more than asked for");
        assert_eq!(kind(Some(51), Applies::Cover, Some(50)), None, "a gap");
        assert_eq!(kind(Some(49), Applies::Exact, Some(50)), None, "not its parent's end");
        assert_eq!(kind(Some(49), Applies::Cover, None), None);
        assert_eq!(kind(Some(100), Applies::Cover, Some(100)), None, "an empty window");
    }

    #[test]
    fn pieces_need_names_of_their_own() {
        for names in [&["p", "p"][..], &[""], &["x".repeat(513).as_str()]] {
            let error = check(&frozen(None, Applies::Cover, names), &choice(None)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
        }
    }
}
