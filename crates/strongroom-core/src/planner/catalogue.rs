//! All backups of a repository, ready to be planned with.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::entry::{Entry, Timeline};
use super::ids::Ids;
use super::lane::{Lane, arrange, judge_ids};
use super::links::{BEGIN, Links, NONE, UNREACHED};
use super::logs::{self, Logs, Run, Stream};
use super::plan::Plan;
use super::reason::{PlanError, Reason};
use super::rows::Rows;
use super::sweep::{Search, Span};
use super::target::Request;
use super::terms::Terms;
use super::told::{self, Told};
use super::view::View;
use crate::id::{BackupId, ClusterId};
use crate::model::Filter;

/// All that is known of a repository's backups, at one generation.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub(super) rows: Rows,
    pub(super) lanes: Vec<Lane>,
    pub(super) ids: Ids,
    /// The search for [`Request::anything`], over all lanes.
    links: Links,
    /// The runs of each log lane, for the same, and the newest change that it tells of.
    runs: Vec<(Vec<Run>, i64)>,
    /// The nodes of each lane that logs can carry forward, by its first row.
    told: BTreeMap<u32, Told>,
    timelines: Vec<Timeline>,
    generation: u64,
    complete: bool,
}

/// Takes entries one by one, so that they need not all be in memory in their wide form.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    rows: Rows,
    /// Made when an entry is asked for.
    ids: OnceLock<Ids>,
}

impl Builder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for so many entries: it takes in as many without moving what it has.
    #[must_use]
    pub fn with_room(entries: usize) -> Self {
        let mut rows = Rows::default();
        rows.reserve(entries);
        Self::of(rows)
    }

    pub(super) fn of(rows: Rows) -> Self {
        Self { rows, ids: OnceLock::new() }
    }

    /// Adds an entry. The order does not matter.
    pub fn push(&mut self, entry: &Entry) {
        self.ids = OnceLock::new();
        self.rows.push(entry);
    }

    fn ids(&self) -> &Ids {
        self.ids.get_or_init(|| Ids::of(&self.rows))
    }

    /// Whether there is an entry of this backup.
    #[must_use]
    pub fn contains(&self, id: BackupId) -> bool {
        self.ids().find(&self.rows, id).is_some()
    }

    /// The entry of a backup.
    #[must_use]
    pub fn entry(&self, id: BackupId) -> Option<Entry> {
        self.rows.entry(self.ids().find(&self.rows, id)?)
    }

    /// All entries, in the order in which they came.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.rows.all().filter_map(|row| self.rows.entry(row))
    }

    /// Takes out all entries of these backups.
    pub fn remove(&mut self, backups: impl IntoIterator<Item = BackupId>) {
        let ids = self.ids();
        let gone: BTreeSet<u32> = backups.into_iter().flat_map(|id| ids.all(&self.rows, id)).collect();
        if !gone.is_empty() {
            let kept: Vec<u32> = self.rows.all().filter(|row| !gone.contains(row)).collect();
            self.rows.permute(&kept);
            self.ids = OnceLock::new();
        }
    }

    /// Sorts, and prepares the search. `generation` and `complete` as in [`Catalogue::from_entries`].
    #[must_use]
    pub fn finish(self, timelines: impl IntoIterator<Item = Timeline>, generation: u64, complete: bool) -> Catalogue {
        let mut rows = self.rows;
        let (mut lanes, moved) = arrange(&mut rows);
        let mut ids = self.ids.into_inner().filter(|_| !moved).unwrap_or_else(|| Ids::of(&rows));
        let twins = judge_ids(&mut rows, &ids);
        if !twins.is_empty() {
            let kept: Vec<u32> = rows.all().filter(|row| !twins.contains(row)).collect();
            rows.permute(&kept);
            (lanes, _) = arrange(&mut rows);
            ids = Ids::of(&rows);
        }
        rows.shrink();
        let mut timelines: Vec<Timeline> = timelines.into_iter().collect();
        timelines.sort_by(|a, b| (a.cluster, &a.part, a.began, a.id).cmp(&(b.cluster, &b.part, b.began, b.id)));
        let complete = complete && !rows.overfull;
        let (links, runs, told) = Default::default();
        let mut catalogue = Catalogue { rows, lanes, ids, links, runs, told, timelines, generation, complete };
        catalogue.prepare();
        catalogue
    }
}

/// The same entries, timelines, generation and completeness.
impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        (self.generation, self.complete, &self.timelines) == (other.generation, other.complete, &other.timelines)
            && self.len() == other.len()
            && self.entries().eq(other.entries())
    }
}

impl Catalogue {
    /// Takes what is known. `generation` goes into every plan; `complete` says that the entries are all there are: an
    /// incomplete catalogue never proves that something is absent.
    ///
    /// Two different entries with one id are both left unused; the same entry twice is one.
    #[must_use]
    pub fn from_entries(
        entries: impl IntoIterator<Item = Entry>,
        timelines: impl IntoIterator<Item = Timeline>,
        generation: u64,
        complete: bool,
    ) -> Self {
        let entries = entries.into_iter();
        let mut builder = Builder::with_room(entries.size_hint().0);
        entries.for_each(|entry| builder.push(&entry));
        builder.finish(timelines, generation, complete)
    }

