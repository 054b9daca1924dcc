//! The codecs of a sealed repository.

use std::sync::Arc;

use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::id::DataKeyId;
use strongroom_core::pipeline::coder::Stack;
use strongroom_core::{Codec, Error, Result};

use super::ring::KeyRing;
use crate::{PlainRegistry, Seal, stack};

impl KeyRing {
    /// The data key that seals new parts: the newest.
    ///
    /// # Errors
    /// `Denied` when the newest is not open to the readers at hand.
    pub fn current_data_key(&self) -> Result<DataKeyId> {
        let open = self.open.iter().map(|(id, open)| (open.generation, *id)).max();
        let closed = self.closed.iter().map(|(id, closed)| (closed.generation, *id)).max();
        match (open, closed) {
            (Some(newest), None) => Ok(newest.1),
            (Some(newest), Some(closed)) if newest > closed => Ok(newest.1),
            (_, Some((_, id))) => Err(self.unopened(id)),
            (None, None) => Err(Error::corrupt("the repository's wrapped data keys are gone")
                .hint("put keys/ back from another copy, or rotate the data key to go on with a new one")),
        }
    }

    /// Resolves `zstd` to a codec that compresses at `level`: for whoever gets codecs by name and writes with them.
    ///
    /// # Errors
    /// As [`Zstd::new`](crate::Zstd::new).
    #[cfg(feature = "zstd")]
    pub fn with_zstd_level(mut self, level: i32) -> Result<Self> {
        self.plain = self.plain.with_zstd_level(level)?;
        Ok(self)
    }

    /// Resolves what needs no key by `plain`: for whoever has codecs of their own.
    #[must_use]
    pub fn with_plain(mut self, plain: PlainRegistry) -> Self {
        self.plain = plain;
        self
    }

    /// The codecs that `text` names, for writing: `none`, `lz4`, `zstd` or `zstd:<level>`, and `,seal` for sealing
    /// with the current data key.
    ///
    /// # Errors
    /// `Invalid` when the text is no stack; `Unsupported` for an unknown codec; `Denied` when the current data key is
    /// not open.
    pub fn stack(&self, text: &str) -> Result<Stack> {
        stack::parse(text, &self.plain, || Ok(Arc::new(self.current_seal()?)))
    }

    /// What to write with when nobody asked for anything: [`PlainRegistry::default_stack`],
    /// sealed with the current data key.
    ///
    /// # Errors
    /// As [`KeyRing::current_data_key`].
    pub fn default_stack(&self) -> Result<Stack> {
        let mut codecs = self.plain.default_codecs();
        codecs.push(Arc::new(self.current_seal()?));
        Ok(Stack::new(codecs))
    }

    fn current_seal(&self) -> Result<Seal> {
        let id = self.current_data_key()?;
        self.seal(id).ok_or_else(|| self.unopened(id))
    }

    fn seal(&self, id: DataKeyId) -> Option<Seal> {
        if id == self.id {
            return Some(Seal::new(id, Arc::clone(&self.content)));
        }
        self.open.get(&id).map(|open| Seal::new(id, Arc::clone(&open.key)))
    }

    /// Why a data key is not at hand.
    fn unopened(&self, id: DataKeyId) -> Error {
        match self.closed.get(&id) {
            Some(closed) => {
                let readers: Vec<&str> = closed.readers.iter().map(String::as_str).collect();
                if let Some(damage) = &closed.damage {
                    return Error::corrupt(format!("data key {id}: {damage}")).hint(format!(
                        "put the object back from another copy, or open with the key of: {}",
                        readers.join(", ")
                    ));
                }
                Error::denied(format!("data key {id} is not open to the keys at hand"))
                    .hint(format!("open the repository with the key of: {}", readers.join(", ")))
            }
            None => Error::denied(format!("data key {id} is not among the keys of repository {}", self.repository))
                .hint("if keys/ lost objects, put them back from another copy"),
        }
    }
}

impl CodecRegistry for KeyRing {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        match id.data_key() {
            Some(key) => match self.seal(key) {
                Some(seal) => Ok(Arc::new(seal)),
                None => Err(self.unopened(key)),
            },
            None => self.plain.resolve(id),
        }
    }

    fn content_naming_key(&self) -> Option<[u8; 32]> {
        Some(*self.naming_key)
    }
}
