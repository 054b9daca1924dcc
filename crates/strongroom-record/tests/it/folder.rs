//! Folders that we write, and folders that are broken.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use strongroom_core::environment::Entropy;
use strongroom_core::{ErrorKind, Timestamp};
use strongroom_record::asb::Limits;
use strongroom_record::folder::{
    FolderOptions, FolderReader, FolderWriter, Metadata, ServiceWriter, State, Written, list_service_folder,
};
use strongroom_record::model::{Function, SecondaryIndex};
use strongroom_record::wrap::{FileKey, Mode, WrapReader, Wrapping};
use strongroom_record::{Entity, Name, Record};

use super::common::testdata;

/// Bytes that differ at every call.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> strongroom_core::Result<()> {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Counting::default())
}

pub(crate) fn key() -> FileKey {
    FileKey::from_pem(&fs::read(testdata("keys/key-pkcs8.pem")).unwrap()).unwrap()
}

pub(crate) fn source() -> (Vec<SecondaryIndex>, Vec<Function>, Vec<Record>) {
    let (mut indexes, mut functions, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for entity in FolderReader::open(testdata("forms/plain"), None, Limits::default()).unwrap() {
        match entity.unwrap() {
            Entity::Index(index) => indexes.push(index),
            Entity::Function(function) => functions.push(function),
            Entity::Record(mut record) => {
                record.sort_bins();
                records.push(record);
            }
        }
    }
    (indexes, functions, records)
}

pub(crate) fn write(folder: &Path, options: FolderOptions) -> Written {
    let (indexes, functions, records) = source();
    let mut writer = FolderWriter::create(folder, records[0].namespace.clone(), options, entropy()).unwrap();
    writer.schema(&indexes, &functions).unwrap();
    for record in &records {
        writer.record(record).unwrap();
    }
    writer.finish().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_we_write_we_read_in_every_form() {
    let (indexes, functions, records) = source();
    for compact in [false, true] {
        for zstd in [None, Some(1)] {
            for encryption in [None, Some((key(), Mode::Aes128)), Some((key(), Mode::Aes256))] {
                let folder = tempfile::tempdir().unwrap();
                let options = FolderOptions { compact, wrapping: Wrapping { zstd, encryption }, file_limit: 4000 };
                let written = write(folder.path(), options);
                assert_eq!(written.records, 95);
                let sizes = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
                assert_eq!(written.bytes, sizes.sum::<u64>());
                let (mut read, mut schema) = (Vec::new(), 0);
                for entity in FolderReader::open(folder.path(), Some(key()), Limits::default()).unwrap() {
                    match entity.unwrap() {
                        Entity::Record(record) => read.push(record),
                        Entity::Index(index) => schema += usize::from(indexes.contains(&index)),
                        Entity::Function(function) => schema += usize::from(functions.contains(&function)),
                    }
                }
                // The files are read in the order of their names, in which _10 comes before _2.
                let order = |records: &[Record]| {
                    let mut records = records.to_vec();
                    records.sort_by_key(Record::order);
                    records
                };
                assert_eq!(order(&read), order(&records));
                assert_eq!(schema, indexes.len() + functions.len());
            }
        }
    }
}

#[test]
fn files_are_named_and_cut_as_by_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), FolderOptions { file_limit: 6000, ..FolderOptions::default() });
    assert_eq!(names(folder.path()), ["0_test_2.asb", "0_test_3.asb", "0_test_4.asb", "metadata_test_1.asb"]);
    assert_eq!(written.files, 4);
    for name in names(folder.path()) {
        let text = fs::read(folder.path().join(&name)).unwrap();
        let first = text.starts_with(b"Version 3.1\n# namespace test\n# first-file\n");
        assert_eq!(first, name == "metadata_test_1.asb", "{name}");
        assert!(text.starts_with(b"Version 3.1\n# namespace test\n"), "{name}");
    }
    // Without schema the first file of records is the first file.
    let folder = tempfile::tempdir().unwrap();
    let (_, _, records) = source();
    let mut writer =
        FolderWriter::create(folder.path(), records[0].namespace.clone(), FolderOptions::default(), entropy()).unwrap();
    writer.record(&records[0]).unwrap();
    assert_eq!(writer.schema(&[], &[]).unwrap_err().kind(), ErrorKind::Invalid);
    writer.finish().unwrap();
    assert_eq!(names(folder.path()), ["0_test_1.asb"]);
    assert!(
        fs::read(folder.path().join("0_test_1.asb")).unwrap().starts_with(b"Version 3.1\n# namespace test\n# first")
    );
}

