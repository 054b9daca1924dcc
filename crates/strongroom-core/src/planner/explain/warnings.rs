//! What warnings mean, in plain words.

use std::collections::BTreeMap;

use super::ExplainedWarning;
use crate::planner::reason::{Warning, WarningCode};

/// By code, in the order of the codes.
pub(super) fn in_words(warnings: &[Warning]) -> Vec<ExplainedWarning> {
    let mut by_code: BTreeMap<WarningCode, ExplainedWarning> = BTreeMap::new();
    for warning in warnings {
        let found = by_code.entry(warning.code).or_insert_with(|| ExplainedWarning {
            code: warning.code,
            parts: Vec::new(),
            messages: Vec::new(),
            meaning: meaning(warning.code).to_owned(),
        });
        found.parts.extend(warning.part.clone());
        found.messages.push(warning.message.clone());
    }
    by_code.into_values().collect()
}

fn meaning(code: WarningCode) -> &'static str {
    match code {
        WarningCode::DeletesUnseen => {
            "What was deleted in the window of such a step, and is in a step before it, is back after the restore: an \
             incremental of this kind holds what was written, and nothing tells of a delete. A base taken after the \
             delete does not bring it back."
        }
        WarningCode::Unverified => {
            "Nothing has read these backups since they were stored. The restore proves them before it changes anything; \
             a verify tells earlier."
        }
        WarningCode::Fuzzy => {
            "The cluster was written to while the last backup was taken. Of those changes some are in and others are not; \
             all earlier ones are in, and no later one."
        }
        WarningCode::ClockMargin => {
            "Which changes count as earlier is decided by the time stamps that clients gave them. Where clocks differ by \
             more than the margin, a change may be on the wrong side."
        }
        WarningCode::Partial => {
            "Some ranges were on no node that could be read when these backups were taken. What lies in them is not \
             restored by these steps."
        }
        WarningCode::MovedEarlier => {
            "The moment that was asked for can't be reached, and the nearest earlier one was allowed instead. Later \
             changes are not restored."
        }
        WarningCode::PartLeftOut => "These parts have nothing that can be restored, and were allowed to be left out.",
        WarningCode::PartsDiffer => {
            "Each part is as of its own moment. Where parts refer to each other, ask for one cut through all of them \
             together."
        }
        WarningCode::LogsBehind => {
            "Logs are archived, but not far enough to carry the state on. Newer segments may still arrive."
        }
        WarningCode::CatalogueIncomplete => {
            "Some of what the repository holds could not be read, so that a better plan may exist."
        }
        WarningCode::TimelineUnknown => {
            "When a restore ended the history before is not recorded. It is taken to have been right before the first \
             backup of this one."
        }
        WarningCode::Thaw => "Reading begins when the storage has thawed these copies: that can take hours.",
    }
}
