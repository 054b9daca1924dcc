//! A scratch node: Cassandra of the same version in a folder of its own, known to nobody, which is thrown away.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Map, Value, json};
use strongroom_core::environment::Environment;
use strongroom_core::{Error, Result, Timestamp};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::cluster::blocking;
use crate::config::{JmxConfig, ReplayConfig};
use crate::{CassandraCluster, CassandraConfig};

/// How long it may take until it answers.
const START: Duration = Duration::from_mins(5);
/// How often it is asked whether it does.
const ASK: Duration = Duration::from_millis(200);
/// How much of its log is told when it does not start.
const TOLD: u64 = 2000;

/// Settings of a live node that would reach beyond a scratch one, or contradict what it is given.
const LEFT_OUT: [&str; 16] = [
    "initial_token",
    "allocate_tokens_for_keyspace",
    "allocate_tokens_for_local_replication_factor",
    "listen_interface",
    "rpc_interface",
    "broadcast_address",
    "broadcast_rpc_address",
    "listen_on_broadcast_address",
    "local_system_data_file_directory",
    "server_encryption_options",
    "client_encryption_options",
    "native_transport_port_ssl",
    "internode_authenticator",
    "cidr_authorizer",
    "audit_logging_options",
    "full_query_logging_options",
];

/// A scratch node that runs. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) node: CassandraCluster,
    child: Child,
    data: PathBuf,
}

/// What a scratch node is for.
#[derive(Debug)]
pub(super) struct Purpose<'a> {
    /// `keyspace.table` of all that may be replayed: of nothing else, the cluster's own schema included.
    pub(super) tables: &'a [String],
    /// The last write time that is replayed.
    pub(super) until: Option<Timestamp>,
}

impl Scratch {
    /// Starts one in `folder`, which must not be there yet.
    pub(super) async fn start(
        config: &ReplayConfig,
        environment: &Environment,
        folder: PathBuf,
        purpose: &Purpose<'_>,
    ) -> Result<Self> {
        let [cql, storage, jmx] = free_ports()?;
        let (place, conf, properties) = (folder.clone(), config.conf.clone(), properties(purpose.until));
        blocking(move || prepare(&place, &conf, &properties, cql, storage)).await?;
        let log = folder.join("log");
        let mut child = spawn(config, &folder, &log, purpose, jmx)?;
        let own = CassandraConfig {
            host: format!("127.0.0.1:{cql}"),
            jmx: JmxConfig { host: None, port: jmx, login: None },
            staging: Some(folder.join("staging")),
            ..CassandraConfig::default()
        };
        let node = CassandraCluster::open(own, environment)?;
        let end = Instant::now() + START;
        loop {
            if let Some(status) = child.try_wait()? {
                return Err(Error::unavailable(format!(
                    "the scratch node ended at once, {status}: {}",
                    last_words(&log)
                ))
                .hint("it is started by restore.replay.command with restore.replay.conf: see docs/cassandra.md"));
            }
            let error = match node.facts().await {
                Ok(facts) if facts.mode == "NORMAL" => match node.cql().keyspaces(node.config()).await {
                    Ok(_) => return Ok(Self { node, child, data: folder.join("data") }),
                    Err(error) => error,
                },
                Ok(facts) => Error::unavailable(format!("it is {}", facts.mode)),
                Err(error) => error,
            };
            if Instant::now() > end {
                return Err(error.within(format_args!("the scratch node does not answer: {}", last_words(&log))));
            }
            sleep(ASK).await;
        }
    }

