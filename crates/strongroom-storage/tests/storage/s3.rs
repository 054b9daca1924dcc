//! S3, against a real server.

use std::sync::{Arc, LazyLock};

use crate::support::data::{self, Pattern};
use crate::support::server::Server;
use strongroom_core::{Key, PutMode, Storage};
use strongroom_storage::{Options, open};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("s3", &["versitygw"], &[]));

fn url(port: u16, prefix: &str) -> String {
    format!(
        "s3://test/{prefix}?endpoint=http://127.0.0.1:{port}&region=us-east-1&retry_delay=10ms\
         &access_key_id=testkey&secret_access_key=testsecret123"
    )
}

fn storage(prefix: &str) -> Arc<dyn Storage> {
    open(&url(SERVER.port, prefix), &Options::default()).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    strongroom_testkit::storage_contract(storage("contract"), "below/").await;
}

#[tokio::test]
async fn two_hundred_megabytes_go_out_and_come_back() {
    let storage = storage("large");
    let body = Pattern { seed: 2, size: 200_000_000 };
    data::write(&*storage, &key("large"), &body, PutMode::CreateNew).await.unwrap();
    data::check(&*storage, &key("large"), &body, None).await;
    data::check(&*storage, &key("large"), &body, Some(99_999_999..150_000_001)).await;
}
