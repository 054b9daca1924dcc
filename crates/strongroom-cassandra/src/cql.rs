//! What a node tells by CQL: its schema, settings, place and clock.

use std::collections::{BTreeMap, BTreeSet};

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{ExecutionError, NewSessionError};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::response::query_result::QueryRowsResult;
use scylla::statement::unprepared::Statement as Query;
use serde::{Deserialize, Serialize};
use strongroom_core::{Error, ErrorKind, Result, Timestamp};
use tokio::sync::OnceCell;

use crate::CassandraConfig;

/// A statement that makes one thing of a keyspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// `keyspace`, `type`, `table`, `index`, `materialized_view`, `function` or `aggregate`.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// One or more statements.
    pub(crate) text: String,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) datacenter: Option<String>,
    pub(crate) rack: Option<String>,
}

type PlaceRow = (Option<uuid::Uuid>, Option<String>, Option<String>);

/// The connection, made when it is first used.
#[derive(Debug, Default)]
pub(crate) struct Cql {
    session: OnceCell<Session>,
}

impl Cql {
    async fn session(&self, config: &CassandraConfig) -> Result<&Session> {
        let connect = || async {
            let mut builder = SessionBuilder::new()
                .known_node(config.cql_address())
                .connection_timeout(config.connect_timeout.0)
                .fetch_schema_metadata(false);
            if let Some(login) = &config.login {
                let password = login.password.reveal(&format!("the password of user '{}'", login.user))?;
                builder = builder.user(&login.user, password.as_str());
            }
            builder.build().await.map_err(|error| unreached(config, &error))
        };
        self.session.get_or_try_init(connect).await
    }

    async fn rows(&self, config: &CassandraConfig, query: &str) -> Result<QueryRowsResult> {
        self.rows_of(config, Query::new(query), query).await
    }

