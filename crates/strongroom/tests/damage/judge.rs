//! What a check and a restore make of a damaged repository.

use std::sync::Arc;
use std::time::Duration;

use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::{Proof, RestoreRequest, VerifyReport, VerifyRequest, restore, verify};
use strongroom_core::model::Depth;
use strongroom_core::planner::{Plan, Request, Target};
use strongroom_core::repository::{PruneTerms, Repository};
use strongroom_core::{Error, ErrorKind, Key, Result};
use strongroom_testkit::{Contents, MemoryStorage, SimulatedCluster, SimulatedOptions, TestClock};

use crate::world::{PART, World, settings};

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Everything is whole: this depth does not look there.
    Whole,
    /// It is damaged, and named.
    Named(ErrorKind),
    /// Everything is whole, with a warning that names it.
    Warned,
    /// The check can't even begin; the error names it.
    Stopped(ErrorKind),
}

/// What a restore of the newest point does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It restores that point.
    Restored,
    /// The same, with a plan that says that the catalogue is damaged.
    GotBy,
    /// It is refused by an error that names the object; the target has not changed.
    Refused(ErrorKind),
}

/// The outcome of everything that is asked of one damaged repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) exists: Seen,
    pub(crate) hash: Seen,
    pub(crate) decode: Seen,
    pub(crate) restore: Done,
}

/// Asks everything. Panics where an answer is wrong, whatever it is.
pub(crate) async fn judge(world: &World, contents: &Contents, damaged: &[Key]) -> Outcome {
    let mut seen = [Seen::Whole; 3];
    for (seen, depth) in seen.iter_mut().zip([Depth::Exists, Depth::Hash, Depth::Decode]) {
        *seen = check(world, contents, damaged, depth).await;
    }
    let [exists, hash, decode] = seen;
    let done = bring_back(world, contents, damaged, Proof::Hash).await;
    // With a lighter proof a restore may fail later, and is never wrong.
    let light = bring_back(world, contents, damaged, Proof::Check).await;
    match (done, light) {
        (Done::Refused(_), Done::Refused(_)) => {}
        (one, other) => assert_eq!(one, other, "{damaged:?}"),
    }
    if done == Done::GotBy {
        mended(world, contents).await;
    }
    prune(world, contents, damaged).await;
    Outcome { exists, hash, decode, restore: done }
}

/// A damaged catalogue is made good from the manifests.
async fn mended(world: &World, contents: &Contents) {
    let storage = MemoryStorage::holding(contents.clone());
    let (repository, _) = world.open(&storage, 70).await.unwrap();
    repository.mend().await.unwrap();
    assert_eq!(bring_back(world, &storage.contents(), &[], Proof::Hash).await, Done::Restored);
}

/// A prune on a damaged repository may refuse, and deletes nothing that is needed.
async fn prune(world: &World, contents: &Contents, damaged: &[Key]) {
    let storage = MemoryStorage::holding(contents.clone());
    let Ok(repository) = Repository::open(Arc::new(storage.clone()), world.environment(80)).await else { return };
    let lease = repository.prune_lease("a test", Duration::from_hours(1)).await.unwrap();
    for _ in 0..2 {
        tokio::time::advance(Duration::from_hours(25)).await;
        let request = PruneTerms { unfinished_after: Duration::ZERO, ..PruneTerms::default() };
        let pruned = lease.during(repository.prune(&lease, &request, &|_| Ok(()))).await;
        if let Err(error) = pruned {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Cancelled), "{damaged:?}: {error:?}");
        }
    }
    let left = storage.contents();
    for key in world.needed().filter(|key| contents.contains_key(*key)) {
        assert!(left.contains_key(key), "{damaged:?}: a prune deleted {key}");
    }
}

fn names(text: &str, damaged: &[Key]) -> bool {
    damaged.iter().any(|key| text.contains(key.as_str()))
}

async fn check(world: &World, contents: &Contents, damaged: &[Key], depth: Depth) -> Seen {
    let storage = MemoryStorage::holding(contents.clone());
    let result: Result<VerifyReport> = async {
        let (repository, ring) = world.open(&storage, 50).await?;
        let request = VerifyRequest { depth, record: false, settings: settings(), ..VerifyRequest::default() };
        verify(repository, Arc::new(ring), request).await
    }
    .await;
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            assert!(names(&error.to_string(), damaged) || is_about_all(&error), "{damaged:?}: {error:?}");
            return Seen::Stopped(error.kind());
        }
    };
    let findings: Vec<_> = report.backups.iter().flat_map(|backup| &backup.findings).chain(&report.unusable).collect();
    for finding in &findings {
        assert!(damaged.contains(&finding.key), "{damaged:?}: {finding:?}");
    }
    assert_eq!(report.is_whole(), findings.is_empty());
    match findings.first() {
        Some(finding) => Seen::Named(finding.kind),
        // Of a snapshot that is gone nobody knows; the segments that it stood for are missed.
        None if report.warnings.iter().any(|text| names(text, damaged) || text.contains("catalogue/0")) => Seen::Warned,
        None => {
            assert!(report.warnings.is_empty(), "{damaged:?}: {:?}", report.warnings);
            Seen::Whole
        }
    }
}

/// Errors that name no object, since they are about the repository or its keys as a whole.
fn is_about_all(error: &Error) -> bool {
    let text = error.to_string();
    let about = [
        "strongroom.json is missing",
        "has no keys",
        "is not among the keys",
        "wrapped keys are gone",
        "belongs to repository",
    ];
    about.iter().any(|about| text.contains(about))
}

async fn bring_back(world: &World, contents: &Contents, damaged: &[Key], proof: Proof) -> Done {
    let storage = MemoryStorage::holding(contents.clone());
    let clock = TestClock::at(world.until);
    let target = SimulatedCluster::new("target", Arc::new(clock), SimulatedOptions::default());
    target.put(PART, "table-1", "what was there", "before");
    let before = target.contents();
    let result: Result<(Plan, bool)> = async {
        let (repository, ring) = world.open(&storage, 60).await?;
        let loaded = repository.load().await?;
        let plan = loaded.catalogue().plan(&Request::at(Target::Latest))?;
        let request = RestoreRequest {
            options: RestoreOptions { truncate: true, ..RestoreOptions::default() },
            proof: Some(proof),
            settings: settings(),
            ..RestoreRequest::default()
        };
        restore(repository, Arc::new(ring), plan.clone(), Arc::new(target.clone()), request).await?;
        Ok((plan, loaded.is_complete()))
    }
    .await;
    match result {
        Ok((plan, complete)) => {
            let reached = plan.parts[PART].reached.until;
            assert_eq!(target.contents(), world.cluster.part_at(PART, reached), "{damaged:?}: WRONG DATA");
            match (reached == world.until, complete) {
                (true, true) => Done::Restored,
                (true, false) => Done::GotBy,
                (false, _) => panic!("{damaged:?}: another point than asked for"),
            }
        }
        Err(error) => {
            assert!(names(&error.to_string(), damaged) || is_about_all(&error), "{damaged:?}: {error:?}");
            assert!(proof == Proof::Check || target.contents() == before, "{damaged:?}: the target has changed");
            Done::Refused(error.kind())
        }
    }
}
