//! Codecs with a key that everyone knows, for benches.

use std::sync::Arc;

use strongroom_codec::{DataKey, PlainRegistry, Seal};
use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::id::DataKeyId;
use strongroom_core::pipeline::Stack;
use strongroom_core::{Codec, Error, Result};

/// The codecs of one stack.
#[derive(Debug)]
pub struct Known(Stack);

impl Known {
    /// The codecs of `stack`.
    #[must_use]
    pub fn new(stack: Stack) -> Arc<Self> {
        Arc::new(Self(stack))
    }
}

impl CodecRegistry for Known {
    fn resolve(&self, id: &CodecId) -> Result<Arc<dyn Codec>> {
        self.0.get(id).ok_or_else(|| Error::unsupported(format!("codec {id}")))
    }
}

/// The codecs that `text` names, such as `zstd:1` or `none`, and `seal` after them; and what finds them again.
///
/// # Errors
/// `Invalid` when the text names no codec.
pub fn sealed(text: &str) -> Result<(Stack, Arc<Known>)> {
    let plain = PlainRegistry::new().stack(text)?;
    let mut codecs = plain.ids().iter().filter_map(|id| plain.get(id)).collect::<Vec<_>>();
    codecs.push(Arc::new(Seal::new(DataKeyId::from_u128(1), DataKey::from_bytes([1; 32]).into())));
    let stack = Stack::new(codecs);
    let known = Known::new(stack.clone());
    Ok((stack, known))
}