    /// Sweeps every lane for the usual request.
    fn prepare(&mut self) {
        let request = Request::anything();
        let length = self.rows.len();
        let room = || Vec::with_capacity(length);
        let mut links = Links { first: 0, previous: room(), lower: room(), detours: BTreeMap::new() };
        let mut runs = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let (terms, _) = Terms::of(&self.rows, lane, &request, None, None);
            if lane.node.is_some() {
                links.previous.extend(lane.rows.clone().map(|_| UNREACHED | BEGIN));
                links.lower.extend(lane.rows.clone().map(|_| NONE));
                runs.push((logs::runs(&terms, lane), self.newest(lane)));
            } else {
                let found = self.sweep(lane, &terms);
                links.previous.extend(found.previous);
                links.lower.extend(found.lower);
                links.detours.extend(found.detours);
                runs.push((Vec::new(), i64::MIN));
            }
        }
        self.links = links;
        self.runs = runs;
        self.told = told::by_lane(&self.rows, &self.lanes);
    }

    fn sweep(&self, lane: &Lane, terms: &Terms<'_>) -> Links {
        let span = Span { first: lane.rows.start, end: lane.rows.end, limit: None, except: None };
        Search { terms, ids: &self.ids, lane }.sweep(span, None)
    }

    /// The newest change that any row of a lane tells of, usable or not.
    fn newest(&self, lane: &Lane) -> i64 {
        let timed = lane.rows.clone().filter(|row| self.rows.bad.get(row) != Some(&Reason::BadWindow));
        timed.map(|row| self.rows.until[row as usize]).max().unwrap_or(i64::MIN)
    }

    /// One lane as `request` sees it; `gone` are rows to be taken as lost.
    pub(super) fn view<'a>(
        &'a self,
        lane: &'a Lane,
        request: &Request,
        filter: Option<&Filter>,
        gone: Option<&'a BTreeSet<u32>>,
    ) -> View<'a> {
        let (terms, prepared) = Terms::of(&self.rows, lane, request, filter, gone);
        let links = if prepared { Cow::Borrowed(&self.links) } else { Cow::Owned(self.sweep(lane, &terms)) };
        View { rows: &self.rows, ids: &self.ids, lane, terms, links }
    }

    /// The logs that can carry the states of `lane` forward.
    pub(super) fn logs<'a>(
        &'a self,
        lane: &'a Lane,
        request: &Request,
        filter: Option<&Filter>,
        gone: Option<&'a BTreeSet<u32>>,
    ) -> Logs<'a> {
        let mine = |log: &Lane| {
            log.node.is_some()
                && log.cluster == lane.cluster
                && (log.part.is_empty() || (log.part == lane.part && log.timeline == lane.timeline))
        };
        let streams = self.lanes.iter().zip(&self.runs).filter(|(log, _)| !request.no_logs && mine(log));
        let streams = streams.map(|(log, (known, newest))| {
            let (terms, prepared) = Terms::of(&self.rows, log, request, filter, gone);
            let runs = if prepared { Cow::Borrowed(known.as_slice()) } else { Cow::Owned(logs::runs(&terms, log)) };
            Stream { lane: log, terms, runs, newest: *newest }
        });
        let told = self.told.get(&lane.rows.start).map_or_else(|| Cow::Owned(Told::default()), Cow::Borrowed);
        Logs { streams: streams.collect(), told, margin: request.log_margin_micros.max(0) }
    }

    /// What is left without the rows in `gone`, which grow. As any catalogue: it is prepared anew.
    pub(super) fn without(&self, gone: &[u32]) -> Self {
        let mut gone = gone.iter().copied().peekable();
        let left: Vec<u32> = self.rows.all().filter(|row| gone.next_if_eq(row).is_none()).collect();
        let mut rows = self.rows.clone();
        rows.permute(&left);
        Builder::of(rows).finish(self.timelines.iter().cloned(), self.generation, self.complete)
    }

    /// How often the catalogue has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the entries are all there are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// The timelines that are known.
    #[must_use]
    pub fn timelines(&self) -> &[Timeline] {
        &self.timelines
    }

    /// The entry of a backup.
    #[must_use]
    pub fn entry(&self, id: BackupId) -> Option<Entry> {
        self.rows.entry(self.ids.find(&self.rows, id)?)
    }

    /// All entries, by part, timeline and time; log segments last.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.rows.all().filter_map(|row| self.rows.entry(row))
    }

    /// The entries of one part, by timeline and time.
    #[must_use]
    pub fn entries_of<'a>(
        &'a self,
        cluster: ClusterId,
        part: &str,
    ) -> impl DoubleEndedIterator<Item = Entry> + use<'a> {
        let lanes: Vec<_> = self.lanes_of_part(cluster, part).map(|lane| lane.rows.clone()).collect();
        lanes.into_iter().flatten().filter_map(|row| self.rows.entry(row))
    }

    /// What the catalogue takes in memory: `(bytes of the columns that planning works on, bytes beside them)`. The
    /// second holds the details, names and texts.
    #[must_use]
    pub fn memory(&self) -> (usize, usize) {
        let (columns, beside) = self.rows.memory();
        let links = (self.links.previous.capacity() + self.links.lower.capacity()) * 4;
        let runs: usize = self.runs.iter().map(|(runs, _)| runs.capacity() * size_of::<Run>() + 32).sum();
        let lanes: usize =
            self.lanes.iter().map(|lane| size_of::<Lane>() + lane.part.len() + lane.classes.len() * 4).sum();
        (columns + links + self.ids.bytes(), beside + runs + lanes)
    }

    /// A builder that holds all entries of this catalogue.
    #[must_use]
    pub fn into_builder(self) -> Builder {
        Builder { rows: self.rows, ids: OnceLock::from(self.ids) }
    }

    /// Plans a restore.
    ///
    /// # Errors
    /// Why no chain reaches the target, with the nearest points that can be reached.
    pub fn plan(&self, request: &Request) -> Result<Plan, Box<PlanError>> {
        super::compose::plan(self, request, None)
    }
}
