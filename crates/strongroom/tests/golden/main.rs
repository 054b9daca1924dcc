//! Golden repositories: those of every released format stay readable, by this library and by an implementation that knows
//! nothing but `docs/format.md`; and that one reads what this version writes.
//!
//! A golden repository is one file, `testdata/golden/<format>/<name>.json`: the objects, and what a reader must find. It is
//! never made again once its format was released. A new format gets new ones:
//! `STRONGROOM_WRITE_GOLDEN=format-2 cargo test -p strongroom --test golden`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod independent;
mod pieces;
mod recipe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use strongroom::codec::{KeyRing, PlainRegistry, ReaderKey};
use strongroom::core::codec::CodecRegistry;
use strongroom::core::engine::{RestoreRequest, VerifyRequest, restore, verify};
use strongroom::core::id::BackupId;
use strongroom::core::model::{Depth, Filter, Scope};
use strongroom::core::repository::Repository;
use strongroom::storage::LocalStorage;
use strongroom::{ErrorKind, Request, Target, system_environment};
use strongroom_testkit::{MemoryStorage, SeedGuard, seeds};
use tempfile::TempDir;

use independent::Reader;
use pieces::PieceCluster;
use recipe::{Expected, OPS_KEY, PASSPHRASE};

/// A repository in a file.
#[derive(Serialize, Deserialize)]
struct Golden {
    expected: Expected,
    /// Names to bytes in base64.
    objects: BTreeMap<String, String>,
}

impl Golden {
    fn of(storage: &MemoryStorage, expected: Expected) -> Self {
        let objects = storage.contents().into_iter();
        Self { expected, objects: objects.map(|(key, body)| (key.to_string(), STANDARD.encode(body))).collect() }
    }

    fn is_sealed(&self) -> bool {
        self.objects.contains_key("keys/ring.json")
    }

    fn unpack(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, body) in &self.objects {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, STANDARD.decode(body).unwrap()).unwrap();
        }
        folder
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden")
}

/// Every golden repository with its name, all formats.
fn all() -> Vec<(String, Golden)> {
    let formats = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = formats.flat_map(|format| std::fs::read_dir(format).unwrap().map(|entry| entry.unwrap().path()));
    let golden: Vec<_> = files
        .map(|path| {
            let text = std::fs::read(&path).unwrap();
            (path.display().to_string(), serde_json::from_slice(&text).unwrap())
        })
        .collect();
    assert!(golden.len() >= 2, "there are golden repositories");
    golden
}

