//! The key that the reference tools derive from an RSA private key.

use std::{fmt, str};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::asn1::{SequenceRef, UintRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use pkcs8::{PrivateKeyInfo, SecretDocument};
use ring::digest;
use strongroom_core::{Error, Result};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// `rsaEncryption`.
const RSA: pkcs8::ObjectIdentifier = pkcs8::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The key of a file. Wiped from memory when dropped; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct FileKey([u8; 32]);

impl FileKey {
    /// From a PEM file with an RSA private key, PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`).
    ///
    /// # Errors
    /// `Invalid` if it is something else, with what it is; `Unsupported` if it has a passphrase.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let text = str::from_utf8(pem).map_err(|_| not_a_key("the key file is not text"))?;
        // The document wipes itself.
        let (label, document) =
            SecretDocument::from_pem(text).map_err(|_| not_a_key("the key file holds no PEM block"))?;
        match label {
            "RSA PRIVATE KEY" => Self::from_pkcs1(document.as_bytes()),
            "PRIVATE KEY" => Self::from_pkcs8(document.as_bytes()),
            "ENCRYPTED PRIVATE KEY" => Err(Error::unsupported("the private key has a passphrase")
                .hint("remove it with `openssl rsa -in KEY -out PLAIN`, as the reference tools need it too")),
            other => Err(not_a_key(format!("the key file holds a {}", other.escape_debug()))),
        }
    }

    /// From the DER form of an RSA private key, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// `Invalid` if it is something else.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        if PrivateKeyInfo::from_der(der).is_ok() { Self::from_pkcs8(der) } else { Self::from_pkcs1(der) }
    }

    /// From the value of an environment variable: the base64 of a PEM file or of its DER.
    ///
    /// # Errors
    /// `Invalid` if it is something else; `Unsupported` if the key has a passphrase.
    pub fn from_base64(value: &str) -> Result<Self> {
        let packed = Zeroizing::new(value.split_ascii_whitespace().collect::<String>());
        let bytes = STANDARD.decode(packed.as_bytes()).map_err(|_| not_a_key("the key value is not base64"))?;
        let bytes = Zeroizing::new(bytes);
        if bytes.starts_with(b"-----BEGIN ") { Self::from_pem(&bytes) } else { Self::from_der(&bytes) }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let info = PrivateKeyInfo::from_der(der).map_err(|_| not_a_key("the private key is damaged"))?;
        if info.algorithm.oid == RSA {
            Self::from_pkcs1(info.private_key)
        } else {
            Err(not_a_key(format!("the private key has the algorithm {}", info.algorithm.oid)))
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        // Only the shape is looked at: version, then a modulus. The tools hash the bytes and never use the numbers.
        let shape = SequenceRef::from_der(der).and_then(|_| {
            let mut reader = SliceReader::new(der)?;
            reader.sequence(|inner| {
                let version = inner.decode::<u8>()?;
                inner.decode::<UintRef<'_>>()?;
                while !inner.is_finished() {
                    inner.tlv_bytes()?;
                }
                Ok(version)
            })
        });
        if shape.is_err() {
            return Err(not_a_key("the key is no RSA private key in PKCS#1 form"));
        }
        let mut secret = [0; 32];
        secret.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        let key = Self(secret);
        secret.zeroize();
        Ok(key)
    }

    /// From the derived key itself.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn whole(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn half(&self) -> &[u8; 16] {
        // The first half of 32 bytes: never the fallback.
        self.0.first_chunk().unwrap_or(&[0; 16])
    }
}

fn not_a_key(what: impl Into<String>) -> Error {
    Error::invalid(what).hint("give an RSA private key: PEM, PKCS#1 or PKCS#8, without a passphrase")
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}