    /// Ends it. Its files stay.
    pub(super) async fn end(mut self) -> Result<PathBuf> {
        kill(&self.child);
        self.child.wait().await?;
        Ok(std::mem::take(&mut self.data))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

/// Kills it with what it started: it may be a script. Nothing in it is to be kept.
#[cfg(unix)]
fn kill(child: &Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(_: &Child) {}

fn spawn(config: &ReplayConfig, folder: &Path, log: &Path, purpose: &Purpose<'_>, jmx: u16) -> Result<Child> {
    let Some((program, arguments)) = config.command.split_first() else {
        return Err(Error::invalid("restore.replay.command is empty"));
    };
    let text = |path: &Path| {
        let text = path.to_str().filter(|text| !text.contains(char::is_whitespace)).map(str::to_owned);
        text.ok_or_else(|| {
            Error::invalid(format!("{} has a space in it, which a scratch node can't be told", path.display()))
                .hint("give another folder with staging")
        })
    };
    let conf = folder.join("conf");
    let options = [
        format!("-Dcassandra.config=file://{}", text(&conf.join("cassandra.yaml"))?),
        format!("-Dcassandra.storagedir={}", text(folder)?),
        format!("-Dcassandra.replayList={}", purpose.tables.join(",")),
        format!("-Dcassandra.jmx.local.port={jmx}"),
        "-Dcom.sun.management.jmxremote.authenticate=false".to_owned(),
        "-Dcassandra.skip_wait_for_gossip_to_settle=0".to_owned(),
        "-Dcassandra-foreground=yes".to_owned(),
    ];
    let out = fs::File::create(log).map_err(|error| Error::from(error).within(log.display()))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("CASSANDRA_CONF", &conf)
        .env("CASSANDRA_LOG_DIR", folder)
        .env("LOCAL_JMX", "yes")
        .env("JVM_EXTRA_OPTS", options.join(" "))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(|error| {
        Error::from(error)
            .within(format_args!("starting a scratch node by '{program}'"))
            .hint("name what starts Cassandra in the foreground in restore.replay.command")
    })
}

/// Its folders and configuration: that of the live node, but alone on this machine and with folders of its own.
fn prepare(folder: &Path, conf: &Path, properties: &str, cql: u16, storage: u16) -> Result<()> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| Error::from(error).within(&path)
    };
    let own = folder.join("conf");
    fs::create_dir_all(&own).map_err(at(&own))?;
    // Passwords may be in it.
    #[cfg(unix)]
    fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(at(&own))?;
    for entry in fs::read_dir(conf).map_err(at(conf))? {
        let from = entry.map_err(at(conf))?.path();
        if let Some(name) = from.file_name().filter(|_| from.is_file()) {
            fs::copy(&from, own.join(name)).map_err(at(&from))?;
        }
    }
    let live = conf.join("cassandra.yaml");
    let text = fs::read_to_string(&live).map_err(at(&live))?;
    // JSON is YAML.
    let settings =
        Value::Object(scratch_settings(&text, folder, cql, storage).map_err(|error| error.within(live.display()))?);
    for (name, text) in
        [("cassandra.yaml", settings.to_string()), ("commitlog_archiving.properties", properties.to_owned())]
    {
        let file = own.join(name);
        fs::write(&file, text).map_err(at(&file))?;
    }
    Ok(())
}

/// The settings of a scratch node, made of those of a live one.
fn scratch_settings(text: &str, folder: &Path, cql: u16, storage: u16) -> Result<Map<String, Value>> {
    let mut settings: Map<String, Value> = serde_saphyr::from_str(text)
        .map_err(|error| Error::invalid("these are no settings of a node").because(error.to_string()))?;
    settings.retain(|name, value| !LEFT_OUT.contains(&name.as_str()) && !value.is_null());
    let within = |name: &str| json!(folder.join(name));
    let own: BTreeMap<&str, Value> = [
        ("cluster_name", json!("strongroom scratch")),
        ("num_tokens", json!(1)),
        ("auto_bootstrap", json!(false)),
        ("endpoint_snitch", json!("SimpleSnitch")),
        (
            "seed_provider",
            json!([{ "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{ "seeds": format!("127.0.0.1:{storage}") }] }]),
        ),
        ("listen_address", json!("127.0.0.1")),
        ("rpc_address", json!("127.0.0.1")),
        ("storage_port", json!(storage)),
        ("start_native_transport", json!(true)),
        ("native_transport_port", json!(cql)),
        ("data_file_directories", json!([folder.join("data")])),
        ("commitlog_directory", within("commitlog")),
        ("hints_directory", within("hints")),
        ("saved_caches_directory", within("saved_caches")),
        ("cdc_raw_directory", within("cdc_raw")),
        ("authenticator", json!("AllowAllAuthenticator")),
        ("authorizer", json!("AllowAllAuthorizer")),
        ("incremental_backups", json!(false)),
        ("auto_snapshot", json!(false)),
    ]
    .into();
    settings.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(settings)
}

/// How a node is told the last write time that it replays. It knows parts of a second since 5.0, by three or six digits.
fn properties(until: Option<Timestamp>) -> String {
    let Some(until) = until else { return String::new() };
    let text = until.to_string();
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap_or((&text, ""));
    let (time, part) = time.split_once('.').unwrap_or((time, ""));
    let part = if part.is_empty() { String::new() } else { format!(".{part:0<6}") };
    format!("restore_point_in_time={} {time}{part}\nprecision=MICROSECONDS\n", date.replace('-', ":"))
}

/// The end of a scratch node's log, in one line.
fn last_words(log: &Path) -> String {
    let mut text = Vec::new();
    let read = fs::File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TOLD)))?;
        file.read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text);
    match read {
        Ok(_) => text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" | "),
        Err(error) => error.to_string(),
    }
}

/// Ports that nobody uses, all at once, so that they differ.
fn free_ports() -> Result<[u16; 3]> {
    let listeners =
        [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_node_is_alone_and_keeps_its_own_folders() {
        let live = "cluster_name: 'Live'\ninitial_token: 5\nlisten_interface: eth0\nlisten_address: 10.0.0.1\nseed_provider:\n  - \
                    class_name: x\n    parameters:\n      - seeds: \"10.0.0.1\"\ncommitlog_segment_size: 32MiB\nrpc_keepalive: true\n\
                    server_encryption_options:\n  keystore_password: secret\nhints_directory:\n";
        let made = scratch_settings(live, Path::new("/s"), 1, 2).unwrap();
        assert_eq!(made["commitlog_segment_size"], "32MiB");
        assert_eq!(made["listen_address"], "127.0.0.1");
        assert_eq!(made["hints_directory"], "/s/hints");
        let text = Value::Object(made).to_string();
        for gone in ["10.0.0.1", "eth0", "Live", "secret", "initial_token"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        assert!(scratch_settings("- a\n- b", Path::new("/s"), 1, 2).is_err());
    }

    #[test]
    fn moments_are_told_as_nodes_read_them() {
        let until = "2026-11-22T21:52:21.908693Z".parse().unwrap();
        assert!(properties(Some(until)).starts_with("restore_point_in_time=2026:11:22 21:52:21.908693\n"));
        let short = "2026-11-22T21:52:21.69084Z".parse().unwrap();
        assert!(properties(Some(short)).starts_with("restore_point_in_time=2026:11:22 21:52:21.690840\n"));
        let whole = "2026-11-22T21:52:21Z".parse().unwrap();
        assert!(properties(Some(whole)).starts_with("restore_point_in_time=2026:11:22 21:52:21\n"));
        assert_eq!(properties(None), "");
    }
}
