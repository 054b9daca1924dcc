//! What only MinIO does as S3 does: encryption and storage classes, over https.

use std::process::Command;
use std::sync::{Arc, LazyLock};

use strongroom_core::{ErrorKind, PutMode, Storage, StorageExt as _};
use strongroom_storage::{Options, open};

use crate::clouds::{is_clear, key, put};
use crate::support::certificates::Certificates;
use crate::support::data::{self, Pattern};
use crate::support::server::Server;

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let environment = [("S3_CERT", CERTIFICATES.certificate()), ("S3_KEY", CERTIFICATES.key())];
    Server::start("s3", &["minio"], &environment)
});

/// 32 bytes in base64, percent-encoded.
const CUSTOMER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY%3D";

fn storage(prefix: &str, more: &str) -> Arc<dyn Storage> {
    let url = format!(
        "s3://test/{prefix}?endpoint=https://127.0.0.1:{}&region=us-east-1&retry_delay=10ms&ca_file={}\
         &access_key_id=testkey&secret_access_key=testsecret123{more}",
        SERVER.port,
        CERTIFICATES.authority().display()
    );
    open(&url, &Options::default()).unwrap()
}

/// The headers that the server gives for an object.
fn headers(name: &str) -> String {
    let output = Command::new("curl")
        .args([
            "-ksS",
            "--fail-with-body",
            "-I",
            "--aws-sigv4",
            "aws:amz:us-east-1:s3",
            "--user",
            "testkey:testsecret123",
        ])
        .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
        .arg(format!("https://127.0.0.1:{}/test/{name}", SERVER.port))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().to_ascii_lowercase()
}

/// A small object, and one of several parts.
async fn round_trip(storage: &dyn Storage) {
    for (name, size) in [("small", 1000), ("large", 18 << 20)] {
        let body = Pattern { seed: 1, size };
        data::write(storage, &key(name), &body, PutMode::CreateNew).await.unwrap();
        data::check(storage, &key(name), &body, None).await;
        data::check(storage, &key(name), &body, Some(100..size - 100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract() {
    strongroom_testkit::storage_contract(storage("contract", ""), "below/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_with_a_customer_key() {
    let storage = storage("contract-c", &format!("&customer_key={CUSTOMER_KEY}"));
    strongroom_testkit::storage_contract(storage, "below/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_by_the_service() {
    round_trip(&*storage("aes", "&server_side_encryption=AES256")).await;
    round_trip(&*storage("kms", "&server_side_encryption=aws:kms&kms_key_id=test-kms-key")).await;
    round_trip(&*storage("plain", "")).await;
    for name in ["small", "large"] {
        assert!(headers(&format!("aes/{name}")).contains("x-amz-server-side-encryption: aes256"));
        let kms = headers(&format!("kms/{name}"));
        assert!(kms.contains("x-amz-server-side-encryption: aws:kms") && kms.contains("test-kms-key"), "{kms}");
        assert!(!headers(&format!("plain/{name}")).contains("x-amz-server-side-encryption"));
    }
    let storage = storage("kms", "&server_side_encryption=aws:kms&kms_key_id=no-such-key");
    let error = put(&*storage, "a", PutMode::CreateNew, b"x").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::NotFound), "{error:?}");
    assert!(!storage.exists(&key("a")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_with_a_customer_key() {
    round_trip(&*storage("ssec", &format!("&customer_key={CUSTOMER_KEY}"))).await;
    for other in ["", "&customer_key=d3JvbmdrZXl3cm9uZ2tleXdyb25na2V5d3JvbmdrZXk%3D"] {
        let error = storage("ssec", other).read(&key("small"), None).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied), "{error:?}");
        assert!(!format!("{error:?}").contains("d3Jvbm"), "{error:?}");
    }
}

#[tokio::test]
async fn storage_classes() {
    let reduced = storage("class", "&storage_class=REDUCED_REDUNDANCY");
    put(&*reduced, "a", PutMode::CreateNew, b"x").await.unwrap();
    assert!(headers("class/a").contains("x-amz-storage-class: reduced_redundancy"));
    let error = put(&*storage("class", "&storage_class=NO_SUCH"), "b", PutMode::CreateNew, b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("InvalidStorageClass"), "{error:?}");
}

#[tokio::test]
async fn wrong_credentials() {
    let error = storage("x", "&secret_access_key=wrong").stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    is_clear(&error);
}
