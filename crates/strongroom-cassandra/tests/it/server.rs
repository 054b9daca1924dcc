//! A real node.
//!
//! The script `tests/servers/cassandra` serves until its standard input is closed, which happens at the latest when this
//! process ends, however it ends. A node that can't be started fails the test: nothing is skipped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// The node of this test binary: starting one takes seconds, so that tests share it and keep to keyspaces of their own.
pub(crate) static NODE: LazyLock<Server> = LazyLock::new(Server::start);

/// Held by who changes the node's settings, and by who needs them to stay.
pub(crate) static SETTINGS: LazyLock<tokio::sync::Mutex<()>> = LazyLock::new(tokio::sync::Mutex::default);

/// A running node.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it keeps everything. It goes when the node ends.
    folder: PathBuf,
    /// Where it listens for CQL and other nodes. JMX is on 127.0.0.1.
    pub(crate) address: String,
    pub(crate) cql: u16,
    pub(crate) jmx: u16,
}

impl Server {
    /// Starts a node with an empty folder, fetching Cassandra if need be.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with its commit log archived by this command; in a folder that stays if one is named, where it goes on with what
    /// is in it.
    pub(crate) fn archiving(archive: &str, folder: Option<&str>) -> Self {
        let settings: Vec<_> =
            [("ARCHIVE_COMMAND", archive)].into_iter().chain(folder.map(|at| ("NODE", at))).collect();
        Self::start_with(&settings)
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut last = String::new();
        // Between choosing free ports and the server's taking them, somebody else may.
        for _ in 0..3 {
            let [cql, storage, jmx] = free_ports();
            match Self::launch("127.0.0.1", [cql, storage, jmx], settings) {
                Ok(server) => return server,
                Err(error) => last = error,
            }
            eprintln!("a node on ports {cql}, {storage}, {jmx}, trying others:\n{last}");
        }
        panic!("no node could be started:\n{last}");
    }

    /// Starts a node at this address, on these ports for CQL, other nodes and JMX, with settings that the script tells of. What it
    /// said if it does not start.
    fn launch(address: &str, ports: [u16; 3], settings: &[(&str, &str)]) -> Result<Self, String> {
        let path = script();
        let mut child = Command::new(&path)
            .args(ports.map(|port| port.to_string()))
            .env("ADDRESS", address)
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).flatten().collect();
        if let [folder, ready] = &lines[..]
            && ready == "ready"
        {
            let [cql, _, jmx] = ports;
            return Ok(Self { folder: PathBuf::from(folder), child, address: address.to_owned(), cql, jmx });
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        Err(said)
    }

    /// Starts three nodes as one cluster, at addresses of their own.
    pub(crate) fn ring() -> [Self; 3] {
        let net = std::process::id() % 200 + 20;
        let [cql, storage, jmx, other, third] = free_ports();
        let seed = format!("127.0.{net}.1:{storage}");
        let start = |(number, jmx): (usize, u16)| {
            let (address, seed) = (format!("127.0.{net}.{number}"), seed.clone());
            std::thread::spawn(move || Self::launch(&address, [cql, storage, jmx], &[("SEED", &seed)]))
        };
        let nodes = [(1, jmx), (2, other), (3, third)].map(start);
        nodes.map(|node| node.join().unwrap().unwrap_or_else(|said| panic!("no node could be started:\n{said}")))
    }

    /// Where its configuration is.
    pub(crate) fn conf(&self) -> PathBuf {
        self.folder.join("conf")
    }

    /// Where it keeps tables.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// What starts nodes.
pub(crate) fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../strongroom-cassandra/tests/servers/cassandra")
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Ports that nobody uses, all at once, so that they differ.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
