//! Runs the reader in `tests/independent`, which shares no code with this library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::recipe::{Expected, ExpectedBackup};

/// What the reader opens a repository with.
pub(crate) struct Reader(Vec<String>);

/// What it found.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    repository: String,
    backups: BTreeMap<String, ExpectedBackup>,
    seen: BTreeMap<String, serde_json::Value>,
}

impl Reader {
    pub(crate) fn plain() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn with_key(name: &str, key: &[u8; 32]) -> Self {
        let first = u128::from_be_bytes(key[..16].try_into().unwrap());
        let rest = u128::from_be_bytes(key[16..].try_into().unwrap());
        Self(["--reader", name, "--key", &format!("{first:032x}{rest:032x}")].map(str::to_owned).into())
    }

    pub(crate) fn with_passphrase(name: &str, passphrase: &str) -> Self {
        Self(["--reader", name, "--passphrase", passphrase].map(str::to_owned).into())
    }

    /// Reads everything.
    ///
    /// # Errors
    /// What it printed, if it refuses.
    pub(crate) fn read(&self, folder: &Path) -> Result<Found, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/read_repository.py");
        let mut command = Command::new(python());
        command.arg("-B").arg(script).arg(folder).args(&self.0);
        let output = command.output().unwrap_or_else(|error| {
            panic!("{}: {error}: `bash .ci/test tools` installs it", command.get_program().display())
        });
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }
}

impl Found {
    pub(crate) fn expected(&self) -> Expected {
        Expected { repository: self.repository.clone(), backups: self.backups.clone() }
    }

    /// Fails unless the repository held one of everything that the format knows.
    pub(crate) fn has_one_of_everything(&self, sealed: bool) {
        let number = |name: &str| match &self.seen[name] {
            serde_json::Value::Array(items) => items.len() as u64,
            value => value.as_u64().unwrap(),
        };
        let everything = [
            "snapshot",
            "records after it",
            "open",
            "condemned",
            "deleted",
            "voids",
            "timelines",
            "pins",
            "verified",
            "copies",
            "cluster",
            "lease",
        ];
        for name in everything {
            assert!(number(name) > 0, "{name}: {:?}", self.seen);
        }
        // Two data keys and the content key.
        assert_eq!(number("keys"), if sealed { 3 } else { 0 });
        for kind in ["base", "incremental"] {
            assert!(self.backups.values().any(|backup| backup.kind == kind), "{kind}");
        }
    }
}

/// The Python that the test command installs packages for.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("STRONGROOM_PYTHON") {
        return python.into();
    }
    let tools = std::env::var_os("STRONGROOM_TOOLS").map(PathBuf::from);
    let cache = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::home_dir().unwrap().join(".cache");
    tools.unwrap_or_else(|| cache().unwrap_or_else(home).join("strongroom/tools")).join("bin/python3")
}
