//! Keys and values of records as JSON that JavaScript can read without loss. Numbers, texts, booleans, `null` and arrays are
//! themselves; every object has one key, which says what it is: `i` an integer beyond 2^53 as text, `d` a number that JSON does
//! not know, `b` bytes in base64, `m` the pairs of a map, and `t` type and bytes of what JavaScript has no word for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value as Packed;
use serde_json::{Number, Value, json};
use strongroom::record::model::Double;
use strongroom::record::{Particle, UserKey};
use strongroom::{Error, Result};

/// How deep lists and maps may lie within each other.
const DEPTH: usize = 64;
/// What the first byte of a string within a list or map says.
const STRING: u8 = 3;
/// The same for bytes.
const BLOB: u8 = 4;
const GEO: u8 = 23;
/// Beyond this JavaScript's numbers leave integers out.
const SAFE: i64 = (1 << 53) - 1;

fn integer(number: i64) -> Value {
    if (-SAFE..=SAFE).contains(&number) { json!(number) } else { json!({ "i": number.to_string() }) }
}

fn double(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| json!({ "d": number.to_string() }), Value::Number)
}

fn blob(bytes: &[u8]) -> Value {
    json!({ "b": STANDARD.encode(bytes) })
}

fn typed(kind: &str, bytes: &[u8]) -> Value {
    json!({ "t": [kind, blob(bytes)] })
}

fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| typed("string", bytes), |text| json!(text))
}

fn geo(bytes: &[u8]) -> Value {
    json!({ "t": ["geojson", text(bytes)] })
}

/// A user key for JavaScript.
pub(crate) fn of_key(key: &UserKey) -> Value {
    match key {
        UserKey::Integer(number) => integer(*number),
        UserKey::Double(number) => double(number.get()),
        UserKey::String(bytes) => text(bytes),
        UserKey::Blob(bytes) => blob(bytes),
    }
}

/// The value of a bin for JavaScript.
pub(crate) fn of_particle(value: &Particle) -> Value {
    match value {
        Particle::Nil => Value::Null,
        Particle::Bool(flag) => json!(flag),
        Particle::Integer(number) => integer(*number),
        Particle::Double(number) => double(number.get()),
        Particle::String(bytes) => text(bytes),
        Particle::Blob(bytes) => blob(bytes),
        Particle::Geo(bytes) => geo(bytes),
        Particle::Map(bytes) | Particle::List(bytes) => {
            let mut rest = &bytes[..];
            match rmpv::decode::read_value_with_max_depth(&mut rest, DEPTH) {
                Ok(read) if rest.is_empty() => of_element(&read),
                _ => typed("packed", bytes),
            }
        }
        other => {
            let kind = other.kind().to_string().replace(' ', "-");
            typed(&kind, other.bytes().map_or(&[][..], |bytes| &bytes[..]))
        }
    }
}

fn of_element(value: &Packed) -> Value {
    match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(flag) => json!(flag),
        Packed::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => integer(number),
            (_, number) => json!({ "i": number.unwrap_or_default().to_string() }),
        },
        Packed::F32(number) => double(f64::from(*number)),
        Packed::F64(number) => double(*number),
        Packed::String(bytes) => of_bytes(bytes.as_bytes()),
        Packed::Binary(bytes) => of_bytes(bytes),
        Packed::Array(elements) => {
            // The first may be a mark of order.
            let marks = usize::from(matches!(elements.first(), Some(Packed::Ext(..))));
            elements.iter().skip(marks).map(of_element).collect()
        }
        Packed::Map(pairs) => {
            let marks = usize::from(matches!(pairs.first(), Some((Packed::Ext(..), _))));
            let pairs = pairs.iter().skip(marks).map(|(key, value)| json!([of_element(key), of_element(value)]));
            json!({ "m": pairs.collect::<Vec<_>>() })
        }
        Packed::Ext(_, bytes) => typed("extension", bytes),
    }
}

/// Bytes within a list or map, the first of which says what they are.
fn of_bytes(bytes: &[u8]) -> Value {
    match bytes.split_first() {
        Some((&STRING, bytes)) => text(bytes),
        Some((&GEO, bytes)) => geo(bytes),
        Some((_, bytes)) => blob(bytes),
        None => blob(bytes),
    }
}

