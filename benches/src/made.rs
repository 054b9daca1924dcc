//! A cluster whose pieces are made while they are read, and thrown away while they are written: it costs no memory.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use strongroom_core::cluster::{
    Applied, Capabilities, ClusterIdentity, FreezeRequest, Frozen, FrozenPart, Node, PartDescription, PieceKind,
    PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions, RestoreOutline, RestoreReport, RestoreSession,
    StepId, Topology,
};
use strongroom_core::id::{ClusterId, SessionId};
use strongroom_core::model::Window;
use strongroom_core::{ByteStream, Cluster, Result, Timestamp};

use crate::data::Kind;

/// A cluster of one part with so many pieces of so many bytes.
#[derive(Debug)]
pub struct MadeCluster {
    pieces: u64,
    piece_bytes: u64,
    block: Bytes,
}

impl MadeCluster {
    /// `pieces` pieces of `piece_bytes` bytes each, of rows as an `SSTable` has them: one block again and again.
    #[must_use]
    pub fn new(pieces: u64, piece_bytes: u64) -> Self {
        Self { pieces, piece_bytes, block: Kind::Rows.bytes(1, 256 << 10).into() }
    }
}

#[async_trait]
impl Cluster for MadeCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn describe(&self) -> Result<Topology> {
        let identity =
            ClusterIdentity { id: ClusterId::from_u128(1), name: "made".to_owned(), fingerprint: "made".to_owned() };
        let parts = [("made".to_owned(), PartDescription::default())].into();
        let nodes = vec![Node { id: "here".to_owned(), ..Node::default() }];
        Ok(Topology { identity, version: "1".to_owned(), nodes, parts })
    }

    async fn freeze(&self, _: &FreezeRequest) -> Result<Frozen> {
        let now = Timestamp::from_micros(1_000_000);
        let mut part = FrozenPart::base("made", Window { from: None, until: now, settled: now });
        part.pieces = (0..self.pieces)
            .map(|number| {
                let piece = PieceSpec::new(number.to_string(), PieceKind::Data);
                PieceSpec { bytes: Some(self.piece_bytes), ..piece }
            })
            .collect();
        Ok(Frozen { parts: vec![part], failed: [].into(), token: Value::Null })
    }

    async fn read(&self, _: &PieceSpec) -> Result<PieceReader> {
        let block = self.block.clone();
        let body = stream::try_unfold(self.piece_bytes, move |left| {
            let length = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            let chunk = block.slice(..length);
            async move { Ok((length > 0).then(|| (chunk, left - length as u64))) }
        });
        let summary = async { Ok(PieceSummary { records: 1, ..PieceSummary::default() }) };
        Ok(PieceReader { body: body.boxed(), summary: summary.boxed() })
    }

    async fn release(&self, _: &Frozen) -> Result<()> {
        Ok(())
    }

    async fn check_restore(&self, _: &RestoreOutline, _: &RestoreOptions) -> Result<Preflight> {
        Ok(Preflight::default())
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        _: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        Ok(RestoreSession { id, options: options.clone(), detail: Value::Null })
    }

    async fn write(&self, _: &RestoreSession, _: StepId, _: &str, _: &PieceSpec, body: ByteStream) -> Result<Applied> {
        body.try_for_each(|_| async { Ok(()) }).await?;
        Ok(Applied { written: 1, ..Applied::default() })
    }

    async fn seal_step(&self, _: &RestoreSession, _: StepId) -> Result<()> {
        Ok(())
    }

    async fn finish_restore(&self, _: RestoreSession) -> Result<RestoreReport> {
        Ok(RestoreReport::default())
    }

    async fn abort_restore(&self, _: RestoreSession) -> Result<()> {
        Ok(())
    }
}
