//! A folder with the program in it, so to speak.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use strongroom::embedded::{EmbeddedCluster, PutOptions};
use strongroom::record::{Bin, BinName, Digest, Name, Particle, Record};
use strongroom::system_environment;

pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// An embedded cluster with the base of the real chain.
    pub(crate) fn with_base() -> Self {
        let world = Self::new();
        world.ends(0, &format!("import {} --into embedded:app.redb", data("t0-base").display()));
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Words are split at spaces; nothing is quoted.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.args(line.split_whitespace()).current_dir(self.path()).env_remove("STRONGROOM_CONFIG");
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    pub(crate) fn spawn(&self, line: &str) -> Child {
        self.command(line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Standard output of a run that must end with `code`; standard error if that is an error's.
    pub(crate) fn ends(&self, code: i32, line: &str) -> String {
        let output = self.run(line);
        let (out, errors) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{errors}");
        if code == 0 || code == 3 { out } else { errors }
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ends(0, &format!("{line} --json"))).unwrap()
    }

    /// `big.redb`: 18 MiB that no codec shrinks, in two pieces of which the first has 1 MiB.
    pub(crate) fn with_two_pieces() -> Self {
        let world = Self::new();
        let cluster = EmbeddedCluster::create(world.path().join("big.redb"), system_environment()).unwrap();
        let mut state: u64 = 1;
        let mut random = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let mut records = Vec::new();
        let (mut first, mut second) = (0, 0);
        while first < 4 || second < 68 {
            let mut digest = [0; 20];
            digest.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&random().to_le_bytes()[..4]));
            let digest = Digest(digest);
            let (counted, enough) = if digest.partition() < 2048 { (&mut first, 4) } else { (&mut second, 68) };
            if *counted == enough {
                continue;
            }
            *counted += 1;
            let value: Vec<u8> = (0..32 << 10).flat_map(|_| random().to_le_bytes()).collect();
            records.push(Record {
                namespace: Name::namespace("test").unwrap(),
                set: None,
                digest,
                key: None,
                generation: 1,
                void_time: 0,
                bins: vec![Bin { name: BinName::new("b").unwrap(), value: Particle::Blob(value.into()) }],
            });
        }
        let put = cluster.write_batch(|batch| {
            records.into_iter().try_for_each(|record| batch.put(record, PutOptions::AS_GIVEN).map(drop))
        });
        put.unwrap();
        world
    }
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A folder of the real chain.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../strongroom-record/testdata/aerospike").join(name)
}

/// Every file below `folder`.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}
