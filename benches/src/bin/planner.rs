//! Every figure that the planner shall reach, and whether it does:
//! `cargo run --release -p strongroom-benches --bin planner [ARTEFACTS] [ROUNDS] [SHAPE]`.
//!
//! *Build* takes entries in one by one in their wide form (`push`, with what merely looking at each once takes), sorts them and
//! prepares the search (`finish`); entries
//! are made a few at a time, outside of what is timed, as a reader of a catalogue makes them. A *plan* is allowed 50 µs for
//! each part planned and 100 ns for each step; beside it stands what a mere copy of the finished plan takes. Of several
//! rounds the best counts, wall and processor time each by itself; times are in milliseconds.
//!
//! With a shape, nothing is loaded and there is no catalogue of ten times the size.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use strongroom::system_environment;
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::loading;
use strongroom_benches::measure::{Spent, best, ratio};
use strongroom_benches::shapes::{CLUSTER, Shape};
use strongroom_benches::targets::{HEAD, Line, memory_costs, verdict};
use strongroom_core::Timestamp;
use strongroom_core::codec::CodecId;
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::{
    Builder, Catalogue, Entry, Plan, Request, RetentionPolicy, RetentionRequest, Step, Target,
};
use strongroom_core::repository::Repository;
use strongroom_core::units::Span;
use strongroom_storage::LocalStorage;

/// Entries are made so many at a time.
const BATCH: u64 = 256;
/// The most bytes an artefact may take.
const MOST_BYTES: f64 = 64.0;
const MILLI: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let total: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let wanted = arguments.next();
    let (fresh, again) = memory_costs();
    println!(
        "{total} artefacts, best of {rounds} rounds; ms. A byte takes {fresh:.2} ns in fresh memory, else {again:.2}.\n"
    );
    println!("{HEAD}");
    let mut plans = Vec::new();
    let mut memory = Vec::new();
    for shape in Shape::ALL.into_iter().filter(|shape| wanted.as_deref().is_none_or(|it| shape.name().contains(it))) {
        let chain = matches!(shape, Shape::Chain | Shape::ExactChain);
        let _ = builds(shape, total, rounds, false, MILLI * if chain { 500 } else { 300 })?;
        let catalogue = builds(shape, total, rounds, true, MILLI * if chain { 500 } else { 150 })?;
        memory.push((shape, catalogue.memory()));
        plans.extend(plan_all(shape, total, rounds, &catalogue)?);
        retain_all(shape, total, rounds, &catalogue)?;
    }
    if wanted.is_none() {
        load(total, rounds)?;
        for sorted in [true, false] {
            builds(Shape::Calendar, total * 10, 1, sorted, Duration::from_secs(6))?;
        }
    }
    println!(
        "\n| plans for | shape | steps | a plan: wall / processor | target | met, by processor time | a copy of it |"
    );
    println!("|---|---|---|---|---|---|---|");
    plans.iter().for_each(Planned::print);
    println!("\n| shape | bytes an artefact: to search, beside | target | met |\n|---|---|---|---|");
    for (shape, (search, beside)) in memory {
        let each = |bytes: usize| ratio(bytes as u64, total);
        let met = verdict(each(search + beside) <= MOST_BYTES);
        println!("| {} | {:.1}, {:.1} | {MOST_BYTES} | {met} |", shape.name(), each(search), each(beside));
    }
    Ok(())
}

/// Looks at all of an entry: what no builder can do without.
fn read_once(entry: &Entry) -> u64 {
    let texts = [entry.part.as_str(), entry.manifest.as_str()].into_iter();
    let texts = texts.chain(entry.nodes.iter().map(String::as_str)).chain(entry.codecs.iter().map(CodecId::as_str));
    let texts = texts.chain(entry.copies.iter().map(|copy| copy.storage.as_str()));
    let sum = |text: &str| text.bytes().map(u64::from).sum::<u64>();
    let size = &entry.size;
    texts.map(sum).sum::<u64>()
        ^ entry.window.until.micros().cast_unsigned()
        ^ entry.created.micros().cast_unsigned()
        ^ (size.records + size.deletes + size.objects + size.plain_bytes + size.stored_bytes)
}

