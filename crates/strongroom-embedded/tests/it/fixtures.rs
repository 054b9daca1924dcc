//! What the real tools made of a real server: taken in, backed up as pieces, restored, given out again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use strongroom_core::Timestamp;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::model::Filter;
use strongroom_embedded::{EmbeddedCluster, ExportOptions, ImportOptions, LookIn};
use strongroom_record::asb::Limits;
use strongroom_record::canonical::{CanonicalHash, Covers, SetHash};
use strongroom_record::folder::{FolderOptions, FolderReader};
use strongroom_record::wrap::{FileKey, Mode, Wrapping};
use strongroom_record::{Digest, Entity, Record};

use crate::common::{in_memory, restore, take};

const FOLDERS: [&str; 9] = [
    "t0-base",
    "t1-incremental",
    "t2-incremental",
    "t1-truth",
    "t2-truth",
    "forms/plain",
    "forms/compact",
    "forms/zstd-aes256",
    "forms/aes128",
];

pub(crate) fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../strongroom-record/testdata/aerospike").join(path)
}

pub(crate) fn key() -> FileKey {
    FileKey::from_pem(&std::fs::read(fixture("keys/key-pkcs1.pem")).unwrap()).unwrap()
}

fn with_key() -> ImportOptions {
    ImportOptions { key: Some(key()), ..ImportOptions::default() }
}

fn hash(cluster: &EmbeddedCluster) -> SetHash {
    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
}

/// The hash of a folder's records, read without any cluster.
fn hash_of_folder(folder: &str) -> SetHash {
    let mut hash = CanonicalHash::new(Covers::ALL);
    for entity in FolderReader::open(fixture(folder), Some(key()), Limits::default()).unwrap() {
        if let Entity::Record(record) = entity.unwrap() {
            hash.push(&record).unwrap();
        }
    }
    hash.finish().unwrap()
}

fn imported(folder: &str) -> EmbeddedCluster {
    let (cluster, _) = in_memory();
    let report = cluster.import_folder(fixture(folder), &with_key()).unwrap();
    assert_eq!((report.kept, report.expired, report.filtered, report.refused), (0, 0, 0, 0), "{folder}");
    assert_eq!(report.written, cluster.count("test").unwrap().records, "{folder}");
    cluster
}

#[tokio::test]
async fn every_folder_comes_in_whole_and_survives_backup_and_restore() {
    for folder in FOLDERS {
        let source = imported(folder);
        let truth = hash_of_folder(folder);
        assert_eq!(hash(&source), truth, "{folder}");
        let base = take(&source, None).await.unwrap();
        assert_eq!(base.records(), truth.records);
        let (target, _) = in_memory();
        restore(&target, &[&base], &RestoreOptions::default(), 1).await.unwrap();
        assert_eq!(hash(&target), truth, "{folder}");
        assert_eq!(target.indexes("test").unwrap(), source.indexes("test").unwrap());
        assert_eq!(target.functions().unwrap(), source.functions().unwrap());
    }
}

#[test]
fn the_base_holds_what_its_readme_says() {
    let cluster = imported("t0-base");
    assert_eq!(cluster.count("test").unwrap().records, 5006);
    assert_eq!(cluster.indexes("test").unwrap().len(), 6);
    assert_eq!(cluster.functions().unwrap().len(), 1);
    let by_set: u64 = cluster.namespaces().unwrap()["test"].sets.values().map(|count| count.records).sum();
    assert_eq!(by_set, 5006);
}

#[test]
fn expired_records_are_there_unless_a_now_is_given() {
    let times = std::fs::read_to_string(fixture("times.txt")).unwrap();
    let moment = |name: &str| -> Timestamp {
        times.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
    };
    let cluster = imported("t0-base");
    let alive = |now| cluster.count_where("test", &Filter::default(), LookIn::at(now)).unwrap();
    let (at_t0, a_day_later, a_year_later) = (
        alive(moment("t0")),
        alive(moment("t0").plus_micros(86_400_000_000)),
        alive(moment("t0").plus_micros(31_536_000_000_000)),
    );
    assert_eq!(at_t0, 5006);
    assert!(at_t0 > a_day_later && a_day_later > a_year_later, "{at_t0} {a_day_later} {a_year_later}");
    // The same by import: what has expired stays out.
    let (target, _) = in_memory();
    let now = moment("t0").plus_micros(31_536_000_000_000);
    let report = target.import_folder(fixture("t0-base"), &ImportOptions { now: Some(now), ..with_key() }).unwrap();
    assert_eq!((report.written, report.expired), (a_year_later, 5006 - a_year_later));
}

/// Such incrementals see no deletes: the chain ends in the truth and the deleted records, as they last were.
#[test]
fn the_chain_of_the_tools_ends_in_the_truth_and_what_was_deleted() {
    let (cluster, _) = in_memory();
    let folders = ["t0-base", "t1-incremental", "t2-incremental"].map(fixture);
    cluster.import_folders(&folders, &ImportOptions::default()).unwrap();
    let records = |cluster: &EmbeddedCluster| -> BTreeMap<Digest, Record> {
        let scan = cluster.scan("test", &Filter::default(), LookIn::default()).unwrap();
        scan.map(|found| found.unwrap().record).map(|record| (record.digest, record)).collect()
    };
    let (chain, truth) = (records(&cluster), records(&imported("t2-truth")));
    assert!(truth.iter().all(|(digest, record)| chain.get(digest) == Some(record)));
    let back: Vec<_> = chain.keys().filter(|digest| !truth.contains_key(digest)).collect();
    assert!(back.len() > 100 && chain.len() == truth.len() + back.len(), "{} are back", back.len());
}

#[test]
fn folders_given_out_come_in_again_as_they_were() {
    let source = imported("t0-base");
    let encryption = Some((key(), Mode::Aes256));
    let forms = [
        FolderOptions::default(),
        FolderOptions { compact: true, file_limit: 100_000, ..FolderOptions::default() },
        FolderOptions { wrapping: Wrapping { zstd: Some(3), encryption }, ..FolderOptions::default() },
    ];
    for (number, folder) in forms.into_iter().enumerate() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        let options = ExportOptions { folder, ..ExportOptions::default() };
        let written = source.export_folder("test", &path, &options).unwrap();
        assert_eq!((written.records, written.indexes, written.functions), (5006, 6, 1));
        assert_eq!(written.files > 5, number == 1, "{written:?}");
        let (again, _) = in_memory();
        again.import_folder(&path, &with_key()).unwrap();
        assert_eq!(hash(&again), hash(&source));
        assert_eq!(again.indexes("test").unwrap(), source.indexes("test").unwrap());
        assert_eq!(again.functions().unwrap(), source.functions().unwrap());
    }
}
