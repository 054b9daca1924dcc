//! From rows to steps.

use super::class::Copy;
use super::entry::{HOME, Tier};
use super::part::{Choice, Part};
use super::plan::{Apply, ChosenCopy, PartPlan, PlanTotals, Reached, Step};
use super::reason::{Reason, Warning, WarningCode};
use super::rows::Rows;
use super::target::Request;
use super::terms::Kind;
use crate::Timestamp;
use crate::cluster::StepId;
use crate::manifest::Blake3;
use crate::model::Status;

/// Steps as they are numbered, with what all of them sum up to.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    pub(super) request: &'a Request,
    pub(super) rows: &'a Rows,
    pub(super) next: StepId,
    pub(super) totals: PlanTotals,
    pub(super) warnings: Vec<Warning>,
    /// Classes in use, for the keys and codecs of the plan.
    pub(super) classes: Vec<u32>,
    hasher: blake3::Hasher,
    copies: Option<(u32, Vec<Copy<'a>>)>,
    /// Bytes that wait to be hashed: hashing a few at a time is dear.
    waiting: Vec<u8>,
    /// Room for a name.
    name: Vec<u8>,
}

/// As many bytes are hashed at once.
const HASH_AT_ONCE: usize = 16 << 10;

impl<'a> Steps<'a> {
    pub(super) fn new(request: &'a Request, rows: &'a Rows) -> Self {
        Self {
            request,
            rows,
            next: 0,
            totals: PlanTotals::default(),
            warnings: Vec::new(),
            classes: Vec::new(),
            hasher: blake3::Hasher::new(),
            copies: None,
            waiting: Vec::new(),
            name: Vec::new(),
        }
    }

    /// The hash of all that was put in.
    pub(super) fn hash(&mut self) -> Blake3 {
        self.hasher.update(&self.waiting);
        self.waiting.clear();
        Blake3::from(self.hasher.finalize())
    }

    /// Puts bytes into the hash.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= HASH_AT_ONCE {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// The steps of one part.
    pub(super) fn part(&mut self, part: &Part<'_>, choice: &Choice) -> Result<PartPlan, Reason> {
        let before = self.totals;
        let mut steps = Vec::with_capacity(choice.route.rows.len() + choice.replay.as_ref().map_or(0, Vec::len));
        let (mut partial, mut thaw) = (0_u64, 0_u64);
        let replay = Apply::Replay { after: Timestamp::from_micros(choice.route.until), until: choice.reached.until };
        for row in choice.route.rows.iter().chain(choice.replay.iter().flatten()) {
            let step = self.step(*row, replay)?;
            let class = self.rows.class_of(*row);
            partial += u64::from(class.status == Status::Partial || class.missing > 0);
            thaw += u64::from(step.copy.tier == Tier::Archive);
            steps.push(step);
        }
        let unseen = self.totals.deletes_unseen - before.deletes_unseen;
        let unverified = self.totals.unverified - before.unverified;
        let mut warn = |code, count: u64, text: &str| {
            if count > 0 {
                let message = format!("{count} of {} steps {text}", steps.len());
                self.warnings.push(Warning { code, part: Some(part.name.to_owned()), message });
            }
        };
        warn(WarningCode::DeletesUnseen, unseen, "do not hold the deletes of their window: deleted things come back");
        warn(WarningCode::Unverified, unverified, "have never been verified");
        warn(WarningCode::Partial, partial, "have missing ranges");
        warn(WarningCode::Thaw, thaw, "must be thawed before they can be read");
        let history = &part.histories[choice.history];
        let timeline = history.view.lane.timeline;
        let Reached { until, settled } = choice.reached;
        self.put(&until.micros().to_le_bytes());
        self.put(&settled.micros().to_le_bytes());
        self.put(timeline.as_bytes());
        self.put(part.name.as_bytes());
        self.put(&(part.name.len() as u64).to_le_bytes());
        self.warn_of_point(part, choice);
        Ok(PartPlan { timeline, filter: part.filter.clone(), reached: choice.reached, steps })
    }

