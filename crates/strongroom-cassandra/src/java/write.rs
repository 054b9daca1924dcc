//! Writing a stream. The serial versions of the classes are those that the JDK has had since Java 5.

use super::argument::{Argument, Credentials};
use super::{FIRST_HANDLE, HEADER, flag, tag, text};

/// A class as it is described in a stream.
struct Class {
    name: &'static str,
    version: i64,
    flags: u8,
    /// The letter of each field's type, its name, and the name of its class.
    fields: &'static [(u8, &'static str, &'static str)],
}

const OWN: u8 = flag::SERIALIZABLE | flag::WRITES;
const PLAIN: u8 = flag::SERIALIZABLE;

static BOOLEAN: Class = Class {
    name: "java.lang.Boolean",
    version: -3_665_804_199_014_368_530,
    flags: PLAIN,
    fields: &[(b'Z', "value", "")],
};
static TEXTS: Class =
    Class { name: "[Ljava.lang.String;", version: -5_921_575_005_990_323_385, flags: PLAIN, fields: &[] };
static OBJECTS: Class =
    Class { name: "[Ljava.lang.Object;", version: -8_012_369_246_846_506_644, flags: PLAIN, fields: &[] };
static BYTES: Class = Class { name: "[B", version: -5_984_413_125_824_719_648, flags: PLAIN, fields: &[] };
static HASH_MAP: Class = Class {
    name: "java.util.HashMap",
    version: 362_498_820_763_181_265,
    flags: OWN,
    fields: &[(b'F', "loadFactor", ""), (b'I', "threshold", "")],
};
static HASH_SET: Class =
    Class { name: "java.util.HashSet", version: -5_024_744_406_713_321_676, flags: OWN, fields: &[] };
static OBJECT_NAME: Class =
    Class { name: "javax.management.ObjectName", version: 1_081_892_073_854_801_359, flags: OWN, fields: &[] };
static ATTRIBUTE: Class = Class {
    name: "javax.management.Attribute",
    version: 2_484_220_110_589_082_382,
    flags: PLAIN,
    fields: &[(b'L', "name", "Ljava/lang/String;"), (b'L', "value", "Ljava/lang/Object;")],
};
static MARSHALLED: Class = Class {
    name: "java.rmi.MarshalledObject",
    version: 8_988_374_069_173_025_854,
    flags: PLAIN,
    fields: &[(b'I', "hash", ""), (b'[', "locBytes", "[B"), (b'[', "objBytes", "[B")],
};

/// The load factor that Java's maps and sets have if nobody says otherwise.
const LOAD_FACTOR: f32 = 0.75;

/// What a name in a stream is the name of: `[B` is both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Class,
    FieldType,
}

