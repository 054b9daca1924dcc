//! Backs up a folder into a new repository, and restores it into another folder:
//! `cargo run --example folder_cluster -- FOLDER REPOSITORY TARGET`. The adapter is in `cluster.rs`.

mod cluster;

use std::sync::Arc;

use cluster::FolderCluster;
use strongroom::codec::PlainRegistry;
use strongroom::core::engine::{BackupRequest, RestoreRequest, backup, restore};
use strongroom::core::planner::{Request, Target};
use strongroom::core::repository::{InitOptions, Repository};
use strongroom::{Error, Result, storage, system_environment};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, repository, target] = words.as_slice() else {
        return Err(Error::invalid("say which: folder_cluster FOLDER REPOSITORY TARGET"));
    };
    let storage = storage::open(repository, &storage::Options::default())?;
    let repository = Repository::init(storage, system_environment(), InitOptions::default()).await?;
    let codecs = Arc::new(PlainRegistry::new());

    let request = BackupRequest { stack: codecs.default_stack(), ..BackupRequest::default() };
    let source = Arc::new(FolderCluster(folder.into()));
    let taken = backup(repository.clone(), codecs.clone(), source, request).await?.into_result()?;
    println!("backed up as run {}", taken.run);

    let plan = repository.load().await?.catalogue().plan(&Request::at(Target::Latest))?;
    let target = Arc::new(FolderCluster(target.into()));
    let restored = restore(repository, codecs, plan, target, RestoreRequest::default()).await?;
    println!("restored {} files", restored.applied.written);
    Ok(())
}
