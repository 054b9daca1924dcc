//! Base or incremental, and since when: the newest chain of the part that a restore could use is continued. Pure.

use crate::cluster::ClusterIdentity;
use crate::id::{BackupId, TimelineId};
use crate::model::{Applies, BackupKind, Filter, PartName, Scope};
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
    /// What people should know of how it was chosen.
    pub(super) warnings: Vec<String>,
}

/// The chain that an incremental continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Continued {
    pub(super) since: Timestamp,
    pub(super) parent: BackupId,
    /// What must stay meanwhile.
    pub(super) chain: Vec<BackupId>,
    /// The base that it reaches over, if it starts before its end.
    pub(super) over: Option<Bridged>,
}

/// A base that a bridging incremental reaches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bridged {
    pub(super) base: BackupId,
    pub(super) until: Timestamp,
}

impl Choice {
    /// Lets a bridging incremental start at the base that it would reach over. `false`: it bridges nothing.
    pub(super) fn start_at_the_base(&mut self, why: &str) -> bool {
        let Some(continued) = &mut self.continued else { return false };
        let Some(Bridged { base, until }) = continued.over.take() else { return false };
        self.warnings.push(format!(
            "the incremental starts at the base {base}, and not at {}, where the backup before that base ends ({why}): \
             losing the base would lose this incremental and those that follow it",
            continued.since
        ));
        (continued.since, continued.parent) = (until, base);
        true
    }
}

/// What is asked of every part of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) kind: BackupKindWish,
    /// The cluster can tell what changed.
    pub(super) incremental: bool,
    /// The first incremental after a base starts where the backup before the base ended.
    pub(super) bridge: bool,
}

/// Chooses for one part. `fresh` is the id of a new timeline, if one is needed.
pub(super) fn choose(
    loaded: &Loaded,
    cluster: &ClusterIdentity,
    part: &PartName,
    filter: Filter,
    wish: Wish,
    fresh: TimelineId,
) -> Result<Choice> {
    let doubt = history_in_doubt(loaded, cluster, part);
    let live = live_timeline(loaded, cluster, part).filter(|_| !doubt);
    let base = |reason: &str| {
        if wish.kind == BackupKindWish::Incremental {
            return Err(Error::broken_chain(format!("part '{part}' can only be backed up as a base: {reason}"))
                .hint("ask for a base, or leave the choice to strongroom"));
        }
        Ok(Choice {
            filter: filter.clone(),
            timeline: live.unwrap_or(fresh),
            new_timeline: live.is_none(),
            continued: None,
            reason: Some(reason.to_owned()),
            warnings: Vec::new(),
        })
    };
    if wish.kind == BackupKindWish::Base {
        return base("a base was asked for");
    }
    if !wish.incremental {
        return base("the cluster can't tell what changed");
    }
    if doubt {
        return base("records of the catalogue were lost, and a restore may have begun a new history");
    }
    let Some(timeline) = live else { return base("it is the first backup of the part") };
    match newest_end(loaded, cluster, part, &filter, timeline, wish.bridge) {
        Ok(continued) => Ok(Choice {
            filter,
            timeline,
            new_timeline: false,
            continued: Some(continued),
            reason: None,
            warnings: Vec::new(),
        }),
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

/// The end of the newest chain that a restore could use, of backups with this very filter. If that is a base, `bridge`
/// goes back to the end that there would be without it: then losing the base loses nothing else.
fn newest_end(
    loaded: &Loaded,
    cluster: &ClusterIdentity,
    part: &PartName,
    filter: &Filter,
    timeline: TimelineId,
    bridge: bool,
) -> Result<Continued, String> {
    let usable = |entry: &Entry| entry.timeline == timeline && entry.filter == *filter;
    let entries: Vec<Entry> = loaded.catalogue().entries_of(cluster.id, part).filter(usable).collect();
    if entries.is_empty() {
        return Err("no earlier backup of this part's present history has this filter".to_owned());
    }
    let incrementals = entries.iter().filter(|entry| entry.kind == BackupKind::Incremental);
    let newest = incrementals.max_by_key(|entry| (entry.window.until, entry.created));
    // What fits onto its parent alone can't be laid onto a base that is newer than its beginning.
    let bridge = bridge && newest.is_none_or(|entry| entry.applies == Applies::Cover);
    let mut request = Request::at(Target::Latest).of(Scope { parts: Some([(part.clone(), filter.clone())].into()) });
    request.cluster = Some(cluster.id);
    request.timelines = [(part.clone(), timeline)].into();
    request.no_logs = true;
    let end_of = |entries: Vec<Entry>| {
        let timelines = loaded.timelines().to_vec();
        let catalogue = Catalogue::from_entries(entries, timelines, loaded.generation(), loaded.is_complete());
        let plan = catalogue.plan(&request).map_err(|error| format!("no chain can be continued: {error}"))?;
        let plan = plan.parts.get(part).ok_or("no chain can be continued")?;
        let last = plan.steps.last().ok_or("no chain can be continued")?;
        let chain = plan.steps.iter().map(|step| step.backup).collect();
        let continued = Continued { since: plan.reached.until, parent: last.backup, chain, over: None };
        Ok::<_, String>((continued, last.kind.starts_a_chain()))
    };
    let (end, is_base) = end_of(entries.clone())?;
    if !bridge || !is_base {
        return Ok(end);
    }
    let others = entries.into_iter().filter(|entry| entry.id != end.parent).collect();
    Ok(match end_of(others) {
        Ok((before, _)) if before.since < end.since => Continued {
            chain: end.chain.into_iter().chain(before.chain).collect(),
            over: Some(Bridged { base: end.parent, until: end.since }),
            ..before
        },
        _ => end,
    })
}
