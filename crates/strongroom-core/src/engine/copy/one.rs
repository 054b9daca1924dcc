//! Copying one backup.

use std::sync::Arc;

use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::report::{CopyReport, Reason};
use super::run::Run;
use crate::engine::CodedList;
use crate::engine::attempt::attempt;
use crate::engine::proof::{Finding, Prover, transfer};
use crate::engine::restore::objects_of;
use crate::manifest::ObjectRef;
use crate::model::Depth;
use crate::pipeline::{Share, Stack};
use crate::planner::Entry;
use crate::repository::{CopyBegun, CopyCommit, Lease, OpenCopy};
use crate::{ErrorKind, Result};

impl Run<'_> {
    /// Brings one backup; `Err` within: why it is left out.
    pub(super) async fn one(
        &self,
        entry: &Entry,
        lease: &Lease,
        report: &mut CopyReport,
    ) -> Result<Result<(), Reason>> {
        match self.whole(entry, lease, report).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Reason::of(error).map(Err),
        }
    }

    async fn whole(&self, entry: &Entry, lease: &Lease, report: &mut CopyReport) -> Result<Result<(), Reason>> {
        let manifest = self.repository.manifest(&entry.manifest).await?;
        let form = CodedList::new(
            self.repository.id(),
            self.repository.environment().clone(),
            Arc::clone(self.registry),
            Stack::default(),
        );
        let pieces = self.repository.pieces(&manifest, &form).await?;
        let objects = objects_of(&manifest, &pieces);
        let open = match self.there.begin_copy(lease, &manifest, self.repository).await? {
            CopyBegun::Begun(open) => Some(open),
            CopyBegun::Present => None,
            CopyBegun::Condemned(what) => return Ok(Err(Reason::condemned(&what))),
        };
        let mut share = self.progress.begin();
        let brought = match self.objects(&objects, &mut share, report).await {
            Ok(()) => match &open {
                Some(open) => self.commit(open, entry, lease, report).await?,
                None => Ok(()),
            },
            Err(error) => Err(self.blame(&objects, error).await?),
        };
        if let Err(reason) = brought {
            if let Some(open) = open {
                self.there.give_up_copy(open, lease).await?;
            }
            return Ok(Err(reason));
        }
        let bytes = objects.iter().map(|object| object.size).sum();
        share.piece(entry.size.stored_bytes, bytes, manifest.totals.records);
        share.keep();
        Ok(Ok(()))
    }

    async fn objects(&self, objects: &[ObjectRef], share: &mut Share, report: &mut CopyReport) -> Result<()> {
        let transfers: Vec<_> = objects.iter().map(|object| self.transfer(object).boxed()).collect();
        let mut transfers = stream::iter(transfers).buffer_unordered(self.room.settings().parallel);
        while let Some((copied, size)) = transfers.try_next().await? {
            share.plain(size);
            if copied {
                report.objects += 1;
                report.bytes += size;
            } else {
                report.present += 1;
            }
        }
        Ok(())
    }

    async fn transfer(&self, object: &ObjectRef) -> Result<(bool, u64)> {
        let (from, to) = (self.repository.storage(), self.there.storage());
        let copied =
            attempt(|| transfer(&**from, &**to, object, &self.room)).await.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => error.hint("delete it at the destination, then copy again"),
                ErrorKind::NoSpace => {
                    error.hint("make room at the destination, then copy again: it goes on where it ended")
                }
                _ => error,
            })?;
        Ok((copied, object.size))
    }

    /// After an error of one object: all that is wrong with the backup where it comes from, so that nobody has to find
    /// damage one object at a time.
    async fn blame(&self, objects: &[ObjectRef], error: crate::Error) -> Result<Reason> {
        let reason = Reason::of(error)?;
        let findings = match reason.kind {
            ErrorKind::NotFound | ErrorKind::Corrupt => self.examine(objects).await?,
            _ => Vec::new(),
        };
        Ok(Reason { findings, ..reason })
    }

    async fn examine(&self, objects: &[ObjectRef]) -> Result<Vec<Finding>> {
        let prover = Prover {
            storage: self.repository.storage(),
            repository: self.repository.id(),
            registry: self.registry,
            room: &self.room,
        };
        prover.examine(objects, &[], &[], Depth::Hash).await
    }

    async fn commit(
        &self,
        open: &OpenCopy,
        entry: &Entry,
        lease: &Lease,
        report: &mut CopyReport,
    ) -> Result<Result<(), Reason>> {
        match self.there.commit_copy(open, lease, self.repository).await? {
            CopyCommit::Condemned(what) => return Ok(Err(Reason::condemned(&what))),
            CopyCommit::Done { unrecorded: Some(error) } => {
                self.warn(format!("the destination's catalogue was not told of {}: {error}", entry.id));
            }
            CopyCommit::Done { unrecorded: None } => {}
        }
        report.copied += 1;
        Ok(Ok(()))
    }
}
