//! Folders that are missing, damaged or foreign, and what is taken of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use strongroom_core::cluster::Conflict;
use strongroom_core::environment::Entropy;
use strongroom_core::model::Filter;
use strongroom_core::{Error, ErrorKind, Result, Timestamp};
use strongroom_embedded::{EmbeddedCluster, ExportOptions, ImportOptions, PutOptions};
use strongroom_record::Record;
use strongroom_record::model::CITRUSLEAF_EPOCH;
use strongroom_record::wrap::FileKey;

use crate::common::{in_memory, record};
use crate::fixtures::{fixture, key};

fn records(cluster: &EmbeddedCluster) -> u64 {
    cluster.namespaces().unwrap().values().map(|info| info.count.records).sum()
}

#[test]
fn what_can_not_be_read_leaves_the_cluster_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let plain = fs::read(fixture("forms/plain/0_test_2.asb")).unwrap();
    let cut = folder.path().join("cut");
    fs::create_dir(&cut).unwrap();
    fs::write(cut.join("0_test_1.asb"), &plain).unwrap();
    fs::write(cut.join("0_test_2.asb"), &plain[..plain.len() - 10]).unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let wrong = ImportOptions { key: Some(FileKey::from_bytes([1; 32])), ..ImportOptions::default() };
    for (path, options, kind, text) in [
        (folder.path().join("missing"), ImportOptions::default(), ErrorKind::NotFound, "missing"),
        (empty, ImportOptions::default(), ErrorKind::NotFound, "no .asb file"),
        (cut, ImportOptions::default(), ErrorKind::Corrupt, "0_test_2.asb"),
        (fixture("forms/aes128"), ImportOptions::default(), ErrorKind::Denied, "encrypted"),
        (fixture("forms/aes128"), wrong, ErrorKind::Denied, "key"),
    ] {
        let (cluster, _) = in_memory();
        cluster.write_batch(|batch| batch.put(record("s", 1, 1), PutOptions::default())).unwrap();
        let before = cluster.namespaces().unwrap();
        let folders = [fixture("forms/plain"), path];
        let error = cluster.import_folders(&folders, &options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("nothing was imported; it stopped after"), "{error}");
        assert_eq!(cluster.namespaces().unwrap(), before);
    }
}

#[test]
fn namespaces_sets_and_names_are_chosen() {
    let take = |options: ImportOptions| {
        let (cluster, _) = in_memory();
        let report = cluster.import_folder(fixture("forms/plain"), &options).unwrap();
        (cluster, report)
    };
    let (_, whole) = take(ImportOptions::default());
    assert_eq!(whole.written, 95);
    let (none, report) = take(ImportOptions { namespaces: Some(["other".into()].into()), ..ImportOptions::default() });
    assert_eq!((report.written, report.filtered), (0, 95 + whole.indexes));
    assert_eq!(none.namespaces().unwrap().len(), 0);
    let rename = [("test".to_owned(), "copy".to_owned())].into();
    let (copy, report) = take(ImportOptions { rename, ..ImportOptions::default() });
    assert_eq!(report.namespaces, ["copy".to_owned()].into());
    assert_eq!(copy.count("copy").unwrap().records, 95);
    assert_eq!(copy.indexes("copy").unwrap().len() as u64, whole.indexes);
    let set = copy.namespaces().unwrap()["copy"].sets.keys().next().unwrap().clone();
    let filter = Filter { tables: Some([set.clone()].into()), ..Filter::default() };
    let (some, report) = take(ImportOptions { filter, ..ImportOptions::default() });
    assert_eq!(report.written, copy.count_set("copy", &set).unwrap().records);
    assert_eq!(some.namespaces().unwrap()["test"].sets.len(), 1);
    let (bare, _) = take(ImportOptions { no_data: true, ..ImportOptions::default() });
    assert_eq!((records(&bare), bare.functions().unwrap().len() as u64), (0, whole.functions));
    let (data, _) = take(ImportOptions { no_definitions: true, ..ImportOptions::default() });
    assert_eq!((records(&data), data.functions().unwrap().len()), (95, 0));
}

