//! A repository with a large catalogue in a local folder, and what loading it takes.

use std::sync::Arc;

use strongroom::system_environment;
use strongroom_core::id::BackupId;
use strongroom_core::repository::{InitOptions, Loaded, Record, Repository};
use strongroom_core::{Error, Result};
use strongroom_storage::LocalStorage;

use crate::folder::BenchFolder;
use crate::measure::Spent;
use crate::shapes::Shape;

/// Backups a segment while the catalogue is made.
const BATCH: u64 = 20_000;

/// Makes a repository in `folder` whose catalogue holds `total` backups in a snapshot, and `segments` after it. What came
/// before the snapshot is not deleted, as in a repository that is never pruned.
///
/// # Errors
/// As the storage.
pub async fn make(folder: &BenchFolder, shape: Shape, total: u64, segments: u64) -> Result<()> {
    let storage = Arc::new(LocalStorage::new(folder.path())?);
    let repository = Repository::init(storage, system_environment(), InitOptions::default()).await?;
    let mut number = 0;
    for start in (0..total).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let records =
            (start..total.min(start + BATCH)).map(|at| Ok(Record::End { entry: Box::new(shape.entry(at, total)?) }));
        number = repository.record(&records.collect::<Result<Vec<_>>>()?).await?;
    }
    let idle = [Record::Voided { backup: BackupId::from_u128(0) }];
    while number % 8 != 0 {
        number = repository.record(&idle).await?;
    }
    repository.compact(true).await?;
    for _ in 0..segments {
        repository.record(&idle).await?;
    }
    Ok(())
}

/// Loads the catalogue.
///
/// # Errors
/// As [`Repository::load`], and if anything is damaged.
pub fn load(runtime: &tokio::runtime::Runtime, repository: &Repository) -> Result<(Spent, Loaded)> {
    let (spent, loaded) = Spent::by(|| runtime.block_on(repository.load()));
    let loaded = loaded?;
    if !loaded.is_complete() {
        return Err(Error::corrupt(format!("the bench's catalogue is damaged: {:?}", loaded.report)));
    }
    Ok((spent, loaded))
}
