//! Several nodes: found through one, owners by regime, and gone when they are gone.

use base64::Engine as _;
use strongroom_aerospike_wire::client::Client;
use tokio::net::TcpListener;

use crate::server::{Server, info};

/// A node that knows `peer` and owns the partitions of one parity, in a regime.
fn node(listener: TcpListener, id: &'static str, peer: (&'static str, u16), odd: bool, regime: u32) -> Server {
    let bits = if odd { 0x55_u8 } else { 0xaa };
    let map = base64::engine::general_purpose::STANDARD.encode([bits; 512]);
    Server::start_on(listener, move |_, _, body| {
        info(body, |command| match command {
            "node" => id.to_owned(),
            "replicas" => format!("test:{regime},1,{map}"),
            _ => format!("1,3000,[[{},,[127.0.0.1:{}]]]", peer.0, peer.1),
        })
    })
}

async fn port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn peers_are_found_and_partitions_have_their_masters() {
    let ((first, a), (second, b)) = (port().await, port().await);
    let one = node(first, "A", ("B", b), false, 0);
    let two = node(second, "B", ("A", a), true, 0);
    let client = Client::connect(one.options()).await.unwrap();
    let names: Vec<String> = client.nodes().iter().map(|node| node.id().to_owned()).collect();
    assert_eq!(names, ["A", "B"]);
    let maps = client.partition_maps();
    let map = &maps["test"];
    assert_eq!((map.owner(0, 0), map.owner(0, 1), map.replicas()), (Some("A"), Some("B"), 1));
    // One goes: at the next look its partitions have no master, and the other still serves.
    drop(two);
    client.refresh().await.unwrap();
    let maps = client.partition_maps();
    let (owned, lost) = maps["test"].by_master();
    assert_eq!((owned.len(), owned["A"].len(), lost.len()), (1, 2048, 2048));
    // The seed goes too: nobody answers, and what was known stays.
    drop(one);
    assert!(client.refresh().await.is_err());
    assert_eq!(client.nodes().len(), 1);
}

#[tokio::test]
async fn the_newer_regime_is_right_about_a_partition() {
    let ((first, a), (second, b)) = (port().await, port().await);
    let old = node(first, "A", ("B", b), false, 4);
    let _new = node(second, "B", ("A", a), false, 5);
    let client = Client::connect(old.options()).await.unwrap();
    assert_eq!(client.partition_maps()["test"].owner(0, 0), Some("B"));
}
