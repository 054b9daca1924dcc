//! HTTP with rustls and ring, and time-outs that the default client lacks.

use std::path::Path;
use std::time::Duration;

use opendal::HttpTransporter;
use opendal_http_transport_reqwest::ReqwestTransport;
use reqwest::tls::Certificate;
use strongroom_core::{Error, Result};

use crate::config::Network;

/// How long a connection may be idle before the peer is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A transport of its own for each storage, so that no other user of `OpenDAL` in this process changes it.
pub(super) fn transport(network: &Network) -> Result<HttpTransporter> {
    // Fails only if the program installed a provider before, and then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The client's read time-out also covers the time in which a part is sent, so it must be the longer one.
    let mut client = reqwest::Client::builder()
        .http1_only()
        .connect_timeout(network.connect_timeout.0)
        .read_timeout(network.part_timeout.0.max(network.timeout.0))
        .tcp_keepalive(KEEPALIVE);
    // A peer that vanished is noticed by the bytes that it doesn't acknowledge.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        client = client.tcp_user_timeout(network.timeout.0);
    }
    if let Some(path) = &network.ca_file {
        client = client.tls_certs_merge(certificates(path)?);
    }
    let client = client.build().map_err(|error| Error::invalid("the HTTP client can't be made").because(error))?;
    let transport = HttpTransporter::new(ReqwestTransport::new(client));
    // Assumed roles are asked for through the process-wide default.
    HttpTransporter::install_default(transport.clone());
    Ok(transport)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(|error| Error::from(error).within(format!("ca_file {}", path.display())))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::invalid(format!("ca_file {} holds no PEM certificate", path.display()))),
    }
}
