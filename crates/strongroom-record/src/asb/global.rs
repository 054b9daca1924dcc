//! The lines that are not records: version, `#` and `*`.

use bytes::Bytes;

use super::cursor::{Cursor, Stop, shown};
use super::decode::Version;
use crate::model::{Entity, Function, IndexCollection, IndexType, Name, SecondaryIndex};

/// Longest base64 of an index context or expression.
const LONGEST_PACKED: usize = 64 * 1024;

pub(super) fn version(c: &mut Cursor) -> Result<Version, Stop> {
    let from = c.pos;
    // Checked as far as there is something, so that a stream of something else is told at its first bytes.
    let wanted = b"Version ";
    let there = &c.buf[from..c.buf.len().min(from + wanted.len())];
    if !wanted.starts_with(there) {
        return Err(foreign(c, from, there));
    }
    c.take::<8>()?;
    let &[major, dot, minor, end] = c.take::<4>()?;
    if dot != b'.' || end != b'\n' || !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return Err(c.bad_at(from + 8, format!("expected a version like 3.1, found {}", shown(c.rest(from + 8)))));
    }
    match (major - b'0', minor - b'0') {
        (3, minor @ 0..=2) => Ok(Version { major: 3, minor }),
        (major, minor) => Err(c.unsupported_at(
            from + 8,
            format!("the file has version {major}.{minor}; this reader knows 3.0 to 3.2"),
            if (major, minor) > (3, 2) {
                "it was written by something newer: use a newer strongroom"
            } else {
                "restore this backup with the tools of its time and back it up again"
            },
        )),
    }
}

fn foreign(c: &Cursor, from: usize, there: &[u8]) -> Stop {
    let (message, hint) = if there.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        ("this is a zstd stream, not text".to_owned(), "read it as a wrapped file, so that it is decompressed first")
    } else {
        let message = format!("expected \"Version \", found {}", shown(there));
        (message, "this is no .asb file, or it is encrypted: give the key, or check the path")
    };
    match c.bad_at(from, message) {
        Stop::Bad(mut fault) => {
            fault.hint = hint;
            Stop::Bad(fault)
        }
        need @ Stop::Need(_) => need,
    }
}

/// What a `#` line says.
pub(super) enum Meta {
    FirstFile,
    Namespace(Name),
}

pub(super) fn meta(c: &mut Cursor) -> Result<Meta, Stop> {
    let from = c.pos;
    c.take::<1>()?;
    c.expect(b' ', "`#`")?;
    // The word ends the line or has a value after it.
    let begin = c.pos;
    let length = c.buf[begin..].iter().take(16).position(|byte| matches!(byte, b' ' | b'\n'));
    let Some(length) = length else {
        return Err(if c.buf.len() - begin < 16 { c.more() } else { strange(c, from) });
    };
    c.pos += length + 1;
    match (&c.buf[begin..begin + length], c.buf[begin + length]) {
        (b"first-file", b'\n') => Ok(Meta::FirstFile),
        (b"namespace", b' ') => {
            let token = c.token(b'\n', "the namespace")?;
            let name = Name::namespace(Bytes::from(token.into_owned()));
            name.map(Meta::Namespace).map_err(|error| c.bad_at(from, error.to_string()))
        }
        _ => Err(strange(c, from)),
    }
}

fn strange(c: &Cursor, from: usize) -> Stop {
    let message = format!("the line {} is not known", shown(c.rest(from)));
    c.unsupported_at(from, message, "the file is damaged, or newer than this reader")
}

pub(super) fn global(c: &mut Cursor, most: usize) -> Result<Entity, Stop> {
    let from = c.pos;
    let &[_, space, letter, gap] = c.take::<4>()?;
    match (space, letter, gap) {
        (b' ', b'i', b' ') => index(c, false).map(Entity::Index),
        (b' ', b'e', b' ') => index(c, true).map(Entity::Index),
        (b' ', b'u', b' ') => function(c, most).map(Entity::Function),
        _ => Err(strange(c, from)),
    }
}

/// A checked name from a token.
macro_rules! name {
    ($c:ident, $make:path, $what:literal) => {{
        let from = $c.pos;
        let token = $c.token(b' ', $what)?;
        $make(Bytes::from(token.into_owned())).map_err(|error| $c.bad_at(from, error.to_string()))?
    }};
}

fn index(c: &mut Cursor, with_expression: bool) -> Result<SecondaryIndex, Stop> {
    let namespace = name!(c, Name::namespace, "the namespace of an index");
    let set = if c.peek()? == b' ' {
        c.pos += 1;
        None
    } else {
        Some(name!(c, Name::set, "the set of an index"))
    };
    let name = name!(c, Name::index, "the name of an index");
    let collection = match letter(c, "the kind of an index")? {
        b'N' => IndexCollection::Scalar,
        b'L' => IndexCollection::List,
        b'K' => IndexCollection::MapKeys,
        b'V' => IndexCollection::MapValues,
        b'I' => IndexCollection::Invalid,
        other => return Err(c.bad_at(c.pos - 1, format!("the index kind {} is not known", shown(&[other])))),
    };
    c.expect(b' ', "the kind of an index")?;
    let from = c.pos;
    if c.unsigned(b' ', u64::MAX, "the number of paths of an index")? != 1 {
        return Err(c.bad_at(from, "an index has exactly one path"));
    }
    let path = c.token(b' ', "the path of an index")?;
    let path = Bytes::from(path.into_owned());
    let data_type = match letter(c, "the type of an index")? {
        b'S' => IndexType::String,
        b'N' => IndexType::Numeric,
        b'G' => IndexType::Geo,
        b'B' => IndexType::Blob,
        other => return Err(c.bad_at(c.pos - 1, format!("the index type {} is not known", shown(&[other])))),
    };
    let mut packed = None;
    if with_expression || c.peek()? == b' ' {
        c.expect(b' ', "the type of an index")?;
        let what = if with_expression { "the expression of an index" } else { "the context of an index" };
        packed = Some(c.base64_line(LONGEST_PACKED, what)?);
    } else {
        c.expect(b'\n', "the type of an index")?;
    }
    let (context, expression) = if with_expression { (None, packed) } else { (packed, None) };
    Ok(SecondaryIndex { namespace, set, name, collection, path, data_type, context, expression })
}

fn letter(c: &mut Cursor, what: &str) -> Result<u8, Stop> {
    match c.byte()? {
        b' ' | b'\n' => Err(c.bad_at(c.pos - 1, format!("{what} is missing"))),
        letter => Ok(letter),
    }
}

fn function(c: &mut Cursor, most: usize) -> Result<Function, Stop> {
    let from = c.pos;
    let language = c.byte()?;
    if language != b'L' {
        let message = format!("the function language {} is not known; only L (Lua) is", shown(&[language]));
        return Err(c.unsupported_at(from, message, "the file is damaged, or newer than this reader"));
    }
    c.expect(b' ', "the language of a function")?;
    let name = name!(c, Name::function, "the name of a function");
    let body = c.raw(most, "the source of a function")?;
    Ok(Function { name, body })
}
