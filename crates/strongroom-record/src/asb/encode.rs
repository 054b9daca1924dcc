//! The writer: entities to canonical text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_core::{Error, Result};

use super::float;
use crate::model::{
    Bin, Entity, Function, IndexCollection, IndexType, Name, Particle, Record, SecondaryIndex, UserKey,
};

/// Which version a file declares: the older one is understood by more readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum GlobalsVersion {
    /// 3.1: everything but indexes over an expression.
    #[default]
    V3_1,
    /// 3.2: for a file that holds an index over an expression.
    V3_2,
}

impl GlobalsVersion {
    /// The version that a file with these indexes needs.
    pub fn needed<'a>(indexes: impl IntoIterator<Item = &'a SecondaryIndex>) -> Self {
        if indexes.into_iter().any(|index| index.expression.is_some()) { Self::V3_2 } else { Self::V3_1 }
    }
}

/// Writes entities as text, appended to a buffer of the caller's. Same entity, same bytes: bins go by name.
///
/// ```
/// use strongroom_record::asb::Encoder;
/// use strongroom_record::Name;
///
/// let mut out = Vec::new();
/// Encoder::default().header(&mut out, &Name::namespace("test")?, true);
/// assert_eq!(out, b"Version 3.1\n# namespace test\n# first-file\n");
/// # Ok::<(), strongroom_record::model::NameError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Encoder {
    /// Bytes as they are (`!`) instead of base64. Smaller and faster; not nice to look at.
    pub compact: bool,
    /// The version to declare.
    pub version: GlobalsVersion,
}

impl Encoder {
    /// The compact form, version 3.1: what the pieces of strongroom's own backups hold.
    pub const COMPACT: Self = Self { compact: true, version: GlobalsVersion::V3_1 };

    /// Appends the lines at the top of a file.
    pub fn header(&self, out: &mut Vec<u8>, namespace: &Name, first_file: bool) {
        out.extend_from_slice(match self.version {
            GlobalsVersion::V3_1 => b"Version 3.1\n",
            GlobalsVersion::V3_2 => b"Version 3.2\n",
        });
        out.extend_from_slice(b"# namespace ");
        escape_into(out, namespace.as_bytes());
        out.push(b'\n');
        if first_file {
            out.extend_from_slice(b"# first-file\n");
        }
    }

