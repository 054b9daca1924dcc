//! The embedded cluster as a [`Cluster`]. The work is done on threads for blocking work.

use std::collections::BTreeMap;

use async_trait::async_trait;
use strongroom_core::cluster::{
    Applied, Capabilities, Fold, FreezeRequest, Frozen, Node, PartDescription, PieceReader, PieceSpec, Preflight,
    RestoreOptions, RestoreOutline, RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::id::SessionId;
use strongroom_core::{ByteStream, Cluster, Error, Result, Timestamp};

use strongroom_record::fold::RecordFold;

use crate::EmbeddedCluster;

impl EmbeddedCluster {
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let cluster = self.clone();
        tokio::task::spawn_blocking(move || work(&cluster))
            .await
            .unwrap_or_else(|error| Err(Error::internal("a task of the embedded cluster broke off").because(error)))
    }

    fn topology(&self) -> Result<Topology> {
        let mut parts = BTreeMap::new();
        for (name, info) in self.namespaces()? {
            let tables = info.sets.into_iter().map(|(set, count)| (set, Some(count.records))).collect();
            let (records, bytes) = (Some(info.count.records), Some(info.count.bytes));
            parts.insert(name, PartDescription { tables, records, bytes });
        }
        Ok(Topology {
            identity: self.identity().clone(),
            version: concat!("embedded ", env!("CARGO_PKG_VERSION")).to_owned(),
            nodes: vec![Node { id: "embedded".to_owned(), address: self.place(), ..Node::default() }],
            parts,
        })
    }
}

#[async_trait]
impl Cluster for EmbeddedCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            incremental: true,
            deletes_seen: true,
            fold: true,
            truncate: !self.is_read_only(),
            definitions_last: true,
            ..Capabilities::default()
        }
    }

    async fn describe(&self) -> Result<Topology> {
        self.blocking(Self::topology).await
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let request = request.clone();
        self.blocking(move |cluster| cluster.freeze_now(&request)).await
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let piece = piece.clone();
        self.blocking(move |cluster| cluster.open_piece(&piece)).await
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.release_now(frozen);
        Ok(())
    }

    async fn remembers(&self, part: &str, until: Timestamp) -> Result<Option<bool>> {
        let part = part.to_owned();
        self.blocking(move |cluster| cluster.remembers_now(&part, until)).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let (outline, options) = (outline.clone(), options.clone());
        self.blocking(move |cluster| cluster.preflight(&outline, &options)).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let (outline, options) = (outline.clone(), options.clone());
        self.blocking(move |cluster| cluster.begin_session(id, &outline, &options)).await
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.write_piece(session, step, part, piece, body).await
    }

    async fn seal_step(&self, session: &RestoreSession, _: StepId) -> Result<()> {
        // Nothing is staged: every piece is in the file when its `write` returns.
        let session = session.clone();
        self.blocking(move |cluster| cluster.open_session(&session).map(drop)).await
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.blocking(move |cluster| cluster.finish_session(&session)).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.blocking(move |cluster| cluster.abort_session(&session)).await
    }

    fn fold(&self) -> Option<&dyn Fold> {
        Some(&RecordFold)
    }
}
