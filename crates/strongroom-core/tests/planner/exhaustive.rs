//! The planner against the oracle.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_core::planner::{Cut, Entry};
use strongroom_testkit::seeds;

use crate::generator::{Case, random_request, random_world};
use crate::judge::judge;

/// Entries in a world.
const MOST: usize = 12;

/// After as many failures no more are looked for: what one defect breaks is broken often.
const ENOUGH: usize = 8;

/// Requests for each world.
const REQUESTS: usize = 4;

fn cases(seed: u64) -> Vec<Case> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let world = random_world(&mut rng, MOST);
    (0..REQUESTS).map(|_| Case { request: random_request(&mut rng, &world), world: world.clone() }).collect()
}

/// Takes out what the failure does not need.
fn shrink(mut case: Case) -> Case {
    let fails = |case: &Case| judge_safely(case).is_err();
    loop {
        let mut smaller = (0..case.world.entries.len()).map(|at| {
            let mut smaller = case.clone();
            smaller.world.entries.remove(at);
            smaller
        });
        let without = smaller.find(fails);
        let Some(without) = without else { break };
        case = without;
    }
    let plain = |mut case: Case, change: &dyn Fn(&mut Case)| {
        change(&mut case);
        case
    };
    let usual = crate::picture::world("1:-1").entries.remove(0);
    let each = |change: fn(&mut Entry, &Entry)| {
        let usual = usual.clone();
        move |case: &mut Case| {
            for entry in &mut case.world.entries {
                change(entry, &usual);
            }
        }
    };
    let changes: [&dyn Fn(&mut Case); 8] = [
        &|case| case.world.timelines.clear(),
        &|case| case.world.incomplete = false,
        &each(|entry, _| entry.copies.clear()),
        &each(|entry, _| entry.nodes.clear()),
        &each(|entry, usual| entry.size = usual.size),
        &each(|entry, usual| entry.verified = usual.verified),
        &|case| case.request.cut = Cut::PerPart,
        &|case| case.request.scope.parts = None,
    ];
    for change in changes {
        let simpler = plain(case.clone(), change);
        if fails(&simpler) {
            case = simpler;
        }
    }
    case
}

/// A panic of the planner is a failure as well.
fn judge_safely(case: &Case) -> Result<(), String> {
    std::panic::catch_unwind(|| judge(case)).unwrap_or_else(|_| Err("the planner panicked".to_owned()))
}

/// The first failure of a seed, with the smallest catalogue that fails.
fn failure(seed: u64) -> Option<String> {
    let (case, what) = cases(seed).into_iter().find_map(|case| judge_safely(&case).err().map(|what| (case, what)))?;
    let small = shrink(case);
    let again = judge_safely(&small).err().unwrap_or_default();
    Some(format!(
        "{what}\n\nsmallest: {again}\n{small}\nreplay: STRONGROOM_SEED={seed} cargo test -p strongroom-core --test \
         planner -- oracle\n"
    ))
}

#[test]
fn oracle() {
    let seeds = seeds(10_000);
    let (next, failures) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
            if let Some(failure) = failure(*seed) {
                let mut failures = failures.lock().unwrap();
                failures.push(failure);
                if failures.len() >= ENOUGH {
                    break;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} catalogues fail:\n\n{}", failures.len(), failures.join("\n"));
    println!("{} catalogues, {REQUESTS} requests each", seeds.len());
}