    /// The answer of the node with this id and of no other one: the driver asks any of a cluster's nodes otherwise.
    async fn own_rows(&self, config: &CassandraConfig, host: &str, query: &str) -> Result<QueryRowsResult> {
        let id =
            host.parse().map_err(|error| Error::unsupported(format!("'{host}' is no id of a node")).because(error));
        let mut statement = Query::new(query);
        let only = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(id?), None);
        statement.set_load_balancing_policy(Some(only));
        self.rows_of(config, statement, query).await
    }

    async fn rows_of(&self, config: &CassandraConfig, statement: Query, query: &str) -> Result<QueryRowsResult> {
        let answer = self.session(config).await?.query_unpaged(statement, ()).await;
        let rows = answer.map_err(|error| refused(query, &error))?.into_rows_result();
        rows.map_err(|error| Error::unsupported(format!("the node answers '{query}' without rows: {error}")))
    }

    /// Changes something, such as the schema, and waits until all nodes agree on it.
    pub(crate) async fn execute(&self, config: &CassandraConfig, statement: &str) -> Result<()> {
        let done = self.session(config).await?.query_unpaged(Query::new(statement), ()).await;
        done.map(drop).map_err(|error| refused(statement, &error))
    }

    /// What the node's clock says.
    pub(crate) async fn now(&self, config: &CassandraConfig, host: &str) -> Result<Timestamp> {
        let query = "SELECT toUnixTimestamp(now()) FROM system.local";
        let rows = self.own_rows(config, host, query).await?;
        let (millis,) = rows.first_row::<(i64,)>().map_err(|error| odd(query, &error))?;
        Ok(Timestamp::from_millis(millis))
    }

    /// Everything in a keyspace, in the order in which it can be made, with table ids and dropped columns.
    pub(crate) async fn describe(&self, config: &CassandraConfig, keyspace: &str) -> Result<Vec<Definition>> {
        let query = format!("DESCRIBE KEYSPACE \"{keyspace}\" WITH INTERNALS");
        let rows = self.rows(config, &query).await?;
        let mut found = Vec::new();
        for row in rows.rows::<(String, String, String, String)>().map_err(|error| odd(&query, &error))? {
            let (_, kind, name, text) = row.map_err(|error| odd(&query, &error))?;
            found.push(Definition { kind, name, text });
        }
        Ok(found)
    }

    /// All keyspaces, without the virtual ones.
    pub(crate) async fn keyspaces(&self, config: &CassandraConfig) -> Result<BTreeSet<String>> {
        self.names(config, "SELECT keyspace_name FROM system_schema.keyspaces").await
    }

    /// All keyspaces and what has files in them: tables and materialized views. By CQL, since nodes of 4.1 do not tell it by JMX.
    pub(crate) async fn tables(&self, config: &CassandraConfig) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut found: BTreeMap<_, BTreeSet<_>> =
            self.keyspaces(config).await?.into_iter().map(|keyspace| (keyspace, BTreeSet::new())).collect();
        for query in [
            "SELECT keyspace_name, table_name FROM system_schema.tables",
            "SELECT keyspace_name, view_name FROM system_schema.views",
        ] {
            let rows = self.rows(config, query).await?;
            for row in rows.rows::<(String, String)>().map_err(|error| odd(query, &error))? {
                let (keyspace, table) = row.map_err(|error| odd(query, &error))?;
                // A keyspace that was made meanwhile is not one that was asked for.
                if let Some(tables) = found.get_mut(&keyspace) {
                    tables.insert(table);
                }
            }
        }
        Ok(found)
    }

    /// The materialized views of a keyspace.
    pub(crate) async fn views(&self, config: &CassandraConfig, keyspace: &str) -> Result<BTreeSet<String>> {
        let query = format!("SELECT view_name FROM system_schema.views WHERE keyspace_name = '{keyspace}'");
        self.names(config, &query).await
    }

    async fn names(&self, config: &CassandraConfig, query: &str) -> Result<BTreeSet<String>> {
        let rows = self.rows(config, query).await?;
        let names = rows.rows::<(String,)>().map_err(|error| odd(query, &error))?;
        names.map(|row| row.map(|(name,)| name).map_err(|error| odd(query, &error))).collect()
    }

    /// Where the nodes are, by their ids.
    pub(crate) async fn places(&self, config: &CassandraConfig) -> Result<BTreeMap<String, Place>> {
        let mut places = BTreeMap::new();
        for table in ["system.local", "system.peers_v2"] {
            let query = format!("SELECT host_id, data_center, rack FROM {table}");
            let rows = self.rows(config, &query).await?;
            for row in rows.rows::<PlaceRow>().map_err(|error| odd(&query, &error))? {
                let (id, datacenter, rack) = row.map_err(|error| odd(&query, &error))?;
                places.extend(id.map(|id| (id.hyphenated().to_string(), Place { datacenter, rack })));
            }
        }
        Ok(places)
    }

    /// The node's settings, without those that could be a secret. Nodes hide these themselves since 4.1.
    pub(crate) async fn settings(
        &self,
        config: &CassandraConfig,
        host: &str,
    ) -> Result<BTreeMap<String, Option<String>>> {
        let query = "SELECT name, value FROM system_views.settings";
        let rows = self.own_rows(config, host, query).await?;
        let mut settings = BTreeMap::new();
        for row in rows.rows::<(String, Option<String>)>().map_err(|error| odd(query, &error))? {
            let (name, value) = row.map_err(|error| odd(query, &error))?;
            let secret = ["password", "secret", "keystore", "truststore"].iter().any(|word| name.contains(word));
            if !secret && !name.contains("encryption_options") {
                settings.insert(name, value);
            }
        }
        Ok(settings)
    }
}

fn unreached(config: &CassandraConfig, error: &NewSessionError) -> Error {
    let text = error.to_string();
    let what = format!("no answer from CQL at {}: {text}", config.cql_address());
    if text.contains("uthenticat") || text.contains("credentials") {
        return Error::denied(what).hint("check user and password of the database");
    }
    Error::unavailable(what).hint("is the node up, and is this the port of CQL, 9042 by default?")
}

fn refused(query: &str, error: &ExecutionError) -> Error {
    use scylla::errors::{DbError, RequestAttemptError};
    let kind = match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _)) => match error {
            DbError::Unauthorized | DbError::AuthenticationError => ErrorKind::Denied,
            DbError::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            DbError::Invalid | DbError::SyntaxError | DbError::ConfigError => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        },
        _ => ErrorKind::Unavailable,
    };
    let begin: String = query.chars().take(120).map(|char| if char.is_control() { ' ' } else { char }).collect();
    Error::new(kind, format!("the node refused '{begin}': {error}"))
}

fn odd(query: &str, error: &dyn std::fmt::Display) -> Error {
    Error::unsupported(format!("the node answers '{query}' in another form: {error}"))
        .hint("Cassandra 4.0 to 5.0 are known")
}
