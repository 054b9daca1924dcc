//! What every cloud must stand, against its real server and a proxy that counts and cuts.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::{Error, ErrorKind, Key, PutMode, Result, Storage, StorageExt as _};
use strongroom_testkit::storage_contract;

use crate::support::data::{self, Pattern};
use crate::support::proxy::{Proxy, Way};

/// A kind of cloud, and how to reach its test server.
pub(crate) trait Cloud {
    /// The server's port.
    fn port(&self) -> u16;
    /// Opens `bucket/prefix` through `port`; `more` is more options, each after an `&`.
    fn open_at(&self, port: u16, bucket: &str, prefix: &str, key: Option<&str>, more: &str) -> Arc<dyn Storage>;
    /// The key that is let in.
    fn good_key(&self) -> &'static str;
    /// A key that isn't.
    fn wrong_key(&self) -> &'static str;

    fn open(&self, prefix: &str) -> Arc<dyn Storage> {
        self.open_at(self.port(), "test", prefix, Some(self.good_key()), "")
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) async fn put(storage: &dyn Storage, name: &str, mode: PutMode, body: &[u8]) -> Result<()> {
    let mut upload = storage.create(&key(name), mode).await?;
    upload.write(Bytes::copy_from_slice(body)).await?;
    upload.finish().await.map(drop)
}

pub(crate) async fn contract(cloud: &impl Cloud) {
    storage_contract(cloud.open("contract"), "below/").await;
}

pub(crate) async fn large(cloud: &impl Cloud) {
    let storage = cloud.open("large");
    let body = Pattern { seed: 2, size: 200_000_000 };
    data::write(&*storage, &key("large"), &body, PutMode::CreateNew).await.unwrap();
    data::check(&*storage, &key("large"), &body, None).await;
    data::check(&*storage, &key("large"), &body, Some(99_999_999..150_000_001)).await;
}

/// One line that tells what to do, nothing secret, no headers, no address with a query.
pub(crate) fn is_clear(error: &Error) {
    let text = format!("{error:?}");
    assert!(text.lines().count() == 1 && text.len() < 500, "{text}");
    for noise in ["Parts {", "headers", "x-amz-", "X-Amz-", "?", "request_id", "<Error>", "{ code"] {
        assert!(!text.contains(noise), "{noise}: {text}");
    }
    assert!(error.advice().is_some(), "{text}");
}

/// Wrong or missing credentials: `Denied`, at once and by each call.
pub(crate) async fn wrong_credentials(cloud: &impl Cloud) {
    for wrong in [Some(cloud.wrong_key()), None] {
        let proxy = Proxy::start(cloud.port()).await;
        let storage = cloud.open_at(proxy.port, "test", "denied", wrong, "");
        let mut errors = vec![
            put(&*storage, "a", PutMode::CreateNew, b"x").await.unwrap_err(),
            storage.stat(&key("a")).await.unwrap_err(),
            storage.read(&key("a"), None).await.err().unwrap(),
            storage.delete(&key("a")).await.unwrap_err(),
        ];
        errors.extend(storage.list("").collect::<Vec<_>>().await.into_iter().map(|item| item.unwrap_err()));
        assert_eq!(errors.len(), 5);
        for error in &errors {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
            is_clear(error);
        }
        assert_eq!(proxy.requests(), 5, "one request for each call: what is permanent is not tried again");
        // A large upload fails at its first request too.
        let body = Pattern { seed: 1, size: 40 << 20 };
        let error = data::write(&*storage, &key("b"), &body, PutMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(proxy.requests() <= 5 + 5, "{} requests", proxy.requests());
    }
}

pub(crate) async fn missing_bucket(cloud: &impl Cloud) {
    let storage = cloud.open_at(cloud.port(), "nosuchbucket", "p", Some(cloud.good_key()), "");
    let mut errors = vec![
        storage.stat(&key("a")).await.unwrap_err(),
        storage.read(&key("a"), None).await.err().unwrap(),
        put(&*storage, "a", PutMode::CreateNew, b"x").await.unwrap_err(),
    ];
    errors.extend(storage.list("").collect::<Vec<_>>().await.into_iter().map(|item| item.unwrap_err()));
    assert_eq!(errors.len(), 4);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.message().contains("'nosuchbucket' does not exist"), "{error:?}");
        is_clear(&error);
    }
}

