//! Identities. All are UUIDs made from the environment's entropy, so that tests replay them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::environment::Environment;
use crate::{Error, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