#[test]
fn every_encrypted_file_has_a_counter_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let wrapping = Wrapping { zstd: None, encryption: Some((key(), Mode::Aes256)) };
    write(folder.path(), FolderOptions { compact: true, wrapping, file_limit: 4000 });
    let mut headers: Vec<_> =
        names(folder.path()).iter().map(|name| fs::read(folder.path().join(name)).unwrap()[..16].to_vec()).collect();
    let files = headers.len();
    headers.sort();
    headers.dedup();
    assert_eq!(headers.len(), files);
}

#[test]
fn a_folder_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FolderOptions::default());
    let again =
        FolderWriter::create(folder.path(), Name::namespace("test").unwrap(), FolderOptions::default(), entropy());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    for bad in ["a/b", ".hidden", "a\\b"] {
        let namespace = Name::namespace(bad).unwrap();
        let error = FolderWriter::create(folder.path().join("new"), namespace, FolderOptions::default(), entropy())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
    }
}

#[test]
fn folders_without_files_say_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| FolderReader::open(path, None, Limits::default()).unwrap_err();
    let error = open(&folder.path().join("missing"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(open(folder.path()).to_string().contains("there is no .asb file in this folder"));
    fs::write(folder.path().join("1_test_1.asbx"), "x").unwrap();
    assert!(open(folder.path()).to_string().contains("stream backups of the enterprise tools"));
}

#[test]
fn an_error_names_the_file_and_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FolderOptions::default());
    let path = folder.path().join("0_test_2.asb");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    let mut reader = FolderReader::open(folder.path(), None, Limits::default()).unwrap();
    let error = reader.find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let place = format!("0_test_2.asb: byte {}, line ", text.len() - 3);
    assert!(error.to_string().contains(&place), "{error}");
    assert!(reader.next().is_none());
}

#[cfg(unix)]
#[test]
fn a_name_that_leads_to_no_file_is_told_and_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FolderOptions::default());
    let path = folder.path().join("9_test_9.asb");
    let refused = || FolderReader::open(folder.path(), None, Limits::default()).unwrap_err();
    std::os::unix::fs::symlink("away", &path).unwrap();
    let error = refused();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.to_string().contains("9_test_9.asb: No such file or directory"), "{error}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = refused();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.to_string().contains("9_test_9.asb: this is no regular file"), "{error}");
    fs::remove_dir(&path).unwrap();
    assert!(FolderReader::open(folder.path(), None, Limits::default()).is_ok());
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_works() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"b\xffd"));
    write(&path, FolderOptions::default());
    assert_eq!(FolderReader::open(&path, None, Limits::default()).unwrap().map(Result::unwrap).count(), 102);
}

fn service(root: &Path, created: &str, from: Option<&str>) -> Written {
    let (indexes, functions, records) = source();
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let wrapping = Wrapping { zstd: Some(3), encryption: Some((key(), Mode::Aes256)) };
    let options = FolderOptions { wrapping, ..FolderOptions::default() };
    let namespace = records[0].namespace.clone();
    let mut writer =
        ServiceWriter::create(root, "daily", moment(created), from.map(moment), namespace, options, entropy()).unwrap();
    if from.is_none() {
        writer.schema(&indexes, &functions).unwrap();
        for record in &records {
            writer.record(record).unwrap();
        }
    }
    writer.finish(moment(created).plus_micros(1_500_000)).unwrap()
}

