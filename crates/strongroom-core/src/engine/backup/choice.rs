//! Base or incremental, and since when: the newest chain of the part that a restore could use is continued. Pure.

use crate::cluster::ClusterIdentity;
use crate::id::{BackupId, TimelineId};
use crate::model::{Filter, PartName, Scope};
use crate::planner::{Catalogue, Entry, Request, Target, Timeline};
use crate::repository::Loaded;
use crate::{Error, Result, Timestamp};

/// What kind of backup is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupKindWish {
    /// An incremental if the part has a chain to continue and the cluster can tell what changed; else a base.
    #[default]
    Auto,
    /// A base.
    Base,
    /// An incremental; the part fails where only a base is possible.
    Incremental,
}

/// What was chosen for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) filter: Filter,
    pub(super) timeline: TimelineId,
    /// The timeline is new and must be opened.
    pub(super) new_timeline: bool,
    pub(super) continued: Option<Continued>,
    /// Why it is a base, for people.
    pub(super) reason: Option<String>,
}

/// The chain that an incremental continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Continued {
    pub(super) since: Timestamp,
    pub(super) parent: BackupId,
    pub(super) chain: Vec<BackupId>,
}

/// Chooses for one part. `fresh` is the id of a new timeline, if one is needed.
pub(super) fn choose(
    loaded: &Loaded,
    cluster: &ClusterIdentity,
    incremental: bool,
    part: &PartName,
    filter: Filter,
    wish: BackupKindWish,
    fresh: TimelineId,
) -> Result<Choice> {
    let doubt = history_in_doubt(loaded, cluster, part);
    let live = live_timeline(loaded, cluster, part).filter(|_| !doubt);
    let base = |reason: &str| {
        if wish == BackupKindWish::Incremental {
            return Err(Error::broken_chain(format!("part '{part}' can only be backed up as a base: {reason}"))
                .hint("ask for a base, or leave the choice to strongroom"));
        }
        Ok(Choice {
            filter: filter.clone(),
            timeline: live.unwrap_or(fresh),
            new_timeline: live.is_none(),
            continued: None,
            reason: Some(reason.to_owned()),
        })
    };
    if wish == BackupKindWish::Base {
        return base("a base was asked for");
    }
    if !incremental {
        return base("the cluster can't tell what changed");
    }
    if doubt {
        return base("records of the catalogue were lost, and a restore may have begun a new history");
    }
    let Some(timeline) = live else { return base("it is the first backup of the part") };
    match newest_end(loaded, cluster, part, &filter, timeline) {
        Ok(continued) => Ok(Choice { filter, timeline, new_timeline: false, continued: Some(continued), reason: None }),
        Err(reason) => base(&reason),
    }
}

/// Whether the catalogue has lost records since the part's newest backup: of a restore that began a new history nothing
/// else tells, and an incremental would not fit what the part holds.
fn history_in_doubt(loaded: &Loaded, cluster: &ClusterIdentity, part: &str) -> bool {
    let newest = loaded.catalogue().entries_of(cluster.id, part).map(|entry| entry.created).max();
    newest.is_some_and(|newest| loaded.report.rebuilt || loaded.report.mended.iter().any(|mended| mended.at >= newest))
}

/// The history that the part's next backup belongs to: the one that the newest restore began.
pub(super) fn live_timeline(loaded: &Loaded, cluster: &ClusterIdentity, part: &str) -> Option<TimelineId> {
    let own = |timeline: &&Timeline| timeline.cluster == cluster.id && timeline.part == part;
    let recorded = loaded.timelines().iter().filter(own).max_by_key(|timeline| timeline.began);
    // A catalogue that was rebuilt from manifests knows no timelines: the newest backup's is the live one.
    let newest = || {
        let own = loaded.catalogue().entries_of(cluster.id, part);
        own.max_by_key(|entry| (entry.window.until, entry.created))
    };
    recorded.map(|timeline| timeline.id).or_else(|| newest().map(|entry| entry.timeline))
}

/// The end of the newest chain that a restore could use, of backups with this very filter.
fn newest_end(
    loaded: &Loaded,
    cluster: &ClusterIdentity,
    part: &PartName,
    filter: &Filter,
    timeline: TimelineId,
) -> Result<Continued, String> {
    let usable = |entry: &Entry| entry.timeline == timeline && entry.filter == *filter;
    let entries: Vec<Entry> = loaded.catalogue().entries_of(cluster.id, part).filter(usable).collect();
    if entries.is_empty() {
        return Err("no earlier backup of this part's present history has this filter".to_owned());
    }
    let timelines = loaded.timelines().to_vec();
    let catalogue = Catalogue::from_entries(entries, timelines, loaded.generation(), loaded.is_complete());
    let mut request = Request::at(Target::Latest).of(Scope { parts: Some([(part.clone(), filter.clone())].into()) });
    request.cluster = Some(cluster.id);
    request.timelines = [(part.clone(), timeline)].into();
    request.no_logs = true;
    let plan = catalogue.plan(&request).map_err(|error| format!("no chain can be continued: {error}"))?;
    let found = plan.parts.get(part).and_then(|plan| Some((plan.reached.until, plan.steps.last()?, &plan.steps)));
    let (since, last, steps) = found.ok_or("no chain can be continued")?;
    Ok(Continued { since, parent: last.backup, chain: steps.iter().map(|step| step.backup).collect() })
}
