//! Where the test data is, and how its vectors are quoted.

use std::path::PathBuf;

use strongroom_record::Entity;
use strongroom_record::asb::{Decoder, Limits};

pub(crate) fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/aerospike").join(path)
}

/// All entities of a plain file, pushed in chunks of `size`.
pub(crate) fn decode(text: &[u8], size: usize) -> Result<Vec<Entity>, strongroom_record::asb::AsbError> {
    let mut decoder = Decoder::new(Limits::default());
    let mut entities = Vec::new();
    for chunk in text.chunks(size.max(1)) {
        decoder.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(entity) = decoder.next_entity()? {
            entities.push(entity);
        }
    }
    decoder.finish()?;
    Ok(entities)
}

/// One line of `vectors.txt`.
pub(crate) struct Vector {
    pub(crate) compact: bool,
    pub(crate) label: String,
    pub(crate) text: Vec<u8>,
}

/// The vectors of `vectors.txt`: `<compact> <label>: "<text quoted as Go does it>"`.
pub(crate) fn vectors() -> Vec<Vector> {
    let file = std::fs::read_to_string(testdata("vectors/vectors.txt")).unwrap();
    let lines = file.lines().filter(|line| !line.starts_with("AES"));
    lines
        .map(|line| {
            let (head, quoted) = line.split_once(": \"").unwrap();
            let (compact, label) = head.split_once(' ').unwrap();
            let text = unquote(quoted.strip_suffix('"').unwrap());
            Vector { compact: compact.parse().unwrap(), label: label.to_owned(), text }
        })
        .collect()
}

fn unquote(quoted: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next().unwrap() {
            'n' => out.push(b'\n'),
            'x' => {
                let digits: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}
