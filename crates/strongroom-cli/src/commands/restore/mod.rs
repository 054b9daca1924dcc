//! `restore`.

mod options;

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;
use strongroom::RestoreSummary;
use strongroom::core::engine::abort_restore;
use strongroom::core::id::SessionId;
use strongroom::storage::redact_url;
use strongroom::{Cluster, Error, Journal, RestoreRequest, Result};

use self::options::{InTarget, Proving};
use crate::choice::{Choice, id};
use crate::context::Context;
use crate::output::{DONE, count};
use crate::settings::Pace;
use crate::text;

/// What a restore that goes on takes from its journal instead of from the command line.
const REMEMBERED: [&str; 18] = [
    "at",
    "exactly",
    "backup",
    "parts",
    "tables",
    "columns",
    "partitions",
    "filter_expression",
    "cluster",
    "nearest_earlier",
    "truncate",
    "conflict",
    "renames",
    "now",
    "no_definitions",
    "no_data",
    "definitions_last",
    "dry_run",
];

/// Restore a cluster from a repository
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// The cluster to restore into; an embedded one is made if it does not exist
    #[arg(long, value_name = "CLUSTER")]
    into: String,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    target: InTarget,
    #[command(flatten)]
    proving: Proving,
    /// Keep a journal in this folder (or storage, by URL), so that a restore that fails or is killed can go on
    #[arg(long, value_name = "FOLDER")]
    journal: Option<String>,
    /// Go on with the unfinished restore of the journal, or with this one of several; plan and options are the journal's
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "",
        requires = "journal", conflicts_with_all = REMEMBERED)]
    resume: Option<String>,
    /// With --resume: the process that began it is surely dead, so do not wait until its lease ends
    #[arg(long, requires = "resume")]
    take_over: bool,
    /// Give up the unfinished restore of the journal, or this one of several: what was staged is freed, what was written
    /// stays
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "",
        requires = "journal", conflicts_with_all = REMEMBERED, conflicts_with = "resume")]
    abort: Option<String>,
    /// Restore into a cluster although its fingerprint changed
    #[arg(long)]
    accept_fingerprint: bool,
    #[command(flatten)]
    pace: Pace,
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let journal = self.journal.as_deref().map(|journal| strongroom.storage(journal)).transpose()?.map(Journal::new);
        if let (Some(session), Some(journal)) = (&self.abort, &journal) {
            return abort(context, session, journal, &*strongroom.cluster(&self.into)?).await;
        }
        let repository = strongroom.repository(&self.repository).await?;
        let (plan, target, session, options) = if let (Some(session), Some(journal)) = (&self.resume, &journal) {
            let (session, begun) = journal.to_resume(named(session)?).await?;
            context.output.note(format!("going on with restore {session}"));
            (begun.plan, strongroom.cluster(&self.into)?, Some(session), begun.options)
        } else {
            // The plan comes before the target: a refused one makes no file.
            let plan = self.choice.plan(&repository).await?;
            context.output.note(text::plan(&plan, ""));
            let dry = self.target.dry_run;
            let target = if dry { strongroom.cluster(&self.into)? } else { strongroom.target(&self.into)? };
            (plan, target, None, self.target.options())
        };
        let request = RestoreRequest {
            options,
            settings: self.pace.settings(),
            journal: journal.clone(),
            session,
            take_over: self.take_over,
            storages: strongroom.copies(&plan),
            accept_cluster: self.accept_fingerprint,
            dry_run: self.target.dry_run,
            ..RestoreRequest::default()
        };
        let request = self.proving.put_into(request, &strongroom)?;
        match context.wait(repository.restore(plan, target, request)).await {
            Ok(summary) => context.output.result(&summary, || told(&summary))?,
            Err(error) => return Err(self.advised(error, journal.as_ref()).await),
        }
        Ok(DONE)
    }

    /// Where the restore can go on, says with which command.
    async fn advised(&self, error: Error, journal: Option<&Journal>) -> Error {
        let (Some(folder), Some(journal)) = (&self.journal, journal) else { return error };
        let open = journal.unfinished().await.unwrap_or_default();
        let Some((session, _)) = open.iter().max_by_key(|(_, begun)| begun.at) else { return error };
        let (repository, folder) = (redact_url(&self.repository), redact_url(folder));
        let resume = format!("--resume={session}");
        let words = ["strongroom", "restore", &repository, "--into", &self.into, "--journal", &folder, &resume];
        error.hint(format!("go on where it ended: {}", text::command(&words)))
    }
}

async fn abort(context: &Context, session: &str, journal: &Journal, target: &dyn Cluster) -> Result<u8> {
    let (session, _) = journal.to_resume(named(session)?).await?;
    abort_restore(journal, session, target).await?;
    context.output.result(&json!({ "aborted": session }), || {
        format!("restore {session} is given up: what it has written stays in the target")
    })?;
    Ok(DONE)
}

/// The session that `--resume` or `--abort` names, if it names one.
fn named(session: &str) -> Result<Option<SessionId>> {
    if session.is_empty() { Ok(None) } else { id("restore", session).map(Some) }
}

pub(super) fn told(summary: &RestoreSummary) -> String {
    let mut lines = Vec::new();
    for (part, reached) in &summary.parts {
        lines.push(format!("part '{part}': reached {}", reached.until));
    }
    lines.push(if summary.dry_run {
        "dry run: nothing was changed".to_owned()
    } else {
        let applied = summary.applied;
        let mut line = format!(
            "{} written, {} deleted, {} expired, {}",
            count(applied.written, "record"),
            applied.deleted,
            applied.expired,
            count(applied.definitions, "definition")
        );
        if applied.kept > 0 {
            let _ = write!(line, ", {} kept as they were", applied.kept);
        }
        for (count, what) in [
            (applied.fresher, "of them since what is there is newer"),
            (applied.filtered, "outside the filter"),
            (applied.ignored, "ignored since the target takes none such"),
            (applied.in_doubt, "in doubt and written again"),
        ] {
            if count > 0 {
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    });
    lines.extend(summary.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
