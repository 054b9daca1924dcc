//! The local folder and what lies below it: durable writes, full and foreign disks, killed writers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use strongroom_core::{ErrorKind, PutMode, Storage as _, StorageExt as _};
use strongroom_storage::LocalStorage;

use crate::local::{files_below, key, names, put};

/// A mounted tmpfs of 1 MiB, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Self {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder).status();
        assert!(status.unwrap().success(), "this test mounts a tmpfs and so must run as root");
        Self(folder)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_of_the_object_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path());
    let storage = LocalStorage::new(disk.0).unwrap();
    put(&storage, "small", PutMode::CreateNew, &[1; 1000]).await.unwrap();
    let error = put(&storage, "large", PutMode::CreateNew, &vec![2; 2 << 20]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    assert_eq!(names(&storage, "").await, ["small"]);
    assert!(files_below(&disk.0.join(".strongroom-tmp")).is_empty(), "the space must be free again");
    put(&storage, "other", PutMode::CreateNew, &vec![3; 500_000]).await.unwrap();
}

#[tokio::test]
async fn a_mount_below_the_folder_is_told_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path()).unwrap();
    put(&storage, "here/a", PutMode::CreateNew, b"1").await.unwrap();
    std::fs::create_dir(folder.path().join("there")).unwrap();
    let there = folder.path().join("there");
    let _disk = SmallDisk::mount(&there);
    for mode in [PutMode::CreateNew, PutMode::Overwrite] {
        let error = put(&storage, "there/b", mode, b"2").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(error.message().contains("another file system"), "{error:?}");
        assert!(error.advice().is_some_and(|advice| advice.contains("mounted below")), "{error:?}");
    }
    assert_eq!(names(&storage, "").await, ["here/a"]);
    assert!(files_below(&folder.path().join(".strongroom-tmp")).is_empty());
}

/// Started by the test below under a tracer: writes one new object in two new folders, and replaces it.
#[tokio::test]
async fn traced_process() {
    let Ok(root) = std::env::var("STRONGROOM_TEST_TRACED") else { return };
    let storage = LocalStorage::new(Path::new(&root)).unwrap();
    put(&storage, "one/two/object", PutMode::CreateNew, b"first").await.unwrap();
    put(&storage, "one/two/object", PutMode::Overwrite, b"second").await.unwrap();
}

/// What makes an object survive a power cut is the order of system calls: its bytes are flushed before it gets its name,
/// and every folder that got an entry is flushed before the write has succeeded.
#[test]
fn bytes_are_flushed_before_their_name_and_names_before_success() {
    let folder = tempfile::tempdir().unwrap();
    let (root, log) = (folder.path().join("root"), folder.path().join("log"));
    let status = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", "trace=mkdir,fsync,fdatasync,link,linkat,rename,renameat,renameat2", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["durable::traced_process", "--exact"])
        .env("STRONGROOM_TEST_TRACED", &root)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace is needed: bash .ci/test tools");
    assert!(status.success());
    let own = folder.path().to_str().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let calls: Vec<String> = log.lines().filter(|line| line.contains(own)).map(|line| call(line, own)).collect();
    assert_eq!(
        calls,
        [
            "mkdir .",
            "flush ..",
            "mkdir TEMP",
            "flush .",
            "flush PART",
            "mkdir one",
            "flush .",
            "mkdir one/two",
            "flush one",
            "link PART one/two/object",
            "flush one/two",
            "flush PART",
            "rename PART one/two/object",
            "flush one/two",
        ],
        "{log}"
    );
}

/// `1234  fsync(7</folder/root/one>) = 0` as `flush one`.
fn call(line: &str, folder: &str) -> String {
    let line = line.split_once(' ').unwrap().1.trim_start();
    assert!(line.ends_with(" = 0"), "{line}");
    let (name, arguments) = line.split_once('(').unwrap();
    let name = match name {
        "fsync" => "flush",
        other => other.trim_end_matches("at2").trim_end_matches("at"),
    };
    let paths = arguments.split(['"', '<', '>']).filter_map(|text| text.strip_prefix(folder));
    let paths = paths.map(|path| match path.strip_prefix("/root") {
        None => "..",
        Some("") => ".",
        Some("/.strongroom-tmp") => "TEMP",
        Some(path) if path.starts_with("/.strongroom-tmp/") => "PART",
        Some(path) => path.trim_start_matches('/'),
    });
    std::iter::once(name).chain(paths).collect::<Vec<_>>().join(" ")
}

/// Started by the test below as a process of its own: writes half an object, says so, and waits to be killed.
#[tokio::test]
async fn writer_process() {
    let Ok(root) = std::env::var("STRONGROOM_TEST_WRITER") else { return };
    let storage = LocalStorage::new(Path::new(&root)).unwrap();
    let mut upload = storage.create(&key("victim"), PutMode::CreateNew).await.unwrap();
    upload.write(Bytes::from(vec![1; 4 << 20])).await.unwrap();
    std::fs::write(Path::new(&root).with_extension("ready"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_writer_leaves_nothing_in_sight_and_its_file_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["durable::writer_process", "--exact", "--nocapture"])
        .env("STRONGROOM_TEST_WRITER", &root)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !root.with_extension("ready").exists() {
        assert!(writer.try_wait().unwrap().is_none(), "the writer ended too early");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    writer.kill().unwrap();
    writer.wait().unwrap();

    let storage = LocalStorage::new(&root).unwrap();
    assert_eq!(files_below(&root.join(".strongroom-tmp")).len(), 1);
    assert!(names(&storage, "").await.is_empty());
    assert!(!storage.exists(&key("victim")).await.unwrap());
    put(&storage, "victim", PutMode::CreateNew, b"second try").await.unwrap();
    assert_eq!(storage.get(&key("victim"), 100).await.unwrap(), "second try");
    assert_eq!(storage.sweep(Duration::from_hours(1)).await.unwrap(), 0, "it could still be alive");
    assert_eq!(storage.sweep(Duration::ZERO).await.unwrap(), 1);
}
