//! Which codecs there are, for a repository without keys.

use std::sync::Arc;

use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::pipeline::coder::Stack;
use strongroom_core::{Codec, Error, Result};

use crate::stack;

/// Resolves the codecs that need no key: `lz4` and `zstd`. For repositories that are not sealed.
///
/// Each codec it gives out shares its compression contexts with the others of that name.
#[derive(Debug, Clone, Default)]
pub struct PlainRegistry {
    #[cfg(feature = "lz4")]
    lz4: crate::Lz4,
    #[cfg(feature = "zstd")]
    zstd: crate::Zstd,
}

impl PlainRegistry {
    /// A registry with no contexts yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Resolves `zstd` to a codec that compresses at `level`: for whoever gets codecs by name and writes with them.
    ///
    /// # Errors
    /// As [`Zstd::new`](crate::Zstd::new).
    #[cfg(feature = "zstd")]
    pub fn with_zstd_level(mut self, level: i32) -> Result<Self> {
        self.zstd = crate::Zstd::new(level)?;
        Ok(self)
    }

    /// The codecs that `text` names, for writing: `none`, `lz4`, `zstd` or `zstd:<level>`.
    ///
    /// # Errors
    /// `Invalid` when the text is no stack; `Unsupported` for an unknown codec, or one that was not compiled in;
    /// `Denied` for `seal`, for there is no key.
    pub fn stack(&self, text: &str) -> Result<Stack> {
        stack::parse(text, self, || {
            Err(Error::denied("cannot seal: this repository has no keys")
                .hint("give it keys first, or leave 'seal' out"))
        })
    }

    /// What to write with when nobody asked for anything: `zstd` at [`Zstd::DEFAULT_LEVEL`](crate::Zstd), else `lz4`,
    /// else nothing, by what was compiled in.
    #[must_use]
    pub fn default_stack(&self) -> Stack {
        Stack::new(self.default_codecs())
    }

    #[cfg_attr(
        not(any(feature = "lz4", feature = "zstd")),
        expect(clippy::unused_self, reason = "no compressor was compiled in")
    )]
    pub(crate) fn default_codecs(&self) -> Vec<Arc<dyn Codec>> {
        #[cfg(feature = "zstd")]
        return vec![Arc::new(self.zstd.clone())];
        #[cfg(all(feature = "lz4", not(feature = "zstd")))]
        return vec![Arc::new(self.lz4.clone())];
        #[cfg(not(any(feature = "lz4", feature = "zstd")))]
        return vec![];
    }
}

impl CodecRegistry for PlainRegistry {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        match id.split() {
            #[cfg(feature = "lz4")]
            ("lz4", None) => Ok(Arc::new(self.lz4.clone())),
            #[cfg(feature = "zstd")]
            ("zstd", None) => Ok(Arc::new(self.zstd.clone())),
            ("seal", Some(_)) if id.data_key().is_some() => {
                Err(Error::denied(format!("'{id}' needs a data key, and no keys were opened"))
                    .hint("open the repository with a reader's key"))
            }
            // Reached only when the arm above was not compiled in.
            (name, None) if ["lz4", "zstd"].contains(&name) => {
                Err(Error::unsupported(format!("codec '{id}' was not compiled in"))
                    .hint(format!("build strongroom-codec with the feature '{id}'")))
            }
            _ => Err(Error::unsupported(format!("unknown codec '{id}'")).hint("a newer version may know it")),
        }
    }
}