    fn warn_of_point(&mut self, part: &Part<'_>, choice: &Choice) {
        let mut warn = |code, message: String| {
            self.warnings.push(Warning { code, part: Some(part.name.to_owned()), message });
        };
        if !choice.reached.is_exact() {
            let (until, settled) = (choice.reached.until, choice.reached.settled);
            warn(WarningCode::Fuzzy, format!("of the changes between {until} and {settled} some are in, others not"));
        }
        if choice.replay.is_some() {
            let margin = self.request.log_margin_micros.max(0);
            let message =
                format!("the log is cut by the clients' time stamps; clocks were taken to agree within {margin} us");
            warn(WarningCode::ClockMargin, message);
        } else if let Some(cover) = &choice.cover {
            warn(WarningCode::LogsBehind, format!("no log is replayed; {}", cover.end.detail));
        }
        if !part.histories[choice.history].known {
            warn(
                WarningCode::TimelineUnknown,
                "it is not recorded when the timeline began: taken from its backups".into(),
            );
        }
    }

    fn step(&mut self, row: u32, replay: Apply) -> Result<Step, Reason> {
        let number = self.rows.class[row as usize];
        let class = self.rows.class_of(row);
        if self.copies.as_ref().is_none_or(|(of, _)| *of != number) {
            self.copies = Some((number, class.judge(self.request, None)?));
            if let Err(at) = self.classes.binary_search(&number) {
                self.classes.insert(at, number);
            }
        }
        let copies = self.copies.as_ref().map_or(&[][..], |(_, copies)| copies.as_slice());
        let detail = self.rows.counts(row);
        let size = detail.size;
        let chosen = |copy: &Copy<'_>| ChosenCopy {
            storage: copy.storage.to_owned(),
            tier: copy.tier,
            cost: copy.price(size.stored_bytes, size.objects),
        };
        let (copy, alternates) = if let [only] = copies {
            (chosen(only), Vec::new())
        } else {
            let mut sorted: Vec<ChosenCopy> = copies.iter().map(chosen).collect();
            // What costs the same is read at home.
            let order = |copy: &ChosenCopy| (copy.cost, copy.storage != HOME);
            sorted.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.storage.cmp(&b.storage)));
            let mut sorted = sorted.into_iter();
            (sorted.next().ok_or(Reason::CopyUnavailable)?, sorted.collect())
        };
        let id = self.rows.id[row as usize];
        // Ids have one length and names are followed by it, so that no two plans give the same bytes.
        self.waiting.extend_from_slice(&self.next.to_le_bytes());
        self.waiting.extend_from_slice(id.as_bytes());
        self.waiting.extend_from_slice(copy.storage.as_bytes());
        self.put(&(copy.storage.len() as u64).to_le_bytes());
        let totals = &mut self.totals;
        totals.steps += 1;
        totals.bytes = totals.bytes.saturating_add(size.stored_bytes);
        totals.plain_bytes = totals.plain_bytes.saturating_add(size.plain_bytes);
        totals.records = totals.records.saturating_add(size.records);
        totals.objects = totals.objects.saturating_add(size.objects);
        totals.requests = totals.requests.saturating_add(size.objects);
        totals.cost = totals.cost.saturating_add(copy.cost);
        totals.unverified += u64::from(class.verified.is_none());
        totals.deletes_unseen += u64::from(class.misses_deletes());
        let step = self.next;
        self.next = self.next.saturating_add(1);
        Ok(Step {
            step,
            backup: id,
            manifest: self.rows.name(row, detail.shape, &mut self.name).map_err(|_| Reason::Invalid)?,
            kind: class.kind,
            apply: match Kind::of(class.kind, class.applies) {
                Kind::Begin => Apply::Begin,
                Kind::Cover => Apply::Cover,
                Kind::Exact => Apply::Exact,
                Kind::Log => replay,
            },
            window: self.rows.window(row),
            deletes: class.deletes,
            verified: class.verified,
            bytes: size.stored_bytes,
            plain_bytes: size.plain_bytes,
            records: size.records,
            objects: size.objects,
            requests: size.objects,
            copy,
            alternates,
        })
    }
}
