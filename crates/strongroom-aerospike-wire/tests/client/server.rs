//! A server that answers each frame as a closure says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use strongroom_aerospike_wire::client::ClientOptions;
use strongroom_aerospike_wire::frame::{self, FrameHead, FrameKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a server does with a request.
pub(crate) enum Reply {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Closes the connection after these bytes.
    Close(Vec<u8>),
    /// Says nothing.
    Silence,
}

type Answerer = dyn Fn(usize, FrameKind, &[u8]) -> Reply + Send + Sync;

/// A running server; dropped, it is gone.
pub(crate) struct Server {
    pub(crate) address: (String, u16),
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts one. The closure gets the connection's number, from 0, and each frame's kind and body.
    pub(crate) async fn start(answer: impl Fn(usize, FrameKind, &[u8]) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(crate) fn start_on(
        listener: TcpListener,
        answer: impl Fn(usize, FrameKind, &[u8]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, answer): (_, Arc<Answerer>) = (Arc::clone(&connections), Arc::new(answer));
        let task = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                running.spawn(serve(socket, number, Arc::clone(&answer)));
            }
        });
        Self { address, connections, task }
    }

    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions { silence_timeout: Duration::from_millis(200), ..ClientOptions::new([self.address.clone()]) }
    }
}

pub(crate) async fn serve(mut socket: impl AsyncRead + AsyncWrite + Unpin, number: usize, answer: Arc<Answerer>) {
    let mut head = [0; frame::HEAD];
    while socket.read_exact(&mut head).await.is_ok() {
        let FrameHead { kind, length } = FrameHead::decode(head).unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap()];
        if socket.read_exact(&mut body).await.is_err() {
            return;
        }
        match answer(number, kind, &body) {
            Reply::Bytes(bytes) => socket.write_all(&bytes).await.unwrap_or_default(),
            Reply::Close(bytes) => {
                socket.write_all(&bytes).await.unwrap_or_default();
                return;
            }
            Reply::Silence => {}
        }
    }
}

/// A whole frame.
pub(crate) fn framed(kind: FrameKind, body: &[u8]) -> Vec<u8> {
    [&FrameHead { kind, length: body.len() as u64 }.encode()[..], body].concat()
}

/// An info answer: every command that is asked gets the value that `value` has for it.
pub(crate) fn info(body: &[u8], value: impl Fn(&str) -> String) -> Reply {
    let asked = std::str::from_utf8(body).unwrap();
    let lines: Vec<String> = asked.lines().map(|command| format!("{command}\t{}\n", value(command))).collect();
    Reply::Bytes(framed(FrameKind::Info, lines.concat().as_bytes()))
}

/// A node that is alone and owns every partition of `test`.
pub(crate) fn lonely(command: &str) -> String {
    use base64::Engine as _;
    let all = base64::engine::general_purpose::STANDARD.encode([0xff_u8; 512]);
    match command {
        "node" => "A1".to_owned(),
        "replicas" => format!("test:0,1,{all}"),
        peers if peers.starts_with("peers-") => "0,3000,[]".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The frames of a recorded connection: `(to the server, kind, body)`.
pub(crate) fn recorded(name: &str) -> VecDeque<(bool, FrameKind, Vec<u8>)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut rest, mut open, mut frames) = (bytes.as_slice(), [Vec::new(), Vec::new()], VecDeque::new());
    while let Some((head, tail)) = rest.split_first_chunk::<13>() {
        let length = u32::from_be_bytes(*head[9..].first_chunk().unwrap()) as usize;
        let side = &mut open[usize::from(head[0])];
        side.extend_from_slice(&tail[..length]);
        rest = &tail[length..];
        while let Some(start) = side.first_chunk::<{ frame::HEAD }>() {
            let FrameHead { kind, length } = FrameHead::decode(*start).unwrap();
            let end = frame::HEAD + usize::try_from(length).unwrap();
            if side.len() < end {
                break;
            }
            frames.push_back((head[0] == 0, kind, side[frame::HEAD..end].to_vec()));
            side.drain(..end);
        }
    }
    frames
}
