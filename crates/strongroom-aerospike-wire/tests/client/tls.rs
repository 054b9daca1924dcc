//! TLS: the right authority and name, and every wrong one.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use strongroom_aerospike_wire::WireError;
use strongroom_aerospike_wire::client::{Client, ClientOptions, TlsOptions};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, info, lonely, serve};

struct Authority {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn self_signed(name: &str) -> Authority {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    Authority { certificate: made.cert.der().clone(), key }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A TLS server with a certificate for `db.test`.
async fn secured(authority: &Authority) -> (String, u16) {
    let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(vec![authority.certificate.clone()], authority.key.clone_key())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(socket) = acceptor.accept(socket).await {
                    serve(socket, 0, Arc::new(|_, _, body: &[u8]| info(body, lonely))).await;
                }
            });
        }
    });
    ("127.0.0.1".to_owned(), port)
}

fn trusting(address: &(String, u16), authority: &Authority, name: &str) -> ClientOptions {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let tls = Some(TlsOptions { config, name: Some(name.to_owned()) });
    ClientOptions { tls, ..ClientOptions::new([address.clone()]) }
}

#[tokio::test]
async fn the_right_name_and_authority_connect_and_others_do_not() {
    let (right, wrong) = (self_signed("db.test"), self_signed("db.test"));
    let address = secured(&right).await;
    let client = Client::connect(trusting(&address, &right, "db.test")).await.unwrap();
    assert_eq!(client.nodes().len(), 1);
    for options in [trusting(&address, &right, "other.test"), trusting(&address, &wrong, "db.test")] {
        let error = Client::connect(options).await.unwrap_err();
        assert!(matches!(error, WireError::Tls { .. }) && !error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn plain_and_tls_do_not_hang_on_each_other() {
    let authority = self_signed("db.test");
    let address = secured(&authority).await;
    let error = Client::connect(ClientOptions::new([address])).await.unwrap_err();
    assert!(matches!(error, WireError::Io { .. } | WireError::Malformed { .. }), "{error}");
    let plain = Server::start(|_, _, body| info(body, lonely)).await;
    let mut options = trusting(&plain.address, &authority, "db.test");
    options.connect_timeout = std::time::Duration::from_millis(200);
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, WireError::Tls { .. } | WireError::Timeout { .. } | WireError::Io { .. }), "{error}");
}
