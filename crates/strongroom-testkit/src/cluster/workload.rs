//! Random changes, the same for the same seed and the same contents.

use super::history::FILES;
use super::{SimulatedCluster, line};

/// How big a random change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Writes and deletes.
    pub steps: usize,
    /// Records are named out of so many per table.
    pub records: u32,
    /// Largest value in bytes.
    pub value: usize,
    /// Whether files are among it. A cluster that folds takes none.
    pub files: bool,
}

impl Default for Workload {
    /// 60 steps over 40 records a table, values up to 200 bytes, with files.
    fn default() -> Self {
        Self { steps: 60, records: 40, value: 200, files: true }
    }
}

impl SimulatedCluster {
    /// Makes random writes and deletes in `parts` (made if missing), by `seed`.
    pub fn change(&self, parts: &[&str], seed: u64, workload: Workload) {
        let mut rng = fastrand::Rng::with_seed(seed);
        for part in parts {
            self.create_part(part);
        }
        let contents = self.contents();
        for step in 0..workload.steps {
            let Some(part) = rng.choice(parts.iter().copied()) else { return };
            let (table, record) =
                (format!("table-{}", rng.u8(..3)), format!("r{}", rng.u32(..workload.records.max(1))));
            let mut value = vec![0; rng.usize(..=workload.value)];
            rng.fill(&mut value);
            match rng.u8(..10) {
                0..3 => drop(self.delete(part, &table, &record)),
                3 if workload.files => {
                    let name = format!("file {}", rng.u8(..8));
                    let there = contents.contains_key(&line(part, FILES, &name));
                    if there && rng.bool() {
                        self.delete_file(part, &name);
                    } else {
                        // Also files of 0 bytes, whose pieces are empty.
                        value.truncate(if step % 3 == 0 { 0 } else { value.len() });
                        self.put_file(part, &name, value);
                    }
                }
                _ => drop(self.put(part, &table, &record, value)),
            }
        }
    }
}