/// A dead server: tried as often as configured, then `Unavailable`.
pub(crate) async fn dead_server(cloud: &impl Cloud) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let storage = cloud.open_at(port, "test", "p", Some(cloud.good_key()), "&retries=2");
    for error in
        [storage.stat(&key("a")).await.unwrap_err(), put(&*storage, "a", PutMode::CreateNew, b"x").await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.message().contains("refused"), "{error:?}");
        is_clear(&error);
    }
}

/// A server that takes the connection and says nothing.
pub(crate) async fn silent_server(cloud: &impl Cloud) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept().await {
            open.push(connection);
        }
    });
    let storage =
        cloud.open_at(port, "test", "p", Some(cloud.good_key()), "&retries=1&timeout=200ms&part_timeout=300ms");
    for error in [
        storage.stat(&key("a")).await.unwrap_err(),
        storage.read(&key("a"), None).await.err().unwrap(),
        put(&*storage, "a", PutMode::CreateNew, b"x").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        is_clear(&error);
    }
}

/// The connection is cut half-way through answers: the read goes on, byte for byte the same.
pub(crate) async fn cut_reads(cloud: &impl Cloud) {
    let body = Pattern { seed: 5, size: 30_000_000 };
    data::write(&*cloud.open("cut"), &key("read"), &body, PutMode::CreateNew).await.unwrap();
    let proxy = Proxy::start(cloud.port()).await;
    let storage = cloud.open_at(proxy.port, "test", "cut", Some(cloud.good_key()), "&retries=8");
    proxy.cut(Way::ToClient, 3_000_000, 4);
    data::check(&*storage, &key("read"), &body, None).await;
    assert_eq!(proxy.cuts_left(), 0, "the test must have cut");

    // Cut for good in the middle: a clear error, and no bytes that look like the end.
    let more = "&retries=1&part_size=5MiB&concurrency=1";
    let storage = cloud.open_at(proxy.port, "test", "cut", Some(cloud.good_key()), more);
    let mut stream = storage.read(&key("read"), None).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    proxy.cut(Way::ToClient, 0, usize::MAX);
    let results: Vec<_> = stream.collect().await;
    let (last, before) = results.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok));
    let error = last.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    is_clear(error);
}

/// The connection is cut half-way through requests: what was on its way is sent again, and the object is whole.
pub(crate) async fn cut_writes(cloud: &impl Cloud) {
    let body = Pattern { seed: 6, size: 30_000_000 };
    for (name, mode) in [("new", PutMode::CreateNew), ("over", PutMode::Overwrite)] {
        let proxy = Proxy::start(cloud.port()).await;
        let storage = cloud.open_at(proxy.port, "test", "cut", Some(cloud.good_key()), "&retries=8");
        proxy.cut(Way::ToServer, 7_000_000, 3);
        data::write(&*storage, &key(name), &body, mode).await.unwrap();
        assert_eq!(proxy.cuts_left(), 0, "the test must have cut");
        data::check(&*storage, &key(name), &body, None).await;
    }
    let proxy = Proxy::start(cloud.port()).await;
    let storage = cloud.open_at(proxy.port, "test", "cut", Some(cloud.good_key()), "&retries=1");
    proxy.cut(Way::ToServer, 1_000_000, usize::MAX);
    let error = data::write(&*storage, &key("never"), &body, PutMode::CreateNew).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    is_clear(&error);
    assert!(!cloud.open("cut").exists(&key("never")).await.unwrap());
}

