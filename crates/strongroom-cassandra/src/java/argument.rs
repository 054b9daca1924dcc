//! What is sent as an argument of a call.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

/// A value of one of the Java classes that management calls take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    Null,
    /// `java.lang.Boolean`
    Bool(bool),
    /// `java.lang.String`
    Text(String),
    /// `String[]`
    Texts(Vec<String>),
    /// `Object[]`
    List(Vec<Argument>),
    /// `java.util.HashMap` of texts
    Map(BTreeMap<String, String>),
    /// `java.util.HashSet` of texts
    Set(BTreeSet<String>),
    /// `javax.management.ObjectName`
    ObjectName(String),
    /// `javax.management.Attribute`
    Attribute(String, Box<Argument>),
    /// `java.rmi.MarshalledObject`: a value in a stream of its own
    Marshalled(Box<Argument>),
    /// `String[]` of user and password
    Credentials(Credentials),
}

/// A user and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
