//! Codecs and keys for strongroom.
//!
//! | name in a manifest | what it does | feature |
//! |---|---|---|
//! | `lz4` | LZ4 block compression, [`Lz4`] | `lz4` |
//! | `zstd` | Zstandard compression, [`Zstd`]; the level matters only for writing | `zstd` |
//! | `seal:<data key id>` | AES-256-GCM, bound to repository, part and place in the part, [`Seal`] | `seal` |
//!
//! ```text
//!   plain frame ──lz4 or zstd──▶ tagged frame ──seal──▶ sealed frame        encode, in the order of the manifest
//!   plain frame ◀──lz4 or zstd── tagged frame ◀──seal── sealed frame        decode, in the reverse order
//! ```
//!
//! The bytes are specified in `docs/format.md`, chapter "Codecs and keys", well enough for a second implementation;
//! vectors are under `testdata/`. A compressed frame is not authenticated: flipped bits in it may decode to other
//! bytes, and it is the object's hash in the manifest that tells. A sealed frame opens to what was sealed, for the
//! same part at the same place, or not at all.

#[cfg(any(feature = "lz4", feature = "zstd"))]
mod pool;
#[cfg(any(feature = "lz4", feature = "zstd"))]
mod tagged;

#[cfg(feature = "seal")]
mod derive;
#[cfg(feature = "seal")]
pub mod keys;
#[cfg(feature = "lz4")]
mod lz4;
mod registry;
#[cfg(feature = "seal")]
pub mod seal;
mod stack;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(feature = "seal")]
pub use keys::{KeyRing, ReaderKey};
#[cfg(feature = "lz4")]
pub use lz4::Lz4;
pub use registry::PlainRegistry;
#[cfg(feature = "seal")]
pub use seal::{DataKey, Seal};
#[cfg(feature = "zstd")]
pub use zstd::Zstd;

/// The largest frame that any codec takes or gives, in bytes: a plain frame, and what the codecs of a stack add to it
/// (16 bytes at most each). A stored frame that declares more is corrupt, whatever the limit of the caller.
pub const MAX_FRAME: usize = strongroom_core::pipeline::frame::MAX_CODED;

#[cfg(any(feature = "lz4", feature = "zstd", feature = "seal"))]
/// Refuses a frame that is larger than [`MAX_FRAME`], before anything is done with it.
fn check_size(codec: &str, plain: &[u8]) -> strongroom_core::Result<()> {
    if plain.len() <= MAX_FRAME {
        return Ok(());
    }
    Err(strongroom_core::Error::invalid(format!("{codec}: a frame of {} bytes, at most {MAX_FRAME} fit", plain.len())))
}
