//! The agent: one node's calls, for who has the token.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_core::environment::Environment;
use strongroom_core::{ByteStream, Cluster as _, Error, ErrorKind, Result};
use strongroom_secret::Secret;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::agent::{About, Begin, Check, MOST_HEAD, Refusal, Write};
use crate::{CassandraCluster, CassandraConfig};

type Body = UnsyncBoxBody<Bytes, Error>;

/// Serves one node to a coordinator. It reads and writes what [`CassandraCluster`] does, and nothing else.
#[derive(Debug, Clone)]
pub struct Agent {
    node: CassandraCluster,
    /// Only its hash is kept: hashes are compared in constant time (`blake3::Hash`).
    token: blake3::Hash,
}

impl Agent {
    /// An agent on the node of a configuration, for who has `token`.
    ///
    /// # Errors
    /// `Invalid` for a configuration that makes no sense or a token that is too short; `Denied` when the token is not found.
    pub fn new(config: CassandraConfig, token: &Secret, environment: &Environment) -> Result<Self> {
        let token = token.reveal("the agent's token")?;
        if token.len() < 16 {
            return Err(Error::invalid("the agent's token is shorter than 16 characters")
                .hint("make one of chance: openssl rand -hex 32"));
        }
        // The coordinator says which nodes are missing; this one speaks for itself.
        let config = CassandraConfig { alone: true, ..config };
        let node = CassandraCluster::open(config, environment)?;
        Ok(Self { node, token: blake3::hash(token.as_bytes()) })
    }

    /// Listens. What is sent is not encrypted, so that another address than the machine's own is refused unless
    /// `unencrypted` says that the network is safe.
    ///
    /// # Errors
    /// `Denied` for an address that others reach; an I/O error.
    pub async fn listen(address: SocketAddr, unencrypted: bool) -> Result<TcpListener> {
        if !address.ip().is_loopback() && !unencrypted {
            return Err(Error::denied(format!("{address} is reached by others, who could read token and data"))
                .hint("listen on 127.0.0.1 behind a tunnel or proxy with TLS, or allow it with unencrypted"));
        }
        TcpListener::bind(address).await.map_err(|error| Error::from(error).within(address))
    }

    /// Serves until the future is dropped, which ends what it serves.
    ///
    /// # Errors
    /// Never by itself; a connection that fails ends alone.
    pub async fn serve(self, listener: TcpListener) -> Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(self.clone().connection(stream))),
                    // Too many files are open: others may be closed soon.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self, stream: TcpStream) {
        let service = service_fn(|request| {
            let this = self.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        // Who went away is told nothing.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.dispatch(request).await.unwrap_or_else(|error| {
            let body = serde_json::to_vec(&Refusal::from(&error)).unwrap_or_default();
            let mut response = Response::new(whole(body));
            *response.status_mut() = match error.kind() {
                ErrorKind::Denied => StatusCode::FORBIDDEN,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            response
        })
    }

    fn check_token(&self, request: &Request<Incoming>) -> Result<()> {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if given.is_some_and(|given| blake3::hash(given) == self.token) {
            return Ok(());
        }
        Err(Error::denied("the agent does not know this token").hint("give the agent's own token as agent-token"))
    }

    async fn dispatch(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        self.check_token(&request)?;
        if request.method() != Method::POST {
            return Err(Error::invalid("an agent is asked by POST"));
        }
        let path = request.uri().path().to_owned();
        let body = request.into_body();
        let node = &self.node;
        match path.as_str() {
            "/v1/about" => {
                let facts = node.facts().await?;
                let topology = node.describe().await?;
                json(&About { host: facts.host_id, cluster: facts.cluster, topology })
            }
            "/v1/freeze" => json(&node.freeze(&read(body).await?).await?),
            "/v1/release" => json(&node.release(&read(body).await?).await?),
            "/v1/read" => {
                let reader = node.read(&read(body).await?).await?;
                Ok(Response::new(StreamBody::new(reader.body.map_ok(Frame::data)).boxed_unsync()))
            }
            "/v1/check-restore" => {
                let Check { outline, options } = read(body).await?;
                json(&node.check_restore(&outline, &options).await?)
            }
            "/v1/begin-restore" => {
                let Begin { id, outline, options } = read(body).await?;
                json(&node.begin_restore(id, &outline, &options).await?)
            }
            "/v1/write" => {
                let (head, body) = split(body).await?;
                let Write { session, step, part, piece } = head;
                let rest = Arc::new(Mutex::new(body));
                let body = stream::unfold(Arc::clone(&rest), async |rest| {
                    let chunk = rest.lock().await.next().await?;
                    Some((chunk, rest))
                });
                let written = node.write(&session, step, &part, &piece, body.boxed()).await;
                if written.is_err() {
                    // Who still sends when the connection is closed does not read why.
                    while let Some(Ok(_)) = rest.lock().await.next().await {}
                }
                json(&written?)
            }
            "/v1/finish-restore" => json(&node.finish_restore(read(body).await?).await?),
            "/v1/abort-restore" => json(&node.abort_restore(read(body).await?).await?),
            other => Err(Error::not_found(format!("an agent has no '{}'", other.escape_debug()))
                .hint("agent and coordinator must be of the same version")),
        }
    }
}

fn whole(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()
}

fn json(value: &impl Serialize) -> Result<Response<Body>> {
    let body =
        serde_json::to_vec(value).map_err(|error| Error::internal("an answer can't be written").because(error))?;
    Ok(Response::new(whole(body)))
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::invalid("the call has another form")
            .because(error)
            .hint("agent and coordinator must be of the same version")
    })
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("the call broke off").because(error)
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T> {
    let bytes = Limited::new(body, MOST_HEAD).collect().await.map_err(broken)?.to_bytes();
    parsed(&bytes)
}

/// The head of a call, and the bytes after it.
async fn split<T: DeserializeOwned>(body: Incoming) -> Result<(T, ByteStream)> {
    let mut rest = BodyDataStream::new(body).map(|data| data.map_err(broken)).boxed();
    let mut head = bytes::BytesMut::new();
    let mut wanted = 4;
    while head.len() < wanted {
        let chunk = rest.next().await.ok_or_else(|| Error::invalid("the call ends in its head"))??;
        head.extend_from_slice(&chunk);
        if let Some(length) = head.get(..4).and_then(|length| length.try_into().ok()) {
            wanted = 4_usize.saturating_add(usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX));
            if wanted > MOST_HEAD {
                return Err(Error::invalid("the head of the call is too long"));
            }
        }
    }
    let mut head = head.freeze();
    let left = head.split_off(wanted);
    head.advance(4);
    Ok((parsed(&head)?, stream::iter([Ok(left)]).chain(rest).boxed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_agent_that_others_reach_needs_leave_and_a_token_of_length() {
        let error = Agent::listen("0.0.0.0:0".parse().unwrap(), false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        Agent::listen("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        let environment = strongroom_testkit::TestEnvironment::new(1).environment();
        let error = Agent::new(CassandraConfig::default(), &Secret::text("hunter2"), &environment).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
