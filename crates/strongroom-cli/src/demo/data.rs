//! The demo's input: what the real tools made of a real server, packed into the program.

use std::path::Path;

use strongroom::embedded::LookIn;
use strongroom::record::asb::Limits;
use strongroom::record::canonical::{CanonicalHash, Covers, SetHash};
use strongroom::record::folder::FolderReader;
use strongroom::record::{Entity, Record};
use strongroom::{Error, Result, Timestamp};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../strongroom-record/testdata/aerospike/", $path)))),*]
    };
}

/// The namespace that the server held.
pub(super) const NAMESPACE: &str = "test";
/// The folder of the backup service.
pub(super) const SERVICE: &str = "abs-storage";
/// The base as the tools wrote it.
pub(super) const BASE: &str = "abs-storage/daily/backup/1795388512693/data/test";

const FILES: &[(&str, &[u8])] = files![
    "times.txt",
    "abs-storage/daily/backup/1795388512693/data/test/0_test_3.asb",
    "abs-storage/daily/backup/1795388512693/data/test/1_test_2.asb",
    "abs-storage/daily/backup/1795388512693/data/test/metadata.yaml",
    "abs-storage/daily/backup/1795388512693/data/test/metadata_test_1.asb",
    "abs-storage/daily/incremental/1795388518506/data/test/0_test_2.asb",
    "abs-storage/daily/incremental/1795388518506/data/test/1_test_1.asb",
    "abs-storage/daily/incremental/1795388518506/data/test/metadata.yaml",
    "abs-storage/daily/incremental/1795388525276/data/test/0_test_1.asb",
    "abs-storage/daily/incremental/1795388525276/data/test/1_test_2.asb",
    "abs-storage/daily/incremental/1795388525276/data/test/metadata.yaml",
    "t1-truth/0_test_2.asb",
    "t1-truth/metadata_test_1.asb",
    "t2-truth/0_test_2.asb",
    "t2-truth/metadata_test_1.asb",
];

/// Writes the input below `folder`.
pub(super) fn unpack(folder: &Path) -> Result<()> {
    for (name, bytes) in FILES {
        let path = folder.join(name);
        let write = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&path, bytes)
        };
        write().map_err(|error| Error::from(error).within(path.display()))?;
    }
    Ok(())
}

/// The moment `name` of the input's `times.txt`.
pub(super) fn moment(folder: &Path, name: &str) -> Result<Timestamp> {
    let path = folder.join("times.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| Error::from(error).within(path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.ok_or_else(|| Error::corrupt(format!("{} names no moment '{name}'", path.display())))?.trim().parse()
}

/// The records of a folder, sorted as a cluster keeps them.
pub(super) fn records(folder: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for entity in FolderReader::open(folder, None, Limits::default())? {
        if let Entity::Record(mut record) = entity? {
            record.sort_bins();
            records.push(record);
        }
    }
    records.sort_by_key(Record::order);
    Ok(records)
}

/// The records of a cluster, sorted likewise; expired ones too, for nothing here depends on today's date.
pub(super) fn held(cluster: &strongroom::embedded::EmbeddedCluster) -> Result<Vec<Record>> {
    let scan = cluster.scan(NAMESPACE, &strongroom::core::model::Filter::default(), LookIn::default())?;
    scan.map(|found| found.map(|found| found.record)).collect()
}

/// One hash over `records`.
pub(super) fn hash<'a>(covers: Covers, records: impl IntoIterator<Item = &'a Record>) -> Result<SetHash> {
    let mut hash = CanonicalHash::new(covers);
    for record in records {
        hash.push(record)?;
    }
    hash.finish()
}
