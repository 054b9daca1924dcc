//! Google Cloud Storage, against fake-gcs-server.

use std::process::Command;
use std::sync::{Arc, LazyLock};

use strongroom_core::{ErrorKind, Storage};
use strongroom_storage::{Options, open};

use crate::clouds::{Cloud, key};
use crate::support::proxy::Proxy;
use crate::support::server::Server;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("gcs", &[], &[]));

pub(crate) struct Gcs;

impl Cloud for Gcs {
    fn port(&self) -> u16 {
        SERVER.port
    }

    fn open_at(&self, port: u16, bucket: &str, prefix: &str, key: Option<&str>, more: &str) -> Arc<dyn Storage> {
        let credentials = key.map_or("anonymous=true".to_owned(), |key| format!("token={key}"));
        let url =
            format!("gcs://{bucket}/{prefix}?endpoint=http://127.0.0.1:{port}&retry_delay=10ms&{credentials}{more}");
        open(&url, &Options::default()).unwrap()
    }

    fn good_key(&self) -> &'static str {
        "goodtoken"
    }

    fn wrong_key(&self) -> &'static str {
        "badtoken"
    }
}

crate::clouds::tests!(Gcs);

#[tokio::test(flavor = "multi_thread")]
async fn uploads_leave_no_orphans() {
    let url = format!("http://127.0.0.1:{}/test?uploads&prefix=orphans/", SERVER.port);
    let list = || {
        let output =
            Command::new("curl").args(["-sSf", "-H", "Authorization: Bearer goodtoken", &url]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().matches("<UploadId>").count()
    };
    crate::clouds::uploads_leave_no_orphans(&Gcs, list).await;
}

#[tokio::test]
async fn no_credentials_at_all_are_told_without_a_request() {
    let proxy = Proxy::start(SERVER.port).await;
    let url = format!("gcs://test/p?endpoint=http://127.0.0.1:{}&instance_metadata=false", proxy.port);
    let error = open(&url, &Options::default()).unwrap().stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.advice().unwrap().contains("GOOGLE_APPLICATION_CREDENTIALS"), "{error:?}");
    crate::clouds::is_clear(&error);
    assert_eq!(proxy.requests(), 0);
}