/// Writes one stream as RMI has it: each class is followed by where it can be loaded from, which is nowhere.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    handles: u32,
    /// Classes and the names of fields' classes that the stream has already.
    known: Vec<(Kind, &'static str, u32)>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { bytes: HEADER.to_vec(), handles: FIRST_HANDLE, known: Vec::new() }
    }

    /// The whole stream.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Plain bytes outside of objects.
    pub(crate) fn block(&mut self, bytes: &[u8]) {
        if let Ok(length) = u8::try_from(bytes.len()) {
            self.bytes.extend([tag::BLOCK, length]);
        } else {
            self.bytes.push(tag::LONG_BLOCK);
            self.length(bytes.len());
        }
        self.bytes.extend(bytes);
    }

    /// One value.
    pub(crate) fn value(&mut self, value: &Argument) {
        match value {
            Argument::Null => self.bytes.push(tag::NULL),
            Argument::Bool(value) => {
                self.object(&BOOLEAN);
                self.bytes.push(u8::from(*value));
            }
            Argument::Text(text) => self.text(text),
            Argument::Texts(texts) => {
                self.array(&TEXTS, texts.len());
                self.texts(texts);
            }
            Argument::List(values) => {
                self.array(&OBJECTS, values.len());
                for value in values {
                    self.value(value);
                }
            }
            Argument::Map(map) => {
                self.object(&HASH_MAP);
                self.bytes.extend(LOAD_FACTOR.to_be_bytes());
                self.bytes.extend(12_i32.to_be_bytes());
                let mut head = 16_i32.to_be_bytes().to_vec();
                head.extend(count(map.len()));
                self.block(&head);
                self.texts(map.iter().flat_map(|(key, value)| [key, value]));
                self.bytes.push(tag::END_OF_BLOCK);
            }
            Argument::Set(set) => {
                self.object(&HASH_SET);
                let mut head = 16_i32.to_be_bytes().to_vec();
                head.extend(LOAD_FACTOR.to_be_bytes());
                head.extend(count(set.len()));
                self.block(&head);
                self.texts(set);
                self.bytes.push(tag::END_OF_BLOCK);
            }
            Argument::ObjectName(name) => {
                self.object(&OBJECT_NAME);
                self.text(name);
                self.bytes.push(tag::END_OF_BLOCK);
            }
            Argument::Attribute(name, value) => {
                self.object(&ATTRIBUTE);
                self.text(name);
                self.value(value);
            }
            Argument::Marshalled(value) => self.marshalled(value),
            Argument::Credentials(Credentials { user, password }) => {
                self.array(&TEXTS, 2);
                self.text(user);
                self.text(password);
            }
        }
    }

    fn marshalled(&mut self, value: &Argument) {
        let mut inner = Self::new();
        inner.value(value);
        let inner = inner.finish();
        // As `MarshalledObject` computes it: of no locations and these bytes.
        let hash = inner
            .iter()
            .fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(i8::from_be_bytes([*byte]))));
        self.object(&MARSHALLED);
        self.bytes.extend(hash.to_be_bytes());
        self.bytes.push(tag::NULL);
        self.array(&BYTES, inner.len());
        self.bytes.extend(inner);
    }

    fn object(&mut self, class: &'static Class) {
        self.bytes.push(tag::OBJECT);
        self.class(class);
        self.handles += 1;
    }

    fn array(&mut self, class: &'static Class, length: usize) {
        self.bytes.push(tag::ARRAY);
        self.class(class);
        self.handles += 1;
        self.length(length);
    }

    /// A class, or a reference to it if the stream has it.
    fn class(&mut self, class: &'static Class) {
        if self.refer(Kind::Class, class.name) {
            return;
        }
        self.bytes.push(tag::CLASS_DESCRIPTION);
        self.short_text(class.name);
        self.bytes.extend(class.version.to_be_bytes());
        self.know(Kind::Class, class.name);
        self.bytes.push(class.flags);
        self.bytes.extend(u16::try_from(class.fields.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (kind, name, of) in class.fields {
            self.bytes.push(*kind);
            self.short_text(name);
            if matches!(kind, b'L' | b'[') && !self.refer(Kind::FieldType, of) {
                self.bytes.push(tag::STRING);
                self.short_text(of);
                self.know(Kind::FieldType, of);
            }
        }
        // Nowhere to load it from, and no parent that could be in a stream.
        self.bytes.extend([tag::NULL, tag::END_OF_BLOCK, tag::NULL]);
    }
    fn know(&mut self, kind: Kind, name: &'static str) {
        self.known.push((kind, name, self.handles));
        self.handles += 1;
    }

    fn refer(&mut self, kind: Kind, name: &str) -> bool {
        let handle =
            self.known.iter().find(|(of, other, _)| *of == kind && *other == name).map(|(_, _, handle)| *handle);
        if let Some(handle) = handle {
            self.bytes.push(tag::REFERENCE);
            self.bytes.extend(handle.to_be_bytes());
        }
        handle.is_some()
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) {
        for text in texts {
            self.text(text);
        }
    }

    fn text(&mut self, text: &str) {
        self.handles += 1;
        let encoded = text::encode(text);
        if let Ok(length) = u16::try_from(encoded.len()) {
            self.bytes.push(tag::STRING);
            self.bytes.extend(length.to_be_bytes());
        } else {
            self.bytes.push(tag::LONG_STRING);
            self.bytes.extend((encoded.len() as u64).to_be_bytes());
        }
        self.bytes.extend(encoded);
    }

    /// A name of Java's own, which is short ASCII.
    fn short_text(&mut self, name: &str) {
        self.bytes.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend(name.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.bytes.extend(count(length));
    }
}

/// A number of things. What has more than two billion is refused by the other side, before this.
fn count(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes()
}
