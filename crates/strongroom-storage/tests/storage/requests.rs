//! How requests are made: at once, again, and not for ever.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use strongroom_core::{ErrorKind, PutMode, Result, Storage};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::clouds::{Cloud, is_clear, key, put};
use crate::support::data::{self, Pattern};
use crate::support::proxy::Proxy;

/// The parts of one object are on their way at once, out and back. Answers are kept back until that is so.
pub(crate) async fn parts_go_at_once(cloud: &impl Cloud) {
    let body = Pattern { seed: 11, size: 30 << 20 };
    let proxy = Proxy::start(cloud.port()).await;
    let more = "&part_size=5MiB&concurrency=4";
    let storage = cloud.open_at(proxy.port, "test", "at-once", Some(cloud.good_key()), more);
    // One request may begin the upload.
    proxy.hold(1, 3);
    data::write(&*storage, &key("a"), &body, PutMode::Overwrite).await.unwrap();

    let mut stream = storage.read(&key("a"), None).await.unwrap();
    let mut at = 0;
    proxy.hold(0, 4);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        let end = at + chunk.len() as u64;
        assert!(chunk == body.bytes(at..end), "other bytes at {at}");
        at = end;
    }
    assert_eq!(at, body.size);
}

/// What is temporary is tried as often as configured, what is permanent once, whatever the call.
pub(crate) async fn only_temporary_answers_are_tried_again(cloud: &impl Cloud) {
    for (status, kind, tries) in [
        ("500 Internal Server Error", ErrorKind::Unavailable, 3),
        ("503 Service Unavailable", ErrorKind::Unavailable, 3),
        ("400 Bad Request", ErrorKind::Invalid, 1),
        ("403 Forbidden", ErrorKind::Denied, 1),
        ("501 Not Implemented", ErrorKind::Unsupported, 1),
    ] {
        let (port, requests) = answering(status).await;
        let storage = cloud.open_at(port, "test", "busy", Some(cloud.good_key()), "&retries=2");
        let listed = async || storage.list("").next().await.unwrap().map(drop);
        let read = async || storage.read(&key("a"), None).await.map(drop);
        let calls: [(&str, Result<()>); 4] = [
            ("stat", storage.stat(&key("a")).await.map(drop)),
            ("read", read().await),
            ("list", listed().await),
            ("put", put(&*storage, "a", PutMode::CreateNew, b"x").await),
        ];
        for (call, result) in calls {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), kind, "{call}, {status}: {error:?}");
            if kind == ErrorKind::Unavailable {
                is_clear(&error);
            }
        }
        assert_eq!(requests.load(Ordering::SeqCst), 4 * tries, "{status}");
    }
}

/// A server that gives the same answer to everything, and counts.
async fn answering(status: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                while let Some(length) = next_request(&mut client).await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let mut body = vec![0; length];
                    client.read_exact(&mut body).await.unwrap();
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    client.get_mut().write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, requests)
}

/// Reads the head of a request, and gives the length of its body.
async fn next_request(client: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Some(length);
        }
    }
}

/// A server that does not even take the connection, because too many wait already.
pub(crate) async fn a_connection_that_is_not_made_is_given_up(cloud: &impl Cloud) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(connection);
        assert!(waiting.len() < 100, "the queue of a listener must fill up");
    }
    // All other time-outs are so long that the test would fail by its own.
    let more = "&retries=0&connect_timeout=300ms&timeout=10m&part_timeout=10m";
    let storage = cloud.open_at(address.port(), "test", "p", Some(cloud.good_key()), more);
    let asked = tokio::time::timeout(Duration::from_mins(2), async { storage.stat(&key("a")).await });
    let error = asked.await.unwrap_or_else(|_| panic!("connect_timeout must end it")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    is_clear(&error);
}
