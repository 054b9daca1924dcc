//! Wrapped files: the reference tools' own, ours, and broken ones.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use strongroom_core::{ErrorKind, Result};
use strongroom_record::asb::{Limits, Reader};
use strongroom_record::wrap::{FileKey, Form, Mode, WrapReader, WrapWriter, Wrapping};

use super::common::testdata;

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(testdata("keys").join(name)).unwrap()
}

fn key() -> FileKey {
    FileKey::from_pem(&pem("key-pkcs1.pem")).unwrap()
}

/// The key's own hash as hexadecimal, made without the code under test.
fn key_hex() -> String {
    let file = testdata("keys/key-pkcs1.pem");
    let der = piped(Command::new("openssl").args(["rsa", "-traditional", "-outform", "DER", "-in"]).arg(file), b"");
    let hash = piped(Command::new("openssl").args(["dgst", "-sha256", "-r"]), &der);
    String::from_utf8(hash).unwrap()[..64].to_owned()
}

/// What a program makes of its input. A program that is not here fails the test.
fn piped(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}: install it: bash .ci/test tools"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn open(bytes: &[u8], key: Option<&FileKey>) -> Result<(Form, Vec<u8>)> {
    let mut reader = WrapReader::open(bytes, key)?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    Ok((reader.form(), text))
}

fn wrapped(text: &[u8], wrapping: &Wrapping) -> Vec<u8> {
    let mut writer = WrapWriter::create(Vec::new(), wrapping, [0xab; 16]).unwrap();
    for chunk in text.chunks(777) {
        writer.write_all(chunk).unwrap();
    }
    writer.finish().unwrap()
}

fn all_wrappings() -> Vec<Wrapping> {
    let encryptions = [None, Some((key(), Mode::Aes128)), Some((key(), Mode::Aes256))];
    let levels = [None, Some(3)];
    levels.into_iter().flat_map(|zstd| encryptions.clone().map(|encryption| Wrapping { zstd, encryption })).collect()
}

fn text() -> Vec<u8> {
    std::fs::read(testdata("forms/plain/0_test_2.asb")).unwrap()
}

#[test]
fn both_forms_of_the_key_and_its_variable_are_the_same() {
    assert_eq!(FileKey::from_pem(&pem("key-pkcs8.pem")).unwrap(), key());
    let lines: String = String::from_utf8(pem("key-pkcs8.pem")).unwrap().lines().filter(|l| !l.contains('-')).collect();
    assert_eq!(FileKey::from_base64(&lines).unwrap(), key());
    let lines: String = String::from_utf8(pem("key-pkcs1.pem")).unwrap().lines().filter(|l| !l.contains('-')).collect();
    assert_eq!(FileKey::from_base64(&lines).unwrap(), key());
    assert_eq!(format!("{:?}", key()), "FileKey(..)");
    assert_eq!(FileKey::from_bytes(unhex(&key_hex()).try_into().unwrap()), key());
}

