//! What the reference tools put around a file: zstd, then AES-CTR, each optional, the name still `.asb`.
//!
//! - **zstd**: one standard frame stream over the whole file.
//! - **AES** (`aes128`, `aes256`): 16 bytes, which are the AES-ECB encryption of the initial counter minus one, then the
//!   AES-CTR ciphertext, the counter being 128 bits, big-endian. No padding, no salt, **no integrity**: a changed
//!   bit is not told by the encryption. The key is the SHA-256 of an RSA private key in PKCS#1 DER; `aes128` takes its
//!   first half. Nothing in the file says that it is encrypted.
//!
//! [`WrapReader`] finds out by the first bytes what it has before it. strongroom's own repositories never use this
//! encryption (their sealing is authenticated); it is here to exchange folders with the tools.

mod cipher;
mod key;
mod read;
mod write;

pub use cipher::Mode;
pub use key::FileKey;
pub use read::{Form, WrapReader};
pub use write::{WrapWriter, Wrapping};

/// What a zstd stream begins with.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