/// Builds `rounds` times, prints what it takes, and gives the last catalogue.
fn builds(
    shape: Shape,
    total: u64,
    rounds: usize,
    sorted: bool,
    target: Duration,
) -> Result<Catalogue, Box<dyn Error>> {
    let (mut pushes, mut finishes, mut both, mut sorts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut reads = Vec::new();
    let mut last = None;
    for _ in 0..rounds.max(1) {
        drop(last.take());
        let mut builder = Builder::with_room(usize::try_from(total)?);
        let (mut push, mut read) = (Spent::default(), Spent::default());
        let mut keys: Vec<(i64, u32)> = Vec::new();
        for start in (0..total).step_by(usize::try_from(BATCH)?) {
            let make = |at| if sorted { shape.entry(at, total) } else { shape.shuffled(at, total) };
            let batch: Vec<Entry> = (start..total.min(start + BATCH)).map(make).collect::<Result<_, _>>()?;
            push += Spent::by(|| batch.iter().for_each(|entry| builder.push(entry))).0;
            read += Spent::by(|| black_box(batch.iter().map(read_once).sum::<u64>())).0;
            keys.extend(batch.iter().zip(u32::try_from(start)?..).map(|(entry, at)| (entry.window.until.micros(), at)));
        }
        let (finish, catalogue) = Spent::by(|| builder.finish([], 1, true));
        sorts.push(Spent::by(|| keys.sort_unstable()).0);
        black_box(&keys);
        let mut whole = push;
        whole += finish;
        pushes.push(push);
        reads.push(read);
        finishes.push(finish);
        both.push(whole);
        last = Some(catalogue);
    }
    let order = if sorted { "sorted" } else { "unsorted" };
    let what = format!(
        "build {total} from {order} (push {} of which reading {}, finish {})",
        best(&pushes).cpu.as_millis(),
        best(&reads).cpu.as_millis(),
        best(&finishes).cpu.as_millis()
    );
    let sort = Some(best(&sorts));
    Line { what: &what, shape: shape.name(), took: best(&both), target, sort }.print();
    Ok(last.ok_or("nothing was built")?)
}

/// Some plans of one kind.
struct Planned {
    shape: Shape,
    what: &'static str,
    steps: u64,
    took: Spent,
    copy: Spent,
    target: Duration,
}

impl Planned {
    fn print(&self) {
        println!(
            "| {} | {} | {} | {} | {:.3} | {} | {} |",
            self.what,
            self.shape.name(),
            self.steps,
            self.took.micros(),
            self.target.as_secs_f64() * 1e3,
            verdict(self.took.cpu <= self.target),
            self.copy.micros(),
        );
    }
}

fn plan_all(shape: Shape, total: u64, rounds: usize, catalogue: &Catalogue) -> Result<Vec<Planned>, Box<dyn Error>> {
    let one = |number: u64| {
        let part = shape.part(number * 37 % shape.parts());
        let scope = Scope { parts: Some([(part, Filter::default())].into()) };
        let target = Target::AtOrBefore(shape.moment(number, total));
        Request { cluster: Some(CLUSTER), ..Request::at(target).of(scope) }
    };
    let all = |number: u64| {
        let target = Target::AtOrBefore(shape.moment(number, total));
        Request { cluster: Some(CLUSTER), ..Request::at(target) }
    };
    let long = matches!(shape, Shape::Chain | Shape::ExactChain);
    Ok(vec![
        plan(shape, catalogue, "one part", if long { 3 } else { 200 }, 1, rounds, one)?,
        plan(shape, catalogue, "the cluster", if long { 3 } else { 10 }, shape.parts(), rounds, all)?,
    ])
}

fn plan(
    shape: Shape,
    catalogue: &Catalogue,
    what: &'static str,
    plans: u64,
    parts: u64,
    rounds: usize,
    request: impl Fn(u64) -> Request,
) -> Result<Planned, Box<dyn Error>> {
    let (mut all, mut copies, mut steps) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let (mut spent, mut again) = (Spent::default(), Spent::default());
        steps = 0;
        for number in 0..plans {
            let request = request(number);
            let (took, plan) = Spent::by(|| catalogue.plan(&request));
            let plan = plan?;
            steps += plan.totals.steps;
            spent += took;
            again += Spent::by(|| black_box(copy(&plan))).0;
            black_box(plan);
        }
        all.push(spent);
        copies.push(again);
    }
    let each = u32::try_from(plans)?;
    let target = (Duration::from_micros(50 * parts * plans) + Duration::from_nanos(100 * steps)) / each;
    let (took, copy) = (best(&all) / each, best(&copies) / each);
    Ok(Planned { shape, what, steps: steps / plans, took, copy, target })
}

/// A copy of a plan that shares nothing with it: the least that anything takes which writes such a plan.
fn copy(plan: &Plan) -> (Plan, Vec<Arc<str>>) {
    let names = plan.steps().map(|(_, step): (_, &Step)| Arc::from(step.manifest.as_str()));
    (plan.clone(), names.collect())
}

/// Few points are kept, half of them are, all but a few are.
fn retain_all(shape: Shape, total: u64, rounds: usize, catalogue: &Catalogue) -> Result<(), Box<dyn Error>> {
    let now = catalogue.entries().map(|entry| entry.window.settled).max().unwrap_or(Timestamp::EPOCH);
    let periods = RetentionPolicy {
        keep_last: Some(24),
        keep_daily: Some(30),
        keep_weekly: Some(8),
        keep_monthly: Some(24),
        keep_yearly: Some(5),
        ..RetentionPolicy::default()
    };
    let each = u32::try_from(total / shape.parts())?;
    let half = RetentionPolicy { keep_last: Some(each / 2), ..RetentionPolicy::default() };
    let most = RetentionPolicy { point_in_time: Some(Span::days(365 * 4)), ..RetentionPolicy::default() };
    for (name, policy) in [("calendar", periods), ("newest half", half), ("4 years", most)] {
        let request = RetentionRequest::new(policy, now);
        let mut all = Vec::new();
        for _ in 0..rounds {
            let (spent, plan) = Spent::by(|| catalogue.retain(&request));
            black_box(plan?);
            all.push(spent);
        }
        let what = format!("a round of retention: {name}");
        Line { what: &what, shape: shape.name(), took: best(&all), target: MILLI * 1000, sort: None }.print();
    }
    Ok(())
}

fn load(total: u64, rounds: usize) -> Result<(), Box<dyn Error>> {
    let folder = BenchFolder::new("planner")?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(loading::make(&folder, Shape::Calendar, total, 0))?;
    let storage = Arc::new(LocalStorage::new(folder.path())?);
    let repository = runtime.block_on(Repository::open(storage, system_environment()))?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(loading::load(&runtime, &repository)?.0);
    }
    let (what, shape) = ("load a catalogue from a local folder", Shape::Calendar.name());
    Line { what, shape, took: best(&all), target: MILLI * 500, sort: None }.print();
    Ok(())
}
