//! A TCP proxy that counts and cuts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Which way the bytes go that a cut is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// A proxy on a port of its own, until its runtime ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    requests: AtomicUsize,
    /// Bytes that still pass before a cut.
    left: [AtomicI64; 2],
    /// How many cuts still come.
    cuts: AtomicUsize,
    /// What `left` starts from again after a cut; no cut while negative.
    size: [AtomicI64; 2],
    passed: [AtomicI64; 2],
    /// Which byte to the server is damaged.
    flip: AtomicI64,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let never = || [AtomicI64::new(-1), AtomicI64::new(-1)];
        let state = Arc::new(State {
            server: ([127, 0, 0, 1], server).into(),
            requests: AtomicUsize::new(0),
            left: never(),
            cuts: AtomicUsize::new(0),
            size: never(),
            passed: Default::default(),
            flip: AtomicI64::new(-1),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, shared.clone()));
            }
        });
        Self { port, state }
    }

    /// From now on cuts the connection after `bytes` bytes that way, `times` times.
    pub(crate) fn cut(&self, way: Way, bytes: i64, times: usize) {
        self.state.cuts.store(times, Ordering::SeqCst);
        self.state.size[way as usize].store(bytes, Ordering::SeqCst);
        self.state.left[way as usize].store(bytes, Ordering::SeqCst);
    }

    /// How many cuts are still to come.
    pub(crate) fn cuts_left(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// HTTP requests seen.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Bytes that went that way so far.
    pub(crate) fn passed(&self, way: Way) -> i64 {
        self.state.passed[way as usize].load(Ordering::SeqCst)
    }

    /// Turns one bit of the byte that follows the next `bytes` bytes to the server.
    pub(crate) fn flip_after(&self, bytes: i64) {
        self.state.flip.store(self.passed(Way::ToServer) + bytes, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(state.server).await else { return };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    // When one direction ends, by itself or by a cut, the whole connection goes.
    tokio::select! {
        () = copy(client_read, server_write, &state, Way::ToServer) => {}
        () = copy(server_read, client_write, &state, Way::ToClient) => {}
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: &State,
    way: Way,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if way == Way::ToServer {
            state.requests.fetch_add(requests_in(&buffer[..count]), Ordering::SeqCst);
        }
        let before = state.passed[way as usize].fetch_add(i64::try_from(count).unwrap(), Ordering::SeqCst);
        let flip = state.flip.load(Ordering::SeqCst) - before;
        if way == Way::ToServer
            && let Some(byte) = usize::try_from(flip).ok().and_then(|at| buffer[..count].get_mut(at))
        {
            *byte ^= 1;
        }
        let mut pass = count;
        let left = &state.left[way as usize];
        let size = state.size[way as usize].load(Ordering::SeqCst);
        let cut = size >= 0 && state.cuts.load(Ordering::SeqCst) > 0 && {
            let before = left.fetch_sub(i64::try_from(count).unwrap(), Ordering::SeqCst);
            pass = pass.min(usize::try_from(before).unwrap_or(0));
            before < i64::try_from(count).unwrap()
        };
        if to.write_all(&buffer[..pass]).await.is_err() {
            return;
        }
        if cut {
            left.store(size, Ordering::SeqCst);
            state.cuts.fetch_sub(1, Ordering::SeqCst);
            return;
        }
    }
}

/// Requests that begin in these bytes: a request line ends in the protocol's name. Bodies of these tests hold no such text.
fn requests_in(bytes: &[u8]) -> usize {
    bytes.windows(11).filter(|window| window == b" HTTP/1.1\r\n").count()
}
