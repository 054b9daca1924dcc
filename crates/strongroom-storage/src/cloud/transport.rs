//! HTTP with rustls and ring, and time-outs that the default client lacks.

use std::path::Path;

use opendal::HttpTransporter;
use opendal_http_transport_reqwest::ReqwestTransport;
use reqwest::tls::Certificate;
use strongroom_core::{Error, Result};

use crate::config::Network;

/// A transport of its own for each storage, so that no other user of `OpenDAL` in this process changes it.
pub(super) fn transport(network: &Network) -> Result<HttpTransporter> {
    // Fails only if the program installed a provider before, and then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder()
        .http1_only()
        .connect_timeout(network.connect_timeout.0)
        .read_timeout(network.timeout.0);
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
