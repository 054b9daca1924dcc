//! The promises that every cluster makes, kept by a real node. There is one node: what the contract takes for clusters of their
//! own are keyspaces of it, restored into under another name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use strongroom_cassandra::CassandraCluster;
use strongroom_core::cluster::{
    Applied, Capabilities, FreezeRequest, Frozen, PieceReader, PieceSpec, Preflight, RestoreOptions, RestoreOutline,
    RestoreReport, RestoreSession, StepId, Topology,
};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::{ByteStream, Cluster, Result};
use strongroom_testkit::{ClusterContents, ClusterFixture, cluster_contract};

use crate::database::{Database, config, open};
use crate::server::{NODE, SETTINGS};

/// What the contract calls the part.
const PART: &str = "contract";
/// The keyspace that backups come from.
const SOURCE: &str = "contract_0";

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Some keyspaces of a node as a cluster: those that end in `_NUMBER`, without that.
#[derive(Debug, Clone)]
struct Slice {
    cluster: CassandraCluster,
    number: u32,
}

impl Slice {
    fn outer(&self, keyspace: &str) -> Option<String> {
        keyspace.strip_suffix(&format!("_{}", self.number)).map(str::to_owned)
    }

    fn inner(&self, part: &str) -> String {
        format!("{part}_{}", self.number)
    }

    /// What comes into this slice was frozen of the source's keyspace.
    fn outline(outline: &RestoreOutline) -> RestoreOutline {
        let parts = outline.parts.iter().map(|(part, detail)| (source_of(part), detail.clone())).collect();
        RestoreOutline { parts, ..outline.clone() }
    }

    fn options(&self, options: &RestoreOptions, parts: impl IntoIterator<Item = String>) -> RestoreOptions {
        let mut options = options.clone();
        options.rename = parts
            .into_iter()
            .map(|part| (source_of(&part), self.inner(options.target_of(&part))))
            .collect::<BTreeMap<_, _>>();
        options
    }

    fn session(&self, session: &RestoreSession) -> RestoreSession {
        let options = self.options(&session.options, [PART.to_owned()]);
        RestoreSession { options, ..session.clone() }
    }
}

fn source_of(part: &str) -> String {
    if part == PART { SOURCE.to_owned() } else { part.to_owned() }
}

#[async_trait]
impl Cluster for Slice {
    fn capabilities(&self) -> Capabilities {
        self.cluster.capabilities()
    }

    async fn describe(&self) -> Result<Topology> {
        let mut topology = self.cluster.describe().await?;
        let parts = std::mem::take(&mut topology.parts);
        topology.parts = parts.into_iter().filter_map(|(name, part)| Some((self.outer(&name)?, part))).collect();
        Ok(topology)
    }

    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let mut request = request.clone();
        let inner = |name: String| self.inner(&name);
        request.since = request.since.into_iter().map(|(part, since)| (inner(part), since)).collect();
        let all = async || -> Result<_> {
            let parts = self.describe().await?.parts;
            Ok(parts.into_keys().map(|part| (part, Filter::default())).collect())
        };
        let parts: BTreeMap<String, Filter> = if let Some(parts) = request.scope.parts { parts } else { all().await? };
        let parts = parts.into_iter().map(|(part, filter)| (inner(part), filter)).collect();
        request.scope.parts = Some(parts);
        let mut frozen = self.cluster.freeze(&request).await?;
        for part in &mut frozen.parts {
            part.part = self.outer(&part.part).unwrap();
        }
        Ok(frozen)
    }

    async fn read(&self, piece: &PieceSpec) -> Result<PieceReader> {
        self.cluster.read(piece).await
    }

    async fn release(&self, frozen: &Frozen) -> Result<()> {
        self.cluster.release(frozen).await
    }

    async fn check_restore(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let options = self.options(options, outline.parts.keys().cloned());
        self.cluster.check_restore(&Self::outline(outline), &options).await
    }

    async fn begin_restore(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        let inner = self.options(options, [PART.to_owned()]);
        let session = self.cluster.begin_restore(id, &Self::outline(outline), &inner).await?;
        Ok(RestoreSession { options: options.clone(), ..session })
    }

    async fn write(
        &self,
        session: &RestoreSession,
        step: StepId,
        part: &str,
        piece: &PieceSpec,
        body: ByteStream,
    ) -> Result<Applied> {
        self.cluster.write(&self.session(session), step, &source_of(part), piece, body).await
    }

    async fn seal_step(&self, session: &RestoreSession, step: StepId) -> Result<()> {
        self.cluster.seal_step(&self.session(session), step).await
    }

    async fn finish_restore(&self, session: RestoreSession) -> Result<RestoreReport> {
        self.cluster.finish_restore(self.session(&session)).await
    }

    async fn abort_restore(&self, session: RestoreSession) -> Result<()> {
        self.cluster.abort_restore(self.session(&session)).await
    }
}