fn refused(value: &Value) -> Error {
    Error::invalid(format!("'{value}' is no value of a record")).hint(
        "a value is a number, bigint, string, Uint8Array, boolean, array, Map or plain object; leave out what has none",
    )
}

/// What an object of one key stands for.
enum Tagged<'a> {
    Integer(i64),
    Double(f64),
    Blob(Vec<u8>),
    Map(&'a [Value]),
}

fn tagged(value: &Value) -> Result<Tagged<'_>> {
    let object = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let told = object.and_then(|(tag, value)| match (tag.as_str(), value) {
        ("i", Value::String(text)) => text.parse().ok().map(Tagged::Integer),
        ("d", Value::String(text)) => text.parse().ok().map(Tagged::Double),
        ("b", Value::String(text)) => STANDARD.decode(text).ok().map(Tagged::Blob),
        ("m", Value::Array(pairs)) => Some(Tagged::Map(pairs)),
        _ => None,
    });
    told.ok_or_else(|| refused(value))
}

fn number(number: &Number) -> std::result::Result<i64, f64> {
    number.as_i64().ok_or_else(|| number.as_f64().unwrap_or(f64::NAN))
}

/// A user key.
pub(crate) fn user_key(value: &Value) -> Result<UserKey> {
    let refuse =
        || Error::invalid(format!("'{value}' is no key")).hint("a key is a number, a bigint, a string or bytes");
    match value {
        Value::Number(told) => {
            Ok(number(told).map_or_else(|told| UserKey::Double(Double::from(told)), UserKey::Integer))
        }
        Value::String(text) => Ok(UserKey::String(text.clone().into_bytes().into())),
        Value::Object(_) => match tagged(value)? {
            Tagged::Integer(number) => Ok(UserKey::Integer(number)),
            Tagged::Double(number) => Ok(UserKey::Double(Double::from(number))),
            Tagged::Blob(bytes) => Ok(UserKey::Blob(bytes.into())),
            Tagged::Map(_) => Err(refuse()),
        },
        _ => Err(refuse()),
    }
}

/// The value of a bin.
pub(crate) fn particle(value: &Value) -> Result<Particle> {
    let collection = match value {
        Value::Null => return Err(refused(value)),
        Value::Bool(flag) => return Ok(Particle::Bool(*flag)),
        Value::Number(told) => {
            return Ok(number(told).map_or_else(|told| Particle::Double(Double::from(told)), Particle::Integer));
        }
        Value::String(text) => return Ok(Particle::String(text.clone().into_bytes().into())),
        Value::Array(_) => packed(value, 0)?,
        Value::Object(_) => match tagged(value)? {
            Tagged::Integer(number) => return Ok(Particle::Integer(number)),
            Tagged::Double(number) => return Ok(Particle::Double(Double::from(number))),
            Tagged::Blob(bytes) => return Ok(Particle::Blob(bytes.into())),
            Tagged::Map(_) => packed(value, 0)?,
        },
    };
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &collection)
        .map_err(|error| Error::internal("a value can't be packed").because(error))?;
    Ok(if collection.is_map() { Particle::Map(bytes.into()) } else { Particle::List(bytes.into()) })
}

fn packed(value: &Value, depth: usize) -> Result<Packed> {
    if depth > DEPTH {
        return Err(Error::invalid(format!("a value more than {DEPTH} levels deep")).hint("make it flatter"));
    }
    Ok(match value {
        Value::Null => Packed::Nil,
        Value::Bool(flag) => Packed::Boolean(*flag),
        Value::Number(told) => number(told).map_or_else(Packed::F64, |number| Packed::Integer(number.into())),
        Value::String(text) => Packed::String(format!("{}{text}", char::from(STRING)).into()),
        Value::Array(elements) => {
            Packed::Array(elements.iter().map(|element| packed(element, depth + 1)).collect::<Result<_>>()?)
        }
        Value::Object(_) => match tagged(value)? {
            Tagged::Integer(number) => Packed::Integer(number.into()),
            Tagged::Double(number) => Packed::F64(number),
            Tagged::Blob(bytes) => Packed::Binary([&[BLOB], &bytes[..]].concat()),
            Tagged::Map(pairs) => {
                let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
                    Some([key, value]) => Ok((packed(key, depth + 1)?, packed(value, depth + 1)?)),
                    _ => Err(refused(pair)),
                };
                Packed::Map(pairs.iter().map(pair).collect::<Result<_>>()?)
            }
        },
    })
}
