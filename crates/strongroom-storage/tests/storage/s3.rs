//! S3, against a real server.

use std::process::Command;
use std::sync::{Arc, LazyLock};

use futures::StreamExt as _;
use strongroom_core::{ErrorKind, PutMode, Storage, StorageExt as _};
use strongroom_storage::{Options, open};

use crate::clouds::{Cloud, key, put};
use crate::support::certificates::Certificates;
use crate::support::proxy::Proxy;
use crate::support::server::Server;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("s3", &["versitygw"], &[]));

pub(crate) struct S3;

impl Cloud for S3 {
    fn port(&self) -> u16 {
        SERVER.port
    }

    fn open_at(&self, port: u16, bucket: &str, prefix: &str, key: Option<&str>, more: &str) -> Arc<dyn Storage> {
        let credentials =
            key.map_or("anonymous=true".to_owned(), |key| format!("access_key_id=testkey&secret_access_key={key}"));
        let url = format!(
            "s3://{bucket}/{prefix}?endpoint=http://127.0.0.1:{port}&region=us-east-1&retry_delay=10ms&{credentials}{more}"
        );
        open(&url, &Options::default()).unwrap()
    }

    fn good_key(&self) -> &'static str {
        "testsecret123"
    }

    fn wrong_key(&self) -> &'static str {
        "wrongsecret"
    }
}

crate::clouds::tests!(S3);

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_many_pages() {
    // A page holds 1000.
    crate::clouds::long_lists(&S3, 1100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_leave_no_orphans() {
    let list = || curl(&["http://127.0.0.1:PORT/test?prefix=orphans%2F&uploads="]).matches("<UploadId>").count();
    crate::clouds::uploads_leave_no_orphans(&S3, list).await;
}

/// What the server answers to a signed request; `PORT` stands for its port.
fn curl(arguments: &[&str]) -> String {
    let arguments = arguments.iter().map(|argument| argument.replace("PORT", &SERVER.port.to_string()));
    let output = Command::new("curl")
        .args(["-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "testkey:testsecret123"])
        .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn foreign_objects_are_named_and_folder_markers_are_none() {
    let storage = S3.open("foreign");
    put(&*storage, "good", PutMode::CreateNew, b"x").await.unwrap();
    curl(&["-X", "PUT", "--data-binary", "x", "http://127.0.0.1:PORT/test/foreign/my%20notes.txt"]);
    curl(&["-X", "PUT", "http://127.0.0.1:PORT/test/foreign/folder/"]);
    let (good, bad): (Vec<_>, Vec<_>) = storage.list("").collect::<Vec<_>>().await.into_iter().partition(Result::is_ok);
    assert_eq!(good.into_iter().map(|item| item.unwrap().key.to_string()).collect::<Vec<_>>(), ["good"]);
    let [Err(error)] = &bad[..] else { panic!("{bad:?}") };
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("my notes.txt"), "{error:?}");
}

#[tokio::test]
async fn a_byte_damaged_on_the_way_is_refused_by_the_server() {
    let proxy = Proxy::start(SERVER.port).await;
    let storage = S3.open_at(proxy.port, "test", "damaged", Some("testsecret123"), "");
    proxy.flip_after(500_000);
    let error = put(&*storage, "a", PutMode::CreateNew, &vec![7; 1_000_000]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    crate::clouds::is_clear(&error);
    assert!(!storage.exists(&key("a")).await.unwrap());
}

#[tokio::test]
async fn no_credentials_at_all_are_told_without_a_request() {
    let proxy = Proxy::start(SERVER.port).await;
    let url = format!(
        "s3://test/p?endpoint=http://127.0.0.1:{}&region=us-east-1&instance_metadata=false&profile=none-such",
        proxy.port
    );
    let storage = open(&url, &Options::default()).unwrap();
    let error = storage.stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.advice().unwrap().contains("AWS_ACCESS_KEY_ID"), "{error:?}");
    crate::clouds::is_clear(&error);
    assert_eq!(proxy.requests(), 0);
}

#[tokio::test]
async fn an_unknown_access_key_is_told() {
    let url = format!(
        "s3://test/p?endpoint=http://127.0.0.1:{}&region=us-east-1&access_key_id=nobody&secret_access_key=x",
        SERVER.port
    );
    let error = open(&url, &Options::default()).unwrap().stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
}

#[tokio::test]
async fn https_with_an_authority_of_its_own() {
    let authority = Certificates::make();
    let environment = [("S3_CERT", authority.certificate()), ("S3_KEY", authority.key())];
    let server = Server::start("s3", &["versitygw"], &environment);
    let url = format!(
        "s3://test/tls?endpoint=https://127.0.0.1:{}&region=us-east-1&retry_delay=10ms&retries=1\
         &access_key_id=testkey&secret_access_key=testsecret123",
        server.port
    );
    let trusting = format!("{url}&ca_file={}", authority.authority().display());
    put(&*open(&trusting, &Options::default()).unwrap(), "a", PutMode::CreateNew, b"x").await.unwrap();

    let proxy = Proxy::start(server.port).await;
    let url = url.replace(&server.port.to_string(), &proxy.port.to_string());
    let error = open(&url, &Options::default()).unwrap().stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.advice().unwrap().contains("ca_file"), "{error:?}");
    assert_eq!(proxy.connections(), 1, "asking again doesn't help");

    for (file, content) in [("empty.pem", ""), ("text.pem", "no certificate")] {
        let path = authority.authority().with_file_name(file);
        std::fs::write(&path, content).unwrap();
        assert!(open(&format!("{url}&ca_file={}", path.display()), &Options::default()).is_err(), "{file}");
    }
}
