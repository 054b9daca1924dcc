//! A node managed by JMX: `org.apache.cassandra.db:type=StorageService` and the beans of its tables. Names and types of the
//! operations are those of `StorageServiceMBean` and `ColumnFamilyStoreMBean` in Cassandra 5.0.9.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_secret::Secret;

use crate::java::{Answer, Argument, Credentials, Value};
use crate::jmx::{JmxAddress, Session};
use crate::node::{Import, NodeControl, NodeFacts, SnapshotFacts};

const SERVICE: &str = "org.apache.cassandra.db:type=StorageService";
const LOG: &str = "org.apache.cassandra.db:type=Commitlog";
const STRING: &str = "java.lang.String";
const STRINGS: &str = "[Ljava.lang.String;";

/// Who asks by JMX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JmxLogin {
    /// The user, as in `jmxremote.password`.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A node managed by JMX over RMI.
#[derive(Debug, Clone)]
pub struct JmxNode {
    address: JmxAddress,
    login: Option<JmxLogin>,
}

impl JmxNode {
    /// The node at this address. Nothing is asked of it yet.
    #[must_use]
    pub fn new(address: JmxAddress, login: Option<JmxLogin>) -> Self {
        Self { address, login }
    }

    /// Runs an errand in a session of its own, on a thread that may block. Dropped, it goes on to its end.
    async fn errand<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let mut session = Session::open(&this.address, this.credentials()?)?;
            let outcome = errand(&mut session);
            session.close();
            outcome
        });
        let outcome = work.await.map_err(|error| Error::internal("a call of JMX panicked").because(error))?;
        outcome.map_err(|error| error.within(format_args!("node {}:{}", self.address.host, self.address.port)))
    }

    fn credentials(&self) -> Result<Option<Credentials>> {
        let Some(login) = &self.login else { return Ok(None) };
        let password = login.password.reveal(&format!("the JMX password of user '{}'", login.user))?;
        Ok(Some(Credentials { user: login.user.clone(), password }))
    }
}

/// The error for an answer of another form than this version's.
fn odd(what: &str) -> Error {
    Error::unsupported(format!("the node answers {what} in another form")).hint("Cassandra 4.0 to 5.0 are known")
}

fn text(session: &mut Session, attribute: &str) -> Result<String> {
    let answer = session.get(SERVICE, attribute)?;
    answer.text(answer.root).map(str::to_owned).ok_or_else(|| odd(attribute))
}

fn texts(session: &mut Session, attribute: &str) -> Result<Vec<String>> {
    let answer = session.get(SERVICE, attribute)?;
    answer.texts(answer.root).ok_or_else(|| odd(attribute))
}

fn pairs(session: &mut Session, attribute: &str) -> Result<BTreeMap<String, String>> {
    let answer = session.get(SERVICE, attribute)?;
    let entries = answer.map(answer.root).ok_or_else(|| odd(attribute))?;
    let pair = |(key, value): (Value, Value)| Some((answer.text(key)?.to_owned(), answer.text(value)?.to_owned()));
    entries.into_iter().map(pair).collect::<Option<_>>().ok_or_else(|| odd(attribute))
}

fn strings(values: &[String]) -> Argument {
    Argument::Texts(values.to_vec())
}

fn string(value: &str) -> Argument {
    Argument::Text(value.to_owned())
}

#[async_trait]
impl NodeControl for JmxNode {
    async fn facts(&self) -> Result<NodeFacts> {
        self.errand(|session| {
            Ok(NodeFacts {
                version: text(session, "ReleaseVersion")?,
                cluster: text(session, "ClusterName")?,
                host_id: text(session, "LocalHostId")?,
                partitioner: text(session, "PartitionerName")?,
                schema: text(session, "SchemaVersion")?,
                mode: text(session, "OperationMode")?,
                tokens: texts(session, "Tokens")?,
                ring: pairs(session, "TokenToEndpointWithPortMap")?,
                hosts: pairs(session, "EndpointWithPortToHostId")?,
                data_folders: texts(session, "AllDataFileLocations")?.into_iter().map(PathBuf::from).collect(),
            })
        })
        .await
    }

    async fn ring_of(&self, keyspace: &str) -> Result<Vec<String>> {
        let keyspace = string(keyspace);
        self.errand(move |session| {
            let answer = session.invoke(SERVICE, "describeRingWithPortJMX", vec![keyspace], &[STRING])?;
            answer.texts(answer.root).ok_or_else(|| odd("describeRingWithPortJMX"))
        })
        .await
    }

    async fn take_snapshot(&self, tag: &str, of: &[String]) -> Result<()> {
        let options = BTreeMap::from([("skipFlush".to_owned(), "false".to_owned())]);
        let arguments = vec![string(tag), Argument::Map(options), strings(of)];
        let types = &[STRING, "java.util.Map", STRINGS];
        self.errand(move |session| session.invoke(SERVICE, "takeSnapshot", arguments, types).map(drop)).await
    }

