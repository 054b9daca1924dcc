//! The example adapter keeps the contract of clusters, and tells what it can't keep.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/folder_cluster/cluster.rs"]
mod cluster;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use cluster::FolderCluster;
use strongroom::core::cluster::{FreezeRequest, PieceKind, PieceSpec, RestoreOptions, RestoreOutline};
use strongroom::core::id::SessionId;
use strongroom::{Cluster, ErrorKind};
use strongroom_testkit::{ClusterContents, ClusterFixture, cluster_contract};
use tempfile::TempDir;

struct Fixture(TempDir);

impl Fixture {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn collect(root: &Path, folder: &Path, contents: &mut ClusterContents) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(root, &path, contents);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            contents.insert(format!("files/{name}"), fs::read(&path).unwrap().into());
        }
    }
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::new(FolderCluster(self.0.path().to_owned()))
    }
    async fn change(&self, seed: u64) {
        fs::create_dir_all(self.path("deep/er")).unwrap();
        fs::create_dir_all(self.path("empty")).unwrap();
        for (name, bytes) in [("same", 10), ("a b", 0), ("deep/er/ü", 300_000), ("deep/x", 5)] {
            fs::write(self.path(name), vec![u8::try_from(seed % 251).unwrap(); bytes]).unwrap();
        }
        fs::write(self.path(&format!("new-{seed}")), seed.to_string()).unwrap();
        drop(fs::remove_file(self.path(&format!("new-{}", seed - 1))));
    }
    async fn contents(&self) -> ClusterContents {
        let mut contents = ClusterContents::new();
        collect(self.0.path(), self.0.path(), &mut contents);
        contents
    }
    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        Box::new(Self::new())
    }
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    cluster_contract(&Fixture::new()).await;
}

#[tokio::test]
async fn odd_names_and_files_are_told() {
    let fixture = Fixture::new();
    fs::write(fixture.0.path().join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("link")).unwrap();
    fs::write(fixture.path("good"), "x").unwrap();
    let frozen = fixture.cluster().freeze(&FreezeRequest::default()).await.unwrap();
    let part = &frozen.parts[0];
    assert_eq!(part.pieces.iter().map(|piece| piece.name.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(part.missing, [r"'caf\xe9': the name is not UTF-8"]);
    assert_eq!(part.notes, ["'link' is no plain file: left out"]);
}

/// A killed process can delete nothing: what it was at lies apart, is no file of a backup, and goes with its restore.
#[tokio::test]
async fn what_a_killed_restore_leaves_goes_when_it_is_finished_or_given_up() {
    let fixture = Fixture::new();
    let cluster = fixture.cluster();
    fs::write(fixture.path("good"), "x").unwrap();
    let source = cluster.describe().await.unwrap().identity;
    let outline = RestoreOutline { parts: [].into(), source, source_version: "1".into() };
    for finished in [true, false] {
        let id = SessionId::from_u128(7);
        let session = cluster.begin_restore(id, &outline, &RestoreOptions::default()).await.unwrap();
        let half = fixture.path(&format!(".restoring-{id}/half"));
        fs::write(&half, "ha").unwrap();
        let part = cluster.freeze(&FreezeRequest::default()).await.unwrap().parts.remove(0);
        assert_eq!(part.pieces.iter().map(|piece| piece.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(part.notes.len(), 1, "{:?}", part.notes);
        if finished {
            cluster.finish_restore(session).await.unwrap();
        } else {
            cluster.abort_restore(session).await.unwrap();
        }
        let names: Vec<_> = fs::read_dir(fixture.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["good"]);
    }
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let cluster = FolderCluster("/no/such/folder".into());
    let error = cluster.freeze(&FreezeRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}

#[tokio::test]
async fn a_piece_cannot_leave_the_folder() {
    let fixture = Fixture::new();
    let session = strongroom::core::cluster::RestoreSession {
        id: SessionId::from_u128(1),
        options: RestoreOptions::default(),
        detail: serde_json::Value::Null,
    };
    for name in ["../evil", "/etc/evil", "a/../../evil", ".."] {
        let piece = PieceSpec::new(name, PieceKind::Data);
        let body = Box::pin(futures::stream::empty());
        let error = fixture.cluster().write(&session, 0, "files", &piece, body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}");
    }
}
