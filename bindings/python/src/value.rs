//! Keys and values of records as Python has them: `int`, `float`, `str`, `bytes`, `bool`, `list` and `dict`.

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyByteArrayMethods, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple,
};
use rmpv::Value as Packed;
use strongroom::Error;
use strongroom::record::model::Double;
use strongroom::record::{Particle, UserKey};

use crate::errors::raise;

/// How deep lists and maps may lie within each other.
const DEPTH: usize = 64;
/// What the first byte of a string within a list or map says.
const STRING: u8 = 3;
/// The same for bytes.
const BLOB: u8 = 4;
const GEO: u8 = 23;

fn invalid(py: Python<'_>, what: String, advice: &str) -> PyErr {
    raise(py, &Error::invalid(what).hint(advice))
}

fn integer(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    value.extract().map_err(|_| invalid(value.py(), format!("the number {value}"), "integers have 64 bits"))
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

fn bytes_of(value: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    let bytes = value.cast::<PyBytes>().map(|bytes| bytes.as_bytes().to_vec());
    bytes.ok().or_else(|| value.cast::<PyByteArray>().map(PyByteArrayMethods::to_vec).ok())
}

/// A user key.
pub(crate) fn user_key(value: &Bound<'_, PyAny>) -> PyResult<UserKey> {
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        return Ok(UserKey::Integer(integer(value)?));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(UserKey::Double(Double::from(number.value())));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(UserKey::String(text.to_cow()?.into_owned().into()));
    }
    bytes_of(value).map(|bytes| UserKey::Blob(bytes.into())).ok_or_else(|| {
        invalid(value.py(), format!("a key of type {}", kind(value)), "a key is an int, a str, a float or bytes")
    })
}

/// The value of a bin.
pub(crate) fn particle(value: &Bound<'_, PyAny>) -> PyResult<Particle> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Particle::Bool(flag.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Particle::Integer(integer(value)?));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Particle::Double(Double::from(number.value())));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Particle::String(text.to_cow()?.into_owned().into()));
    }
    if let Some(bytes) = bytes_of(value) {
        return Ok(Particle::Blob(bytes.into()));
    }
    let packed = packed(value, 0)?;
    let is_map = packed.is_map();
    if !is_map && !packed.is_array() {
        return Err(refused(value));
    }
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &packed)
        .map_err(|error| raise(value.py(), &Error::internal("a value can't be packed").because(error)))?;
    Ok(if is_map { Particle::Map(bytes.into()) } else { Particle::List(bytes.into()) })
}

fn refused(value: &Bound<'_, PyAny>) -> PyErr {
    let what = format!("a value of type {}", kind(value));
    invalid(value.py(), what, "a value is an int, float, str, bytes, bool, list or dict; leave out what has none")
}

