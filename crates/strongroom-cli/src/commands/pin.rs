//! `pin`, `unpin`, `hold`, `release`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use strongroom::core::id::BackupId;
use strongroom::core::planner::{Pin, PinKind};
use strongroom::{Error, Result, Timestamp};

use crate::choice::backups;
use crate::context::Context;
use crate::output::{DONE, count};

/// Keep backups, and what they need, whatever the policy says
#[derive(Debug, Args)]
pub(crate) struct PinArguments {
    repository: String,
    /// The backups
    #[arg(value_name = "ID", required = true)]
    backups: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Until this moment [default: until it is taken off]
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Who sets it
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
}

/// Take the pins of backups off
#[derive(Debug, Args)]
pub(crate) struct UnpinArguments {
    repository: String,
    /// The backups
    #[arg(value_name = "ID", required = true)]
    backups: Vec<String>,
}

/// Put backups on legal hold: as a pin, and only who set it takes it off
#[derive(Debug, Args)]
pub(crate) struct HoldArguments {
    repository: String,
    /// The backups
    #[arg(value_name = "ID", required = true)]
    backups: Vec<String>,
    /// Why, such as the number of a case
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Until this moment [default: until it is released]
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Who sets it
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
}

/// Release backups from legal hold
#[derive(Debug, Args)]
pub(crate) struct ReleaseArguments {
    repository: String,
    /// The backups
    #[arg(value_name = "ID", required = true)]
    backups: Vec<String>,
    /// Who set it
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
}

impl PinArguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let Self { repository, backups, reason, until, by } = self;
        set(context, &repository, &backups, PinKind::Pin, reason, until, by).await
    }
}

impl HoldArguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let Self { repository, backups, reason, until, by } = self;
        set(context, &repository, &backups, PinKind::Hold, reason, until, by).await
    }
}

impl UnpinArguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        take_off(context, &self.repository, &self.backups, PinKind::Pin, "").await
    }
}

impl ReleaseArguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let by = who(self.by)?;
        take_off(context, &self.repository, &self.backups, PinKind::Hold, &by).await
    }
}

async fn set(
    context: &Context,
    repository: &str,
    names: &[String],
    kind: PinKind,
    reason: String,
    until: Option<Timestamp>,
    by: Option<String>,
) -> Result<u8> {
    let chosen: BTreeSet<BackupId> = backups(names)?.unwrap_or_default();
    let strongroom = context.strongroom()?;
    let now = strongroom.environment().now();
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(Error::invalid(format!("it would have ended at {until} already")).hint("name a moment to come"));
    }
    let pin = Pin { until, ..Pin::new(kind, reason).by(who(by)?, now) };
    let repository = strongroom.repository(repository).await?;
    for backup in &chosen {
        repository.core().pin(*backup, pin.clone()).await?;
    }
    let what = if kind == PinKind::Hold { "on legal hold" } else { "pinned" };
    context.output.result(&json!({ "backups": chosen, "pin": pin }), || {
        let end = until.map_or_else(String::new, |until| format!(" until {until}"));
        format!("{} {what}{end}", count(chosen.len() as u64, "backup"))
    })?;
    Ok(DONE)
}

async fn take_off(context: &Context, repository: &str, names: &[String], kind: PinKind, by: &str) -> Result<u8> {
    let chosen: BTreeSet<BackupId> = backups(names)?.unwrap_or_default();
    let repository = context.strongroom()?.repository(repository).await?;
    let mut removed = Vec::new();
    for backup in &chosen {
        removed.extend(repository.core().unpin(*backup, kind, by).await?);
    }
    let what = if kind == PinKind::Hold { "hold" } else { "pin" };
    context.output.result(&json!({ "backups": chosen, "removed": removed }), || {
        format!("{} taken off {}", count(removed.len() as u64, what), count(chosen.len() as u64, "backup"))
    })?;
    Ok(DONE)
}

fn who(by: Option<String>) -> Result<String> {
    by.filter(|by| !by.is_empty())
        .ok_or_else(|| Error::invalid("it is not known who you are").hint("say it with --by NAME"))
}
