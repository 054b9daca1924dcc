//! Every valid sequence of backups of one part on one timeline.

use strongroom_core::model::{Applies, BackupKind};

use super::facts::{Fact, Score, sum};

/// A valid sequence and what it reaches.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// Places in the list that the chains were made of.
    pub(crate) steps: Vec<usize>,
    pub(crate) until: i64,
    pub(crate) settled: i64,
    pub(crate) score: Score,
}

/// All chains of `lane`; `worth` says what each backup adds, `None` when it may not be used.
pub(crate) fn chains(lane: &[Fact<'_>], worth: &[Option<Score>]) -> Vec<Chain> {
    let mut all = Vec::new();
    for (at, fact) in lane.iter().enumerate() {
        if let (true, Some(score)) = (starts(fact), worth[at]) {
            let chain = Chain { steps: vec![at], until: fact.until(), settled: fact.settled(), score };
            extend(lane, worth, chain, &mut all);
        }
    }
    all
}

fn starts(fact: &Fact<'_>) -> bool {
    matches!(fact.entry.kind, BackupKind::Base | BackupKind::Synthetic)
}

fn extend(lane: &[Fact<'_>], worth: &[Option<Score>], chain: Chain, all: &mut Vec<Chain>) {
    for (at, fact) in lane.iter().enumerate() {
        let Some(score) = worth[at].filter(|_| fact.entry.kind == BackupKind::Incremental) else { continue };
        if !follows(lane, &chain, fact) {
            continue;
        }
        let mut longer = chain.clone();
        longer.steps.push(at);
        longer.until = fact.until();
        longer.settled = longer.settled.max(fact.settled());
        longer.score = sum(longer.score, score);
        extend(lane, worth, longer, all);
    }
    all.push(chain);
}

/// Whether an incremental may be applied to the state that `chain` ends in.
fn follows(lane: &[Fact<'_>], chain: &Chain, next: &Fact<'_>) -> bool {
    let advances = chain.until < next.until();
    match next.entry.applies {
        Applies::Cover => advances && next.from() <= chain.until,
        Applies::Exact => {
            let last = &lane[*chain.steps.last().unwrap()];
            let onto_its_parent = next.entry.parent == Some(last.entry.id) && next.from() == chain.until;
            advances && onto_its_parent && is_as_taken(lane, chain)
        }
    }
}

/// Whether the state that `chain` ends in is the very one that its last backup was taken of: an exact incremental says
/// what changed in *that* state. A base is itself; an exact one makes its own state; but a cover incremental leaves
/// whatever an earlier step caught after it ended.
fn is_as_taken(lane: &[Fact<'_>], chain: &Chain) -> bool {
    let (last, before) = chain.steps.split_last().unwrap();
    let last = &lane[*last];
    let covers = last.entry.kind == BackupKind::Incremental && last.entry.applies == Applies::Cover;
    !covers || before.iter().all(|step| lane[*step].settled() <= last.until())
}
