//! Base or incremental, and since when: the newest chain of the part that a restore could use is continued. Pure.

use super::history::History;
use crate::cluster::ClusterIdentity;
use crate::id::{BackupId, TimelineId};
use crate::model::{Applies, BackupKind, Filter, PartName, Scope};
use crate::planner::{Catalogue, Entry, Request, Target};
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
    /// The timeline to begin should the cluster not be able to tell what changed: perhaps the part was restored.
    /// `None`: the cluster knows that it was not.
    pub(super) otherwise: Option<TimelineId>,
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

    /// Becomes a base, since the cluster can't tell the changes.
    pub(super) fn become_a_base(&mut self, why: &Error) {
        self.continued = None;
        self.reason = Some(format!("the cluster can't tell the changes since the last backup any more: {why}"));
        if let Some(timeline) = self.otherwise.take() {
            (self.timeline, self.new_timeline) = (timeline, true);
        }
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

/// Chooses for one part, whose `history` was looked at. `fresh` is the id of a new timeline, if one is needed.
pub(super) fn choose(
    loaded: &Loaded,
    cluster: &ClusterIdentity,
    part: &PartName,
    filter: Filter,
    wish: Wish,
    history: &History,
    fresh: TimelineId,
) -> Result<Choice> {
    let live = history.timeline.filter(|_| history.broken.is_none());
    let otherwise = (!history.remembered).then_some(fresh);
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
            otherwise: None,
        })
    };
    if wish.kind == BackupKindWish::Base {
        return base("a base was asked for");
    }
    if !wish.incremental {
        return base("the cluster can't tell what changed");
    }
    if let Some(why) = &history.broken {
        return base(why);
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
            otherwise,
        }),
        Err(reason) => base(&reason),
    }
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
