//! Values: what a bin or a user key holds.

use std::fmt;

use bytes::Bytes;

/// A 64-bit float compared by its bits: NaN equals itself, and 0 differs from -0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Double(u64);

impl Double {
    /// The float with these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Double {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

/// The server's particle types, with their numbers on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ParticleKind {
    /// No value.
    Nil = 0,
    /// Signed 64-bit integer.
    Integer = 1,
    /// 64-bit float.
    Double = 2,
    /// String.
    String = 3,
    /// Bytes.
    Blob = 4,
    /// Bytes that an old Java client serialised.
    Java = 7,
    /// Bytes that an old C# client serialised.
    CSharp = 8,
    /// Bytes that an old Python client serialised.
    Python = 9,
    /// Bytes that an old Ruby client serialised.
    Ruby = 10,
    /// Bytes that an old PHP client serialised.
    Php = 11,
    /// Bytes that an old Erlang client serialised.
    Erlang = 12,
    /// Boolean.
    Bool = 17,
    /// `HyperLogLog` sketch.
    Hll = 18,
    /// Map.
    Map = 19,
    /// List.
    List = 20,
    /// `GeoJSON`.
    Geo = 23,
}

impl fmt::Display for ParticleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nil => "nil",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::String => "string",
            Self::Blob => "blob",
            Self::Java => "java blob",
            Self::CSharp => "c# blob",
            Self::Python => "python blob",
            Self::Ruby => "ruby blob",
            Self::Php => "php blob",
            Self::Erlang => "erlang blob",
            Self::Bool => "boolean",
            Self::Hll => "hll",
            Self::Map => "map",
            Self::List => "list",
            Self::Geo => "geojson",
        })
    }
}

/// The value of a bin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Particle {
    /// No value.
    Nil,
    /// Boolean.
    Bool(bool),
    /// Signed 64-bit integer.
    Integer(i64),
    /// 64-bit float. The text format has one NaN: the bits of another one do not survive it.
    Double(Double),
    /// String; the server does not check that it is UTF-8.
    String(Bytes),
    /// `GeoJSON` text.
    Geo(Bytes),
    /// Bytes.
    Blob(Bytes),
    /// Bytes that an old Java client serialised.
    Java(Bytes),
    /// Bytes that an old C# client serialised.
    CSharp(Bytes),
    /// Bytes that an old Python client serialised.
    Python(Bytes),
    /// Bytes that an old Ruby client serialised.
    Ruby(Bytes),
    /// Bytes that an old PHP client serialised.
    Php(Bytes),
    /// Bytes that an old Erlang client serialised.
    Erlang(Bytes),
    /// `HyperLogLog` sketch, as the server sends it.
    Hll(Bytes),
    /// Map, as the server sends it: `MessagePack` with the order mark.
    Map(Bytes),
    /// List, as the server sends it: `MessagePack` with the order mark.
    List(Bytes),
}

impl Particle {
    /// The type of the value.
    #[must_use]
    pub const fn kind(&self) -> ParticleKind {
        match self {
            Self::Nil => ParticleKind::Nil,
            Self::Bool(_) => ParticleKind::Bool,
            Self::Integer(_) => ParticleKind::Integer,
            Self::Double(_) => ParticleKind::Double,
            Self::String(_) => ParticleKind::String,
            Self::Geo(_) => ParticleKind::Geo,
            Self::Blob(_) => ParticleKind::Blob,
            Self::Java(_) => ParticleKind::Java,
            Self::CSharp(_) => ParticleKind::CSharp,
            Self::Python(_) => ParticleKind::Python,
            Self::Ruby(_) => ParticleKind::Ruby,
            Self::Php(_) => ParticleKind::Php,
            Self::Erlang(_) => ParticleKind::Erlang,
            Self::Hll(_) => ParticleKind::Hll,
            Self::Map(_) => ParticleKind::Map,
            Self::List(_) => ParticleKind::List,
        }
    }

    /// The bytes of a value that is kept as bytes; `None` for nil, booleans and numbers.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Nil | Self::Bool(_) | Self::Integer(_) | Self::Double(_) => None,
            Self::String(bytes)
            | Self::Geo(bytes)
            | Self::Blob(bytes)
            | Self::Java(bytes)
            | Self::CSharp(bytes)
            | Self::Python(bytes)
            | Self::Ruby(bytes)
            | Self::Php(bytes)
            | Self::Erlang(bytes)
            | Self::Hll(bytes)
            | Self::Map(bytes)
            | Self::List(bytes) => Some(bytes),
        }
    }

    /// [`Particle::bytes`], to be replaced.
    pub(crate) const fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Nil | Self::Bool(_) | Self::Integer(_) | Self::Double(_) => None,
            Self::String(bytes)
            | Self::Geo(bytes)
            | Self::Blob(bytes)
            | Self::Java(bytes)
            | Self::CSharp(bytes)
            | Self::Python(bytes)
            | Self::Ruby(bytes)
            | Self::Php(bytes)
            | Self::Erlang(bytes)
            | Self::Hll(bytes)
            | Self::Map(bytes)
            | Self::List(bytes) => Some(bytes),
        }
    }
}

/// The key that a client gave, where the server was asked to store it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserKey {
    /// Signed 64-bit integer.
    Integer(i64),
    /// 64-bit float.
    Double(Double),
    /// String; the server does not check that it is UTF-8.
    String(Bytes),
    /// Bytes.
    Blob(Bytes),
}

impl UserKey {
    /// The type of the key.
    #[must_use]
    pub const fn kind(&self) -> ParticleKind {
        match self {
            Self::Integer(_) => ParticleKind::Integer,
            Self::Double(_) => ParticleKind::Double,
            Self::String(_) => ParticleKind::String,
            Self::Blob(_) => ParticleKind::Blob,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_compare_by_bits() {
        assert_eq!(Double::from(f64::NAN), Double::from(f64::NAN));
        assert_ne!(Double::from(0.0), Double::from(-0.0));
        assert_eq!(Double::from(1.5).get().to_bits(), 1.5_f64.to_bits());
    }
}
