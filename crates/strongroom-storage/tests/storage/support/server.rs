//! Real servers, one for each test binary.
//!
//! A script under `tests/servers` serves until its standard input is closed, which happens at the latest when this process
//! ends, however it ends. A server that can't be started fails the test: nothing is skipped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// On 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// Starts `tests/servers/<script> PORT <arguments>`, installing the server if need be.
    pub(crate) fn start(script: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        // From the folder of all crates: tests of others start servers too.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../strongroom-storage/tests/servers").join(script);
        let mut last = String::new();
        // Between choosing a free port and the server's taking it, somebody else may.
        for _ in 0..3 {
            let port = free_port();
            let mut child = Command::new(&path)
                .arg(port.to_string())
                .args(arguments)
                .envs(environment.iter().copied())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            if line == "ready\n" {
                return Self { child, port };
            }
            last.clear();
            child.stderr.take().unwrap().read_to_string(&mut last).unwrap();
            child.wait().unwrap();
            eprintln!("{script} on port {port}, trying another:\n{last}");
        }
        panic!("{script} could not be started:\n{last}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