    async fn clear_snapshot(&self, tag: &str, keyspaces: &[String]) -> Result<()> {
        // Without a name a node deletes all snapshots, without a keyspace those of all.
        if tag.is_empty() || keyspaces.is_empty() {
            return Err(Error::internal("a snapshot is deleted by its name, in named keyspaces"));
        }
        let arguments = vec![string(tag), strings(keyspaces)];
        self.errand(move |session| session.invoke(SERVICE, "clearSnapshot", arguments, &[STRING, STRINGS]).map(drop))
            .await
    }

    async fn snapshots(&self) -> Result<Vec<SnapshotFacts>> {
        self.errand(|session| {
            let options = vec![Argument::Map(BTreeMap::new())];
            let answer = match session.invoke(SERVICE, "getSnapshotDetails", options, &["java.util.Map"]) {
                // 4.0 knows no options.
                Err(error) if error.kind() == ErrorKind::Unsupported => session.get(SERVICE, "SnapshotDetails")?,
                other => other?,
            };
            snapshots_of(&answer).ok_or_else(|| odd("getSnapshotDetails"))
        })
        .await
    }

    async fn flush(&self, keyspace: &str, tables: &[String]) -> Result<()> {
        let arguments = vec![string(keyspace), strings(tables)];
        self.errand(move |session| {
            session.invoke(SERVICE, "forceKeyspaceFlush", arguments, &[STRING, STRINGS]).map(drop)
        })
        .await
    }

    async fn truncate(&self, keyspace: &str, table: &str) -> Result<()> {
        let arguments = vec![string(keyspace), string(table)];
        self.errand(move |session| session.invoke(SERVICE, "truncate", arguments, &[STRING, STRING]).map(drop)).await
    }

    async fn import(&self, import: &Import) -> Result<Vec<String>> {
        let bean = table_bean(&import.keyspace, &import.table)?;
        let switches = [
            import.reset_level,
            import.clear_repaired,
            import.verify,
            import.verify_tokens,
            import.invalidate_caches,
            import.extended_verify,
            import.copy,
        ];
        let mut arguments = vec![Argument::Set(import.folders.clone())];
        arguments.extend(switches.map(Argument::Bool));
        self.errand(move |session| {
            let mut types = vec!["java.util.Set"];
            types.extend(["boolean"; 7]);
            let answer = session.invoke(&bean, "importNewSSTables", arguments, &types)?;
            answer.texts(answer.root).ok_or_else(|| odd("importNewSSTables"))
        })
        .await
    }

    async fn stream(&self, folder: &str) -> Result<()> {
        let folder = string(folder);
        self.errand(move |session| session.invoke(SERVICE, "bulkLoad", vec![folder], &[STRING]).map(drop)).await
    }

    async fn replay_log(&self, file: &str) -> Result<()> {
        let arguments = vec![string(file)];
        self.errand(move |session| session.invoke(LOG, "recover", arguments, &[STRING]).map(drop)).await
    }

    async fn incremental_backups(&self) -> Result<bool> {
        self.errand(|session| {
            let answer = session.get(SERVICE, "IncrementalBackupsEnabled")?;
            match answer.unboxed(answer.root) {
                Value::Bool(on) => Ok(on),
                _ => Err(odd("IncrementalBackupsEnabled")),
            }
        })
        .await
    }

    async fn set_incremental_backups(&self, on: bool) -> Result<()> {
        self.errand(move |session| session.set(SERVICE, "IncrementalBackupsEnabled", Argument::Bool(on))).await
    }
}

/// The bean of a table. Names of Cassandra have letters, digits and `_` only, so that none needs quotes.
fn table_bean(keyspace: &str, table: &str) -> Result<String> {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain(keyspace) || !plain(table) {
        return Err(Error::invalid(format!(
            "'{}.{}' is no name of a table",
            keyspace.escape_debug(),
            table.escape_debug()
        )));
    }
    Ok(format!("org.apache.cassandra.db:type=Tables,keyspace={keyspace},table={table}"))
}

/// A map from names of snapshots to tables of rows, one for each table of the database.
pub(crate) fn snapshots_of(answer: &Answer) -> Option<Vec<SnapshotFacts>> {
    let mut found = Vec::new();
    for (tag, rows) in answer.map(answer.root)? {
        for (_, row) in answer.map(rows)? {
            let columns = answer.map(answer.object(row)?.field("contents")?)?;
            let column = |name: &str| {
                columns
                    .iter()
                    .find(|(key, _)| answer.text(*key) == Some(name))
                    .and_then(|(_, value)| answer.text(*value))
            };
            found.push(SnapshotFacts {
                tag: answer.text(tag)?.to_owned(),
                keyspace: column("Keyspace name")?.to_owned(),
                table: column("Column family name")?.to_owned(),
                created: column("Creation time").map(str::to_owned),
                size: column("Size on disk")?.to_owned(),
                true_size: column("True size")?.to_owned(),
            });
        }
    }
    found.sort_unstable();
    Some(found)
}
