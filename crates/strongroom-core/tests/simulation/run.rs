//! A run of the simulation: rounds of a few jobs at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use strongroom_core::id::{BackupId, RunId};
use strongroom_core::model::{Applies, Depth};
use strongroom_testkit::{Death, MemoryStorage, SimulatedOptions, Workload};

use crate::deed::{Deed, Luck};
use crate::support::World;

const FEW: Workload = Workload { steps: 12, records: 10, value: 60, files: true };

pub(crate) struct Simulation {
    pub(crate) world: World,
    /// Another storage, that copies go to.
    pub(crate) near: MemoryStorage,
    pub(crate) rng: fastrand::Rng,
    /// Whether old backups are deleted.
    pub(crate) prunes: bool,
    /// Whether the cluster hands out records alone, that can be merged.
    fold: bool,
    /// Runs that did not end.
    left: BTreeSet<RunId>,
    /// Everything that was ever reported as committed.
    pub(crate) committed: BTreeSet<BackupId>,
    log: Vec<String>,
}

/// What a round has already. One backup at most: two of one cluster at once are two runs, and each newest point would be the
/// other's second. One restore in place, which is judged by what the cluster holds at its end.
#[derive(Default)]
struct Taken {
    backs_up: bool,
    restores_in_place: bool,
    prunes: bool,
}

impl Simulation {
    pub(crate) async fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let fold = rng.bool();
        let options = SimulatedOptions {
            fold,
            applies: if rng.u8(..4) == 0 { Applies::Exact } else { Applies::Cover },
            pieces: rng.u16(1..4),
            nodes: rng.u16(1..3),
            zero_byte_piece: rng.bool(),
            remembers: rng.bool(),
            ..SimulatedOptions::default()
        };
        let prunes = rng.u8(..3) > 0;
        let world = World::with(options, seed, FEW).await;
        let log = vec![format!("seed {seed}: fold {fold}, prunes {prunes}")];
        let (near, left, committed) = (MemoryStorage::new(), BTreeSet::new(), BTreeSet::new());
        Self { world, near, rng, prunes, fold, left, committed, log }
    }

    pub(crate) fn tell(&mut self, words: impl Into<String>) {
        let words = words.into();
        if std::env::var("STRONGROOM_SEED").is_ok() {
            eprintln!("{words}");
        }
        self.log.push(words);
    }

    /// A few jobs at a time, then a look at everything.
    pub(crate) async fn round(&mut self) {
        self.world.change_by(self.rng.u64(..), FEW);
        self.step_the_clock().await;
        let before = self.newest().await;
        let mut jobs = Vec::new();
        let mut taken = Taken::default();
        for _ in 0..self.rng.usize(1..4) {
            let deed = self.deed(&mut taken);
            jobs.push((deed, self.luck(), Duration::from_millis(self.rng.u64(..3000))));
        }
        let harm = self.harm(!taken.prunes);
        for (_, luck, _) in &mut jobs {
            luck.damaged = harm.is_some();
        }
        for (deed, luck, _) in jobs.clone() {
            self.tell(format!("begins {deed:?} {luck:?}"));
        }
        let (world, near) = (&self.world, &self.near);
        let told = join_all(jobs.into_iter().map(|(deed, luck, later)| async move {
            tokio::time::sleep(later).await;
            deed.perform(world, near, luck).await
        }))
        .await;
        if let Some(harm) = harm {
            self.mend(harm);
        }
        for told in told {
            self.tell(told.words);
            self.committed.extend(told.committed);
            self.left.extend(told.left);
        }
        self.check(&before).await;
    }

    async fn step_the_clock(&mut self) {
        let pause = match self.rng.u8(..4) {
            0 => Duration::from_hours(self.rng.u64(1..40)),
            _ => Duration::from_secs(self.rng.u64(..900)),
        };
        tokio::time::sleep(pause).await;
        match self.rng.u8(..8) {
            0 => self.jump(-1),
            1 => self.jump(1),
            _ => {}
        }
    }

    /// Moves the wall clock by up to five and a half hours.
    fn jump(&mut self, sign: i64) {
        let by = sign * self.rng.i64(0..20_000_000_000);
        self.world.clock.jump(by);
        self.tell(format!("the clock jumps by {} s", by / 1_000_000));
    }

    fn deed(&mut self, taken: &mut Taken) -> Deed {
        loop {
            let near = self.rng.bool() && self.near.keys().iter().any(|key| key.as_str() == "strongroom.json");
            let deed = match self.rng.u8(..14) {
                0..4 if !taken.backs_up => {
                    Deed::Backup { run: RunId::from_u128(self.rng.u128(..)), base: self.rng.u8(..4) == 0 }
                }
                4 if !taken.backs_up => match self.left.pop_last() {
                    Some(run) => Deed::Resume { run, take_over: self.rng.bool() },
                    None => continue,
                },
                5 => Deed::Verify { near, depth: if self.rng.bool() { Depth::Hash } else { Depth::Decode } },
                6 | 7 => Deed::Copy,
                8 | 9 if self.prunes => {
                    let grace = if self.rng.bool() { Duration::ZERO } else { Duration::from_hours(2) };
                    Deed::Prune { near, grace }
                }
                10 | 11 => Deed::Restore { number: self.rng.usize(..100), in_place: false },
                12 if !taken.restores_in_place => Deed::Restore { number: self.rng.usize(..100), in_place: true },
                13 if self.fold => Deed::Synthesize { number: self.rng.usize(..100) },
                _ => continue,
            };
            taken.backs_up |= matches!(deed, Deed::Backup { .. } | Deed::Resume { .. });
            taken.restores_in_place |= matches!(deed, Deed::Restore { in_place: true, .. });
            taken.prunes |= matches!(deed, Deed::Prune { .. });
            return deed;
        }
    }

    fn luck(&mut self) -> Luck {
        let (seed, kind) = (self.rng.u64(..u64::MAX - 1), self.rng.u8(..6));
        let death = if self.rng.bool() { Death::Before } else { Death::After };
        let at = self.rng.u64(1..250);
        Luck {
            seed,
            dies_at: (kind == 0 || kind == 1).then_some((at, death)),
            flaky: if kind == 2 { self.rng.u16(1..15) } else { 0 },
            call: Duration::from_millis(self.rng.u64(..25)),
            damaged: false,
        }
    }

    /// The last look, with damage at the end, and what happened.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.everything_restores().await;
        self.damage().await;
        self.log
    }
}
