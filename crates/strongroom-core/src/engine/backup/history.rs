//! Which history a part's next backup belongs to, and whether that is still the part's history.
//!
//! Restores that this repository knows of are recorded in it. A restore out of another repository is not, nor that a
//! copy of the cluster leads a life of its own: a cluster that remembers the moments at which it was frozen tells.

use super::prepare::Prepared;
use super::run::Run;
use crate::cluster::ClusterIdentity;
use crate::id::TimelineId;
use crate::model::Status;
use crate::planner::{Entry, Timeline};
use crate::repository::Loaded;
use crate::{ErrorKind, Result, Timestamp};

/// What is known of a part's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct History {
    /// The live timeline, if the part has one.
    pub(super) timeline: Option<TimelineId>,
    /// Why it can't be gone on with.
    pub(super) broken: Option<String>,
    /// The cluster says that its newest backup leads up to what the part holds.
    pub(super) remembered: bool,
}

impl Run {
    /// Looks at the history of a part in the catalogue, and asks the cluster about it.
    pub(super) async fn history(&self, prepared: &Prepared, part: &str) -> Result<History> {
        let (loaded, cluster) = (&prepared.loaded, &prepared.topology.identity);
        let mut history = History { timeline: live_timeline(loaded, cluster, part), ..History::default() };
        if in_doubt(loaded, cluster, part) {
            let why = "records of the catalogue were lost, and a restore may have begun a new history";
            history.broken = Some(why.to_owned());
            return Ok(history);
        }
        let of_it = loaded.catalogue().entries_of(cluster.id, part);
        let there = |entry: &Entry| Some(entry.timeline) == history.timeline && entry.status != Status::Deleted;
        let Some(newest) = of_it.filter(there).max_by_key(|entry| (entry.window.until, entry.created)) else {
            return Ok(history);
        };
        match self.remembers(part, newest.window.until).await? {
            None => {}
            Some(true) => history.remembered = true,
            Some(false) => {
                history.broken = Some(format!(
                    "the backup {} does not lead up to what the part holds: it was restored or replaced since, or this \
                     is another copy of the cluster",
                    newest.id
                ));
            }
        }
        Ok(history)
    }

    /// Whether the part's history leads through `until`, as far as the cluster can tell.
    pub(super) async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        match self.cluster.remembers(part, until).await {
            // A part that is not there is told when it is frozen.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other,
        }
    }
}

impl Prepared {
    /// A new timeline of `part`, whose first backup reaches `until`.
    pub(super) fn new_timeline(&self, id: TimelineId, part: &str, until: Timestamp) -> Timeline {
        let (loaded, cluster) = (&self.loaded, self.topology.identity.id);
        let of_it = |known: &&Timeline| known.cluster == cluster && known.part == part;
        let newest = loaded.timelines().iter().filter(of_it).map(|known| known.began).max();
        let known = newest.is_some() || loaded.catalogue().entries_of(cluster, part).next().is_some();
        // Clocks may have gone back, but the order of the timelines does not.
        let later =
            newest.flatten().map_or(until.plus_micros(-1), |newest| newest.max(until.plus_micros(-2)).plus_micros(1));
        Timeline { id, part: part.to_owned(), cluster, parent: None, began: known.then_some(later) }
    }
}

/// Whether the catalogue has lost records since the part's newest backup: of a restore that began a new history nothing
/// else tells, and an incremental would not fit what the part holds.
fn in_doubt(loaded: &Loaded, cluster: &ClusterIdentity, part: &str) -> bool {
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