#[test]
fn what_is_no_key_is_told_without_showing_it() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "the key file holds no PEM block"),
        (b"\xff\xfe", "the key file is not text"),
        (b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "the key file holds a PUBLIC KEY"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n", "the key is no RSA private key"),
    ];
    for (pem, message) in cases {
        let error = FileKey::from_pem(pem).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let locked = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(FileKey::from_pem(locked).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(FileKey::from_base64("secret!").unwrap_err().to_string().starts_with("the key value is not base64"));
    let elliptic = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    assert_eq!(FileKey::from_base64(elliptic).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_vectors_of_the_reference_implementation_decrypt() {
    let lines = std::fs::read_to_string(testdata("vectors/vectors.txt")).unwrap();
    let counting: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let mut texts = Vec::new();
    for (mode, name) in [(Mode::Aes128, "AES128"), (Mode::Aes256, "AES256")] {
        let line = lines.lines().find(|line| line.starts_with(name)).unwrap();
        let bytes = unhex(line.rsplit_once(' ').unwrap().1);
        let (form, text) = open(&bytes, Some(&FileKey::from_bytes(counting))).unwrap();
        assert_eq!(form, Form { zstd: false, encryption: Some(mode) });
        texts.push(String::from_utf8(text).unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].starts_with("Version 3.1\n"), "{}", texts[0]);
}

#[test]
fn the_four_forms_hold_the_same_records() {
    let read = |folder: &str, form: Form| {
        let file = std::fs::File::open(testdata("forms").join(folder).join("0_test_2.asb")).unwrap();
        let reader = WrapReader::open(file, Some(&key())).unwrap();
        assert_eq!(reader.form(), form, "{folder}");
        let reader = Reader::new(reader, Limits::default());
        let mut records: Vec<_> = reader.map(|entity| entity.unwrap().into_record().unwrap()).collect();
        records.iter_mut().for_each(strongroom_record::Record::sort_bins);
        records.sort_by_key(strongroom_record::Record::order);
        records
    };
    let plain = read("plain", Form::default());
    assert_eq!(plain.len(), 95);
    assert_eq!(read("compact", Form::default()), plain);
    assert_eq!(read("zstd-aes256", Form { zstd: true, encryption: Some(Mode::Aes256) }), plain);
    assert_eq!(read("aes128", Form { zstd: false, encryption: Some(Mode::Aes128) }), plain);
}

#[test]
fn what_we_wrap_we_unwrap() {
    for wrapping in all_wrappings() {
        let (form, read) = open(&wrapped(&text(), &wrapping), Some(&key())).unwrap();
        assert_eq!(read, text());
        let encryption = wrapping.encryption.map(|(_, mode)| mode);
        assert_eq!(form, Form { zstd: wrapping.zstd.is_some(), encryption });
    }
}

#[test]
fn what_we_wrap_other_programs_unwrap() {
    let compressed = wrapped(&text(), &Wrapping { zstd: Some(3), encryption: None });
    assert_eq!(piped(Command::new("zstd").arg("-dc"), &compressed), text());
    let key_hex = key_hex();
    for (mode, bits, digits) in [(Mode::Aes128, "128", 32), (Mode::Aes256, "256", 64)] {
        let file = wrapped(&text(), &Wrapping { zstd: None, encryption: Some((key(), mode)) });
        let hex = &key_hex[..digits];
        let ecb = ["enc", "-d", &format!("-aes-{bits}-ecb"), "-nopad", "-K", hex].map(str::to_owned);
        let counter = piped(Command::new("openssl").args(ecb), &file[..16]);
        let counter = u128::from_be_bytes(counter.try_into().unwrap()).wrapping_add(1);
        let ctr = ["enc", "-d", &format!("-aes-{bits}-ctr"), "-K", hex, "-iv", &format!("{counter:032x}")];
        let plain = piped(Command::new("openssl").args(ctr), &file[16..]);
        assert_eq!(plain, text());
    }
}

#[test]
fn the_counter_carries_over_all_its_bits() {
    let wrapping = Wrapping { zstd: None, encryption: Some((key(), Mode::Aes256)) };
    for counter in [[0; 16], [0xff; 16]] {
        let mut writer = WrapWriter::create(Vec::new(), &wrapping, counter).unwrap();
        writer.write_all(&text()).unwrap();
        assert_eq!(open(&writer.finish().unwrap(), Some(&key())).unwrap().1, text());
    }
}

#[test]
fn a_wrong_or_missing_key_is_told_before_anything_is_read() {
    let wrong = FileKey::from_bytes([7; 32]);
    for wrapping in all_wrappings().into_iter().filter(Wrapping::encrypts) {
        let file = wrapped(&text(), &wrapping);
        let error = WrapReader::open(&file[..], Some(&wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().starts_with("the key does not fit"), "{error}");
        let error = WrapReader::open(&file[..], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("give the private key"), "{error}");
    }
}

#[test]
fn damage_is_corrupt_not_unavailable() {
    let file = wrapped(&text(), &Wrapping { zstd: Some(3), encryption: None });
    let fault = |bytes: &[u8]| {
        let mut reader = Reader::new(WrapReader::open(bytes, None).unwrap(), Limits::default());
        reader.find_map(Result::err).unwrap()
    };
    let error = fault(&file[..file.len() / 2]);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with("the compressed stream ends too early"), "{error}");
    let mut flipped = file.clone();
    flipped[8..40].fill(0xff);
    let error = fault(&flipped);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with("the compressed stream is damaged"), "{error}");

    assert_eq!(WrapReader::open(&b""[..], None).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(WrapReader::open(&[1_u8; 16][..], Some(&key())).unwrap_err().kind(), ErrorKind::Corrupt);
}
