//! Azure Blob Storage, against Azurite.

use std::sync::{Arc, LazyLock};

use strongroom_core::{ErrorKind, Storage};
use strongroom_storage::{Options, open};

use crate::clouds::{Cloud, key};
use crate::support::proxy::Proxy;
use crate::support::server::Server;

/// The account and key that every Azurite has.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw%3D%3D";

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("azblob", &[], &[]));

pub(crate) struct AzBlob;

impl Cloud for AzBlob {
    fn port(&self) -> u16 {
        SERVER.port
    }

    fn open_at(&self, port: u16, bucket: &str, prefix: &str, key: Option<&str>, more: &str) -> Arc<dyn Storage> {
        let credentials = key.map_or("anonymous=true".to_owned(), |key| format!("account_key={key}"));
        let url = format!(
            "azblob://{bucket}/{prefix}?account=devstoreaccount1&endpoint=http://127.0.0.1:{port}/devstoreaccount1\
             &retry_delay=10ms&{credentials}{more}"
        );
        open(&url, &Options::default()).unwrap()
    }

    fn good_key(&self) -> &'static str {
        KEY
    }

    fn wrong_key(&self) -> &'static str {
        "d3Jvbmcta2V5LXRoYXQtaXMtbm90LXRoZS1hY2NvdW50cw%3D%3D"
    }
}

crate::clouds::tests!(AzBlob);

#[tokio::test]
async fn no_credentials_at_all_are_told_without_a_request() {
    let proxy = Proxy::start(SERVER.port).await;
    let url = format!(
        "azblob://test/p?account=devstoreaccount1&endpoint=http://127.0.0.1:{}/devstoreaccount1&connect_timeout=500ms&retries=0",
        proxy.port
    );
    let error = open(&url, &Options::default()).unwrap().stat(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.advice().unwrap().contains("account_key"), "{error:?}");
    crate::clouds::is_clear(&error);
    assert_eq!(proxy.requests(), 0);
}
