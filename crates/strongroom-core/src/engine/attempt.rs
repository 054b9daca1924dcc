//! Trying again what may go well the next time.

use std::time::Duration;

use crate::Result;

/// How often something is tried while its error says that trying again may help.
const ATTEMPTS: u32 = 4;

/// Does `work`, and does it again after a pause while its error is of the kind that passes.
///
/// # Errors
/// The error of the last attempt.
pub(super) async fn attempt<T, F: Future<Output = Result<T>>>(mut work: impl FnMut() -> F) -> Result<T> {
    let mut pause = Duration::from_millis(500);
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(error) if error.kind().is_retryable() => {}
            other => return other,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    work().await
}
