//! S3, against a real server.

use std::sync::{Arc, LazyLock};

use strongroom_core::Storage;
use strongroom_storage::{Options, open};

use crate::clouds::Cloud;
use crate::support::server::Server;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("s3", &["versitygw"], &[]));

pub(crate) struct S3;

impl Cloud for S3 {
    fn port(&self) -> u16 {
        SERVER.port
    }

    fn open_at(&self, port: u16, bucket: &str, prefix: &str, key: Option<&str>, more: &str) -> Arc<dyn Storage> {
        let credentials = key.map_or("anonymous=true".to_owned(), |key| {
            format!("access_key_id=testkey&secret_access_key={key}")
        });
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
