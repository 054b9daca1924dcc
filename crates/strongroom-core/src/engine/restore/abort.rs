//! Giving a journalled restore up.

use crate::engine::journal::{End, Journal};
use crate::id::SessionId;
use crate::{Cluster, Error, Result};

/// Gives up a restore that was begun with `journal` and did not end: the target frees what it staged, what was written
/// stays. Afterwards the restore can't be gone on with. Twice is once.
///
/// # Errors
/// `NotFound` when the journal does not know it; `AlreadyExists` when it has ended well; as the target and the journal's
/// storage otherwise.
pub async fn abort_restore(journal: &Journal, session: SessionId, target: &dyn Cluster) -> Result<()> {
    let memory = journal.remember(session).await?;
    match memory.end {
        Some(End::Aborted) => return Ok(()),
        Some(End::Finished) => return Err(Error::already_exists(format!("restore {session} has ended already"))),
        None => {}
    }
    if memory.intended.is_none() {
        return Err(Error::not_found(format!("the journal knows no restore {session}")).hint("name another journal"));
    }
    // Without a session nothing was written, so nothing is staged.
    if let Some(begun) = memory.begun {
        target.abort_restore(begun).await?;
    }
    journal.end(session, End::Aborted).await
}