    /// Appends any entity.
    ///
    /// # Errors
    /// As [`Encoder::record`], [`Encoder::index`] and [`Encoder::function`]; nothing is appended then.
    pub fn entity(&self, out: &mut Vec<u8>, entity: &Entity) -> Result<()> {
        match entity {
            Entity::Record(record) => self.record(out, record),
            Entity::Index(index) => self.index(out, index),
            Entity::Function(function) => self.function(out, function),
        }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// `Invalid` if two bins have one name, there are more than 65 535, or a value has 4 GiB or more; nothing is
    /// appended then.
    pub fn record(&self, out: &mut Vec<u8>, record: &Record) -> Result<()> {
        let start = out.len();
        let written = self.lines(out, record, record.generation, record.void_time);
        if written.is_err() {
            out.truncate(start);
        }
        written.map_err(|error| error.within(format_args!("record {}", record.digest)))
    }

    /// The lines of a record with another generation and void time in them.
    pub(crate) fn lines(self, out: &mut Vec<u8>, record: &Record, generation: u16, void_time: u32) -> Result<()> {
        if let Some(key) = &record.key {
            write_key(out, key)?;
        }
        out.extend_from_slice(b"+ n ");
        escape_into(out, record.namespace.as_bytes());
        out.extend_from_slice(b"\n+ d ");
        append_base64(out, record.digest.as_bytes());
        if let Some(set) = &record.set {
            out.extend_from_slice(b"\n+ s ");
            escape_into(out, set.as_bytes());
        }
        out.extend_from_slice(b"\n+ g ");
        append_number(out, generation);
        out.extend_from_slice(b"\n+ t ");
        append_number(out, void_time);
        out.extend_from_slice(b"\n+ b ");
        let bins = &record.bins;
        let count = u16::try_from(bins.len())
            .map_err(|_| Error::invalid(format!("{} bins; the format allows 65535", bins.len())))?;
        append_number(out, count);
        out.push(b'\n');
        // Ascending already is the usual case, and shows in the same pass that no name comes twice.
        if bins.windows(2).all(|pair| pair[0].name < pair[1].name) {
            return bins.iter().try_for_each(|bin| self.bin(out, bin));
        }
        let mut sorted: Vec<&Bin> = bins.iter().collect();
        sorted.sort_unstable_by_key(|bin| bin.name);
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::invalid(format!("two bins are named \"{}\"", pair[0].name)));
        }
        sorted.into_iter().try_for_each(|bin| self.bin(out, bin))
    }

    fn bin(self, out: &mut Vec<u8>, bin: &Bin) -> Result<()> {
        let (letter, packed) = match &bin.value {
            Particle::Nil => (b'N', false),
            Particle::Bool(_) => (b'Z', false),
            Particle::Integer(_) => (b'I', false),
            Particle::Double(_) => (b'D', false),
            Particle::String(_) => (b'S', false),
            Particle::Geo(_) => (b'G', false),
            Particle::Blob(_) => (b'B', true),
            Particle::Java(_) => (b'J', true),
            Particle::CSharp(_) => (b'C', true),
            Particle::Python(_) => (b'P', true),
            Particle::Ruby(_) => (b'R', true),
            Particle::Php(_) => (b'H', true),
            Particle::Erlang(_) => (b'E', true),
            Particle::Hll(_) => (b'Y', true),
            Particle::Map(_) => (b'M', true),
            Particle::List(_) => (b'L', true),
        };
        out.extend_from_slice(b"- ");
        out.push(letter);
        out.extend_from_slice(if packed && self.compact { b"! " } else { b" " });
        escape_into(out, bin.name.as_bytes());
        match &bin.value {
            Particle::Nil => {}
            Particle::Bool(value) => out.extend_from_slice(if *value { b" T" } else { b" F" }),
            Particle::Integer(value) => {
                out.push(b' ');
                append_number(out, *value);
            }
            Particle::Double(value) => {
                out.push(b' ');
                float::write_general(out, value.get());
            }
            value => {
                out.push(b' ');
                let bytes = value.bytes().map_or(&[][..], |bytes| bytes);
                append_sized(out, bytes, packed && !self.compact)
                    .map_err(|error| error.within(format_args!("bin {}", bin.name)))?;
            }
        }
        out.push(b'\n');
        Ok(())
    }

    /// Appends an index.
    ///
    /// # Errors
    /// `Invalid` if it has an expression and the version is not 3.2, or it has an expression and a context; nothing
    /// is appended then.
    pub fn index(&self, out: &mut Vec<u8>, index: &SecondaryIndex) -> Result<()> {
        if index.expression.is_some() && (self.version < GlobalsVersion::V3_2 || index.context.is_some()) {
            let error = Error::invalid(format!("index {}: an expression needs a file of version 3.2", index.name));
            return Err(error.hint("ask GlobalsVersion::needed; an expression goes without a context"));
        }
        out.extend_from_slice(if index.expression.is_some() { b"* e " } else { b"* i " });
        escape_into(out, index.namespace.as_bytes());
        out.push(b' ');
        escape_into(out, index.set.as_ref().map_or(&[], Name::as_bytes));
        out.push(b' ');
        escape_into(out, index.name.as_bytes());
        out.extend_from_slice(match index.collection {
            IndexCollection::Scalar => b" N 1 ",
            IndexCollection::List => b" L 1 ",
            IndexCollection::MapKeys => b" K 1 ",
            IndexCollection::MapValues => b" V 1 ",
            IndexCollection::Invalid => b" I 1 ",
        });
        escape_into(out, &index.path);
        out.extend_from_slice(match index.data_type {
            IndexType::String => b" S",
            IndexType::Numeric => b" N",
            IndexType::Geo => b" G",
            IndexType::Blob => b" B",
        });
        if let Some(packed) = index.expression.as_ref().or(index.context.as_ref()) {
            out.push(b' ');
            append_base64(out, packed);
        }
        out.push(b'\n');
        Ok(())
    }

    /// Appends a function.
    ///
    /// # Errors
    /// `Invalid` if its source has 4 GiB or more; nothing is appended then.
    pub fn function(&self, out: &mut Vec<u8>, function: &Function) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(b"* u L ");
        escape_into(out, function.name.as_bytes());
        out.push(b' ');
        if let Err(error) = append_sized(out, &function.body, false) {
            out.truncate(start);
            return Err(error.within(format_args!("function {}", function.name)));
        }
        out.push(b'\n');
        Ok(())
    }
}

fn write_key(out: &mut Vec<u8>, key: &UserKey) -> Result<()> {
    match key {
        UserKey::Integer(value) => {
            out.extend_from_slice(b"+ k I ");
            append_number(out, *value);
        }
        UserKey::Double(value) => {
            out.extend_from_slice(b"+ k D ");
            float::write_fixed(out, value.get());
        }
        UserKey::String(bytes) => {
            out.extend_from_slice(b"+ k S ");
            append_sized(out, bytes, false)?;
        }
        // Never compact, as the newer reference tool does it: every reader knows this form.
        UserKey::Blob(bytes) => {
            out.extend_from_slice(b"+ k B ");
            append_sized(out, bytes, true)?;
        }
    }
    out.push(b'\n');
    Ok(())
}

/// Appends a name with its escapes.
pub(crate) fn escape_into(out: &mut Vec<u8>, name: &[u8]) {
    for &byte in name {
        if matches!(byte, b'\\' | b' ' | b'\n') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn append_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

pub(crate) fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exact, so this cannot fail.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

fn append_sized(out: &mut Vec<u8>, bytes: &[u8], as_base64: bool) -> Result<()> {
    let length = if as_base64 { bytes.len().div_ceil(3) * 4 } else { bytes.len() };
    if u32::try_from(length).is_err() {
        return Err(Error::invalid(format!("a value of {length} bytes; the format allows less than 4 GiB")));
    }
    append_number(out, length);
    out.push(b' ');
    if as_base64 {
        append_base64(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    Ok(())
}
