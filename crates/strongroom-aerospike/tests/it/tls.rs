//! Mutual TLS: a node behind a server that asks for a certificate, and clients with the right one, another one and none.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use strongroom_aerospike::{AerospikeConfig, Auth, LoginConfig, TlsConfig};
use strongroom_aerospike_fake::{Fake, Login, NamespaceSettings};
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::planner::Target;
use strongroom_core::{Cluster as _, ErrorKind};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::common::{START, open, record};
use crate::engine::{bring_back, plan, repository, store};

/// Who signs certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, both as PEM.
fn signed(name: &str, by: &Authority, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

/// Puts TLS that asks clients for a certificate of `clients` before a node; tells its port.
async fn before(node: (String, u16), servers: &Authority, clients: &Authority) -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(clients.as_ref().der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (certificate, key) = signed("db.test", servers, ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, node) = (acceptor.clone(), node.clone());
            tokio::spawn(async move {
                let mut outside = match acceptor.accept(socket).into_fallible().await {
                    Ok(outside) => outside,
                    Err((_, mut refused)) => {
                        // Closed before the client has read why, the reason would be lost on the way.
                        let mut rest = Vec::new();
                        refused.read_to_end(&mut rest).await.ok()?;
                        return None;
                    }
                };
                let mut inside = TcpStream::connect(node).await.ok()?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside).await.ok()
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_lets_in_who_has_the_right_certificate_and_nobody_else() {
    let (servers, clients, strangers) = (authority(), authority(), authority());
    // One node: it tells of no others, which would have to be behind TLS too.
    let fake = Fake::start(1).await.unwrap();
    {
        let mut store = fake.store();
        store.set_now(START);
        store.tick_by(400);
        store.create_namespace("test", NamespaceSettings::default());
        for key in 0..300 {
            let (digest, record) = record("a", key, key);
            store.put("test", digest, record);
        }
    }
    let port = before(fake.addresses()[0].clone(), &servers, &clients).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca = file("ca.pem", &servers.as_ref().pem());
    let with = |own: Option<(PathBuf, PathBuf)>, ca: &PathBuf| {
        let (cert_file, key_file) = own.unzip();
        let tls = TlsConfig { ca_file: Some(ca.clone()), name: Some("db.test".into()), cert_file, key_file };
        AerospikeConfig { tls: Some(tls), retries: 0, ..AerospikeConfig::of_seeds([format!("127.0.0.1:{port}")]) }
    };
    let own = |name: &str, by: &Authority| {
        let (certificate, key) = signed("backup", by, ExtendedKeyUsagePurpose::ClientAuth);
        Some((file(&format!("{name}.pem"), &certificate), file(&format!("{name}.key"), &key)))
    };
    let right = with(own("right", &clients), &ca);

    let cluster = open(AerospikeConfig { retries: 1000, ..right.clone() });
    let repository = repository().await;
    let committed = store(&repository, &cluster, BackupKindWish::Base).await;
    assert_eq!(committed.totals.records, 300);
    let point = plan(&repository, Target::Backup(committed.backup)).await;
    let truth = fake.store().records("test").map(|(digest, _)| digest).collect::<Vec<_>>();
    for digest in &truth {
        fake.store().remove("test", digest).unwrap();
    }
    bring_back(&repository, point, &cluster, RestoreRequest::default()).await.unwrap();
    assert_eq!(fake.store().records("test").map(|(digest, _)| digest).collect::<Vec<_>>(), truth);

    // No certificate, one that a stranger signed, and a node whose authority is another one.
    let another = file("another.pem", &strangers.as_ref().pem());
    for (config, what) in [
        (with(None, &ca), "none"),
        (with(own("stranger", &strangers), &ca), "a stranger's"),
        (with(own("again", &clients), &another), "a node that nobody trusts"),
    ] {
        let error = open(config).describe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{what}: {error:?}");
        assert!(error.advice().is_some_and(|advice| advice.contains("certificate")), "{what}: {error:?}");
    }
    // Half of a pair, and a key that is none, are told before anything is sent.
    let mut half = right.clone();
    half.tls.as_mut().unwrap().key_file = None;
    let error = open(half).describe().await.unwrap_err();
    assert!(error.to_string().contains("both cert-file and key-file"), "{error}");
    let mut mixed = right.clone();
    mixed.tls.as_mut().unwrap().key_file = own("other", &clients).map(|(_, key)| key);
    let error = open(mixed).describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "a key of another certificate: {error:?}");
    let mut broken = right.clone();
    broken.tls.as_mut().unwrap().key_file = Some(file("broken.key", "no key"));
    assert!(open(broken).describe().await.unwrap_err().to_string().contains("broken.key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_a_login_and_an_external_password_travels_in_tls_only() {
    let (servers, clients) = (authority(), authority());
    let fake = Fake::start(1).await.unwrap();
    fake.store().set_now(START);
    fake.store().create_namespace("test", NamespaceSettings::default());
    let port = before(fake.addresses()[0].clone(), &servers, &clients).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) = signed("backup", &clients, ExtendedKeyUsagePurpose::ClientAuth);
    let tls = TlsConfig {
        ca_file: Some(file("ca.pem", &servers.as_ref().pem())),
        name: Some("db.test".into()),
        cert_file: Some(file("own.pem", &certificate)),
        key_file: Some(file("own.key", &key)),
    };
    let config = |login: LoginConfig| AerospikeConfig {
        tls: Some(tls.clone()),
        login: Some(login),
        retries: 0,
        ..AerospikeConfig::of_seeds([format!("127.0.0.1:{port}")])
    };
    let by_certificate = || LoginConfig { auth: Auth::Certificate, ..LoginConfig::default() };
    let external = |password: &str| LoginConfig {
        auth: Auth::External,
        user: Some("ops".into()),
        password: Some(strongroom_secret::Secret::text(password)),
    };
    fake.faults().login = Some(Login::Certificate);
    open(config(by_certificate())).describe().await.unwrap();
    fake.faults().login = Some(Login::External("ops".to_owned(), "right".to_owned()));
    open(config(external("right"))).describe().await.unwrap();
    for wrong in [by_certificate(), external("wrong")] {
        let error = open(config(wrong)).describe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(error.to_string().contains("wrong credentials"), "{error}");
    }
    let plain = AerospikeConfig { tls: None, ..config(external("right")) };
    assert!(open(plain).describe().await.unwrap_err().to_string().contains("needs TLS"));
}
