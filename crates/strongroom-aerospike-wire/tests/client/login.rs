//! Logging in, and staying logged in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use strongroom_aerospike_wire::ResultCode;
use strongroom_aerospike_wire::client::{Client, ClientOptions, Credentials};
use strongroom_aerospike_wire::frame::FrameKind;

use crate::server::{Reply, Server, framed, info, lonely};

const HASH: &[u8] = b"$2a$10$7EqJtq98hPqEX7fNZaFWoOu7NRZ0i7m5NbgPBEsHTCoJzZDEKQRb.";

fn answer(result: u8, token: Option<&[u8]>) -> Reply {
    let mut body = vec![0, result, 0, u8::from(token.is_some())];
    body.extend([0; 12]);
    if let Some(token) = token {
        body.extend(u32::try_from(token.len() + 1).unwrap().to_be_bytes());
        body.push(5);
        body.extend(token);
    }
    Reply::Bytes(framed(FrameKind::Admin, &body))
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}

/// A server that lets "ops" with "secret" in, counts logins, and forgets its sessions when told to.
async fn guarded(logins: Arc<AtomicUsize>, forget: Arc<AtomicBool>) -> Server {
    Server::start(move |_, kind, body| match (kind, body.get(2)) {
        (FrameKind::Info, _) => info(body, lonely),
        (FrameKind::Admin, Some(20)) if contains(body, HASH) && contains(body, b"ops") => {
            logins.fetch_add(1, Ordering::SeqCst);
            answer(0, Some(b"token"))
        }
        (FrameKind::Admin, Some(0)) if contains(body, b"token") && !forget.swap(false, Ordering::SeqCst) => {
            answer(0, None)
        }
        (FrameKind::Admin, Some(0)) => answer(66, None),
        _ => answer(65, None),
    })
    .await
}

fn with_password(server: &Server, password: &str) -> ClientOptions {
    let credentials = Credentials::Internal { user: "ops".to_owned(), password: password.to_owned().into() };
    ClientOptions { credentials: Some(credentials), ..server.options() }
}

#[tokio::test]
async fn one_login_serves_many_connections_until_the_session_is_over() {
    let (logins, forget) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let server = guarded(Arc::clone(&logins), Arc::clone(&forget)).await;
    let client = Client::connect(with_password(&server, "secret")).await.unwrap();
    let node = client.node("A1").unwrap();
    let before = logins.load(Ordering::SeqCst);
    let first = node.connection().await.unwrap();
    let second = node.connection().await.unwrap();
    assert_eq!(logins.load(Ordering::SeqCst), before + 1);
    forget.store(true, Ordering::SeqCst);
    let third = node.connection().await.unwrap();
    assert_eq!(logins.load(Ordering::SeqCst), before + 2);
    drop((first, second, third));
}

#[tokio::test]
async fn a_wrong_password_is_refused_once_and_never_shown() {
    let server = guarded(Arc::default(), Arc::default()).await;
    let options = with_password(&server, "guessed");
    assert!(!format!("{options:?}").contains("guessed"));
    let error = Client::connect(options).await.unwrap_err();
    assert_eq!(error.code(), Some(ResultCode(65)));
    assert!(!error.is_temporary());
    assert!(error.to_string().ends_with("refused the login: wrong credentials (result 65)"), "{error}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "no second try");
}