fn packed(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Packed> {
    if depth > DEPTH {
        return Err(invalid(value.py(), format!("a value more than {DEPTH} levels deep"), "make it flatter"));
    }
    if value.is_none() {
        return Ok(Packed::Nil);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Packed::Boolean(flag.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Packed::Integer(integer(value)?.into()));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Packed::F64(number.value()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Packed::String(format!("{}{}", char::from(STRING), text.to_cow()?).into()));
    }
    if let Some(bytes) = bytes_of(value) {
        return Ok(Packed::Binary([&[BLOB], &bytes[..]].concat()));
    }
    if let Ok(map) = value.cast::<PyDict>() {
        let pair = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((packed(&key, depth + 1)?, packed(&value, depth + 1)?))
        };
        return Ok(Packed::Map(map.iter().map(pair).collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let elements = value.try_iter()?.map(|element| packed(&element?, depth + 1));
        return Ok(Packed::Array(elements.collect::<PyResult<_>>()?));
    }
    Err(refused(value))
}

/// A user key for Python.
pub(crate) fn of_key<'py>(py: Python<'py>, key: &UserKey) -> PyResult<Bound<'py, PyAny>> {
    match key {
        UserKey::Integer(number) => number.into_bound_py_any(py),
        UserKey::Double(number) => number.get().into_bound_py_any(py),
        UserKey::String(bytes) => text(py, bytes),
        UserKey::Blob(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
    }
}

/// The value of a bin for Python. What Python has no word for is a `dict` of one item that names the type.
pub(crate) fn of_particle<'py>(py: Python<'py>, value: &Particle) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Particle::Nil => Ok(py.None().into_bound(py)),
        Particle::Bool(flag) => flag.into_bound_py_any(py),
        Particle::Integer(number) => number.into_bound_py_any(py),
        Particle::Double(number) => number.get().into_bound_py_any(py),
        Particle::String(bytes) => text(py, bytes),
        Particle::Blob(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        Particle::Geo(bytes) => named(py, "geojson", text(py, bytes)?),
        Particle::Map(bytes) | Particle::List(bytes) => {
            let mut rest = &bytes[..];
            let read = rmpv::decode::read_value_with_max_depth(&mut rest, DEPTH);
            match read {
                Ok(read) if rest.is_empty() => element(py, &read),
                _ => named(py, "packed", PyBytes::new(py, bytes).into_any()),
            }
        }
        other => {
            let kind = other.kind().to_string().replace(' ', "-");
            let bytes = other.bytes().map_or(&[][..], |bytes| &bytes[..]);
            named(py, &kind, PyBytes::new(py, bytes).into_any())
        }
    }
}

fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into_bound_py_any(py),
        Err(_) => named(py, "string", PyBytes::new(py, bytes).into_any()),
    }
}

fn named<'py>(py: Python<'py>, kind: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let named = PyDict::new(py);
    named.set_item(kind, value)?;
    Ok(named.into_any())
}

fn element<'py>(py: Python<'py>, value: &Packed) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Packed::Nil => Ok(py.None().into_bound(py)),
        Packed::Boolean(flag) => flag.into_bound_py_any(py),
        Packed::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_bound_py_any(py),
            (_, number) => number.into_bound_py_any(py),
        },
        Packed::F32(number) => number.into_bound_py_any(py),
        Packed::F64(number) => number.into_bound_py_any(py),
        Packed::String(text) => typed(py, text.as_bytes()),
        Packed::Binary(bytes) => typed(py, bytes),
        Packed::Array(elements) => {
            // The first may be a mark of order.
            let marks = usize::from(matches!(elements.first(), Some(Packed::Ext(..))));
            let elements: Vec<_> = elements[marks..].iter().map(|one| element(py, one)).collect::<PyResult<_>>()?;
            Ok(PyList::new(py, elements)?.into_any())
        }
        Packed::Map(pairs) => {
            let marks = usize::from(matches!(pairs.first(), Some((Packed::Ext(..), _))));
            let (map, list) = (PyDict::new(py), PyList::empty(py));
            let mut hashable = true;
            for (key, value) in &pairs[marks..] {
                let (key, value) = (element(py, key)?, element(py, value)?);
                hashable &= map.set_item(&key, &value).is_ok();
                list.append((key, value))?;
            }
            // Equal to Python, different to the server: 1 and True.
            if hashable && map.len() == list.len() { Ok(map.into_any()) } else { named(py, "map", list.into_any()) }
        }
        Packed::Ext(_, bytes) => named(py, "extension", PyBytes::new(py, bytes).into_any()),
    }
}

/// Bytes within a list or map, the first of which says what they are.
fn typed<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    match bytes.split_first() {
        Some((&STRING, bytes)) => text(py, bytes),
        Some((&GEO, bytes)) => named(py, "geojson", text(py, bytes)?),
        Some((_, bytes)) => Ok(PyBytes::new(py, bytes).into_any()),
        None => Ok(PyBytes::new(py, bytes).into_any()),
    }
}
