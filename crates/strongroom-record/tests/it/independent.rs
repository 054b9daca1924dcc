//! Folders that we write, read by the strict reader in `tests/independent`, which shares no code with this library.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_record::folder::FolderOptions;
use strongroom_record::model::{Double, Function, IndexCollection, IndexType, SecondaryIndex};
use strongroom_record::wrap::{Mode, Wrapping};
use strongroom_record::{Name, Particle, Record, UserKey};

use super::common::testdata;
use super::folder::{key, source, write};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn shown(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "-".to_owned(), hex)
}

fn double(value: Double) -> String {
    if value.get().is_nan() { "D:nan".to_owned() } else { format!("D:{:016x}", value.to_bits()) }
}

fn value(particle: &Particle) -> String {
    let letter = match particle {
        Particle::Nil => return "N".to_owned(),
        Particle::Bool(value) => return format!("Z:{value}"),
        Particle::Integer(value) => return format!("I:{value}"),
        Particle::Double(value) => return double(*value),
        Particle::String(_) => 'S',
        Particle::Geo(_) => 'G',
        Particle::Blob(_) => 'B',
        Particle::Java(_) => 'J',
        Particle::CSharp(_) => 'C',
        Particle::Python(_) => 'P',
        Particle::Ruby(_) => 'R',
        Particle::Php(_) => 'H',
        Particle::Erlang(_) => 'E',
        Particle::Hll(_) => 'Y',
        Particle::Map(_) => 'M',
        Particle::List(_) => 'L',
        other => panic!("no letter for {}", other.kind()),
    };
    format!("{letter}:{}", hex(particle.bytes().unwrap()))
}

fn record(record: &Record) -> String {
    let key = match &record.key {
        None => "-".to_owned(),
        Some(UserKey::Integer(value)) => format!("I:{value}"),
        Some(UserKey::Double(value)) => double(*value),
        Some(UserKey::String(bytes)) => format!("S:{}", hex(bytes)),
        Some(UserKey::Blob(bytes)) => format!("B:{}", hex(bytes)),
    };
    let set = shown(record.set.as_ref().map(Name::as_bytes));
    let mut line = format!("record {} {set} {key} {} {}", hex(&record.digest.0), record.generation, record.void_time);
    for bin in &record.bins {
        write!(line, " {}={}", hex(bin.name.as_bytes()), value(&bin.value)).unwrap();
    }
    line
}

fn index(index: &SecondaryIndex) -> String {
    let collection = match index.collection {
        IndexCollection::Scalar => 'N',
        IndexCollection::List => 'L',
        IndexCollection::MapKeys => 'K',
        IndexCollection::MapValues => 'V',
        IndexCollection::Invalid => 'I',
    };
    let data_type = match index.data_type {
        IndexType::String => 'S',
        IndexType::Numeric => 'N',
        IndexType::Geo => 'G',
        IndexType::Blob => 'B',
    };
    let kind = if index.expression.is_some() { "expression" } else { "index" };
    let set = shown(index.set.as_ref().map(Name::as_bytes));
    let path = shown(Some(&index.path[..]).filter(|path| !path.is_empty()));
    let packed = shown(index.expression.as_deref().or(index.context.as_deref()));
    format!("{kind} {set} {} {collection} {path} {data_type} {packed}", hex(index.name.as_bytes()))
}

fn function(function: &Function) -> String {
    format!("function {} {}", hex(function.name.as_bytes()), hex(&function.body))
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

fn read(folder: &Path, arguments: &[String]) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/read_folder.py");
    let mut command = Command::new(python());
    command.arg("-B").arg(script).arg(folder).args(arguments);
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}: `bash .ci/test tools` installs it", command.get_program().display())
    });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn an_independent_reader_finds_the_same_in_every_form() {
    let (indexes, functions, records) = source();
    let mut expected: Vec<String> = records.iter().map(record).collect();
    expected.extend(indexes.iter().map(index).chain(functions.iter().map(function)));
    expected.sort();
    for (compact, zstd, mode) in [
        (false, None, None),
        (true, None, None),
        (false, Some(3), None),
        (true, None, Some(Mode::Aes128)),
        (false, Some(1), Some(Mode::Aes256)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let encryption = mode.map(|mode| (key(), mode));
        write(folder.path(), FolderOptions { compact, wrapping: Wrapping { zstd, encryption }, file_limit: 4000 });
        let mut arguments: Vec<String> = zstd.iter().map(|_| "--zstd".to_owned()).collect();
        if let Some(mode) = mode {
            let bits = if mode == Mode::Aes128 { "128" } else { "256" };
            let pem = testdata("keys/key-pkcs8.pem").into_os_string().into_string().unwrap();
            arguments.extend(["--aes".to_owned(), bits.to_owned(), pem]);
        }
        let found = read(folder.path(), &arguments).unwrap();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "compact {compact}, zstd {zstd:?}, {mode:?}");
    }
}

#[test]
fn the_independent_reader_refuses_what_is_cut_off_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FolderOptions::default());
    let path = folder.path().join("0_test_2.asb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(read(folder.path(), &[]).unwrap_err().contains("0_test_2.asb, byte "));
    let text = String::from_utf8_lossy(&whole).replacen("+ g ", "+ g 0", 1);
    std::fs::write(&path, text.as_bytes()).unwrap();
    assert!(read(folder.path(), &[]).unwrap_err().contains("is no number"));
}
