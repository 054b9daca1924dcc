//! `seal:<data key id>`: AES-256-GCM, one key a part.
//!
//! ```text
//!   part key        = HKDF-SHA256(ikm = data key, salt = the part header's salt, info = "strongroom seal v1")
//!   nonce           = index (u32, little-endian) ‖ 7 zero bytes ‖ last (0 or 1)                    12 bytes
//!   associated data = 16 ‖ repository id ‖ length (1 byte) ‖ part id ‖ index (u32, little-endian) ‖ last
//!   sealed frame    = ciphertext ‖ tag (16 bytes)
//! ```
//! The salt is fresh for every writing of a part, so a key and a nonce never meet twice. Within one writing the
//! coder sees to it itself: it refuses to seal two contents at one place.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use strongroom_core::codec::{CodecId, FrameId, PartHeader};
use strongroom_core::environment::Entropy;
use strongroom_core::id::DataKeyId;
use strongroom_core::{Codec, Error, FrameCoder, Result};
use zeroize::Zeroizing;

use crate::{check_size, derive};

const NAME: &str = "seal";
const INFO: &[u8] = b"strongroom seal v1";
/// How many bytes sealing adds to a frame.
pub const TAG_LEN: usize = 16;

/// 256 random bits that seal parts. Wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A fresh one.
    ///
    /// # Errors
    /// `Unavailable` when there are no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes: for deriving from and for wrapping, and for nothing else.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([secret])")
    }
}

/// The codec `seal:<data key id>`.
#[derive(Debug, Clone)]
pub struct Seal {
    id: DataKeyId,
    key: Arc<DataKey>,
}

impl Seal {
    /// Seals with `key`, which manifests call `id`.
    #[must_use]
    pub fn new(id: DataKeyId, key: Arc<DataKey>) -> Self {
        Self { id, key }
    }
}

impl Codec for Seal {
    fn id(&self) -> CodecId {
        CodecId::seal(self.id)
    }

    fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        let part = header.part.as_bytes();
        let length = u8::try_from(part.len())
            .map_err(|_| Error::invalid(format!("a part's identity of {} bytes, at most 255 fit", part.len())))?;
        let repository = header.repository.as_bytes();
        let mut prefix = Vec::with_capacity(repository.len() + part.len() + 7);
        prefix.push(16);
        prefix.extend_from_slice(repository);
        prefix.push(length);
        prefix.extend_from_slice(part);
        let key = derive::aes(self.key.expose(), &header.salt, INFO)?;
        Ok(Box::new(Coder { key, prefix, sealed: Mutex::default() }))
    }
}

/// Seals and opens the frames of one part.
struct Coder {
    key: LessSafeKey,
    /// The associated data up to the part's identity.
    prefix: Vec<u8>,
    /// The tag of what was sealed at each place.
    sealed: Mutex<HashMap<(u32, bool), [u8; TAG_LEN]>>,
}

impl Coder {
    fn nonce(frame: FrameId) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&frame.index.to_le_bytes());
        nonce[NONCE_LEN - 1] = u8::from(frame.last);
        Nonce::assume_unique_for_key(nonce)
    }

    fn associated(&self, frame: FrameId) -> Aad<Vec<u8>> {
        let mut data = self.prefix.clone();
        data.extend_from_slice(&frame.index.to_le_bytes());
        data.push(u8::from(frame.last));
        Aad::from(data)
    }

    /// Whether `tag` is the first at its place, or the same once more.
    fn is_first_or_same(&self, frame: FrameId, tag: [u8; TAG_LEN]) -> bool {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        *sealed.entry((frame.index, frame.last)).or_insert(tag) == tag
    }
}

impl FrameCoder for Coder {
    fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        check_size(NAME, plain)?;
        let start = out.len();
        out.reserve(plain.len() + TAG_LEN);
        out.extend_from_slice(plain);
        let tag = self.key.seal_in_place_separate_tag(Self::nonce(frame), self.associated(frame), &mut out[start..]);
        let refused = match tag.map(|tag| <[u8; TAG_LEN]>::try_from(tag.as_ref())) {
            Ok(Ok(tag)) if self.is_first_or_same(frame, tag) => {
                out.extend_from_slice(&tag);
                return Ok(());
            }
            Ok(Ok(_)) => Error::invalid(format!("seal: frame {} was sealed with another content", frame.index))
                .hint("begin the part again, with a fresh salt"),
            _ => Error::internal("seal: AES-256-GCM refused a frame"),
        };
        out.truncate(start);
        Err(refused)
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let corrupt = |why: &str| Error::corrupt(format!("seal: frame {} {why}", frame.index));
        let Some(length) = coded.len().checked_sub(TAG_LEN) else {
            return Err(corrupt("is shorter than its tag"));
        };
        if length > limit.min(crate::MAX_FRAME) {
            return Err(corrupt("is larger than expected"));
        }
        let start = out.len();
        out.extend_from_slice(coded);
        let opened = self.key.open_in_place(Self::nonce(frame), self.associated(frame), &mut out[start..]).is_ok();
        out.truncate(if opened { start + length } else { start });
        if opened { Ok(()) } else { Err(corrupt("was not sealed for this place, or is damaged")) }
    }
}
