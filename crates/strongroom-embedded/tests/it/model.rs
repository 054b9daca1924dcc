//! Any history of puts, deletes, emptyings, clock jumps and backups: every restore is what the model says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use strongroom_core::ErrorKind;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Filter;
use strongroom_embedded::{EmbeddedCluster, Emptying, LookIn, PutOptions};
use strongroom_record::{Digest, Record};

use crate::common::{Taken, TestClock, in_memory, record, restore, take, write_folded};

const SETS: [&str; 3] = ["", "a", "b"];

#[derive(Debug, Clone)]
enum Step {
    Put {
        set: usize,
        key: i64,
        value: i64,
    },
    Delete {
        set: usize,
        key: i64,
    },
    Empty {
        set: Option<usize>,
        how: Emptying,
    },
    Clock(i64),
    /// A base, or the next incremental.
    Backup {
        base: bool,
    },
    /// An incremental since an earlier backup than the last: it covers both windows.
    Wide,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || (0..SETS.len(), 0..12_i64);
    prop_oneof![
        10 => (key(), any::<i8>()).prop_map(|((set, key), value)| Step::Put { set, key, value: value.into() }),
        6 => key().prop_map(|(set, key)| Step::Delete { set, key }),
        1 => (proptest::option::of(0..SETS.len()), any::<bool>()).prop_map(|(set, cut)| Step::Empty {
            set,
            how: if cut { Emptying::Cut } else { Emptying::Tombstones },
        }),
        2 => (-10_000_000..10_000_000_i64).prop_map(Step::Clock),
        4 => prop::bool::weighted(0.2).prop_map(|base| Step::Backup { base }),
        1 => Just(Step::Wide),
    ]
}

type Model = BTreeMap<Digest, Record>;

/// The history so far: the cluster, what it should hold, and the chain of its backups with what each should restore.
struct History {
    cluster: EmbeddedCluster,
    clock: std::sync::Arc<TestClock>,
    model: Model,
    chain: Vec<(Taken, Model)>,
    /// Set when the chain is broken by a cut.
    broken: bool,
}

impl History {
    async fn play(&mut self, step: &Step) {
        match step {
            Step::Put { set, key, value } => {
                let mut next = record(SETS[*set], *key, *value);
                self.cluster.write_batch(|batch| batch.put(next.clone(), PutOptions::default())).unwrap();
                next.generation = self.model.get(&next.digest).map_or(1, |there| there.generation + 1);
                self.model.insert(next.digest, next);
            }
            Step::Delete { set, key } => {
                let digest = record(SETS[*set], *key, 0).digest;
                let deleted = self.cluster.write_batch(|batch| batch.delete("test", digest)).unwrap();
                assert_eq!(deleted, self.model.remove(&digest).is_some());
            }
            Step::Empty { set, how } => {
                let name = set.map(|set| SETS[set]);
                let tables = name.map(|name| [name.to_owned()].into());
                let count = self.cluster.empty("test", &Filter { tables, ..Filter::default() }, *how).unwrap();
                let before = self.model.len();
                let in_set = |record: &Record| record.set.as_ref().map_or(String::new(), ToString::to_string);
                self.model.retain(|_, record| name.is_some_and(|name| in_set(record) != name));
                assert_eq!(count, (before - self.model.len()) as u64);
                self.broken |= *how == Emptying::Cut;
            }
            Step::Clock(micros) => self.clock.advance(*micros),
            Step::Backup { base: false } if !self.chain.is_empty() => {
                self.incremental(self.chain.len() - 1).await;
            }
            Step::Backup { .. } => self.base().await,
            Step::Wide if self.chain.len() > 1 => self.incremental(self.chain.len() - 2).await,
            Step::Wide => {}
        }
    }

    async fn base(&mut self) {
        self.chain = vec![(take(&self.cluster, None).await.unwrap(), self.model.clone())];
        self.broken = false;
    }

    async fn incremental(&mut self, after: usize) {
        let taken = take(&self.cluster, Some(self.chain[after].0.until())).await;
        if self.broken {
            assert_eq!(taken.unwrap_err().kind(), ErrorKind::BrokenChain);
            self.base().await;
        } else {
            self.chain.push((taken.unwrap(), self.model.clone()));
        }
    }

    async fn check(&self) {
        assert_eq!(held(&self.cluster), self.model);
        assert_eq!(self.cluster.count("test").unwrap().records, self.model.len() as u64);
        for length in 1..=self.chain.len() {
            let chain: Vec<&Taken> = self.chain[..length].iter().map(|(taken, _)| taken).collect();
            let truth = &self.chain[length - 1].1;
            let (target, _) = in_memory();
            restore(&target, &chain, &RestoreOptions::default(), 1).await.unwrap();
            assert_eq!(held(&target), *truth, "written backup by backup, {length} of them");
            assert_eq!(held(&folded(&chain).await), *truth, "folded, {length} of them");
        }
    }
}

async fn folded(chain: &[&Taken]) -> EmbeddedCluster {
    let (target, _) = in_memory();
    write_folded(&target, chain, &RestoreOptions::default(), 1).await;
    target
}

fn held(cluster: &EmbeddedCluster) -> Model {
    let scan = cluster.scan("test", &Filter::default(), LookIn::default()).unwrap();
    scan.map(|found| found.unwrap().record).map(|record| (record.digest, record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_backup_restores_to_what_was_there(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (cluster, clock) = in_memory();
            cluster.create_namespace("test").unwrap();
            let mut history =
                History { cluster, clock, model: Model::new(), chain: Vec::new(), broken: false };
            for step in &steps {
                history.play(step).await;
            }
            history.check().await;
        });
    }
}