#[test]
fn what_was_there_stays_if_asked_but_a_later_folder_always_counts() {
    let (cluster, _) = in_memory();
    cluster.import_folder(fixture("t2-truth"), &ImportOptions::default()).unwrap();
    let keep = ImportOptions { conflict: Conflict::Keep, ..ImportOptions::default() };
    let report = cluster.import_folder(fixture("t2-truth"), &keep).unwrap();
    assert_eq!((report.written, report.kept), (0, 5138));
    let (chain, _) = in_memory();
    let folders = ["t0-base", "t1-incremental"].map(fixture);
    let report = chain.import_folders(&folders, &keep).unwrap();
    assert_eq!(report.kept, 0);
}

#[test]
fn what_expired_in_a_later_folder_does_not_stay_from_an_earlier_one() {
    let place = tempfile::tempdir().unwrap();
    let folders = [(0, "older"), (100, "newer")].map(|(void_time, name)| {
        let (cluster, _) = in_memory();
        let mortal = Record { void_time, ..record("s", 1, 1) };
        cluster.write_batch(|batch| batch.put(mortal, PutOptions::default())).unwrap();
        let path = place.path().join(name);
        cluster.export_folder("test", &path, &ExportOptions::default()).unwrap();
        path
    });
    let epoch = i64::try_from(CITRUSLEAF_EPOCH).unwrap();
    for (seconds, there) in [(99, 1), (100, 0)] {
        let (cluster, _) = in_memory();
        let now = Some(Timestamp::from_secs(epoch + seconds));
        let report = cluster.import_folders(&folders, &ImportOptions { now, ..ImportOptions::default() }).unwrap();
        assert_eq!((records(&cluster), report.expired), (there, 1 - there));
    }
}

#[test]
fn records_that_can_not_be_held_are_told_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let one = |namespace: &[u8], digest: &str| {
        [b"+ n ", namespace, b"\n+ d ", digest.as_bytes(), b"\n+ g 1\n+ t 0\n+ b 0\n"].concat()
    };
    let (good, bad) = (one(b"test", "AAECAwQFBgcICQoLDA0ODxAREhM="), one(b"te\xffst", "AQECAwQFBgcICQoLDA0ODxAREhM="));
    fs::write(folder.path().join("0_test_1.asb"), [b"Version 3.1\n".to_vec(), bad, good].concat()).unwrap();
    let (cluster, _) = in_memory();
    let report = cluster.import_folder(folder.path(), &ImportOptions::default()).unwrap();
    assert_eq!((report.written, report.refused), (1, 1));
    assert!(report.refusals[0].contains("not UTF-8"), "{:?}", report.refusals);
}

#[test]
fn an_export_that_fails_leaves_nothing_and_touches_nothing() {
    let (cluster, _) = in_memory();
    cluster.write_batch(|batch| batch.put(record("s", 1, 1), PutOptions::default())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("0_test_1.asb"), "precious").unwrap();
    let options = ExportOptions::default();
    assert_eq!(cluster.export_folder("test", &taken, &options).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(taken.join("0_test_1.asb")).unwrap(), b"precious");
    let path = folder.path().join("new");
    assert_eq!(cluster.export_folder("other", &path, &options).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!path.exists());
    // The counter of the second encrypted file can't be had: the first one is taken away again.
    let (mut environment, _) = crate::common::environment();
    let fails = Arc::new(FailsAfter(AtomicI64::new(i64::MAX)));
    environment.entropy = fails.clone();
    let cluster = EmbeddedCluster::in_memory(environment).unwrap();
    cluster.import_folder(fixture("t2-truth"), &ImportOptions::default()).unwrap();
    fails.0.store(1, Ordering::SeqCst);
    let mut options = ExportOptions::default();
    options.folder.wrapping.encryption = Some((key(), strongroom_record::wrap::Mode::Aes128));
    for (path, left) in [(path, false), (folder.path().join("empty"), true)] {
        if left {
            fs::create_dir(&path).unwrap();
        }
        fails.0.store(1, Ordering::SeqCst);
        let error = cluster.export_folder("test", &path, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(path.exists(), left);
        assert!(!left || fs::read_dir(&path).unwrap().next().is_none());
    }
}

/// Gives zeros so many times, then nothing.
#[derive(Debug)]
struct FailsAfter(AtomicI64);

impl Entropy for FailsAfter {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(0);
        if self.0.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(Error::unavailable("no chance left")) }
    }
}
