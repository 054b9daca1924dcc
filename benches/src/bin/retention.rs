//! A round of retention on real shapes: `cargo run --release -p strongroom-benches --bin retention [ARTEFACTS] [ROUNDS]
//! [SHAPE]`. What is timed is the whole round: rules, chains, and the check by planning with what would be left.

use std::error::Error;
use std::hint::black_box;

use strongroom_benches::measure::{Spent, median};
use strongroom_benches::shapes::Shape;
use strongroom_core::Timestamp;
use strongroom_core::planner::{Builder, Catalogue, RetentionPolicy, RetentionRequest};
use strongroom_core::units::Span;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let total: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    println!("{total} artefacts, median of {rounds} rounds; wall / processor time in ms\n");
    println!("| shape | policy | points kept | needed | blocked | going | a round |");
    println!("|---|---|---|---|---|---|---|");
    for shape in Shape::ALL.into_iter().filter(|shape| shape.name().contains(&wanted)) {
        let (catalogue, newest) = build(shape, total)?;
        for (name, policy) in policies(shape, total) {
            let request = RetentionRequest::new(policy, newest);
            let mut all = Vec::new();
            let mut totals = None;
            for _ in 0..rounds {
                let (spent, plan) = Spent::by(|| catalogue.retain(&request));
                let plan = black_box(plan?);
                totals = Some(plan.totals);
                all.push(spent);
            }
            let totals = totals.unwrap_or_default();
            println!(
                "| {} | {name} | {} | {} | {} | {} | {} |",
                shape.name(),
                totals.points,
                totals.needed,
                totals.blocked,
                totals.going,
                median(&all).millis(),
            );
        }
    }
    Ok(())
}

/// Few points are kept, half of them are, all but a few are.
fn policies(shape: Shape, total: u64) -> [(&'static str, RetentionPolicy); 3] {
    let periods = RetentionPolicy {
        keep_last: Some(24),
        keep_daily: Some(30),
        keep_weekly: Some(8),
        keep_monthly: Some(24),
        keep_yearly: Some(5),
        ..RetentionPolicy::default()
    };
    let each = u32::try_from(total / shape.parts()).unwrap_or(u32::MAX);
    let half = RetentionPolicy { keep_last: Some(each / 2), ..RetentionPolicy::default() };
    let most = RetentionPolicy { point_in_time: Some(Span::days(365 * 4)), ..RetentionPolicy::default() };
    [("24 last, 30 d, 8 w, 24 m, 5 y", periods), ("the newest half", half), ("every moment of 4 years", most)]
}

fn build(shape: Shape, total: u64) -> Result<(Catalogue, Timestamp), Box<dyn Error>> {
    let mut builder = Builder::with_room(usize::try_from(total)?);
    let mut newest = Timestamp::EPOCH;
    for at in 0..total {
        let entry = shape.entry(at, total)?;
        newest = newest.max(entry.window.settled);
        builder.push(&entry);
    }
    Ok((builder.finish([], 1, true), newest))
}