/// A slice, and the database below it.
struct Fixture {
    slice: Slice,
    database: Arc<Database>,
}

impl Fixture {
    fn new(slice: Slice, database: Arc<Database>) -> Self {
        Self { slice, database }
    }

    async fn keyspaces(&self) -> Vec<String> {
        let names = self.database.column("SELECT keyspace_name FROM system_schema.keyspaces").await;
        names.into_iter().filter(|name| self.slice.outer(name).is_some()).collect()
    }
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(self.slice.clone())
    }

    async fn change(&self, seed: u64) {
        let keyspace = self.slice.inner(PART);
        if self.keyspaces().await.is_empty() {
            let options = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
            self.database.run(&format!("CREATE KEYSPACE {keyspace} WITH replication = {options}")).await;
            // Files that nobody joins: what did not change must stay the same files.
            let quiet = "WITH compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}";
            self.database.run(&format!("CREATE TYPE {keyspace}.place (street text, number int)")).await;
            let columns = "id bigint PRIMARY KEY, seed bigint, home frozen<place>, tags set<text>";
            self.database.run(&format!("CREATE TABLE {keyspace}.rows ({columns}) {quiet}")).await;
            self.database.run(&format!("CREATE INDEX by_seed ON {keyspace}.rows (seed)")).await;
            self.database
                .run(&format!("CREATE TABLE {keyspace}.hits (id bigint PRIMARY KEY, n counter) {quiet}"))
                .await;
        }
        for id in 0..6 {
            // Rows of one's own, so that which of two writes came last matters nowhere but within one cluster.
            let (new, old) = (seed * 100 + id, 100 + id);
            let value = format!("{seed}, {{street: 's{seed}', number: {id}}}, {{'a', 'b{seed}'}}");
            self.database
                .run(&format!("INSERT INTO {keyspace}.rows (id, seed, home, tags) VALUES ({new}, {value})"))
                .await;
            self.database.run(&format!("UPDATE {keyspace}.hits SET n = n + {seed} WHERE id = {new}")).await;
            if seed != 1 && self.slice.number == 0 {
                match id % 3 {
                    0 => self.database.run(&format!("DELETE FROM {keyspace}.rows WHERE id = {old}")).await,
                    1 => {
                        let set = format!("UPDATE {keyspace}.rows SET seed = {seed} WHERE id = {old}");
                        self.database.run(&set).await;
                    }
                    _ => self.database.run(&format!("UPDATE {keyspace}.hits SET n = n + 1 WHERE id = {old}")).await,
                }
            }
        }
    }

    async fn contents(&self) -> ClusterContents {
        let mut contents = ClusterContents::new();
        for keyspace in self.keyspaces().await {
            let part = self.slice.outer(&keyspace).unwrap();
            let tables = format!("SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
            for table in self.database.column(&tables).await {
                for row in self.database.column(&format!("SELECT JSON * FROM {keyspace}.{table}")).await {
                    let id = row.split([':', ',']).nth(1).unwrap().trim().to_owned();
                    contents.insert(format!("{part}/{table}/{id}"), row.into_bytes().into());
                }
            }
        }
        contents
    }

    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let slice = Slice { number, ..self.slice.clone() };
        Box::new(Self::new(slice, Arc::clone(&self.database)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_keeps_the_contract_of_clusters() {
    let _alone = SETTINGS.lock().await;
    let database = Database::new(&NODE, SOURCE).await;
    database.drop_all().await;
    let slice = Slice { cluster: open(config(&NODE)), number: 0 };
    cluster_contract(&Fixture::new(slice, Arc::new(database))).await;
}
