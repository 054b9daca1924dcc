//! `prune`.

use clap::Args;
use strongroom::core::model::PartName;
use strongroom::core::planner::{RetentionPolicy, Zone};
use strongroom::core::units::{ByteSize, Span};
use strongroom::{PruneRequest, Removal, Result, Strongroom};

use crate::context::Context;
use crate::output::DONE;
use crate::removal;

/// Condemn what the policy does not keep, and delete what was condemned a grace time ago
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    /// Say what would go, why the rest stays and how many bytes would be free, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: Policy,
    /// Only the parts of this cluster, by name or id
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// How long what is condemned stays, such as 24h; 0s deletes it at once [default: the profile's, else 24h]
    #[arg(long, value_name = "SPAN")]
    grace: Option<Span>,
    /// Give up backups that were begun longer ago than this and never committed [default: 7d]
    #[arg(long, value_name = "SPAN")]
    unfinished_after: Option<Span>,
}

/// A policy. Any of these options takes the place of the profile's whole policy.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy (any of these replaces the profile's [repositories.NAME.retention])")]
struct Policy {
    /// Keep the newest so many points of each part
    #[arg(long, value_name = "NUMBER")]
    keep_last: Option<u32>,
    /// Keep every point younger than this, such as 48h or 30d
    #[arg(long, value_name = "SPAN")]
    keep_within: Option<Span>,
    /// Keep the last point of each of the newest so many hours that have one
    #[arg(long, value_name = "NUMBER")]
    keep_hourly: Option<u32>,
    /// The same for days
    #[arg(long, value_name = "NUMBER")]
    keep_daily: Option<u32>,
    /// The same for weeks, which begin on Monday
    #[arg(long, value_name = "NUMBER")]
    keep_weekly: Option<u32>,
    /// The same for months
    #[arg(long, value_name = "NUMBER")]
    keep_monthly: Option<u32>,
    /// The same for years
    #[arg(long, value_name = "NUMBER")]
    keep_yearly: Option<u32>,
    /// Where days begin, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<Zone>,
    /// Keep every moment of this last span restorable, with the commit logs it needs
    #[arg(long, value_name = "SPAN")]
    point_in_time: Option<Span>,
    /// Give up the oldest of these points until a part takes no more than this
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
    /// Keep the newest so many bases in any case, verified ones first [default: 1]
    #[arg(long, value_name = "NUMBER")]
    min_redundancy: Option<u32>,
    /// Keep backups that no restore can use for so long [default: 14d]
    #[arg(long, value_name = "SPAN")]
    keep_unusable: Option<Span>,
}

impl Policy {
    /// The policy that the options make; `None`: none was given.
    fn given(&self) -> Option<RetentionPolicy> {
        let default = RetentionPolicy::default();
        let policy = RetentionPolicy {
            keep_last: self.keep_last,
            keep_within: self.keep_within,
            keep_hourly: self.keep_hourly,
            keep_daily: self.keep_daily,
            keep_weekly: self.keep_weekly,
            keep_monthly: self.keep_monthly,
            keep_yearly: self.keep_yearly,
            zone: self.zone.clone().unwrap_or_default(),
            point_in_time: self.point_in_time,
            max_size: self.max_size,
            min_redundancy: self.min_redundancy.unwrap_or(default.min_redundancy),
            keep_unusable: self.keep_unusable.unwrap_or(default.keep_unusable),
        };
        let said = self.min_redundancy.is_some() || self.keep_unusable.is_some() || self.zone.is_some();
        (said || policy != default).then_some(policy)
    }
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let strongroom = context.strongroom()?;
        let repository = strongroom.repository(&self.repository).await?;
        let mut request = self.request(&strongroom);
        if let (Removal::Policy { cluster, .. }, Some(name)) = (&mut request.what, &self.cluster) {
            *cluster = Some(repository.cluster_id(name).await?);
        }
        let ruled = has_rules(&request);
        let report = context.wait(repository.prune(request)).await?;
        context.output.result(&report, || {
            let mut text = removal::text(&report);
            if !ruled {
                text.push_str("no policy was given, so every point stays: see --keep-last and the others\n");
            }
            text
        })?;
        Ok(if removal::was_refused(&report) { crate::output::FOUND } else { DONE })
    }

    fn request(&self, strongroom: &Strongroom) -> PruneRequest {
        let mut request = PruneRequest { dry_run: self.dry_run, ..strongroom.prune_request(&self.repository) };
        if let Some(policy) = self.policy.given() {
            let parts = std::collections::BTreeMap::<PartName, RetentionPolicy>::new();
            request.what = Removal::Policy { policy, parts, cluster: None };
        }
        request.grace = self.grace.map_or(request.grace, |span| span.0);
        request.unfinished_after = self.unfinished_after.map_or(request.unfinished_after, |span| span.0);
        request
    }
}

/// Whether anything is limited at all.
fn has_rules(request: &PruneRequest) -> bool {
    match &request.what {
        Removal::Policy { policy, parts, .. } => {
            let rules = |policy: &RetentionPolicy| policy.has_rules() || policy.max_size.is_some();
            rules(policy) || parts.values().any(rules)
        }
        Removal::Backups { .. } => true,
    }
}
