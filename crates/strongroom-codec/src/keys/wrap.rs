//! A data key wrapped for one reader: one small JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use strongroom_core::id::{DataKeyId, RepositoryId};
use strongroom_core::{Error, Result};
use zeroize::Zeroizing;

use super::passphrase::Cost;
use crate::{DataKey, derive};

/// The newest format of a wrap and of `keys/ring.json`.
pub(crate) const FORMAT: u32 = 1;
/// No wrap is larger, in bytes.
pub(crate) const MAX_WRAP: u64 = 8192;
const WRAP_INFO: &[u8] = b"strongroom wrap v1";
const CHECK_INFO: &[u8] = b"strongroom key check v1";

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// Sealing parts.
    Data,
    /// Naming and sealing shared content.
    Content,
}

impl Purpose {
    const fn text(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Content => "content",
        }
    }
}

/// How a reader's secret becomes 256 bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Derivation {
    /// It is them.
    Direct,
    /// Argon2id of a passphrase.
    Argon2id {
        #[serde(flatten)]
        cost: Cost,
        salt: Base64<16>,
    },
}

impl Derivation {
    pub(crate) const fn cost(&self) -> Option<Cost> {
        match self {
            Self::Direct => None,
            Self::Argon2id { cost, .. } => Some(*cost),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Direct => vec![0],
            Self::Argon2id { cost, salt } => {
                let mut bytes = vec![1];
                for number in [cost.memory_kib, cost.passes, cost.lanes] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                bytes.extend_from_slice(&salt.0);
                bytes
            }
        }
    }
}

/// Bytes of a known length, base64 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Base64<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> From<[u8; N]> for Base64<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> TryFrom<String> for Base64<N> {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
        bytes.try_into().map(Self).map_err(|bytes: Vec<u8>| format!("{} bytes instead of {N}", bytes.len()))
    }
}

impl<const N: usize> From<Base64<N>> for String {
    fn from(bytes: Base64<N>) -> Self {
        STANDARD.encode(bytes.0)
    }
}

/// What is wrapped, for whom: bound into the wrap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) repository: RepositoryId,
    /// The ring it belongs to: the id of its content key.
    pub(crate) ring: DataKeyId,
    pub(crate) key: DataKeyId,
    pub(crate) purpose: Purpose,
    /// Counts the data keys of a ring from 1; the content key has 0.
    pub(crate) generation: u32,
    pub(crate) reader: String,
}

impl Label {
    /// Each field behind its length in one byte.
    fn bytes(&self) -> Vec<u8> {
        let fields: [&[u8]; 6] = [
            self.repository.as_bytes(),
            self.ring.as_bytes(),
            self.key.as_bytes(),
            self.purpose.text().as_bytes(),
            &self.generation.to_le_bytes(),
            self.reader.as_bytes(),
        ];
        let mut bytes = Vec::new();
        for field in fields {
            // Ids, numbers and checked names: none is longer than 64 bytes.
            bytes.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(field);
        }
        bytes
    }
}

/// The object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrap {
    format: u32,
    #[serde(flatten)]
    pub(crate) label: Label,
    pub(crate) derivation: Derivation,
    /// Fresh for each wrap: no wrapping key is used twice.
    salt: Base64<32>,
    /// Tells a wrong reader's key from a damaged wrap.
    check: Base64<8>,
    /// The data key and its tag.
    sealed: Base64<48>,
    /// Tells a damaged wrap from a wrong reader's key.
    sum: Base64<16>,
}

/// Why a wrap did not open.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The reader's key is not the one it was wrapped with.
    WrongKey,
    /// Its bytes are not what was written.
    Damaged(Error),
}

/// The wrapping key and the check value of `material` under `salt`.
fn keys(material: &[u8; 32], salt: &[u8; 32]) -> Result<(LessSafeKey, [u8; 8])> {
    let mut check = [0; 8];
    check.copy_from_slice(&derive::bytes(material, salt, CHECK_INFO)?[..8]);
    Ok((derive::aes(material, salt, WRAP_INFO)?, check))
}

/// One key, one use.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

impl Wrap {
    /// Wraps `key`; `salt` must be fresh.
    pub(crate) fn new(
        label: Label,
        derivation: Derivation,
        material: &[u8; 32],
        key: &DataKey,
        salt: [u8; 32],
    ) -> Result<Self> {
        let (wrapping, check) = keys(material, &salt)?;
        let mut sealed = [0; 48];
        let (body, end) = sealed.split_at_mut(32);
        body.copy_from_slice(key.expose());
        let tag = wrapping
            .seal_in_place_separate_tag(nonce(), Aad::from(label.bytes()), body)
            .map_err(|_| Error::internal("AES-256-GCM refused a data key"))?;
        end.copy_from_slice(tag.as_ref());
        let mut wrap = Self {
            format: FORMAT,
            label,
            derivation,
            salt: salt.into(),
            check: check.into(),
            sealed: sealed.into(),
            sum: [0; 16].into(),
        };
        wrap.sum = wrap.computed_sum();
        Ok(wrap)
    }

