//! A cluster of hand-made pieces: what it hands out is known byte by byte, and what is restored into it is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use strongroom::core::cluster::{
    Applied, Capabilities, ClusterIdentity, FreezeRequest, Frozen, FrozenPart, Node, PartDescription, PieceKind,
    PieceReader, PieceSpec, PieceSummary, Preflight, RestoreOptions, RestoreOutline, RestoreReport, RestoreSession,
    StepId, Topology,
};
use strongroom::core::environment::Environment;
use strongroom::core::id::{ClusterId, SessionId};
use strongroom::core::model::{Applies, Deletes, Window};
use strongroom::core::{ByteStream, Cluster, Error, Result};

/// The part's name needs escaping in names of objects.
pub(crate) const PARTS: [&str; 2] = ["orders", "größe 100%/τ"];

/// Names of pieces to what they hold.
pub(crate) type Bodies = BTreeMap<String, Bytes>;

#[derive(Debug, Clone)]
pub(crate) struct PieceCluster {
    environment: Environment,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fingerprint: String,
    /// What the next freeze hands out, of every part the same.
    pieces: Vec<(PieceSpec, Bytes)>,
    missing: Vec<String>,
    /// A piece that can't be read.
    broken: Option<String>,
    written: Bodies,
}

impl PieceCluster {
    pub(crate) fn new(environment: Environment) -> Self {
        let state = State { fingerprint: "first".to_owned(), ..State::default() };
        Self { environment, state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn holds(&self, pieces: Vec<(PieceSpec, Bytes)>) {
        self.state.lock().unwrap().pieces = pieces;
    }

    /// What of it can't be reached from now on.
    pub(crate) fn lacks(&self, missing: &[&str]) {
        self.state.lock().unwrap().missing = missing.iter().map(|&text| text.to_owned()).collect();
    }

    pub(crate) fn breaks(&self, piece: Option<&str>) {
        self.state.lock().unwrap().broken = piece.map(str::to_owned);
    }

    pub(crate) fn answers_as(&self, fingerprint: &str) {
        fingerprint.clone_into(&mut self.state.lock().unwrap().fingerprint);
    }

    pub(crate) fn bodies(&self) -> Bodies {
        self.state.lock().unwrap().pieces.iter().map(|(spec, body)| (spec.name.clone(), body.clone())).collect()
    }

    /// What a restore wrote.
    pub(crate) fn written(&self) -> Bodies {
        self.state.lock().unwrap().written.clone()
    }
}

#[async_trait]
impl Cluster for PieceCluster {
    fn capabilities(&self) -> Capabilities {
        Capabilities { incremental: true, deletes_seen: true, ..Capabilities::default() }
    }
    async fn describe(&self) -> Result<Topology> {
        let fingerprint = self.state.lock().unwrap().fingerprint.clone();
        let identity = ClusterIdentity { id: ClusterId::from_u128(0xC1), name: "golden".into(), fingerprint };
        let nodes = vec![Node { id: "n1".into(), tokens: vec!["-9".into(), "9".into()], ..Node::default() }];
        let parts = PARTS.map(|part| (part.to_owned(), PartDescription::default())).into();
        Ok(Topology { identity, version: "7".into(), nodes, parts })
    }
    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let now = self.environment.now();
        let state = self.state.lock().unwrap();
        let asked = |part: &str| request.scope.parts.as_ref().is_none_or(|parts| parts.contains_key(part));
        let freeze = |part: &str| {
            let from = request.since.get(part).copied();
            let mut frozen = FrozenPart::base(part, Window { from, until: now, settled: now.plus_micros(5) });
            frozen.applies = Applies::Cover;
            frozen.deletes = Deletes::Seen;
            frozen.pieces = state.pieces.iter().map(|(spec, _)| spec.clone()).collect();
            frozen.missing.clone_from(&state.missing);
            frozen
        };
        let parts = PARTS.into_iter().filter(|part| asked(part)).map(freeze).collect();
        Ok(Frozen { parts, failed: BTreeMap::new(), token: Value::Null })
    }
    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        let state = self.state.lock().unwrap();
        if state.broken.as_ref() == Some(&piece.name) {
            return Err(Error::corrupt("this piece can't be read"));
        }
        let (spec, body) = state.pieces.iter().find(|(spec, _)| spec.name == piece.name).unwrap();
        let summary = match spec.kind {
            PieceKind::Schema => PieceSummary { definitions: 1, ..PieceSummary::default() },
            PieceKind::Deletes => PieceSummary { deletes: 2, ..PieceSummary::default() },
            PieceKind::Data | PieceKind::Log => PieceSummary { records: 3, ..PieceSummary::default() },
        };
        let chunks: Vec<Result<Bytes>> = body.chunks(7000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Ok(PieceReader { body: stream::iter(chunks).boxed(), summary: Box::pin(async move { Ok(summary) }) })
    }
    async fn release(&self, _: &Frozen) -> Result<()> {
        Ok(())
    }
    async fn check_restore(&self, _: &RestoreOutline, _: &RestoreOptions) -> Result<Preflight> {
        Ok(Preflight { refusals: Vec::new(), warnings: Vec::new() })
    }
    async fn begin_restore(&self, id: SessionId, _: &RestoreOutline, how: &RestoreOptions) -> Result<RestoreSession> {
        Ok(RestoreSession { id, options: how.clone(), detail: json!(null) })
    }
    async fn write(
        &self,
        _: &RestoreSession,
        _: StepId,
        _: &str,
        piece: &PieceSpec,
        mut body: ByteStream,
    ) -> Result<Applied> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = body.next().await {
            whole.extend_from_slice(&chunk?);
        }
        self.state.lock().unwrap().written.insert(piece.name.clone(), whole.freeze());
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
