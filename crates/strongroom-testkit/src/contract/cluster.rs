//! What every [`Cluster`] promises.

mod chains;
mod copy;
mod dropped;
mod frozen;
mod restored;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::id::SessionId;
use strongroom_core::{Cluster, ErrorKind, Result};

use crate::ClusterContents;

/// What [`cluster_contract`] needs beside the cluster itself: a way to fill it, and to look into it.
#[async_trait]
pub trait ClusterFixture: Send + Sync {
    /// The cluster under test.
    fn cluster(&self) -> Arc<dyn Cluster>;

    /// Changes what the cluster holds: writes something new, and replaces and deletes something that is there. The
    /// same seed does the same. When it returns, a freeze must see it.
    async fn change(&self, seed: u64);

    /// Everything that a backup must bring back, in a comparable form: `<part>/<whatever names it>` to its bytes.
    /// Definitions may be left out.
    async fn contents(&self) -> ClusterContents;

    /// Another cluster of this kind that holds nothing and can be restored into.
    async fn fresh_target(&self) -> Box<dyn ClusterFixture>;
}

/// Checks every promise of [`Cluster`], [`strongroom_core::cluster::Fold`] included, as far as its capabilities say
/// that it makes them. `fixture` may hold something already.
///
/// # Panics
/// When a promise is broken, with its clause.
pub async fn cluster_contract(fixture: &dyn ClusterFixture) {
    let check = Check { fixture, cluster: fixture.cluster(), sessions: AtomicU64::new(1) };
    check.empty_cluster().await;
    fixture.change(1).await;
    assert!(
        !fixture.contents().await.is_empty(),
        "cluster contract: the fixture's change must leave something to back up"
    );
    check.describes().await;
    check.freezes().await;
    check.scopes_and_filters().await;
    check.reads_repeat().await;
    check.releases().await;
    check.changes_after_the_freeze().await;
    check.remembers().await;
    check.restores().await;
    check.begins_once().await;
    check.failed_and_odd_bodies().await;
    check.hostile_bodies().await;
    check.options().await;
    check.truncates().await;
    check.aborts().await;
    check.incrementals().await;
    check.folds().await;
    check.dropped_while_reading().await;
    check.dropped_while_restoring().await;
}

struct Check<'a> {
    fixture: &'a dyn ClusterFixture,
    cluster: Arc<dyn Cluster>,
    sessions: AtomicU64,
}

impl Check<'_> {
    fn session(&self) -> SessionId {
        SessionId::from_u128(u128::from(self.sessions.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The value, or a failure that names the clause.
fn granted<T>(clause: &str, result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("cluster contract: {clause}: {error:?}"))
}

/// Fails with the clause if `result` is not an error of one of `kinds`.
fn refused<T: Debug>(clause: &str, kinds: &[ErrorKind], result: Result<T>) {
    match result {
        Ok(value) => panic!("cluster contract: {clause}: must be one of {kinds:?}, but succeeded with {value:?}"),
        Err(error) if kinds.contains(&error.kind()) => {}
        Err(error) => panic!("cluster contract: {clause}: must be one of {kinds:?}, but the error is {error:?}"),
    }
}

/// Fails with the clause and the first difference.
fn same_contents(clause: &str, found: &ClusterContents, wanted: &ClusterContents) {
    for (name, value) in wanted {
        match found.get(name) {
            None => panic!("cluster contract: {clause}: '{name}' is missing ({} of {})", found.len(), wanted.len()),
            Some(other) => assert!(other == value, "cluster contract: {clause}: '{name}' is {other:?}, not {value:?}"),
        }
    }
    let more = found.keys().find(|name| !wanted.contains_key(*name));
    assert_eq!(more, None, "cluster contract: {clause}: there is more than there should be");
}

fn default_options() -> RestoreOptions {
    RestoreOptions::default()
}
