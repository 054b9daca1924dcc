//! The planner on real shapes: `cargo run --release -p strongroom-benches --bin planner [ARTEFACTS] [ROUNDS] [SHAPE]`.
//!
//! For each shape: taking entries in (`push`), sorting them and preparing the search (`finish`), from sorted and from
//! unsorted entries; plans; bytes in memory; and what a plain sort of the same moments takes. Rounds of all of these
//! alternate, and each table shows medians. Times are wall / processor time in milliseconds.

use std::error::Error;
use std::hint::black_box;

use strongroom_benches::measure::{Spent, median, millis};
use strongroom_benches::shapes::{CLUSTER, Shape};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::{Builder, Catalogue, Entry, Request, Target};

/// Entries are made so many at a time, outside of what is timed.
const BATCH: u64 = 8192;
/// Plans a shape and round.
const PLANS: u64 = 200;

#[expect(clippy::cast_precision_loss, reason = "what a bench counts is far below 2^52")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let total: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    println!("{total} artefacts, median of {rounds} rounds; wall / processor time in ms\n");
    println!(
        "| shape | order | push | finish | build = both | plain sort | build : sort | bytes an artefact: columns, beside |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let shapes = || Shape::ALL.into_iter().filter(|shape| shape.name().contains(&wanted));
    let mut plans = Vec::new();
    for shape in shapes() {
        for sorted in [true, false] {
            let mut all = Vec::new();
            let mut memory = (0, 0);
            for _ in 0..rounds {
                let (round, catalogue) = build(shape, total, sorted)?;
                let (columns, beside) = catalogue.memory();
                memory = (columns as u64 / total, beside as u64 / total);
                all.push(round);
                if sorted {
                    plans.push((shape, plan_all(shape, total, &catalogue)?));
                }
            }
            let of = |pick: fn(&Round) -> Spent| median(&all.iter().map(pick).collect::<Vec<_>>());
            let (both, sort) = (of(Round::both), of(|round| round.sort));
            println!(
                "| {} | {} | {} | {} | {} | {} | {:.1} | {}, {} |",
                shape.name(),
                if sorted { "sorted" } else { "unsorted" },
                of(|round| round.push).millis(),
                of(|round| round.finish).millis(),
                both.millis(),
                sort.millis(),
                both.cpu.as_secs_f64() / sort.cpu.as_secs_f64(),
                memory.0,
                memory.1,
            );
        }
    }
    println!("\n| shape | plans for | steps | a plan | allowed: 50 µs + 100 ns a step | taken : allowed |");
    println!("|---|---|---|---|---|---|");
    for shape in shapes() {
        for at in 0..2 {
            let rounds: Vec<&Planned> =
                plans.iter().filter(|(of, _)| *of == shape).filter_map(|(_, planned)| planned.get(at)).collect();
            let Some(first) = rounds.first() else { continue };
            let spent = median(&rounds.iter().map(|planned| planned.spent).collect::<Vec<_>>());
            let allowed = (50_000 * first.plans + 100 * first.steps) as f64;
            println!(
                "| {} | {} | {} | {} | {:.3} | {:.2} |",
                shape.name(),
                first.what,
                first.steps / first.plans,
                millis(spent.wall / u32::try_from(first.plans)?),
                allowed / 1e6 / first.plans as f64,
                spent.cpu.as_nanos() as f64 / allowed,
            );
        }
    }
    Ok(())
}

/// What building took.
struct Round {
    push: Spent,
    finish: Spent,
    sort: Spent,
}

impl Round {
    fn both(&self) -> Spent {
        let mut both = self.push;
        both += self.finish;
        both
    }
}

fn build(shape: Shape, total: u64, sorted: bool) -> Result<(Round, Catalogue), Box<dyn Error>> {
    let mut builder = Builder::new();
    let mut push = Spent::default();
    let mut keys: Vec<(i64, u32)> = Vec::new();
    for start in (0..total).step_by(usize::try_from(BATCH)?) {
        let make = |at| if sorted { shape.entry(at, total) } else { shape.shuffled(at, total) };
        let batch: Vec<Entry> = (start..total.min(start + BATCH)).map(make).collect::<Result<_, _>>()?;
        push += Spent::by(|| batch.iter().for_each(|entry| builder.push(entry))).0;
        keys.extend(batch.iter().zip(u32::try_from(start)?..).map(|(entry, at)| (entry.window.until.micros(), at)));
    }
    let (finish, catalogue) = Spent::by(|| builder.finish([], 1, true));
    let (sort, ()) = Spent::by(|| keys.sort_unstable());
    black_box(&keys);
    Ok((Round { push, finish, sort }, catalogue))
}

/// Some plans of one kind.
struct Planned {
    what: &'static str,
    plans: u64,
    steps: u64,
    spent: Spent,
}

fn plan_all(shape: Shape, total: u64, catalogue: &Catalogue) -> Result<Vec<Planned>, Box<dyn Error>> {
    let each = total.div_ceil(shape.parts());
    let one_part = |number: u64| {
        let place = number * 104_729 % total;
        let part = shape.part(place / each);
        let target = Target::AtOrBefore(shape.until(place % each).plus_micros(100_000_000));
        let scope = Scope { parts: Some([(part, Filter::default())].into()) };
        Request { cluster: Some(CLUSTER), ..Request::at(target).of(scope) }
    };
    let many = if each > 100_000 { 20 } else { PLANS };
    let one = plan(catalogue, "one part, any moment", many, one_part)?;
    let whole = |number: u64| {
        let target = Target::AtOrBefore(shape.until((number * 7919 + each / 2) % each).plus_micros(100_000_000));
        Request { cluster: Some(CLUSTER), ..Request::at(target) }
    };
    let whole = plan(catalogue, "the cluster, any moment", many / 10, whole)?;
    Ok(vec![one, whole])
}

fn plan(
    catalogue: &Catalogue,
    what: &'static str,
    plans: u64,
    request: impl Fn(u64) -> Request,
) -> Result<Planned, Box<dyn Error>> {
    let (mut spent, mut steps) = (Spent::default(), 0);
    for number in 0..plans {
        let request = request(number);
        let (took, plan) = Spent::by(|| catalogue.plan(&request));
        let plan = plan?;
        steps += plan.totals.steps;
        spent += took;
        black_box(plan);
    }
    Ok(Planned { what, plans, steps, spent })
}
