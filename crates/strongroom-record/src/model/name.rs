//! Names as byte strings, with the server's limits.

use std::{fmt, str};

use bytes::Bytes;

/// Longest namespace name in bytes (the server keeps 32 with its end mark).
pub const MAX_NAMESPACE: usize = 31;
/// Longest set name in bytes (the server keeps 64 with its end mark).
pub const MAX_SET: usize = 63;
/// Longest name of any other kind in bytes: what the reference reader takes as one token.
pub const MAX_TOKEN: usize = 1000;

/// A name that the server would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all, where a name is needed.
    #[error("the {what} name is empty; it needs at least one byte")]
    Empty {
        /// What is named.
        what: &'static str,
    },
    /// More bytes than the server allows.
    #[error("the {what} name {name:?} has {length} bytes; the server allows at most {limit}")]
    TooLong {
        /// What is named.
        what: &'static str,
        /// The beginning of the name.
        name: String,
        /// Its length in bytes.
        length: usize,
        /// The server's limit in bytes.
        limit: usize,
    },
}

impl From<NameError> for strongroom_core::Error {
    fn from(error: NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl NameError {
    fn check(what: &'static str, bytes: &[u8], least: usize, limit: usize) -> Result<(), Self> {
        if bytes.len() < least {
            Err(Self::Empty { what })
        } else if bytes.len() > limit {
            let name = String::from_utf8_lossy(&bytes[..limit.min(64)]).into_owned();
            Err(Self::TooLong { what, name, length: bytes.len(), limit })
        } else {
            Ok(())
        }
    }
}

/// The name of a namespace, set, index or function: bytes that are usually, but not always, UTF-8.
///
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

impl Name {
    /// A namespace name.
    ///
    /// # Errors
    /// [`NameError`] if it is empty or longer than [`MAX_NAMESPACE`].
    pub fn namespace(name: impl Into<Bytes>) -> Result<Self, NameError> {
        Self::checked("namespace", name.into(), MAX_NAMESPACE)
    }

    /// A set name. "No set" is `None` in a record, never an empty name.
    ///
    /// # Errors
    /// [`NameError`] if it is empty or longer than [`MAX_SET`].
    pub fn set(name: impl Into<Bytes>) -> Result<Self, NameError> {
        Self::checked("set", name.into(), MAX_SET)
    }

    /// The name of a secondary index.
    ///
    /// # Errors
    /// [`NameError`] if it is empty or longer than [`MAX_TOKEN`].
    pub fn index(name: impl Into<Bytes>) -> Result<Self, NameError> {
        Self::checked("index", name.into(), MAX_TOKEN)
    }

    /// The name of a function module.
    ///
    /// # Errors
    /// [`NameError`] if it is empty or longer than [`MAX_TOKEN`].
    pub fn function(name: impl Into<Bytes>) -> Result<Self, NameError> {
        Self::checked("function", name.into(), MAX_TOKEN)
    }

    fn checked(what: &'static str, bytes: Bytes, limit: usize) -> Result<Self, NameError> {
        NameError::check(what, &bytes, 1, limit)?;
        Ok(Self(bytes))
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// The name of a bin: at most [`BinName::MAX`] bytes, kept in place so that records hold no allocation per bin name.
///
/// Empty is allowed: namespaces that hold a single bin (before server 7) name it so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinName {
    // Unused bytes are zero and the length comes last, so the derived order is the byte order of the names.
    bytes: [u8; Self::MAX],
    length: u8,
}

impl BinName {
    /// Longest bin name in bytes.
    pub const MAX: usize = 15;

    /// A bin name.
    ///
    /// # Errors
    /// [`NameError::TooLong`] if it is longer than [`BinName::MAX`].
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let name = name.as_ref();
        NameError::check("bin", name, 0, Self::MAX)?;
        let mut bytes = [0; Self::MAX];
        bytes[..name.len()].copy_from_slice(name);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be at most 15")]
        Ok(Self { bytes, length: name.len() as u8 })
    }

    /// The name's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The name as text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.as_bytes()).ok()
    }
}

impl AsRef<[u8]> for BinName {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for BinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for BinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bin_names_stop_at_fifteen_bytes() {
        assert_eq!(BinName::new("123456789012345").unwrap().as_str(), Some("123456789012345"));
        assert_eq!(BinName::new("").unwrap().as_bytes(), b"");
        assert_eq!(
            BinName::new("1234567890123456").unwrap_err().to_string(),
            "the bin name \"123456789012345\" has 16 bytes; the server allows at most 15"
        );
    }

    #[test]
    fn bin_names_order_like_their_bytes() {
        let mut names: Vec<_> = ["b", "a\0", "", "a", "ab"].map(|n| BinName::new(n).unwrap()).into();
        names.sort_unstable();
        let names: Vec<_> = names.iter().map(BinName::as_bytes).collect();
        assert_eq!(names, [&b""[..], b"a", b"a\0", b"ab", b"b"]);
    }

    #[test]
    fn names_keep_invalid_utf8_and_show_it_lossily() {
        let name = Name::set(&b"a\xffb"[..]).unwrap();
        assert_eq!(name.as_bytes(), b"a\xffb");
        assert_eq!(name.as_str(), None);
        assert_eq!(name.to_string(), "a\u{fffd}b");
    }

    #[test]
    fn limits_of_the_server() {
        assert!(Name::namespace("n".repeat(31)).is_ok());
        assert!(Name::namespace("n".repeat(32)).is_err());
        assert!(Name::set("s".repeat(63)).is_ok());
        assert!(Name::set("s".repeat(64)).is_err());
        assert_eq!(Name::namespace("").unwrap_err(), NameError::Empty { what: "namespace" });
    }
}
