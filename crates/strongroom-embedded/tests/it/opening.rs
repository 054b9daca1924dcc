//! Files that are missing, taken, foreign, damaged, newer, read-only or open elsewhere.

use std::fs;
use std::path::Path;

use strongroom_core::{ErrorKind, Result};
use strongroom_embedded::{EmbeddedCluster, LookIn, PutOptions};

use crate::common::{environment, record};

fn open(path: &Path) -> Result<EmbeddedCluster> {
    EmbeddedCluster::open(path, environment().0)
}

fn open_read_only(path: &Path) -> Result<EmbeddedCluster> {
    EmbeddedCluster::open_read_only(path, environment().0)
}

fn put(cluster: &EmbeddedCluster, key: i64) -> Result<()> {
    cluster.write_batch(|batch| batch.put(record("s", key, 1), PutOptions::default()).map(drop))
}

#[test]
fn a_file_keeps_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drill.redb");
    let made = EmbeddedCluster::create(&path, environment().0).unwrap();
    let identity = made.identity().clone();
    assert_eq!(identity.name, "drill");
    put(&made, 1).unwrap();
    drop(made);
    for open in [open, open_read_only] {
        let cluster = open(&path).unwrap();
        assert_eq!(*cluster.identity(), identity);
        assert_eq!(cluster.count("test").unwrap().records, 1);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left");
}

#[test]
fn what_is_there_is_not_replaced_and_what_is_missing_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let missing = open(&path).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("embedded cluster") && missing.to_string().contains("create it first"));
    fs::write(&path, "precious").unwrap();
    assert_eq!(EmbeddedCluster::create(&path, environment().0).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let nowhere = folder.path().join("no/such/folder");
    assert_eq!(EmbeddedCluster::create(nowhere, environment().0).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(open(folder.path()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn one_writer_or_many_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let writer = EmbeddedCluster::create(&path, environment().0).unwrap();
    for second in [open(&path), open_read_only(&path)] {
        let error = second.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("open elsewhere"), "{error}");
    }
    drop(writer);
    let readers = [open_read_only(&path).unwrap(), open_read_only(&path).unwrap()];
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Unavailable);
    let error = put(&readers[0], 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("open for reading only"), "{error}");
    drop(readers);
    put(&open(&path).unwrap(), 1).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_to_write_is_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let cluster = EmbeddedCluster::create(&path, environment().0).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "only its owner may read it");
    put(&cluster, 1).unwrap();
    drop(cluster);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(open_read_only(&path).unwrap().count("test").unwrap().records, 1);
    // Whoever runs the tests with all privileges is not refused by permissions.
    let privileged = fs::OpenOptions::new().write(true).open(&path).is_ok();
    match open(&path) {
        Ok(_) => assert!(privileged),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(!privileged && error.to_string().contains("open it for reading only"), "{error}");
        }
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn foreign_and_cut_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let whole = {
        let cluster = EmbeddedCluster::create(&path, environment().0).unwrap();
        (0..500).for_each(|key| put(&cluster, key).unwrap());
        drop(cluster);
        fs::read(&path).unwrap()
    };
    let cuts = [0, 1, 100, 4096, whole.len() / 2, whole.len() - 1];
    let files = cuts.map(|length| whole[..length].to_vec()).into_iter().chain([b"not a database".repeat(1000)]);
    for (index, bytes) in files.enumerate() {
        fs::write(&path, &bytes).unwrap();
        for error in [open(&path).unwrap_err(), open_read_only(&path).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{index}: {error:?}");
        }
        // What redb does to a file that it refuses is its own affair, but reading must leave it alone.
        fs::write(&path, &bytes).unwrap();
        drop(open_read_only(&path));
        assert!(fs::read(&path).unwrap() == bytes, "{index}");
    }
    fs::write(&path, "").unwrap();
    assert!(open(&path).is_err());
    assert!(fs::read(&path).unwrap().is_empty(), "an empty file is not filled");
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(&path).unwrap().count("test").unwrap().records, 500);
}

#[test]
fn flipped_bits_are_told_or_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (truth, whole) = {
        let cluster = EmbeddedCluster::create(&path, environment().0).unwrap();
        cluster
            .write_batch(|batch| {
                (0..200).try_for_each(|key| batch.put(record("s", key, 1), PutOptions::default()).map(drop))
            })
            .unwrap();
        let truth = contents(&cluster).unwrap();
        drop(cluster);
        (truth, fs::read(&path).unwrap())
    };
    let mut told = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match open_read_only(&path).and_then(|cluster| contents(&cluster)) {
            Ok(seen) => assert!(seen == truth, "a flip at {at} changed what is read"),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{at}: {error:?}");
                told += 1;
            }
        }
    }
    assert!(told > 0);
}

fn contents(cluster: &EmbeddedCluster) -> Result<Vec<strongroom_embedded::Found>> {
    cluster.scan("test", &strongroom_core::model::Filter::default(), LookIn::default())?.collect()
}
