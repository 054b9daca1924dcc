//! Names of objects.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of an object below a storage's root: segments joined by `/`, valid on every storage. Cheap to clone.
///
/// At most 900 bytes; segments of 1 to 255 bytes out of ASCII letters, digits and `-_.%=+@~,`, neither `.` nor `..`.
/// Other characters are escaped by [`Key::escape`], so a key means the same on a file system and in a bucket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

const MAX_KEY: usize = 900;
const MAX_SEGMENT: usize = 255;

impl Key {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// `Invalid` when the name breaks the rules above.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let refuse = |why: &str| Err(Error::invalid(format!("object name '{}': {why}", name.escape_debug())));
        if name.len() > MAX_KEY {
            return refuse("longer than 900 bytes");
        }
        for segment in name.split('/') {
            match segment {
                "" => return refuse("an empty segment"),
                "." | ".." => return refuse("'.' and '..' are not allowed"),
                _ if segment.len() > MAX_SEGMENT => return refuse("a segment longer than 255 bytes"),
                _ if !segment.bytes().all(is_plain) => return refuse("a character that is not portable"),
                _ => {}
            }
        }
        Ok(Self(name.into()))
    }

    /// Takes a name that is known to be legal.
    pub(crate) fn of_legal(name: &str) -> Self {
        debug_assert!(Self::new(name).is_ok(), "'{name}' is no legal name");
        Self(name.into())
    }

    /// One segment that stands for any text: bytes that are not portable become `%XX`; `.` at the start too.
    #[must_use]
    pub fn escape(text: &str) -> String {
        use fmt::Write as _;
        let mut out = String::with_capacity(text.len());
        for (at, byte) in text.bytes().enumerate() {
            if byte != b'%' && is_plain(byte) && !(at == 0 && byte == b'.') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        if out.is_empty() { "%".to_owned() } else { out }
    }

    /// The key `self/name`.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn join(&self, name: &str) -> Result<Self> {
        Self::new(format!("{}/{name}", self.0))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `/`, or the empty text.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// What stands after the last `/`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'%' | b'=' | b'+' | b'@' | b'~' | b',')
}

impl TryFrom<String> for Key {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused() {
        let long = "a".repeat(256);
        for name in ["", "/a", "a/", "a//b", "a/../b", ".", "a/./b", "a b", "a\\b", "ä", "a\0", long.as_str()] {
            assert!(Key::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn escaping_gives_one_valid_segment() {
        for text in ["", ".", "..", "a/b", "naïve ks", "%41", "ok-1_2.x"] {
            let escaped = Key::escape(text);
            assert!(!escaped.contains('/'));
            assert!(Key::new(escaped.clone()).is_ok(), "{text:?} -> {escaped}");
        }
        assert_eq!(Key::escape("a/b"), "a%2Fb");
        assert_ne!(Key::escape("%41"), Key::escape("A"));
    }
}