async fn open(folder: &Path, sealed: bool) -> (Repository, Arc<dyn CodecRegistry>) {
    let storage = Arc::new(LocalStorage::new(folder).unwrap());
    let repository = Repository::open(storage, system_environment()).await.unwrap();
    if !sealed {
        return (repository, Arc::new(PlainRegistry::new()));
    }
    let open = async |name, key| {
        let reader = ReaderKey::from_bytes(name, key).unwrap();
        KeyRing::open(Arc::clone(repository.storage()), repository.id(), &[reader]).await
    };
    let error = open("ops", [1; 32]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    let ring = open("ops", OPS_KEY).await.unwrap();
    (repository, Arc::new(ring))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_repository_is_verified_and_restored() {
    for (name, golden) in all() {
        let folder = golden.unpack();
        let (repository, registry) = open(folder.path(), golden.is_sealed()).await;
        assert_eq!(repository.id().to_string(), golden.expected.repository, "{name}");
        let request = VerifyRequest { depth: Depth::Decode, record: false, ..VerifyRequest::default() };
        let report = verify(repository.clone(), Arc::clone(&registry), request).await.unwrap();
        assert!(report.is_whole() && report.backups.len() == golden.expected.backups.len(), "{name}: {report:?}");

        let loaded = repository.load().await.unwrap();
        assert!(loaded.is_complete(), "{name}");
        for (id, expected) in &golden.expected.backups {
            let backup: BackupId = id.parse().unwrap();
            let scope = Scope { parts: Some([(expected.part.clone(), Filter::default())].into()) };
            let request = Request { allow_partial: true, ..Request::at(Target::Backup(backup)).of(scope) };
            let plan = loaded.catalogue().plan(&request).unwrap();
            let target = PieceCluster::new(system_environment());
            let request = RestoreRequest { accept_cluster: true, ..RestoreRequest::default() };
            let into = Arc::new(target.clone());
            restore(repository.clone(), Arc::clone(&registry), plan, into, request).await.unwrap();
            assert_eq!(recipe::hashes(&target.written()), expected.pieces, "{name}: {id}");
        }
    }
}

#[test]
fn another_implementation_reads_every_golden_repository() {
    for (name, golden) in all() {
        let folder = golden.unpack();
        let readers = if golden.is_sealed() {
            vec![Reader::with_key("ops", &OPS_KEY), Reader::with_passphrase("night", PASSPHRASE)]
        } else {
            vec![Reader::plain()]
        };
        for reader in readers {
            let found = reader.read(folder.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.expected(), golden.expected, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_implementation_reads_what_this_version_writes() {
    let keep = std::env::var("STRONGROOM_WRITE_GOLDEN").ok();
    let seed = match (&keep, std::env::var_os("STRONGROOM_SEED")) {
        (Some(_), _) => 1,
        (None, Some(_)) => seeds(1)[0],
        (None, None) => u64::from_le_bytes(system_environment().random().unwrap()),
    };
    let _replay = SeedGuard::new(seed);
    for (name, sealed) in [("plain", false), ("sealed", true)] {
        let (storage, expected) = recipe::make(sealed, seed).await;
        let golden = Golden::of(&storage, expected);
        let folder = golden.unpack();
        let reader = if sealed { Reader::with_key("ops", &OPS_KEY) } else { Reader::plain() };
        let found = reader.read(folder.path()).unwrap();
        assert_eq!(found.expected(), golden.expected);
        found.has_one_of_everything(sealed);
        assert!(golden.objects.keys().any(|key| key.contains("/receipts/") && !key.ends_with("begun")));
        if let Some(format) = &keep {
            let path = self::folder().join(format).join(format!("{name}.json"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
        }
    }
}

/// A reader that takes everything would prove nothing.
#[tokio::test(start_paused = true)]
async fn the_other_implementation_notices_one_flipped_bit_in_each_kind_of_object() {
    let (storage, expected) = recipe::make(true, 2).await;
    let golden = Golden::of(&storage, expected);
    let folder = golden.unpack();
    let reader = Reader::with_key("ops", &OPS_KEY);
    let backup = golden.expected.backups.keys().next().unwrap();
    let last = golden.objects.keys().rfind(|name| name.starts_with("catalogue/")).unwrap();
    // The list of shared content is readable by everybody: it names the content that this backup uses.
    let shared = golden.objects.iter().find(|(name, _)| name.contains(backup) && name.contains("/shared.")).unwrap();
    let shared = String::from_utf8(STANDARD.decode(shared.1).unwrap()).unwrap();
    let kinds: [&dyn Fn(&str) -> bool; 11] = [
        &|name| name == "strongroom.json",
        &|name| name.contains(backup) && name.ends_with("manifest.json"),
        &|name| name.contains(backup) && name.contains("/pieces."),
        &|name| name.contains(backup) && name.contains("/shared."),
        &|name| name.contains(backup) && name.contains("/data/"),
        &|name| name.starts_with("content/") && shared.contains(name),
        &|name| name == last,
        &|name| name.ends_with(".snapshot"),
        &|name| name.contains("/ops/"),
        &|name| name.starts_with("leases/"),
        &|name| name.starts_with("condemned/"),
    ];
    for (number, kind) in kinds.iter().enumerate() {
        let name =
            golden.objects.keys().find(|name| kind(name)).unwrap_or_else(|| panic!("no object of kind {number}"));
        let path = folder.path().join(name);
        let sound = std::fs::read(&path).unwrap();
        let mut harmed = sound.clone();
        harmed[sound.len() / 2] ^= 1;
        std::fs::write(&path, harmed).unwrap();
        let error = reader.read(folder.path()).err().unwrap_or_else(|| panic!("{name}: the damage was not noticed"));
        assert!(error.starts_with("damaged: "), "{name}: {error}");
        std::fs::write(&path, sound).unwrap();
    }
    reader.read(folder.path()).unwrap();
}