/// Eight writers of one key that wait for each other before they finish, with small and with multipart bodies.
pub(crate) async fn racing_writers(cloud: &impl Cloud) {
    for (name, size) in [("small", 1000_u64), ("large", 11 << 20)] {
        let racers = if size > 1 << 20 { 3 } else { 8 };
        let gate = Arc::new(tokio::sync::Barrier::new(racers));
        let race = (0..racers).map(|racer| {
            let (storage, gate) = (cloud.open("race"), gate.clone());
            let body = Pattern { seed: racer as u64, size };
            tokio::spawn(async move {
                let mut upload = storage.create(&key(name), PutMode::CreateNew).await?;
                data::feed(&mut upload, &body, size).await?;
                gate.wait().await;
                upload.finish().await
            })
        });
        let results: Vec<_> = futures::future::join_all(race.collect::<Vec<_>>())
            .await
            .into_iter()
            .map(|joined| joined.unwrap())
            .collect();
        let winners: Vec<usize> = (0..racers).filter(|racer| results[*racer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let losers = results.iter().filter_map(|result| result.as_ref().err());
        assert!(losers.map(Error::kind).all(|kind| kind == ErrorKind::AlreadyExists), "{results:?}");
        data::check(&*cloud.open("race"), &key(name), &Pattern { seed: winners[0] as u64, size }, None).await;
    }
}

/// An object that is replaced while it is read is told, or read as it was; never a mixture.
pub(crate) async fn replaced_while_read(cloud: &impl Cloud) {
    let storage =
        cloud.open_at(cloud.port(), "test", "replaced", Some(cloud.good_key()), "&part_size=5MiB&concurrency=1");
    let (old, new) = (Pattern { seed: 1, size: 30 << 20 }, Pattern { seed: 2, size: 30 << 20 });
    data::write(&*storage, &key("a"), &old, PutMode::CreateNew).await.unwrap();
    let mut stream = storage.read(&key("a"), None).await.unwrap();
    let mut at = 0;
    while at < 5 << 20 {
        at += stream.next().await.unwrap().unwrap().len() as u64;
    }
    data::write(&*storage, &key("a"), &new, PutMode::Overwrite).await.unwrap();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => {
                let end = at + chunk.len() as u64;
                assert!(chunk == old.bytes(at..end), "bytes of another version at {at}");
                at = end;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                assert!(error.message().contains("replaced while it was read"), "{error:?}");
                return;
            }
        }
    }
    assert_eq!(at, old.size, "the end came too early");
}

/// A stream that nobody reads and an upload that nobody feeds keep nobody from working, even with one request at a time.
pub(crate) async fn idle_streams_hold_nothing(cloud: &impl Cloud) {
    let body = Pattern { seed: 8, size: 12 << 20 };
    let more = "&requests=1&concurrency=1&part_size=5MiB&timeout=5s&part_timeout=5s&retries=0";
    let storage = cloud.open_at(cloud.port(), "test", "idle", Some(cloud.good_key()), more);
    data::write(&*storage, &key("a"), &body, PutMode::CreateNew).await.unwrap();
    let mut idle_read = storage.read(&key("a"), None).await.unwrap();
    let first = idle_read.next().await.unwrap().unwrap();
    let mut idle_write = storage.create(&key("b"), PutMode::CreateNew).await.unwrap();
    data::feed(&mut idle_write, &body, 7 << 20).await.unwrap();
    let mut idle_list = storage.list("");
    idle_list.next().await.unwrap().unwrap();

    data::write(&*storage, &key("c"), &body, PutMode::CreateNew).await.unwrap();
    data::check(&*storage, &key("c"), &body, None).await;
    storage.stat(&key("a")).await.unwrap();

    let mut read = first.len() as u64;
    while let Some(chunk) = idle_read.next().await {
        read += chunk.unwrap().len() as u64;
    }
    assert_eq!(read, body.size);
    assert_eq!(idle_write.finish().await.unwrap().size, 7 << 20);
}

/// The server did what it was asked for, but its answer never came.
pub(crate) async fn a_lost_reply_is_no_lost_race(cloud: &impl Cloud) {
    let proxy = Proxy::start(cloud.port()).await;
    let more = "&retries=4&part_size=5MiB&concurrency=1";
    let storage = cloud.open_at(proxy.port, "test", "lost", Some(cloud.good_key()), more);
    proxy.cut(Way::ToClient, 0, 1);
    storage.put_new(&key("small"), Bytes::from_static(b"with a nonce: 4711")).await.unwrap();
    assert_eq!(proxy.cuts_left(), 0, "the test must have cut");

    // Large: learn how many bytes of answers an upload takes, then lose the last of them.
    let body = Pattern { seed: 9, size: 11 << 20 };
    let before = proxy.passed(Way::ToClient);
    data::write(&*storage, &key("large1"), &body, PutMode::CreateNew).await.unwrap();
    let answers = proxy.passed(Way::ToClient) - before;
    proxy.cut(Way::ToClient, answers - 10, 1);
    match data::write(&*storage, &key("large2"), &body, PutMode::CreateNew).await {
        Ok(_) => {}
        // Whoever gets this reads the object back, as `put_new` does.
        Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}"),
    }
    assert_eq!(proxy.cuts_left(), 0, "the test must have cut");
    data::check(&*storage, &key("large2"), &body, None).await;
}