    fn computed_sum(&self) -> Base64<16> {
        let fields = [&self.label.bytes()[..], &self.derivation.bytes(), &self.salt.0, &self.check.0, &self.sealed.0];
        let mut sum = [0; 16];
        sum.copy_from_slice(&digest(&SHA256, &fields.concat()).as_ref()[..16]);
        sum.into()
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|error| Error::internal("a wrapped key as JSON").because(error))
    }

    /// Reads a wrap and checks everything that needs no key.
    ///
    /// # Errors
    /// `Unsupported` when it is of a newer format, `Corrupt` when it is none, is damaged or asks for the absurd.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        check_format(json, "wrapped key")?;
        let wrap: Self =
            serde_json::from_slice(json).map_err(|error| Error::corrupt("a damaged wrapped key").because(error))?;
        if wrap.computed_sum() != wrap.sum || !super::reader::is_reader_name(&wrap.label.reader) {
            return Err(Error::corrupt("a damaged wrapped key"));
        }
        if let Some(cost) = wrap.derivation.cost() {
            cost.check().map_err(|error| Error::corrupt("a wrapped key that asks for too much").because(error))?;
        }
        Ok(wrap)
    }

    /// Unwraps with the 256 bits of a reader.
    pub(crate) fn open(&self, material: &[u8; 32]) -> Result<DataKey, Refusal> {
        let (wrapping, check) = keys(material, &self.salt.0).map_err(Refusal::Damaged)?;
        if check != self.check.0 {
            return Err(Refusal::WrongKey);
        }
        let mut sealed = Zeroizing::new(self.sealed.0);
        let key = wrapping
            .open_in_place(nonce(), Aad::from(self.label.bytes()), &mut *sealed)
            .ok()
            .and_then(|key| <[u8; 32]>::try_from(&*key).ok());
        key.map(DataKey::from_bytes).ok_or_else(|| Refusal::Damaged(Error::corrupt("a damaged wrapped key")))
    }
}

/// Refuses what a newer version wrote, before its shape is looked at.
pub(crate) fn check_format(json: &[u8], what: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice(json) {
        Ok(Format { format: FORMAT }) => Ok(()),
        Ok(Format { format }) => {
            Err(Error::unsupported(format!("a {what} of format {format}, this version knows {FORMAT}"))
                .hint("use a newer version of strongroom"))
        }
        Err(error) => Err(Error::corrupt(format!("a damaged {what}")).because(error)),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::ErrorKind;

    use super::*;

    fn label() -> Label {
        Label {
            repository: RepositoryId::from_u128(1),
            ring: DataKeyId::from_u128(2),
            key: DataKeyId::from_u128(3),
            purpose: Purpose::Data,
            generation: 1,
            reader: "ops".to_owned(),
        }
    }

    fn wrap(derivation: Derivation) -> Wrap {
        Wrap::new(label(), derivation, &[4; 32], &DataKey::from_bytes([5; 32]), [6; 32]).unwrap()
    }

    #[test]
    fn opens_with_its_own_key_only() {
        let wrap = Wrap::from_json(&wrap(Derivation::Direct).to_json().unwrap()).unwrap();
        assert_eq!(wrap.open(&[4; 32]).unwrap().expose(), &[5; 32]);
        assert!(matches!(wrap.open(&[7; 32]), Err(Refusal::WrongKey)));
    }

    #[test]
    fn a_label_that_was_changed_with_its_sum_is_told() {
        let sound = wrap(Derivation::Direct);
        let changes: [fn(&mut Label); 6] = [
            |label| label.repository = RepositoryId::from_u128(9),
            |label| label.ring = DataKeyId::from_u128(9),
            |label| label.key = DataKeyId::from_u128(9),
            |label| label.purpose = Purpose::Content,
            |label| label.generation = 9,
            |label| label.reader = "other".to_owned(),
        ];
        for change in changes {
            let mut forged = sound.clone();
            change(&mut forged.label);
            forged.sum = forged.computed_sum();
            let forged = Wrap::from_json(&forged.to_json().unwrap()).unwrap();
            assert!(matches!(forged.open(&[4; 32]), Err(Refusal::Damaged(_))), "{:?}", forged.label);
        }
    }

    #[test]
    fn absurd_costs_from_storage_are_refused_before_any_work() {
        for (memory_kib, passes, lanes) in [(u32::MAX, 1, 1), (1 << 20, 1 << 20, 1), (64, 1, 1 << 20), (0, 0, 0)] {
            let cost = Cost { memory_kib, passes, lanes };
            let json = wrap(Derivation::Argon2id { cost, salt: [0; 16].into() }).to_json().unwrap();
            assert_eq!(Wrap::from_json(&json).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn a_newer_format_is_refused_whatever_its_shape() {
        for json in [r#"{"format":2}"#, r#"{"format":2,"sealed":{"by":"magic"}}"#] {
            assert_eq!(Wrap::from_json(json.as_bytes()).unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    /// Damage is never taken for a wrong key, which would send people to look for another one.
    #[test]
    fn any_flipped_bit_is_damage_or_without_meaning() {
        let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        for derivation in [Derivation::Direct, Derivation::Argon2id { cost, salt: [1; 16].into() }] {
            let sound = wrap(derivation);
            let json = sound.to_json().unwrap();
            for bit in 0..json.len() * 8 {
                let mut damaged = json.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                match Wrap::from_json(&damaged) {
                    Ok(wrap) => assert_eq!(wrap, sound, "bit {bit}"),
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_json_is_an_error() {
        for json in ["", "null", "[]", "{}", r#"{"format":1}"#, r#"{"format":"1"}"#, "{\"format\":1,\"salt\":\"\"}"] {
            assert_eq!(Wrap::from_json(json.as_bytes()).unwrap_err().kind(), ErrorKind::Corrupt, "{json}");
        }
        let deep = "[".repeat(8000);
        assert_eq!(Wrap::from_json(deep.as_bytes()).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
