//! All jobs at once by a seed: random interleavings, crashes, faults and clock steps, on paused time. Whatever happens,
//! every backup that exists restores to the model's truth or is reported as damaged, nothing complete is lost, and nothing
//! half-written is in sight.
//!
//! More of it: `STRONGROOM_CASES=500 cargo test --release -p strongroom-core --test simulation`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod check;
mod damage;
mod deed;
mod run;
#[path = "../engine/support.rs"]
#[expect(dead_code, reason = "the simulation needs only some of it")]
mod support;
#[path = "../pipeline/toy.rs"]
mod toy;

use strongroom_testkit::{SeedGuard, seeds};

use crate::run::Simulation;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn simulate(seed: u64) -> Vec<String> {
    let _guard = SeedGuard::new(seed);
    runtime().block_on(async {
        let mut simulation = Simulation::new(seed).await;
        for _ in 0..8 {
            simulation.round().await;
        }
        simulation.end().await
    })
}

#[test]
fn whatever_happens_nothing_complete_is_lost_and_nothing_wrong_is_restored() {
    let seeds = seeds(16);
    let enough = seeds.len() >= 16;
    let logs: Vec<String> = seeds.into_iter().flat_map(simulate).collect();
    // That all of it came to pass, else it would show nothing.
    for word in ["backup", "resume", "verify", "copy", "prune", "restore:", "restore in place", "synthesize"] {
        for end in ["done", "died", "failed"] {
            let count = logs.iter().filter(|line| line.starts_with(word) && line.contains(&format!(": {end}"))).count();
            println!("{word} {end}: {count}");
            assert!(count > 0 || end != "done" || !enough, "no {word} was {end}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(simulate(3), simulate(3));
}