/// What `strongroom doctor` does.
pub(crate) async fn probing(cloud: &impl Cloud) {
    let storage = cloud.open("probe");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = strongroom_core::Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap());
    let report = strongroom_storage::probe(&*storage, "n1", now).await.unwrap();
    assert!(report.refuses_replacing && report.deletes, "{report:?}");
    // The server runs on this machine; its clock is told in whole seconds.
    assert!(report.clock_ahead_micros.unwrap().abs() < 60_000_000, "{report:?}");
    assert_eq!(storage.list("").count().await, 0);

    let denied = cloud.open_at(cloud.port(), "test", "probe", Some(cloud.wrong_key()), "");
    let error = strongroom_storage::probe(&*denied, "n2", now).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    is_clear(&error);
}

/// Listings come in pages.
pub(crate) async fn long_lists(cloud: &impl Cloud, count: usize) {
    let storage = cloud.open("pages");
    let put = |number: usize| {
        let storage = storage.clone();
        async move { put(&*storage, &format!("l/{number:05}"), PutMode::CreateNew, b"x").await.unwrap() }
    };
    futures::stream::iter(0..count).map(put).buffer_unordered(16).collect::<Vec<()>>().await;
    let mut found: Vec<String> = storage.list("l/").map(|item| item.unwrap().key.to_string()).collect().await;
    found.sort();
    let expected: Vec<String> = (0..count).map(|number| format!("l/{number:05}")).collect();
    assert_eq!(found, expected);
}

/// Waits until no multipart upload is under way below `folder`, for as long as a test may take at all.
pub(crate) async fn no_orphans(list: impl Fn() -> usize) {
    for _ in 0..600 {
        if list() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("multipart uploads were left behind");
}

/// Uploads that end early take their parts with them: dropped, given up after an error, beaten in a race. `list` counts
/// the multipart uploads under way in the folder `orphans`.
pub(crate) async fn uploads_leave_no_orphans(cloud: &impl Cloud, list: impl Fn() -> usize) {
    let body = Pattern { seed: 1, size: 24 << 20 };
    let more = "&part_size=5MiB&retries=1";
    let proxy = Proxy::start(cloud.port()).await;
    let storage = cloud.open_at(proxy.port, "test", "orphans", Some(cloud.good_key()), more);

    let mut upload = storage.create(&key("dropped"), PutMode::Overwrite).await.unwrap();
    data::feed(&mut upload, &body, 20 << 20).await.unwrap();
    // The task that uploads may be a little behind.
    while list() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(upload);
    no_orphans(&list).await;
    assert!(!storage.exists(&key("dropped")).await.unwrap());

    // Dropped in the middle of a call, polled only once.
    let mut upload = storage.create(&key("polled"), PutMode::Overwrite).await.unwrap();
    data::feed(&mut upload, &body, 20 << 20).await.unwrap();
    assert!(strongroom_testkit::poll_at_most(1, Box::pin(upload.finish())).await.is_none());
    no_orphans(&list).await;

    // Three cuts on one retry: the upload is given up, its abort gets through.
    proxy.cut(Way::ToServer, 6 << 20, 2);
    let error = data::write(&*storage, &key("cut"), &body, PutMode::Overwrite).await.err();
    assert!(error.is_none_or(|error| error.kind() == ErrorKind::Unavailable));
    no_orphans(&list).await;

    // Beaten: the answer to the completion is 412.
    let mut upload = storage.create(&key("raced"), PutMode::CreateNew).await.unwrap();
    data::feed(&mut upload, &body, body.size).await.unwrap();
    put(&*storage, "raced", PutMode::CreateNew, b"first").await.unwrap();
    assert_eq!(upload.finish().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    no_orphans(&list).await;
}

/// The tests above, for one kind of cloud.
macro_rules! tests {
    ($cloud:expr, $module:ident: $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            crate::$module::$name(&$cloud).await;
        }
    )*};
    ($cloud:expr) => {
        crate::clouds::tests!(
            $cloud, clouds: contract, large, wrong_credentials, missing_bucket, dead_server, silent_server, cut_reads, cut_writes,
            racing_writers, replaced_while_read, idle_streams_hold_nothing, a_lost_reply_is_no_lost_race, probing,
        );
        crate::clouds::tests!(
            $cloud, requests: parts_go_at_once, only_temporary_answers_are_tried_again,
            a_connection_that_is_not_made_is_given_up,
        );
    };
}
pub(crate) use tests;
