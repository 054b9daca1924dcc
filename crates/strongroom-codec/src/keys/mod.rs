//! Keys: who can open a sealed repository.
//!
//! ```text
//!   reader's key (file, environment, passphrase)          one a reader, never stored
//!        │ wraps                                          keys/<ring>/<data key>/<reader>/<wrap>.json
//!        ▼
//!   data keys (one current, older ones stay readable)     seal the parts: seal:<data key id>
//!   content key (one for ever; its id names the ring)     seals shared content and keys its names
//! ```
//! Changing who reads touches nothing but wraps: neither parts nor manifests. [`KeyRing`] opens and changes the
//! keys of a repository; it is the [`CodecRegistry`](strongroom_core::codec::CodecRegistry) of a sealed one.

mod change;
mod listing;
mod passphrase;
mod reader;
mod registry;
mod ring;
mod wrap;

pub use listing::Reader;
pub use passphrase::Cost;
pub use reader::{ReaderKey, new_key_text};
pub use ring::KeyRing;
