//! The database as an application sees it.

use std::collections::BTreeMap;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use strongroom_cassandra::{CassandraCluster, CassandraConfig, JmxConfig, Login};
use strongroom_secret::Secret;
use strongroom_testkit::TestEnvironment;

use crate::server::Server;

/// Rows by table, as JSON, sorted.
pub(crate) type Rows = BTreeMap<String, Vec<String>>;

/// How strongroom reaches a node.
pub(crate) fn config(server: &Server) -> CassandraConfig {
    let login = |user: &str, password: &str| Some(Login { user: user.to_owned(), password: Secret::text(password) });
    CassandraConfig {
        host: format!("{}:{}", server.address, server.cql),
        login: login("cassandra", "cassandra"),
        jmx: JmxConfig { host: None, port: server.jmx, login: login("backup", "testsecret123") },
        ..CassandraConfig::default()
    }
}

pub(crate) fn open(config: CassandraConfig) -> CassandraCluster {
    CassandraCluster::open(config, &TestEnvironment::new(1).environment()).unwrap()
}

/// A keyspace, connected.
#[derive(Debug)]
pub(crate) struct Database {
    session: Session,
    pub(crate) keyspace: String,
}

impl Database {
    /// An empty keyspace of this name.
    pub(crate) async fn new(server: &Server, keyspace: &str) -> Self {
        Self::replicated(server, keyspace, 1).await
    }

    /// The same with so many replicas.
    pub(crate) async fn replicated(server: &Server, keyspace: &str, replicas: u8) -> Self {
        let session = SessionBuilder::new()
            .known_node(format!("{}:{}", server.address, server.cql))
            .user("cassandra", "cassandra")
            .build()
            .await
            .unwrap();
        let this = Self { session, keyspace: keyspace.to_owned() };
        this.drop_all().await;
        this.run(&format!(
            "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {replicas}}}"
        ))
        .await;
        this
    }

    /// Carries out a statement in which `ks` stands for the keyspace.
    pub(crate) async fn run(&self, statement: &str) {
        let statement = statement.replace("ks.", &format!("{}.", self.keyspace));
        self.session.query_unpaged(statement.as_str(), ()).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub(crate) async fn drop_all(&self) {
        let statement = format!("DROP KEYSPACE IF EXISTS {}", self.keyspace);
        self.session.query_unpaged(statement.as_str(), ()).await.unwrap();
    }

    /// The first column of every row, as text.
    pub(crate) async fn column(&self, query: &str) -> Vec<String> {
        let query = query.replace("ks.", &format!("{}.", self.keyspace));
        let answer =
            self.session.query_unpaged(query.as_str(), ()).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        let rows = answer.into_rows_result().unwrap();
        rows.rows::<(String,)>().unwrap().map(|row| row.unwrap().0).collect()
    }

    /// Everything in the keyspace, views included.
    pub(crate) async fn rows(&self) -> Rows {
        let mut found = Rows::new();
        for (table, column) in [("tables", "table_name"), ("views", "view_name")] {
            let query = format!("SELECT {column} FROM system_schema.{table} WHERE keyspace_name = '{}'", self.keyspace);
            for name in self.column(&query).await {
                let mut rows = self.column(&format!("SELECT JSON * FROM ks.{name}")).await;
                rows.sort_unstable();
                found.insert(name, rows);
            }
        }
        found
    }

    /// Waits until an index can be asked: a node builds it on its own.
    pub(crate) async fn index_is_built(&self, index: &str) {
        let query = format!(
            "SELECT index_name FROM system.\"IndexInfo\" WHERE table_name = '{}' AND index_name = '{index}'",
            self.keyspace
        );
        self.answers(&query).await;
    }

    /// Waits until a materialized view has all rows: a node builds it on its own.
    pub(crate) async fn view_is_built(&self, view: &str) {
        let query = format!(
            "SELECT view_name FROM system.built_views WHERE keyspace_name = '{}' AND view_name = '{view}'",
            self.keyspace
        );
        self.answers(&query).await;
    }

    /// Waits until a query finds something.
    async fn answers(&self, query: &str) {
        for _ in 0..20_000 {
            if !self.column(query).await.is_empty() {
                return;
            }
        }
        panic!("nothing for {query}");
    }

    /// Whether it has neither vectors nor storage-attached indexes, which came with 5.0.
    pub(crate) async fn is_old(&self) -> bool {
        self.column("SELECT release_version FROM system.local").await.remove(0).starts_with("4.")
    }

    /// Tables of every kind, filled, some over several files.
    pub(crate) async fn fill(&self) {
        let old = self.is_old().await;
        for statement in [
            "CREATE TYPE ks.address (street text, number int)",
            "CREATE FUNCTION ks.twice (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$ return x * 2; /* ; */ $$",
            "CREATE TABLE ks.users (id int PRIMARY KEY, name text, home frozen<address>, tags set<text>, pairs map<text, int>)",
            "CREATE INDEX by_name ON ks.users (name)",
            if old {
                "CREATE TABLE ks.docs (id int PRIMARY KEY, title text, place list<float>)"
            } else {
                "CREATE TABLE ks.docs (id int PRIMARY KEY, title text, place vector<float, 3>)"
            },
            if old {
                "CREATE INDEX by_title ON ks.docs (title)"
            } else {
                "CREATE CUSTOM INDEX by_title ON ks.docs (title) USING 'StorageAttachedIndex'"
            },
            "CREATE TABLE ks.hits (id int PRIMARY KEY, n counter)",
            "CREATE TABLE ks.wide (k int, t timestamp, s int static, \"Mixed Case\" text, gone text, PRIMARY KEY (k, t)) WITH CLUSTERING ORDER BY (t DESC) \
             AND comment = 'it''s; odd' AND compression = {'class': 'ZstdCompressor'}",
            "CREATE TABLE ks.plain (id int PRIMARY KEY, b blob) WITH compression = {'enabled': 'false'}",
            "CREATE TABLE ks.nothing (id int PRIMARY KEY)",
            "CREATE MATERIALIZED VIEW ks.users_by_name AS SELECT id, name FROM ks.users WHERE name IS NOT NULL AND id IS NOT NULL \
             PRIMARY KEY (name, id)",
        ] {
            self.run(statement).await;
        }
        for id in 0..60 {
            self.run(&format!(
                "INSERT INTO ks.users (id, name, home, tags, pairs) VALUES ({id}, 'name{}', {{street: 'a', number: {id}}}, {{'x', \
                 'y{id}'}}, {{'k{id}': {id}}})",
                id % 7
            ))
            .await;
            self.run(&format!("UPDATE ks.hits SET n = n + {id} WHERE id = {}", id % 5)).await;
            self.run(&format!(
                "INSERT INTO ks.wide (k, t, s, gone, \"Mixed Case\") VALUES ({}, {}, {id}, 'g', 'grüße {id}')",
                id % 3,
                1_700_000_000_000_i64 + id
            ))
            .await;
        }
        self.run("INSERT INTO ks.docs (id, title, place) VALUES (1, 'one', [1, 2, 3])").await;
        self.run("INSERT INTO ks.docs (id, title) VALUES (2, 'two') USING TTL 86400").await;
        self.run(&format!("INSERT INTO ks.plain (id, b) VALUES (1, 0x{})", "ab".repeat(200_000))).await;
        self.run("DELETE FROM ks.users WHERE id = 13").await;
        self.run("DELETE tags FROM ks.users WHERE id = 14").await;
        self.run("DELETE FROM ks.wide WHERE k = 1 AND t > 1700000000030").await;
        self.run("ALTER TABLE ks.wide DROP gone").await;
    }
}