#[test]
fn a_service_folder_that_we_write_lists_and_reads() {
    let root = tempfile::tempdir().unwrap();
    let written = service(root.path(), "2026-11-22T23:01:52.693Z", None);
    // Nothing changed: no file but the mark.
    service(root.path(), "2026-11-22T23:02:52.693Z", Some("2026-11-22T23:01:52.693Z"));
    let backups = list_service_folder(root.path()).unwrap();
    assert_eq!(backups.len(), 2);
    let full = backups[0].metadata().unwrap();
    assert_eq!((full.record_count, full.byte_count, full.file_count), (95, written.bytes, 2));
    assert_eq!((&full.compression[..], &full.encryption[..]), ("ZSTD", "AES256"));
    assert!(backups[0].path.ends_with("daily/backup/1795388512693/data/test"));
    assert_eq!(names(&backups[0].path), ["0_test_2.asb", "metadata.yaml", "metadata_test_1.asb"]);
    let count = |i: usize| backups[i].read(Some(key()), Limits::default()).unwrap().map(Result::unwrap).count();
    assert_eq!((count(0), count(1)), (102, 0));
    let first = fs::File::open(backups[0].path.join("0_test_2.asb")).unwrap();
    assert_eq!(WrapReader::open(first, Some(&key())).unwrap().form().encryption, Some(Mode::Aes256));
}

#[test]
fn metadata_reads_back_and_tolerates_what_is_new() {
    let text = fs::read_to_string(testdata("abs-storage/daily/incremental/1795388518506/data/test/metadata.yaml"));
    let text = text.unwrap();
    let metadata = Metadata::parse(&text).unwrap();
    assert_eq!(Metadata::parse(&metadata.to_yaml().unwrap()).unwrap(), metadata);
    assert_eq!(Metadata::parse(&format!("{text}future-field: [1, {{a: b}}]\n")).unwrap(), metadata);
    for (field, message) in [("created", "has no `created`"), ("namespace", "has no `namespace`")] {
        let without: String =
            text.lines().filter(|line| !line.starts_with(field)).flat_map(|line| [line, "\n"]).collect();
        let error = Metadata::parse(&without).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(message), "{error}");
    }
    for broken in ["", "[", "a", "created: yesterday\nfinished: x\nnamespace: y\n", "record-count: -1\n", "a: &a [*a]"]
    {
        assert_eq!(Metadata::parse(broken).unwrap_err().kind(), ErrorKind::Corrupt, "{broken}");
    }
}

#[test]
fn broken_backups_are_listed_with_their_reason_and_hide_no_others() {
    let root = tempfile::tempdir().unwrap();
    for minute in 0..5 {
        service(root.path(), &format!("2026-11-22T23:0{minute}:00Z"), None);
    }
    let data: Vec<_> = list_service_folder(root.path()).unwrap().into_iter().map(|backup| backup.path).collect();
    fs::remove_file(data[0].join("metadata.yaml")).unwrap();
    fs::write(data[1].join("metadata.yaml"), "").unwrap();
    fs::remove_file(data[2].join("0_test_2.asb")).unwrap();
    fs::rename(&data[3], data[3].with_file_name("other.2")).unwrap();
    // What is no run is passed over.
    fs::create_dir_all(root.path().join("daily/backup/notes/data/test")).unwrap();
    fs::write(root.path().join("stray"), "x").unwrap();

    let backups = list_service_folder(root.path()).unwrap();
    let reasons: Vec<_> = backups
        .iter()
        .map(|backup| match &backup.state {
            State::Complete(_) => "complete",
            State::Incomplete(reason) => reason,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "it has no metadata.yaml, which is written last: it did not end, or still runs",
            "metadata.yaml has no `created`",
            "it has 1 of its 2 files",
            "its metadata.yaml is of namespace test",
            "complete",
        ]
    );
    assert_eq!((&backups[3].namespace[..], backups[3].attempt), ("other", 2));
    let error = backups[0].read(None, Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let nothing = list_service_folder(root.path().join("daily/backup")).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
}
