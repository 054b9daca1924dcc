//! Leases of jobs that may be cancelled: whatever happens, a lease that was taken is given back.

use std::time::Duration;

use futures::future::{Either, select};
use tokio_util::sync::CancellationToken;

use crate::repository::{LEASE_TIME, Lease, Patience};
use crate::{Error, ErrorKind, Result};

/// How long a cancelled job waits for the end of a write that it had begun.
const LAST_WRITE: Duration = Duration::from_secs(5);

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

/// Gives a lease back; why it could not be, as a warning.
pub(super) async fn give_back(lease: Lease, whose: &str) -> Option<String> {
    lease.release().await.err().map(|error| format!("{whose} was not given back: {error}"))
}

/// Whether an error means that a storage takes no writes: it can only be read, or it is full.
pub(super) fn takes_no_writes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::NoSpace)
}

fn cancelled_error(job: &str) -> Error {
    Error::cancelled(format!("the {job} was cancelled"))
}
