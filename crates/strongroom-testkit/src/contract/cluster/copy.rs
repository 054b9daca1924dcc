//! A backup and a restore in their plainest form: everything in memory, one piece after the other.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_core::cluster::{
    Applied, FreezeRequest, Frozen, FrozenPart, PartOutline, PieceKind, PieceReader, PieceSpec, PieceSummary,
    RestoreOptions, RestoreOutline, RestoreSession, StepId,
};
use strongroom_core::{ByteStream, Cluster, Error, Result};

use super::{Check, granted};
use crate::ClusterFixture;

/// One backup of some parts, in memory.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) parts: Vec<CopiedPart>,
    pub(super) source: RestoreOutline,
}

#[derive(Debug, Clone)]
pub(super) struct CopiedPart {
    pub(super) frozen: FrozenPart,
    pub(super) pieces: Vec<(PieceSpec, Bytes, PieceSummary)>,
}

/// What another process would get: the value through JSON.
pub(super) fn through_json<T: Serialize + DeserializeOwned + PartialEq>(what: &str, value: &T) -> T {
    let text = serde_json::to_string(value).unwrap_or_else(|error| panic!("cluster contract: {what} as JSON: {error}"));
    let back =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("cluster contract: {what} from JSON: {error}"));
    assert!(back == *value, "cluster contract: {what} must come back unchanged from JSON: {text}");
    back
}

/// A body out of bytes, in chunks of `size`, with an empty chunk in between.
pub(super) fn body_of(bytes: &Bytes, size: usize) -> ByteStream {
    let mut chunks = vec![Bytes::new()];
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        chunks.push(rest.split_to(size.min(rest.len())));
    }
    stream::iter(chunks.into_iter().map(Ok)).boxed()
}

/// A body that fails after `bytes`.
pub(super) fn failing_body(bytes: &Bytes, error: Error) -> ByteStream {
    body_of(bytes, 1000).chain(stream::iter([Err(error)])).boxed()
}

/// The bytes and the summary of a piece.
pub(super) async fn collect(reader: PieceReader) -> Result<(Bytes, PieceSummary)> {
    let (mut body, mut bytes) = (reader.body, BytesMut::new());
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok((bytes.freeze(), reader.summary.await?))
}

pub(super) async fn read_all(cluster: &dyn Cluster, part: &FrozenPart) -> Result<CopiedPart> {
    let read = part.pieces.iter().map(async |piece| {
        let (bytes, summary) = collect(cluster.read(&through_json("a PieceSpec", piece)).await?).await?;
        Result::Ok((piece.clone(), bytes, summary))
    });
    // All at once, as the engine does.
    let pieces = join_all(read).await.into_iter().collect::<Result<_>>()?;
    Ok(CopiedPart { frozen: part.clone(), pieces })
}

impl Check<'_> {
    pub(super) async fn freeze(&self, request: &FreezeRequest) -> Frozen {
        let frozen = granted("freeze", self.cluster.freeze(request).await);
        assert!(frozen.failed.is_empty(), "cluster contract: no part may fail in this test: {:?}", frozen.failed);
        through_json("what freeze gives", &frozen)
    }

    /// Freezes, reads everything and releases.
    pub(super) async fn take(&self, request: &FreezeRequest) -> Copy {
        let frozen = self.freeze(request).await;
        let mut parts = Vec::new();
        for part in &frozen.parts {
            parts.push(granted("read what is frozen", read_all(&*self.cluster, part).await));
        }
        granted("release", self.cluster.release(&frozen).await);
        self.copy(parts).await
    }

    pub(super) async fn copy(&self, parts: Vec<CopiedPart>) -> Copy {
        let topology = granted("describe", self.cluster.describe().await);
        let outline = |part: &CopiedPart| PartOutline {
            filter: part.frozen.filter.clone(),
            bytes: part.pieces.iter().map(|(_, bytes, _)| bytes.len() as u64).sum(),
            records: part.pieces.iter().map(|(_, _, summary)| summary.records).sum(),
            reached: part.frozen.window.until,
        };
        let source = RestoreOutline {
            parts: parts.iter().map(|part| (part.frozen.part.clone(), outline(part))).collect(),
            source: topology.identity,
            source_version: topology.version,
        };
        Copy { parts, source }
    }

    /// The pieces of a part that come before the others, and those.
    pub(super) fn in_order(part: &CopiedPart) -> [Vec<&(PieceSpec, Bytes, PieceSummary)>; 2] {
        let (schema, data) = part.pieces.iter().partition(|(spec, ..)| spec.kind == PieceKind::Schema);
        [schema, data]
    }

    /// Writes one backup as the step or steps from `first` on: the next free step.
    pub(super) async fn write_copy(
        cluster: &dyn Cluster,
        session: &RestoreSession,
        first: StepId,
        copy: &Copy,
    ) -> Result<(StepId, Applied)> {
        let (mut step, mut applied) = (first, Applied::default());
        for part in &copy.parts {
            for pieces in Self::in_order(part) {
                let writes = pieces.into_iter().map(|(spec, bytes, _)| {
                    cluster.write(session, step, &part.frozen.part, spec, body_of(bytes, 3000))
                });
                for written in join_all(writes).await {
                    applied += written?;
                }
            }
            cluster.seal_step(session, step).await?;
            step += 1;
        }
        Ok((step, applied))
    }

    /// Restores a chain of backups, oldest first.
    pub(super) async fn restore(
        &self,
        target: &dyn ClusterFixture,
        chain: &[&Copy],
        options: &RestoreOptions,
    ) -> Applied {
        let cluster = target.cluster();
        let session =
            granted("begin_restore", cluster.begin_restore(self.session(), &chain[0].outline(), options).await);
        let session = through_json("a RestoreSession", &session);
        let (mut step, mut all) = (0, Applied::default());
        for copy in chain {
            let (next, applied) = granted("write", Self::write_copy(&*cluster, &session, step, copy).await);
            step = next;
            all += applied;
        }
        granted("finish_restore", cluster.finish_restore(session).await);
        all
    }
}

impl Copy {
    pub(super) fn outline(&self) -> RestoreOutline {
        self.source.clone()
    }

    /// The pieces' bytes by part and name.
    pub(super) fn bytes(&self) -> BTreeMap<(String, String), Bytes> {
        let part = |part: &CopiedPart| {
            let name = part.frozen.part.clone();
            part.pieces
                .iter()
                .map(move |(spec, bytes, _)| ((name.clone(), spec.name.clone()), bytes.clone()))
                .collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(part).collect()
    }
}
