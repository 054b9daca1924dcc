//! Records as JSON, for people and other programs to look at. Not a backup form: see [`crate::asb`] for that.
//!
//! Integers, booleans, finite doubles and text are plain JSON; lists are arrays; maps whose keys are all text are
//! objects. Everything else is an object with one key that names the type: `{"blob": "<base64>"}`,
//! `{"geojson": "<text>"}`, `{"double": "NaN"}`, `{"map": [[key, value], …]}`, and `{"string": "<base64>"}` for a string
//! that is not UTF-8. A list or map that is no sound `MessagePack` is given as `{"list": "<base64>"}`.
//!
//! The server's marks of order, which are extension types before the first element, are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmpv::ValueRef;
use serde_json::{Map, Number, Value, json};

use crate::model::{Double, Particle, Record, UserKey};

/// How deep lists and maps may lie within each other.
const DEPTH: usize = 64;
/// What the first byte of a string within a list or map says.
const STRING: u8 = 3;
const GEO: u8 = 23;

/// A record with its metadata and bins. `expires` is in seconds since 1970, or null for never.
#[must_use]
pub fn record(record: &Record) -> Value {
    let bins = record.bins.iter().map(|bin| (bin.name.to_string(), particle(&bin.value)));
    json!({
        "namespace": record.namespace.to_string(),
        "set": record.set.as_ref().map(ToString::to_string),
        "digest": record.digest.to_hex(),
        "key": record.key.as_ref().map(user_key),
        "generation": record.generation,
        "expires": record.expires_at(),
        "bins": bins.collect::<Map<_, _>>(),
    })
}

/// A user key.
#[must_use]
pub fn user_key(key: &UserKey) -> Value {
    match key {
        UserKey::Integer(number) => json!(number),
        UserKey::Double(number) => double(*number),
        UserKey::String(bytes) => string(bytes),
        UserKey::Blob(bytes) => named("blob", bytes),
    }
}

/// The value of a bin.
#[must_use]
pub fn particle(particle: &Particle) -> Value {
    match particle {
        Particle::Nil => Value::Null,
        Particle::Bool(value) => json!(value),
        Particle::Integer(number) => json!(number),
        Particle::Double(number) => double(*number),
        Particle::String(bytes) => string(bytes),
        Particle::Geo(bytes) => geo(bytes),
        Particle::Map(bytes) => packed(bytes).unwrap_or_else(|| named("map", bytes)),
        Particle::List(bytes) => packed(bytes).unwrap_or_else(|| named("list", bytes)),
        other => {
            let kind = other.kind().to_string().replace(' ', "-");
            other.bytes().map_or(Value::Null, |bytes| named(&kind, bytes))
        }
    }
}

fn double(number: Double) -> Value {
    let number = number.get();
    Number::from_f64(number).map_or_else(|| json!({ "double": number.to_string() }), Value::Number)
}

fn string(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| named("string", bytes), |text| json!(text))
}

fn geo(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| named("geojson", bytes), |text| json!({ "geojson": text }))
}

fn named(kind: &str, bytes: &[u8]) -> Value {
    json!({ kind: STANDARD.encode(bytes) })
}

/// A list or map; `None` if the bytes are not one value to their end.
fn packed(mut bytes: &[u8]) -> Option<Value> {
    let value = rmpv::decode::read_value_ref_with_max_depth(&mut bytes, DEPTH).ok()?;
    bytes.is_empty().then(|| element(&value))
}

fn element(value: &ValueRef<'_>) -> Value {
    match value {
        ValueRef::Nil => Value::Null,
        ValueRef::Boolean(value) => json!(value),
        ValueRef::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => json!(number),
            (_, number) => json!(number),
        },
        ValueRef::F32(number) => double(Double::from(f64::from(*number))),
        ValueRef::F64(number) => double(Double::from(*number)),
        ValueRef::String(text) => typed(text.as_bytes()),
        ValueRef::Binary(bytes) => typed(bytes),
        ValueRef::Array(elements) => {
            let marks = usize::from(matches!(elements.first(), Some(ValueRef::Ext(..))));
            elements.iter().skip(marks).map(element).collect()
        }
        ValueRef::Map(pairs) => {
            let marks = usize::from(matches!(pairs.first(), Some((ValueRef::Ext(..), _))));
            map(&pairs[marks.min(pairs.len())..])
        }
        ValueRef::Ext(kind, bytes) => json!({ "extension": kind, "bytes": STANDARD.encode(bytes) }),
    }
}

