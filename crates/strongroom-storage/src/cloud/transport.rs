//! HTTP with rustls and ring, and time-outs that the default client lacks.

use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

use http::{Request, Response};
use opendal::{Buffer, HttpBody, HttpTransport, HttpTransporter};
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
    let transport = HttpTransporter::new(Transport(ReqwestTransport::new(client)));
    // Assumed roles are asked for through the process-wide default.
    HttpTransporter::install_default(transport.clone());
    Ok(transport)
}

/// The client's transport, but for what it takes to be temporary: a certificate doesn't become trusted by asking again.
#[derive(Debug)]
struct Transport(ReqwestTransport);

impl HttpTransport for Transport {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        self.0.fetch(request).await.map_err(|error| if is_untrusted(&error) { error.set_permanent() } else { error })
    }
}

/// Whether the server's certificate was refused.
pub(super) fn is_untrusted(error: &opendal::Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .filter_map(|cause| wrapped(cause).downcast_ref::<rustls::Error>())
        .any(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

/// What I/O errors wrap: they leave it out of the chain of causes.
fn wrapped<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = inner;
    }
    error
}

fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(|error| Error::from(error).within(format!("ca_file {}", path.display())))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::invalid(format!("ca_file {} holds no PEM certificate", path.display()))),
    }
}
