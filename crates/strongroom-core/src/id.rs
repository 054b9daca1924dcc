//! Identities. All are UUIDs made from the environment's entropy, so that tests replay them.
//!
//! They have one form, in text, names and JSON: 32 hexadecimal digits. With hyphens they are read, too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::environment::Environment;
use crate::{Error, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh one.
            ///
            /// # Errors
            /// `Unavailable` when the environment gives no random bytes.
            pub fn fresh(environment: &Environment) -> Result<Self> {
                Ok(Self::from_bytes(environment.random()?))
            }

            /// From 16 random bytes (marked as a version 4 UUID).
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// From a number, for tests and fixtures.
            #[must_use]
            pub const fn from_u128(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_simple(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text).map(Self).map_err(|error| {
                    Error::invalid(format!(concat!("'{}' is not a ", stringify!($name)), text)).because(error)
                })
            }
        }
    )*};
}

ids! {
    /// A repository.
    RepositoryId,
    /// A cluster, known by our own UUID and registered in the repository with a fingerprint.
    ClusterId,
    /// One committed backup of one part.
    BackupId,
    /// The backups taken together.
    RunId,
    /// One restore in progress.
    SessionId,
    /// One data key. Its wrapped forms live under `keys/`.
    DataKeyId,
    /// The history of a part since its last restore.
    TimelineId,
    /// The holder of a lease.
    HolderId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form_and_both_are_read() {
        let id = BackupId::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let (plain, hyphens) = ("0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(id.to_string(), plain);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{plain}\""));
        for text in [plain, hyphens] {
            assert_eq!(text.parse::<BackupId>().unwrap(), id);
            assert_eq!(serde_json::from_str::<BackupId>(&format!("\"{text}\"")).unwrap(), id);
        }
        assert!("0123".parse::<BackupId>().is_err() && serde_json::from_str::<BackupId>("\"0123\"").is_err());
    }
}
