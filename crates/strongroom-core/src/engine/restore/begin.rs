//! The moment from which the target changes: what was intended is written down first, and the new timeline is opened.

use super::run::Run;
use super::source::Source;
use crate::cluster::RestoreSession;
use crate::engine::held::takes_no_writes;
use crate::engine::journal::{End, Intended, Remembered};
use crate::id::{ClusterId, SessionId, TimelineId};
use crate::manifest::Blake3;
use crate::planner::Timeline;
use crate::{Error, Result, Timestamp};

impl Run<'_> {
    /// What the journal knows of this restore, if it is this one and can be gone on with.
    pub(super) async fn remember(&self, id: SessionId) -> Result<Remembered> {
        let Some(journal) = &self.request.journal else { return Ok(Remembered::default()) };
        let memory = journal.remember(id).await?;
        match memory.end {
            Some(End::Finished) => return Err(Error::already_exists(format!("restore {id} has ended already"))),
            Some(End::Aborted) => {
                return Err(Error::already_exists(format!("restore {id} was given up")).hint("begin a new one"));
            }
            None => {}
        }
        let other =
            |intended: &Intended| intended.plan.hash != self.plan.hash || intended.options != self.request.options;
        if memory.intended.as_ref().is_some_and(other) {
            return Err(Error::invalid(format!("restore {id} was begun with another plan or other options"))
                .hint("resume it with the same ones, or begin a new one"));
        }
        Ok(memory)
    }

    /// Begins in the target, or goes on with what was begun before.
    pub(super) async fn begin(
        &self,
        id: SessionId,
        memory: &Remembered,
        source: &Source,
        target: ClusterId,
    ) -> Result<RestoreSession> {
        let options = &self.request.options;
        let at = memory.intended.as_ref().map_or_else(|| self.repository.environment().now(), |intended| intended.at);
        if let Some(journal) = self.request.journal.as_ref().filter(|_| memory.intended.is_none()) {
            let (plan, options) = (self.plan.clone(), options.clone());
            journal.intend(id, &Intended { plan, options, at }).await?;
        }
        // Before the target changes: were it recorded only at the end, a crash could hide that the next backup must be
        // a base. To record it twice is the same as once.
        self.open_timelines(id, target, at).await?;
        // What has begun is not begun again: a target that keeps nothing of its sessions would empty itself once more.
        if let Some(session) = &memory.begun {
            self.session_is(Some(session.clone()));
            return Ok(session.clone());
        }
        let session = self.target.begin_restore(id, source.outline(), options).await?;
        self.session_is(Some(session.clone()));
        if let Some(journal) = &self.request.journal {
            journal.begin(&session).await?;
        }
        Ok(session)
    }

    /// A restore opens a new timeline in its target: what was backed up of it before does not lead up to what it holds.
    async fn open_timelines(&self, id: SessionId, target: ClusterId, at: Timestamp) -> Result<()> {
        for (name, part) in &self.plan.parts {
            let name = self.request.options.target_of(name);
            let parent = (target == self.plan.cluster).then_some((part.timeline, part.reached.until));
            let timeline =
                Timeline { id: timeline_of(id, name), part: name.to_owned(), cluster: target, parent, began: Some(at) };
            match self.repository.open_timeline(timeline).await {
                Ok(()) => {}
                Err(error) if takes_no_writes(&error) => {
                    self.warn(format!(
                        "the repository takes no writes, so it does not know that '{name}' has a new history: the next \
                         backup of it must be a base ({error})"
                    ));
                }
                Err(error) => return Err(error.within("the new timeline could not be recorded")),
            }
        }
        Ok(())
    }
}

/// The timeline that a restore opens: the same each time the restore is gone on with.
fn timeline_of(session: SessionId, part: &str) -> TimelineId {
    let hash = Blake3::of(format!("strongroom timeline\n{session}\n{part}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    TimelineId::from_bytes(id)
}
