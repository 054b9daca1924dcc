//! The same backup on another storage.

use std::time::Duration;

use strongroom_core::id::BackupId;
use strongroom_core::repository::{CopyBegun, CopyCommit, Guard, PruneTerms, Repository, folder_of};
use strongroom_core::{Key, Result, StorageExt as _};
use strongroom_testkit::MemoryStorage;

use crate::support::{back_up_sharing, check_whole, draft, new_repository, reopen};

const FREE: &Guard<'static> = &|_| Ok(());

async fn copy(from: &Repository, to: &Repository, backup: BackupId) -> Result<bool> {
    let lease = to.copy_lease("a test", Duration::from_mins(5)).await?;
    let key = from.load().await?.entry(backup).unwrap().manifest.clone();
    let manifest = from.manifest(&key).await?;
    let outcome = match to.begin_copy(&lease, &manifest, from).await {
        Ok(CopyBegun::Begun(open)) => {
            let folder = folder_of(&manifest)?;
            for object in all(from).await {
                let ours = object.as_str().starts_with(folder.prefix()) || object.as_str().starts_with("content/");
                if ours && object != key && !to.storage().exists(&object).await? {
                    let body = from.storage().get(&object, 1 << 20).await?;
                    to.storage().put_new(&object, body).await?;
                }
            }
            match to.commit_copy(&open, &lease, from).await? {
                CopyCommit::Done { unrecorded } => unrecorded.map_or(Ok(true), Err),
                CopyCommit::Condemned(_) => to.give_up_copy(open, &lease).await.map(|()| false),
            }
        }
        Ok(CopyBegun::Present | CopyBegun::Condemned(_)) => Ok(false),
        Err(error) => Err(error),
    };
    lease.release().await?;
    outcome
}

async fn all(repository: &Repository) -> Vec<Key> {
    use futures::TryStreamExt as _;
    repository.storage().list("").map_ok(|meta| meta.key).try_collect().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_the_same_backup_and_may_come_back_after_it_was_pruned() {
    let (here, there) = (MemoryStorage::new(), MemoryStorage::new());
    let from = new_repository(here.clone()).await;
    let file = Key::new("strongroom.json").unwrap();
    there.put(file.clone(), here.contents()[&file].clone());
    let to = reopen(&from, there.clone(), 4).await;
    let a = back_up_sharing(&from, "a", &draft(None, 10), &["x"]).await.unwrap();
    assert!(copy(&from, &to, a).await.unwrap());
    assert_eq!(check_whole(&to).await, [a]);
    assert!(!copy(&from, &to, a).await.unwrap(), "it is here already");

    let lease = to.prune_lease("a test", Duration::ZERO).await.unwrap();
    let request = PruneTerms { delete: [a].into(), grace: Duration::from_secs(9), ..PruneTerms::default() };
    to.prune(&lease, &request, FREE).await.unwrap();
    assert!(!copy(&from, &to, a).await.unwrap(), "it is condemned there");
    tokio::time::advance(Duration::from_secs(9)).await;
    to.prune(&lease, &PruneTerms::default(), FREE).await.unwrap();
    assert_eq!(check_whole(&to).await, []);
    assert!(to.load().await.unwrap().deleted.contains(&a));
    assert!(copy(&from, &to, a).await.unwrap());
    assert_eq!(check_whole(&to).await, [a]);
    assert_eq!(check_whole(&from).await, [a]);
}
