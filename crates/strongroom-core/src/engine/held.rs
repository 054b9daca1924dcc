//! Leases of jobs that may be cancelled: whatever happens, a lease that was taken is given back.

use std::time::Duration;

use futures::future::{Either, select};
use tokio_util::sync::CancellationToken;

use crate::repository::{LEASE_TIME, Lease, Patience};
use crate::{Error, ErrorKind, Result};

/// How long the end of a job waits for a write of a lease.
const LAST_WRITE: Duration = Duration::from_secs(20);

/// What a job does about its own lease when an earlier process holds it still. A new job has a lease of its own; one that
/// is gone on with waits until that process is surely dead, unless it is known to be.
pub(super) fn patience(resumed: bool, take_over: bool) -> Patience {
    match (resumed, take_over) {
        (false, _) => Patience::Wait(Duration::ZERO),
        (true, false) => Patience::Wait(LEASE_TIME * 2),
        (true, true) => Patience::TakeOver,
    }
}

/// Takes a lease, unless the job is cancelled first: what was half taken by then is given back.
pub(super) async fn take(
    token: &CancellationToken,
    job: &str,
    acquire: impl Future<Output = Result<Lease>>,
) -> Result<Lease> {
    let (cancelled, acquire) = (std::pin::pin!(token.cancelled()), std::pin::pin!(acquire));
    match select(cancelled, acquire).await {
        Either::Right((lease, _)) => lease,
        Either::Left(((), acquire)) => {
            if let Ok(Ok(lease)) = tokio::time::timeout(LAST_WRITE, acquire).await {
                // Nobody hears of it: a lease that is not given back ends by itself.
                let _ = lease.release().await;
            }
            Err(cancelled_error(job))
        }
    }
}

/// As [`take`]; a repository that takes no writes gives no lease, and what that means is told.
pub(super) async fn take_if_writable(
    token: &CancellationToken,
    job: &str,
    acquire: impl Future<Output = Result<Lease>>,
    warn: &(dyn Fn(String) + Sync),
) -> Result<Option<Lease>> {
    match take(token, job, acquire).await {
        Ok(lease) => Ok(Some(lease)),
        Err(error) if takes_no_writes(&error) => {
            warn(format!("the repository takes no writes, so no lease keeps a prune away from what is read: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Renews a lease under which backups are read; ends only when another process has taken it over. What is read is
/// proven all the same: to stop half-way because a storage does not answer would do more harm than a prune could.
pub(super) async fn keep_reading(lease: Option<&Lease>, warn: &(dyn Fn(String) + Sync)) -> Error {
    let Some(lease) = lease else { return std::future::pending().await };
    let mut warned = false;
    loop {
        let error = lease.keep().await;
        if error.kind() == ErrorKind::Cancelled {
            return error;
        }
        if !std::mem::replace(&mut warned, true) {
            warn(format!("the lease could not be renewed, so a prune may delete what is read: {error}"));
        }
    }
}

/// Does `work` until it ends, the job is cancelled, or `keeper` tells that the lease is lost.
pub(super) async fn until<T>(
    token: &CancellationToken,
    job: &str,
    keeper: impl Future<Output = Error>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = token.cancelled() => Err(cancelled_error(job)),
        lost = keeper => Err(lost),
        outcome = work => outcome,
    }
}

/// Gives a lease back; why it could not be, as a warning. A storage that does not answer keeps nobody: the lease ends by
/// itself.
pub(super) async fn give_back(lease: Lease, whose: &str) -> Option<String> {
    match tokio::time::timeout(LAST_WRITE, lease.release()).await {
        Ok(released) => released.err().map(|error| format!("{whose} was not given back: {error}")),
        Err(_) => Some(format!("{whose} was not given back, since the storage does not answer: it ends by itself")),
    }
}

/// Whether an error means that a storage takes no writes: it can only be read, or it is full.
pub(super) fn takes_no_writes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::NoSpace)
}

fn cancelled_error(job: &str) -> Error {
    Error::cancelled(format!("the {job} was cancelled"))
}
