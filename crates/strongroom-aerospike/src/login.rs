//! Who asks, and over what: user, password, TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use strongroom_aerospike_wire::client::{Credentials, TlsOptions};
use strongroom_core::{Error, Result};
use strongroom_secret::Secret;

/// How a user is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// By a password that the server keeps itself.
    #[default]
    Internal,
    /// By the password of an external directory. It travels, so this needs TLS.
    External,
    /// By the client's TLS certificate.
    Certificate,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoginConfig {
    /// How the user is known.
    pub auth: Auth,
    /// The user; not with `certificate`.
    pub user: Option<String>,
    /// The password, or where it is found: `{ env = "NAME" }`, `{ file = "path" }`.
    pub password: Option<Secret>,
}

/// How TLS is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsConfig {
    /// The certificates that are trusted, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The name that the nodes' certificates must have. Absent: what each node says of itself, or the host's name.
    pub name: Option<String>,
    /// The client's own certificate chain, as a PEM file: for mutual TLS.
    pub cert_file: Option<PathBuf>,
    /// Its key, as a PEM file.
    pub key_file: Option<PathBuf>,
}

impl LoginConfig {
    pub(crate) fn credentials(&self, over_tls: bool) -> Result<Credentials> {
        if self.auth == Auth::Certificate {
            return match (&self.user, over_tls) {
                (Some(_), _) => Err(Error::invalid("a login by certificate has no user: the certificate names it")),
                (None, false) => {
                    Err(Error::invalid("a login by certificate needs TLS with a certificate of one's own"))
                }
                (None, true) => Ok(Credentials::Certificate),
            };
        }
        let (Some(user), Some(password)) = (self.user.clone(), &self.password) else {
            return Err(Error::invalid("a login needs a user and a password")
                .hint("give user and password-env or password-file"));
        };
        let password = password.reveal(&format!("the password of user '{user}'"))?;
        match self.auth {
            Auth::External if !over_tls => {
                Err(Error::invalid("an external login sends the password itself, so it needs TLS"))
            }
            Auth::External => Ok(Credentials::External { user, password }),
            Auth::Internal | Auth::Certificate => Ok(Credentials::Internal { user, password }),
        }
    }
}

impl TlsConfig {
    pub(crate) fn options(&self) -> Result<TlsOptions> {
        let Some(ca) = &self.ca_file else {
            return Err(Error::invalid("TLS needs to know whom to trust")
                .hint("give ca-file: the authority's certificate, as PEM"));
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| wrong(ca, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS can't be set up").because(error))?
            .with_root_certificates(roots);
        let config = match (&self.cert_file, &self.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let own = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
                builder.with_client_auth_cert(certificates(cert)?, own).map_err(|error| wrong(cert, &error))?
            }
            _ => return Err(Error::invalid("mutual TLS needs both cert-file and key-file")),
        };
        Ok(TlsOptions { config: Arc::new(config), name: self.name.clone() })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let found = found.map_err(|error| wrong(path, &error))?;
    if found.is_empty() { Err(Error::denied(format!("{} holds no certificate", path.display()))) } else { Ok(found) }
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::denied(format!("{} can't be used: {error}", path.display())).hint("it must be a readable PEM file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_that_make_no_sense_are_refused_and_no_password_shows() {
        let login =
            LoginConfig { user: Some("ops".into()), password: Some(Secret::text("hunter2")), ..LoginConfig::default() };
        assert!(matches!(login.credentials(false), Ok(Credentials::Internal { .. })));
        let external = LoginConfig { auth: Auth::External, ..login.clone() };
        assert!(external.credentials(false).unwrap_err().message().contains("needs TLS"));
        assert!(matches!(external.credentials(true), Ok(Credentials::External { .. })));
        let certificate = LoginConfig { auth: Auth::Certificate, ..login.clone() };
        assert!(certificate.credentials(true).unwrap_err().message().contains("has no user"));
        assert!(LoginConfig::default().credentials(true).unwrap_err().message().contains("user and a password"));
        assert!(!format!("{login:?} {:?}", login.credentials(false).unwrap()).contains("hunter2"));
        assert!(!serde_json::to_string(&login).unwrap().contains("hunter2"));
    }

    #[test]
    fn certificates_that_are_not_there_are_named() {
        assert!(TlsConfig::default().options().unwrap_err().advice().unwrap().contains("ca-file"));
        let missing = TlsConfig { ca_file: Some("no/such.pem".into()), ..TlsConfig::default() };
        assert!(missing.options().unwrap_err().message().contains("no/such.pem"));
    }
}
