//! Reading a stream. Total: any bytes give items or an error, within bounded memory and depth.

use std::io::{self, Read};
use std::sync::Arc;

use strongroom_core::{Error, Result};

use super::answer::{Answer, Class, Object, Thing, Value};
use super::{FIRST_HANDLE, HEADER, flag, tag, text};

/// Bytes of one stream: a value takes several times its bytes in memory.
const MOST_BYTES: u64 = 16 << 20;
/// How deep values may lie in each other.
const MOST_DEPTH: u32 = 96;
/// How many parents a class may have.
const MOST_PARENTS: usize = 64;
/// What is made room for before it is there.
const ROOM: usize = 4096;

/// What comes next in a stream.
#[derive(Debug)]
pub(crate) enum Item {
    Value(Value),
    /// Plain bytes that stand outside of objects.
    Block(Vec<u8>),
    /// The end of what a class writes beside its fields.
    End,
}

/// Reads one stream from `input`, and never a byte more than it needs.
pub(crate) struct Reader<R> {
    input: R,
    at: u64,
    depth: u32,
    things: Vec<Thing>,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a stream.
    pub(crate) fn new(input: R) -> Result<Self> {
        let mut reader = Self { input, at: 0, depth: 0, things: Vec::new() };
        let head: [u8; 4] = reader.bytes()?;
        if head == HEADER { Ok(reader) } else { Err(reader.wrong("it does not begin like a stream of Java objects")) }
    }

    /// The next value or block.
    pub(crate) fn next(&mut self) -> Result<Item> {
        self.item()
    }

    /// The one value that is left, with all that was read.
    pub(crate) fn answer(mut self) -> Result<Answer> {
        let root = self.value()?;
        Ok(Answer { root, things: self.things })
    }

