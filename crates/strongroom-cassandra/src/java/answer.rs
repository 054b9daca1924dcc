//! What was read of a stream: values, and the things that they refer to.

use std::sync::Arc;

/// How far wrappers around a list or a map are followed.
const WRAPPERS: usize = 8;

/// A value. Things are known by their number, since they may refer to each other in circles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// `byte`, `char`, `short`, `int` or `long`.
    Integer(i64),
    /// `float` or `double`.
    Float(f64),
    Thing(usize),
}

/// A thing that has a handle in the stream.
#[derive(Debug, Clone)]
pub(crate) enum Thing {
    /// Begun, and not read to its end yet.
    Unfinished,
    Text(Arc<str>),
    Class(Arc<Class>),
    /// An array of bytes, which no answer needs.
    Bytes,
    Array(Vec<Value>),
    Object(Object),
}

/// What a stream says of a class.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) name: Arc<str>,
    pub(crate) flags: u8,
    /// The letter of each field's type, and its name.
    pub(crate) fields: Vec<(u8, Arc<str>)>,
    pub(crate) parent: Option<Arc<Class>>,
}

/// An object; of an enum its constant's name is the field `name`.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) class: Arc<Class>,
    /// The fields of all its classes, the topmost parent's first.
    pub(crate) fields: Vec<(Arc<str>, Value)>,
    /// What its classes wrote beside their fields: values,
    pub(crate) written: Vec<Value>,
    /// and plain bytes.
    pub(crate) blocks: Vec<u8>,
}

impl Object {
    /// The field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().rev().find(|(other, _)| &**other == name).map(|(_, value)| *value)
    }
}

/// A value with all that it refers to.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) root: Value,
    pub(crate) things: Vec<Thing>,
}

impl Answer {
    fn thing(&self, value: Value) -> Option<&Thing> {
        if let Value::Thing(number) = value { self.things.get(number) } else { None }
    }

    /// The object that a value is.
    pub(crate) fn object(&self, value: Value) -> Option<&Object> {
        if let Some(Thing::Object(object)) = self.thing(value) { Some(object) } else { None }
    }

    /// The text that a value is.
    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        if let Some(Thing::Text(text)) = self.thing(value) { Some(text) } else { None }
    }

    /// The plain value in a box such as `java.lang.Integer`, or the value itself.
    pub(crate) fn unboxed(&self, value: Value) -> Value {
        self.object(value)
            .filter(|object| object.class.name.starts_with("java.lang."))
            .and_then(|object| object.field("value"))
            .unwrap_or(value)
    }

    /// The elements of an array, list or set of whatever class.
    pub(crate) fn list(&self, value: Value) -> Option<&[Value]> {
        let mut value = value;
        for _ in 0..WRAPPERS {
            match self.thing(value)? {
                Thing::Array(elements) => return Some(elements),
                Thing::Object(object) => {
                    // The JDK's unmodifiable and fixed lists, and Guava's immutable ones, hold another one in a field.
                    match ["c", "a", "elements"].iter().find_map(|name| object.field(name)) {
                        Some(inner) => value = inner,
                        None => return Some(&object.written),
                    }
                }
                _ => return None,
            }
        }
        None
    }

    /// The entries of a map of whatever class.
    pub(crate) fn map(&self, value: Value) -> Option<Vec<(Value, Value)>> {
        let mut value = value;
        for _ in 0..WRAPPERS {
            let object = self.object(value)?;
            let Some(inner) = object.field("m").or_else(|| object.field("dataMap")) else {
                let (pairs, rest) = object.written.as_chunks::<2>();
                return rest.is_empty().then(|| pairs.iter().map(|[key, value]| (*key, *value)).collect());
            };
            value = inner;
        }
        None
    }

    /// The texts of a list; `None` if it holds anything else.
    pub(crate) fn texts(&self, value: Value) -> Option<Vec<String>> {
        self.list(value)?.iter().map(|element| self.text(*element).map(str::to_owned)).collect()
    }
}
