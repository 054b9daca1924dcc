//! AES-CTR with the reference tools' header.

use std::fmt;

use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use ctr::Ctr128BE;

use super::FileKey;

/// Length of the header before the ciphertext.
pub(super) const HEADER: usize = 16;

/// How long the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// AES-128.
    Aes128,
    /// AES-256.
    Aes256,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Aes128 => "aes128",
            Self::Aes256 => "aes256",
        })
    }
}

/// The keystream of one file, from its beginning.
pub(super) enum Keystream {
    Aes128(Box<Ctr128BE<Aes128>>),
    Aes256(Box<Ctr128BE<Aes256>>),
}

impl Keystream {
    fn new(key: &FileKey, mode: Mode, counter: u128) -> Self {
        let counter = counter.to_be_bytes();
        match mode {
            Mode::Aes128 => Self::Aes128(Box::new(Ctr128BE::new(key.half().into(), &counter.into()))),
            Mode::Aes256 => Self::Aes256(Box::new(Ctr128BE::new(key.whole().into(), &counter.into()))),
        }
    }

    /// The keystream for a new file, and the file's header.
    pub(super) fn create(key: &FileKey, mode: Mode, counter: [u8; HEADER]) -> (Self, [u8; HEADER]) {
        let counter = u128::from_be_bytes(counter);
        let mut header = counter.wrapping_sub(1).to_be_bytes().into();
        match mode {
            Mode::Aes128 => Aes128::new(key.half().into()).encrypt_block(&mut header),
            Mode::Aes256 => Aes256::new(key.whole().into()).encrypt_block(&mut header),
        }
        (Self::new(key, mode, counter), header.into())
    }

    /// The keystream of the file with this header.
    pub(super) fn open(key: &FileKey, mode: Mode, header: [u8; HEADER]) -> Self {
        let mut block = header.into();
        match mode {
            Mode::Aes128 => Aes128::new(key.half().into()).decrypt_block(&mut block),
            Mode::Aes256 => Aes256::new(key.whole().into()).decrypt_block(&mut block),
        }
        Self::new(key, mode, u128::from_be_bytes(block.into()).wrapping_add(1))
    }

    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Aes128(stream) => stream.apply_keystream(bytes),
            Self::Aes256(stream) => stream.apply_keystream(bytes),
        }
    }
}

impl fmt::Debug for Keystream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keystream(..)")
    }
}
