//! How a cluster is reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where to ask first: host and port.
    pub seeds: Vec<(String, u16)>,
    /// Who asks. `None`: the cluster has no security.
    pub credentials: Option<Credentials>,
    /// TLS. `None`: plain.
    pub tls: Option<TlsOptions>,
    /// Use the alternate addresses that nodes tell of.
    pub alternate_addresses: bool,
    /// How long making a connection, login included, may take.
    pub connect_timeout: Duration,
    /// How long a server may be silent in the middle of an exchange.
    pub silence_timeout: Duration,
}

impl ClientOptions {
    /// Plain connections without login, five seconds to connect, half a minute of silence.
    #[must_use]
    pub fn new(seeds: impl IntoIterator<Item = (String, u16)>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
            credentials: None,
            tls: None,
            alternate_addresses: false,
            connect_timeout: Duration::from_secs(5),
            silence_timeout: Duration::from_secs(30),
        }
    }
}

/// Who asks.
#[derive(Clone)]
pub enum Credentials {
    /// A user that the server keeps itself.
    Internal {
        /// The name.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A user of an external directory; the password travels, so this needs TLS.
    External {
        /// The name.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// Whom the client's TLS certificate names.
    Certificate,
}

impl Credentials {
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::Internal { user, .. } | Self::External { user, .. } => Some(user),
            Self::Certificate => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.user().unwrap_or("certificate"))
    }
}

/// How TLS is spoken.
#[derive(Clone)]
pub struct TlsOptions {
    /// Roots, client certificate, versions.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that certificates must have. `None`: what a node says of itself, or the host's name of a seed.
    pub name: Option<String>,
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("name", &self.name).finish_non_exhaustive()
    }
}
