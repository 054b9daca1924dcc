//! One node's connections.

use std::io::Write as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::answer::{Answer, NOT_HERE, PARAMETER, frame};
use crate::faults::Faults;
use crate::node::{NodeState, Shared};
use crate::query::{ENDED, Query};
use crate::record::partition_of;
use crate::request::Request;
use crate::{batch, info, login, single};

/// The largest request that is taken.
const LARGEST: u64 = 64 << 20;
const INFO: u8 = 1;
const ADMIN: u8 = 2;
const MESSAGE: u8 = 3;
const COMPRESSED: u8 = 4;
const BATCH: u8 = 8;
/// The client asks for a compressed answer, as the enterprise edition gives it.
const COMPRESS: u8 = 128;
const WRITE: u8 = 1;
const DELETE: u8 = 2;
const NOT_LOGGED_IN: u8 = 80;

/// Accepts connections until it is aborted, and takes them along then.
pub(crate) async fn serve(listener: TcpListener, node: NodeState, shared: Arc<Shared>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    running.spawn(connection(socket, node.clone(), Arc::clone(&shared)));
                }
            }
            Some(_) = running.join_next() => {}
        }
    }
}

/// Serves one connection until it ends. What is no request ends it, as at a server.
async fn connection(mut socket: TcpStream, node: NodeState, shared: Arc<Shared>) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut logged_in = false;
    loop {
        let mut head = [0; 8];
        socket.read_exact(&mut head).await.ok()?;
        let kind = head[1];
        let length = head[2..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        if head[0] != 2 || length > LARGEST {
            return None;
        }
        let mut body = vec![0; usize::try_from(length).ok()?];
        socket.read_exact(&mut body).await.ok()?;
        if shared.faults().silent.contains(&node.id) {
            continue;
        }
        let guard = shared.faults().login.clone();
        match kind {
            ADMIN => {
                let (answer, right) = login::answer(&body, guard.as_ref());
                logged_in = right;
                socket.write_all(&frame(ADMIN, &answer)).await.ok()?;
            }
            MESSAGE if guard.is_some() && !logged_in => {
                let mut answer = Answer::default();
                answer.last(NOT_LOGGED_IN);
                send(&mut socket, answer).await?;
            }
            INFO => {
                let text = info::answer(&body, &node, &shared.layout(), &mut shared.store());
                socket.write_all(&frame(INFO, &text)).await.ok()?;
            }
            MESSAGE => message(&mut socket, &body, &node, &shared).await?,
            _ => return None,
        }
    }
}

async fn message(socket: &mut TcpStream, body: &[u8], node: &NodeState, shared: &Shared) -> Option<()> {
    let request = Request::of(body)?;
    if let Some(rows) = request.field(41).filter(|_| request.head.info1 & BATCH != 0) {
        let (answer, lose) = {
            let layout = shared.layout();
            let mine = |namespace: &str, partition: u16| layout.owner(namespace, partition, 0) == Some(&*node.id);
            let (mut store, mut faults) = (shared.store(), shared.faults());
            (batch::answer(&mut store, rows, &mut faults, &mine)?, faults.lose_answer())
        };
        return if lose { None } else { send(socket, answer).await };
    }
    if request.digest().is_some() {
        return one(socket, &request, node, shared).await;
    }
    query(socket, &request, node, shared).await
}

async fn one(socket: &mut TcpStream, request: &Request<'_>, node: &NodeState, shared: &Shared) -> Option<()> {
    let (namespace, digest) = (request.namespace().unwrap_or_default(), request.digest()?);
    let is_write = request.head.info2 & WRITE != 0;
    let (answer, lose) = {
        let is_mine = shared.layout().owner(namespace, partition_of(&digest), 0) == Some(&*node.id);
        let (mut store, mut faults) = (shared.store(), shared.faults());
        if is_mine {
            // Deleting what is not there never comes to the device.
            let is_change = is_write && (request.head.info2 & DELETE == 0 || store.get(namespace, &digest).is_some());
            let refuse = if is_write { faults.refuse(&digest, is_change) } else { None };
            let answer = single::answer(&mut store, request, refuse);
            (answer, is_change && faults.lose_answer())
        } else {
            let mut answer = Answer::default();
            answer.result(NOT_HERE, None);
            (answer, false)
        }
    };
    if lose { None } else { send(socket, answer).await }
}

async fn query(socket: &mut TcpStream, request: &Request<'_>, node: &NodeState, shared: &Shared) -> Option<()> {
    let asked = Query::of(&shared.store(), request);
    let query = match asked {
        Ok(query) if !query.parts.is_empty() && request.number(7).is_some_and(|id| node.is_new_query(id)) => query,
        refused => {
            let mut answer = Answer::default();
            answer.result(refused.err().unwrap_or(PARAMETER), None); // not marked as the last: so does a server
            return send(socket, answer).await;
        }
    };
    let slow = {
        let mut faults = shared.faults();
        faults.running_queries += 1;
        faults.most_queries = faults.most_queries.max(faults.running_queries);
        query.parts.iter().filter_map(|(partition, _)| faults.slow.get(partition)).max().copied()
    };
    if let Some(slow) = slow {
        tokio::time::sleep(slow).await;
    }
    let (frames, cut) = {
        let (layout, store, mut faults) = (shared.layout(), shared.store(), shared.faults());
        // Before its answer: a client that has all of it may ask the next at once.
        faults.running_queries -= 1;
        let cut = Faults::take(&mut faults.cut_after);
        let end = Faults::take(&mut faults.end_with).unwrap_or(ENDED);
        let mut is_mine = |partition: u16| {
            layout.owner(&query.namespace, partition, 0) == Some(&*node.id) && !faults.is_unavailable(partition)
        };
        (query.frames(&store, &mut is_mine, cut, end), cut)
    };
    let compressed = request.head.info1 & COMPRESS != 0;
    shared.faults().compressed_queries += u64::from(compressed);
    for frame in frames {
        socket.write_all(&if compressed { packed(&frame)? } else { frame }).await.ok()?;
    }
    if cut.is_some() { None } else { Some(()) }
}

/// A frame in a compressed one.
fn packed(plain: &[u8]) -> Option<Vec<u8>> {
    let length = (plain.len() as u64).to_be_bytes().to_vec();
    let mut packer = flate2::write::ZlibEncoder::new(length, flate2::Compression::fast());
    packer.write_all(plain).ok()?;
    Some(frame(COMPRESSED, &packer.finish().ok()?))
}

async fn send(socket: &mut TcpStream, mut answer: Answer) -> Option<()> {
    socket.write_all(&answer.take_frame()).await.ok()
}