/// Bytes within a list or map, the first of which says what they are.
fn typed(bytes: &[u8]) -> Value {
    match bytes.split_first() {
        Some((&STRING, text)) => string(text),
        Some((&GEO, text)) => geo(text),
        Some((_, bytes)) => named("blob", bytes),
        None => named("blob", bytes),
    }
}

fn map(pairs: &[(ValueRef<'_>, ValueRef<'_>)]) -> Value {
    let pairs: Vec<(Value, Value)> = pairs.iter().map(|(key, value)| (element(key), element(value))).collect();
    if pairs.iter().all(|(key, _)| key.is_string()) {
        let text = |key: Value| key.as_str().unwrap_or_default().to_owned();
        pairs.into_iter().map(|(key, value)| (text(key), value)).collect::<Map<_, _>>().into()
    } else {
        json!({ "map": pairs })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn list(bytes: &'static [u8]) -> Value {
        particle(&Particle::List(Bytes::from_static(bytes)))
    }

    #[test]
    fn plain_values_are_plain() {
        assert_eq!(particle(&Particle::Nil), Value::Null);
        assert_eq!(particle(&Particle::Bool(true)), json!(true));
        assert_eq!(particle(&Particle::Integer(i64::MIN)), json!(i64::MIN));
        assert_eq!(particle(&Particle::Double(Double::from(1.5))), json!(1.5));
        assert_eq!(particle(&Particle::String("é".into())), json!("é"));
    }

    #[test]
    fn what_json_has_no_word_for_is_named() {
        assert_eq!(particle(&Particle::Double(Double::from(f64::NAN))), json!({ "double": "NaN" }));
        assert_eq!(particle(&Particle::Double(Double::from(f64::NEG_INFINITY))), json!({ "double": "-inf" }));
        assert_eq!(particle(&Particle::String(Bytes::from_static(&[0xff]))), json!({ "string": "/w==" }));
        assert_eq!(particle(&Particle::Blob(Bytes::from_static(&[1, 2]))), json!({ "blob": "AQI=" }));
        assert_eq!(particle(&Particle::CSharp(Bytes::from_static(&[1, 2]))), json!({ "c#-blob": "AQI=" }));
        assert_eq!(particle(&Particle::Geo("{}".into())), json!({ "geojson": "{}" }));
    }

    #[test]
    fn lists_and_maps_are_opened() {
        // [1, "a", blob 0x07, 2^64-1], and the same with the mark of an ordered list.
        assert_eq!(
            list(b"\x94\x01\xa2\x03a\xa2\x04\x07\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
            json!([1, "a", { "blob": "Bw==" }, u64::MAX])
        );
        assert_eq!(list(b"\x92\xc7\x00\x01\x01"), json!([1]));
        // {"a": {1: nil}}, the outer one with the mark of an ordered map.
        let map = Particle::Map(Bytes::from_static(b"\x82\xc7\x00\x01\xc0\xa2\x03a\x81\x01\xc0"));
        assert_eq!(particle(&map), json!({ "a": { "map": [[1, null]] } }));
    }

    #[test]
    fn what_is_no_list_is_given_as_bytes() {
        assert_eq!(list(b"\x92\x01"), json!({ "list": "kgE=" }));
        assert_eq!(list(b"\x91\x01\x01"), json!({ "list": "kQEB" }));
        assert_eq!(list(b""), json!({ "list": "" }));
        let deep = Particle::List(vec![0x91; 100_000].into());
        assert!(particle(&deep).is_object());
    }
}
