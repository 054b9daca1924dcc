//! A TCP proxy that counts, cuts and damages.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// A proxy on a port of its own, until its runtime ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    requested: Arc<Notify>,
}

/// Of all connections together.
#[derive(Debug, Default)]
struct State {
    connections: usize,
    requests: usize,
    /// Bytes that went each way.
    passed: [usize; 2],
    cut: Option<Cut>,
    /// Which byte to the server is damaged.
    flip: Option<usize>,
    /// Answers wait while the number of requests lies between these two.
    hold: (usize, usize),
}

#[derive(Debug)]
struct Cut {
    way: Way,
    /// Bytes between two cuts.
    every: usize,
    left: usize,
    times: usize,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let server = SocketAddr::from(([127, 0, 0, 1], server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let requested = Arc::new(Notify::new());
        let (shared, told) = (state.clone(), requested.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(carry(client, server, shared.clone(), told.clone()));
            }
        });
        Self { port, state, requested }
    }

    /// From now on cuts the connection after every `every` bytes that way, `times` times.
    pub(crate) fn cut(&self, way: Way, every: usize, times: usize) {
        self.state.lock().unwrap().cut = Some(Cut { way, every, left: every, times });
    }

    /// From the request after the next `free` ones on keeps answers back until `together` requests are under way at once.
    pub(crate) fn hold(&self, free: usize, together: usize) {
        let mut state = self.state.lock().unwrap();
        state.hold = (state.requests + free, state.requests + free + together);
        self.requested.notify_waiters();
    }

    /// How many cuts are still to come.
    pub(crate) fn cuts_left(&self) -> usize {
        self.state.lock().unwrap().cut.as_ref().map_or(0, |cut| cut.times)
    }

    /// Connections accepted.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// HTTP requests seen.
    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// Bytes that went that way so far.
    pub(crate) fn passed(&self, way: Way) -> usize {
        self.state.lock().unwrap().passed[way as usize]
    }

    /// Turns one bit of the byte that follows the next `bytes` bytes to the server.
    pub(crate) fn flip_after(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap();
        state.flip = Some(state.passed[Way::ToServer as usize] + bytes);
    }
}

impl State {
    fn holds(&self) -> bool {
        self.hold.0 < self.requests && self.requests < self.hold.1
    }

    /// Accounts for bytes and damages them; says how many pass before the connection is cut, if it is.
    fn take(&mut self, way: Way, bytes: &mut [u8]) -> Option<usize> {
        let before = self.passed[way as usize];
        self.passed[way as usize] += bytes.len();
        if way == Way::ToServer {
            self.requests += requests_in(bytes);
            if let Some(byte) = self.flip.and_then(|at| bytes.get_mut(at.checked_sub(before)?)) {
                *byte ^= 1;
            }
        }
        let cut = self.cut.as_mut().filter(|cut| cut.way == way && cut.times > 0)?;
        if cut.left >= bytes.len() {
            cut.left -= bytes.len();
            return None;
        }
        cut.times -= 1;
        Some(std::mem::replace(&mut cut.left, cut.every))
    }
}

async fn carry(client: TcpStream, server: SocketAddr, state: Arc<Mutex<State>>, requested: Arc<Notify>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    // When one direction ends, by itself or by a cut, the whole connection goes.
    tokio::select! {
        () = copy(client_read, server_write, &state, &requested, Way::ToServer) => {}
        () = copy(server_read, client_write, &state, &requested, Way::ToClient) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &Mutex<State>, requested: &Notify, way: Way) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let cut = state.lock().unwrap().take(way, &mut buffer[..count]);
        match way {
            Way::ToServer => requested.notify_waiters(),
            Way::ToClient => loop {
                let more = requested.notified();
                if !state.lock().unwrap().holds() {
                    break;
                }
                more.await;
            },
        }
        if to.write_all(&buffer[..cut.unwrap_or(count)]).await.is_err() || cut.is_some() {
            return;
        }
    }
}

/// Requests that begin in these bytes: a request line ends in the protocol's name. Bodies of these tests hold no such text.
fn requests_in(bytes: &[u8]) -> usize {
    bytes.windows(11).filter(|window| window == b" HTTP/1.1\r\n").count()
}
