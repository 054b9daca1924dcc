//! What a namespace has besides records: secondary indexes and functions.

use bytes::Bytes;

use super::Name;

/// Which part of a bin's value is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexCollection {
    /// The value itself (`N`).
    Scalar,
    /// The elements of a list (`L`).
    List,
    /// The keys of a map (`K`).
    MapKeys,
    /// The values of a map (`V`).
    MapValues,
    /// What the older tool writes when it did not understand the server's answer (`I`).
    Invalid,
}

/// The type of the indexed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexType {
    /// Strings (`S`).
    String,
    /// Integers (`N`).
    Numeric,
    /// Places and regions (`G`).
    Geo,
    /// Bytes (`B`).
    Blob,
}

/// The definition of a secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecondaryIndex {
    /// The namespace it is in.
    pub namespace: Name,
    /// The set it covers; `None` = records without a set, or all (the server decides by version).
    pub set: Option<Name>,
    /// Its name.
    pub name: Name,
    /// Which part of the value is indexed.
    pub collection: IndexCollection,
    /// The bin; empty for an index over an expression.
    pub path: Bytes,
    /// The type of the indexed values.
    pub data_type: IndexType,
    /// The place inside a nested value, packed as the server gives it.
    pub context: Option<Bytes>,
    /// The indexed expression, packed as the server gives it. Needs format 3.2.
    pub expression: Option<Bytes>,
}

/// A user-defined function module. Lua is the only language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Function {
    /// Its file name on the server.
    pub name: Name,
    /// Its source.
    pub body: Bytes,
}
