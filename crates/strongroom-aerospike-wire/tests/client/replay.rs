//! The client on one side of a recorded conversation, the recorded server on the other.

use std::sync::Mutex;

use strongroom_aerospike_wire::client::Client;
use strongroom_aerospike_wire::expression::Expression;
use strongroom_aerospike_wire::frame::FrameKind;
use strongroom_aerospike_wire::message::Messages;
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::{PARTITIONS, WireError};

use crate::server::{Reply, Server, framed, info, lonely, recorded};

/// A server that says what the recorded one said to the same request.
async fn replaying(name: &str) -> Server {
    let left = Mutex::new(recorded(name));
    Server::start(move |_, kind, body| {
        if kind == FrameKind::Info {
            return info(body, lonely);
        }
        let mut left = left.lock().unwrap();
        let (to_server, _, expected) = left.pop_front().unwrap();
        assert!(to_server && body == expected, "the request is the recorded one");
        let mut answer = Vec::new();
        while left.front().is_some_and(|(to_server, ..)| !to_server) {
            let (_, kind, body) = left.pop_front().unwrap();
            answer.extend(framed(kind, &body));
        }
        Reply::Bytes(answer)
    })
    .await
}

#[tokio::test]
async fn a_recorded_scan_is_asked_for_and_read_to_its_end() {
    let server = replaying("backup-plain/004.rec").await;
    let client = Client::connect(server.options()).await.unwrap();
    let (owned, lost) = {
        let maps = client.partition_maps();
        let (owned, lost) = maps["test"].by_master();
        (owned.into_iter().map(|(node, partitions)| (node.to_owned(), partitions)).collect::<Vec<_>>(), lost)
    };
    assert!(lost.is_empty());
    let (node, partitions) = &owned[0];
    assert_eq!((node.as_str(), partitions.len()), ("A1", usize::from(PARTITIONS)));
    let id = u64::from_be_bytes(*recorded("backup-plain/004.rec")[0].2.last_chunk().unwrap());
    let filter = Expression::not_in_set("<ERO~MRT");
    let query = Query {
        namespace: b"test",
        set: Some(b""),
        partitions,
        filter: Some(&filter),
        socket_timeout_millis: 10_000,
        id,
        ..Query::default()
    };
    let node = client.node(node).unwrap();
    let mut stream = node.query(&query.encode().unwrap()).await.unwrap();
    let mut records = 0;
    while let Some(body) = stream.next().await.unwrap() {
        records += Messages::of(&body).filter(|message| message.as_ref().is_ok_and(|it| it.digest.is_some())).count();
    }
    assert_eq!(records, 306);
    // Read to its end, the connection serves again.
    assert_eq!(node.info(&["node"]).await.unwrap().get("node"), "A1");
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 2, "one for the seed, one for the node");
}

#[tokio::test]
async fn a_scan_that_breaks_off_is_an_error_and_not_an_end() {
    let server = Server::start(|_, kind, body| {
        if kind == FrameKind::Info {
            return info(body, lonely);
        }
        let frames = recorded("backup-plain/004.rec");
        let (_, kind, body) = &frames[1];
        let whole = framed(*kind, body);
        Reply::Close(whole[..whole.len() - 7].to_vec())
    })
    .await;
    let client = Client::connect(server.options()).await.unwrap();
    let node = client.node("A1").unwrap();
    let query = Query { namespace: b"test", partitions: &[1], id: 7, ..Query::default() };
    let error = node.query(&query.encode().unwrap()).await.unwrap_err();
    assert!(matches!(error, WireError::Io { .. }) && error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_dead_idle_connection_is_replaced() {
    let server = Server::start(|_, kind, body| match (kind, info(body, lonely)) {
        (FrameKind::Info, Reply::Bytes(bytes)) => Reply::Close(bytes),
        (_, reply) => reply,
    })
    .await;
    let client = Client::connect(server.options()).await.unwrap();
    let node = client.node("A1").unwrap();
    for _ in 0..3 {
        assert_eq!(node.info(&["node"]).await.unwrap().get("node"), "A1");
    }
}

#[tokio::test]
async fn silence_and_nonsense_have_their_own_errors() {
    let silent = Server::start(|_, _, _| Reply::Silence).await;
    let error = Client::connect(silent.options()).await.unwrap_err();
    assert!(matches!(error, WireError::Timeout { .. }), "{error}");
    let http = Server::start(|_, _, _| Reply::Bytes(b"HTTP/1.1 400 Bad Request\r\n".to_vec())).await;
    let error = Client::connect(http.options()).await.unwrap_err();
    assert!(error.to_string().contains("is this an Aerospike port"), "{error}");
    assert!(!error.is_temporary());
    let nobody = http.options();
    drop(http);
    let gone = Client::connect(nobody).await.unwrap_err();
    assert!(gone.is_temporary(), "{gone}");
    let error = Client::connect(strongroom_aerospike_wire::client::ClientOptions::new([])).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("no address"), "{error}");
}