    fn wrong(&self, what: &str) -> Error {
        Error::invalid(format!("the node's answer makes no sense at byte {}: {what}", self.at))
            .hint("is this the JMX port of a Cassandra node? versions 4.0 to 5.0 are known to work")
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        if self.at > MOST_BYTES {
            return Err(self.wrong("it is longer than 16 MiB"));
        }
        self.input.read_exact(bytes).map_err(|error| cut(&error))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn length(&mut self) -> Result<usize> {
        let length = i32::from_be_bytes(self.bytes()?);
        usize::try_from(length).map_err(|_| self.wrong("a length is negative"))
    }

    /// Some bytes; no more room is made than bytes that came.
    fn many(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while all.len() < length {
            let from = all.len();
            all.resize(length.min(from + ROOM), 0);
            let Some(part) = all.get_mut(from..) else { break };
            self.fill(part)?;
        }
        Ok(all)
    }

    fn text_of(&mut self, length: usize) -> Result<Arc<str>> {
        let bytes = self.many(length)?;
        text::decode(&bytes).map(Arc::from).ok_or_else(|| self.wrong("a text is not in Java's UTF-8"))
    }

    fn short_text(&mut self) -> Result<Arc<str>> {
        let length = u16::from_be_bytes(self.bytes()?);
        self.text_of(length.into())
    }

    /// Gives a thing its handle, before it is read: what is in it may refer to it.
    fn begin(&mut self) -> usize {
        self.things.push(Thing::Unfinished);
        self.things.len() - 1
    }

    fn end(&mut self, number: usize, thing: Thing) -> Value {
        if let Some(place) = self.things.get_mut(number) {
            *place = thing;
        }
        Value::Thing(number)
    }

    fn value(&mut self) -> Result<Value> {
        match self.item()? {
            Item::Value(value) => Ok(value),
            Item::Block(_) | Item::End => Err(self.wrong("a value is missing")),
        }
    }

    fn item(&mut self) -> Result<Item> {
        if self.depth >= MOST_DEPTH {
            return Err(self.wrong("values lie too deep in each other"));
        }
        self.depth += 1;
        let item = self.tagged();
        self.depth -= 1;
        item
    }

    fn tagged(&mut self) -> Result<Item> {
        let tag = self.byte()?;
        Ok(Item::Value(match tag {
            tag::NULL => Value::Null,
            tag::REFERENCE => self.reference()?,
            tag::STRING | tag::LONG_STRING => self.string(tag)?,
            tag::ARRAY => self.array()?,
            tag::OBJECT => self.object()?,
            tag::ENUM => self.enumeration()?,
            tag::CLASS => {
                let class = self.class()?;
                let number = self.begin();
                let class = class.ok_or_else(|| self.wrong("a class is null"))?;
                self.end(number, Thing::Class(class))
            }
            tag::CLASS_DESCRIPTION | tag::PROXY_DESCRIPTION => self.described(tag)?,
            tag::BLOCK => {
                let length = self.byte()?;
                return self.many(length.into()).map(Item::Block);
            }
            tag::LONG_BLOCK => {
                let length = self.length()?;
                return self.many(length).map(Item::Block);
            }
            tag::END_OF_BLOCK => return Ok(Item::End),
            tag::EXCEPTION => return Err(self.wrong("the node broke off in the middle of it")),
            tag::RESET => return Err(self.wrong("it starts its handles anew, which no management answer does")),
            other => return Err(self.wrong(&format!("nothing begins with {other:#04x}"))),
        }))
    }

    fn reference(&mut self) -> Result<Value> {
        let handle = u32::from_be_bytes(self.bytes()?);
        let number = handle.checked_sub(FIRST_HANDLE).and_then(|number| usize::try_from(number).ok());
        let there = number.filter(|number| *number < self.things.len());
        there.map(Value::Thing).ok_or_else(|| self.wrong("it refers to something that did not come"))
    }

    fn string(&mut self, tag: u8) -> Result<Value> {
        let number = self.begin();
        let text = if tag == tag::STRING {
            self.short_text()?
        } else {
            let length = u64::from_be_bytes(self.bytes()?);
            let length = usize::try_from(length).map_err(|_| self.wrong("a text is too long"))?;
            self.text_of(length)?
        };
        Ok(self.end(number, Thing::Text(text)))
    }

    /// A class where one must come, or null.
    fn class(&mut self) -> Result<Option<Arc<Class>>> {
        match self.value()? {
            Value::Null => Ok(None),
            Value::Thing(number) => match self.things.get(number) {
                Some(Thing::Class(class)) => Ok(Some(Arc::clone(class))),
                _ => Err(self.wrong("a class is something else")),
            },
            _ => Err(self.wrong("a class is something else")),
        }
    }

    fn some_class(&mut self) -> Result<Arc<Class>> {
        self.class()?.ok_or_else(|| self.wrong("an object has no class"))
    }

    fn described(&mut self, tag: u8) -> Result<Value> {
        let (mut name, mut flags, mut fields) = (Arc::from("(proxy)"), flag::SERIALIZABLE, Vec::new());
        let number;
        if tag == tag::CLASS_DESCRIPTION {
            name = self.short_text()?;
            self.bytes::<8>()?; // The class's version: what differs in it would differ in the fields, too.
            number = self.begin();
            flags = self.byte()?;
            let count = u16::from_be_bytes(self.bytes()?);
            for _ in 0..count {
                let kind = self.byte()?;
                let field = self.short_text()?;
                if matches!(kind, b'L' | b'[') {
                    self.value()?; // The name of its class.
                }
                fields.push((kind, field));
            }
        } else {
            number = self.begin();
            for _ in 0..self.length()? {
                self.short_text()?;
            }
        }
        while !matches!(self.item()?, Item::End) {}
        let parent = self.class()?;
        let class = Arc::new(Class { name, flags, fields, parent });
        if line(&class).count() > MOST_PARENTS {
            return Err(self.wrong("a class has too many parents"));
        }
        Ok(self.end(number, Thing::Class(class)))
    }

    fn array(&mut self) -> Result<Value> {
        let class = self.some_class()?;
        let number = self.begin();
        let length = self.length()?;
        let kind = class.name.as_bytes().get(1).copied().unwrap_or_default();
        if kind == b'B' {
            self.many(length)?;
            return Ok(self.end(number, Thing::Bytes));
        }
        let mut elements = Vec::with_capacity(length.min(ROOM));
        for _ in 0..length {
            elements.push(self.field(kind)?);
        }
        Ok(self.end(number, Thing::Array(elements)))
    }

    fn enumeration(&mut self) -> Result<Value> {
        let class = self.some_class()?;
        let number = self.begin();
        let name = self.value()?;
        let fields = vec![(Arc::from("name"), name)];
        Ok(self.end(number, Thing::Object(Object { class, fields, written: Vec::new(), blocks: Vec::new() })))
    }

    fn object(&mut self) -> Result<Value> {
        let class = self.some_class()?;
        let number = self.begin();
        let mut object =
            Object { class: Arc::clone(&class), fields: Vec::new(), written: Vec::new(), blocks: Vec::new() };
        let line: Vec<Arc<Class>> = line(&class).collect();
        for class in line.into_iter().rev() {
            if class.flags & flag::SERIALIZABLE != 0 {
                for (kind, name) in &class.fields {
                    let value = self.field(*kind)?;
                    object.fields.push((Arc::clone(name), value));
                }
                if class.flags & flag::WRITES != 0 {
                    self.written(&mut object)?;
                }
            } else if class.flags & flag::EXTERNALIZABLE != 0 {
                if class.flags & flag::BLOCKS == 0 {
                    return Err(self.wrong("an object is in a form that only its own class can read"));
                }
                self.written(&mut object)?;
            }
        }
        Ok(self.end(number, Thing::Object(object)))
    }

    fn written(&mut self, object: &mut Object) -> Result<()> {
        loop {
            match self.item()? {
                Item::End => return Ok(()),
                Item::Value(value) => object.written.push(value),
                Item::Block(bytes) => object.blocks.extend(bytes),
            }
        }
    }

    fn field(&mut self, kind: u8) -> Result<Value> {
        Ok(match kind {
            b'Z' => Value::Bool(self.byte()? != 0),
            b'B' => Value::Integer(i8::from_be_bytes(self.bytes()?).into()),
            b'C' => Value::Integer(u16::from_be_bytes(self.bytes()?).into()),
            b'S' => Value::Integer(i16::from_be_bytes(self.bytes()?).into()),
            b'I' => Value::Integer(i32::from_be_bytes(self.bytes()?).into()),
            b'J' => Value::Integer(i64::from_be_bytes(self.bytes()?)),
            b'F' => Value::Float(f32::from_be_bytes(self.bytes()?).into()),
            b'D' => Value::Float(f64::from_be_bytes(self.bytes()?)),
            b'L' | b'[' => self.value()?,
            other => {
                return Err(self.wrong(&format!("there is no type of fields '{}'", char::from(other).escape_default())));
            }
        })
    }
}

/// A class and its parents.
fn line(class: &Arc<Class>) -> impl Iterator<Item = Arc<Class>> {
    std::iter::successors(Some(Arc::clone(class)), |class| class.parent.clone())
}

/// The error of a connection or buffer that ended too early, or failed.
fn cut(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::unavailable("the node's answer ends in the middle"),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::unavailable("the node does not answer in time"),
        _ => Error::unavailable(format!("the connection to the node failed: {error}")),
    }
}
