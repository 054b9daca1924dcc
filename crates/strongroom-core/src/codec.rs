//! How bytes are packed and locked.

use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{DataKeyId, RepositoryId};
use crate::{Error, Result};

/// Names a codec and what it needs to undo it: `lz4`, `zstd`, `seal:<data key id>`. At most 64 bytes of
/// ASCII letters, digits, `-` and `:`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodecId(String);

impl CodecId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// `Invalid` when it breaks the rules above.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return Err(Error::invalid(format!("codec name '{}'", name.escape_debug())));
        }
        Ok(Self(name))
    }

    /// `lz4`.
    #[must_use]
    pub fn lz4() -> Self {
        Self("lz4".to_owned())
    }

    /// `zstd`.
    #[must_use]
    pub fn zstd() -> Self {
        Self("zstd".to_owned())
    }

    /// `seal:<data key id>`.
    #[must_use]
    pub fn seal(key: DataKeyId) -> Self {
        Self(format!("seal:{key}"))
    }

    /// The data key that a `seal:<data key id>` names, if it is one. The id is written in one way only.
    #[must_use]
    pub fn data_key(&self) -> Option<DataKeyId> {
        let key: DataKeyId = self.0.strip_prefix("seal:")?.parse().ok()?;
        (Self::seal(key) == *self).then_some(key)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Family and argument: `("seal", Some("<data key id>"))`, `("lz4", None)`.
    #[must_use]
    pub fn split(&self) -> (&str, Option<&str>) {
        self.0.split_once(':').map_or((self.0.as_str(), None), |(family, argument)| (family, Some(argument)))
    }
}

impl TryFrom<String> for CodecId {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<CodecId> for String {
    fn from(id: CodecId) -> Self {
        id.0
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodecId({})", self.0)
    }
}

/// What a part is, for the codecs: bound into every sealed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHeader {
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// The part's identity within the repository, at most 255 bytes: see `docs/format.md`.
    pub part: String,
    /// Fresh random bytes of this very writing: a part written again gets another salt.
    pub salt: [u8; 32],
}

/// The place of a frame in its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameId {
    /// From 0, without holes.
    pub index: u32,
    /// Whether this is the part's last frame.
    pub last: bool,
}

/// Packs and locks frames. Plain CPU work: no async, no clock, no I/O.
/// The contract is a test: `strongroom_testkit::codec_contract`.
pub trait Codec: Debug + Send + Sync + 'static {
    /// Its name in the manifest.
    fn id(&self) -> CodecId;

    /// A coder for the frames of one part. Frames are independent of each other, so one coder serves all cores.
    ///
    /// # Errors
    /// `Denied` when a key is missing or wrong.
    fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>>;
}

/// Codes the frames of one part, in any order and from any thread.
pub trait FrameCoder: Send + Sync {
    /// Appends the coded form of `plain` (at most 1 MiB plus what other codecs added) to `out`.
    ///
    /// # Errors
    /// `Invalid` when the frame is too large, and, from codecs that must not do so, when this coder has encoded
    /// another content for the same place.
    fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Appends the plain form of `coded` to `out`, never more than `limit` bytes.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not what `encode` made for this frame of this part, or exceed `limit`.
    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// Resolves the codecs that a manifest or a part's header names.
pub trait CodecRegistry: Debug + Send + Sync + 'static {
    /// The codec of that name, ready to use.
    ///
    /// # Errors
    /// `Unsupported` for an unknown codec; `Denied` when it needs a key that is not at hand.
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>>;

    /// The key under which shared content is named by keyed BLAKE3, so that names tell nothing of the content;
    /// `None` in a repository without sealing, where plain BLAKE3 names it.
    fn content_naming_key(&self) -> Option<[u8; 32]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_stack_names_its_data_key() {
        let key = DataKeyId::from_u128(0xAB);
        let id = CodecId::seal(key);
        assert_eq!(id.as_str(), "seal:000000000000000000000000000000ab");
        assert_eq!(CodecId::new(id.as_str()).unwrap().data_key(), Some(key));
        for other in ["lz4", "seal", "seal:", "seal:ab", "seal:000000000000000000000000000000AB"] {
            assert_eq!(CodecId::new(other).unwrap().data_key(), None, "{other}");
        }
    }
}
