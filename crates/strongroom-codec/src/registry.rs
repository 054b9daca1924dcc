//! Which codecs there are, for a repository without keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::pipeline::coder::Stack;
use strongroom_core::{Codec, Error, Result};

use crate::stack;

/// Resolves the codecs that need no key: `lz4`, `zstd` and those of the program that embeds this one. For repositories
/// that are not sealed.
///
/// Each codec it gives out shares its compression contexts with the others of that name.
#[derive(Debug, Clone, Default)]
pub struct PlainRegistry {
    #[cfg(feature = "lz4")]
    lz4: crate::Lz4,
    #[cfg(feature = "zstd")]
    zstd: crate::Zstd,
    own: BTreeMap<CodecId, Arc<dyn Codec>>,
}

/// Names that stand for something already, alone and with an argument.
const TAKEN: [&str; 4] = ["none", "lz4", "zstd", "seal"];

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

    /// Knows one more codec: its name may stand in stacks, and what was written with it can be read.
    ///
    /// # Errors
    /// `Invalid` for a name of ours; `AlreadyExists` for one that another codec has.
    pub fn with_codec(mut self, codec: Arc<dyn Codec>) -> Result<Self> {
        let id = codec.id();
        if TAKEN.contains(&id.split().0) {
            return Err(Error::invalid(format!("a codec of your own cannot be named '{id}'"))
                .hint(format!("these names are taken: {}", TAKEN.join(", "))));
        }
        if self.own.contains_key(&id) {
            return Err(Error::already_exists(format!("two codecs are named '{id}'")));
        }
        self.own.insert(id, codec);
        Ok(self)
    }

    /// Whether a codec of that name was given to [`PlainRegistry::with_codec`].
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.own.keys().any(|id| id.as_str() == name)
    }

    /// The codecs that `text` names, for writing: `none`, `lz4`, `zstd` or `zstd:<level>`, and behind it those of
    /// [`PlainRegistry::with_codec`].
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
        if let Some(codec) = self.own.get(id) {
            return Ok(Arc::clone(codec));
        }
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
            _ => Err(Error::unsupported(format!("unknown codec '{id}'")).hint(
                "if it is one of your own, hand it over when you open the repository; else a newer version may know it",
            )),
        }
    }
}
