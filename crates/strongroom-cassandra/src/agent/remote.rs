//! An agent as the coordinator sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_core::cluster::Applied;
use strongroom_core::{ByteStream, Error, Result};
use strongroom_secret::Secret;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::CassandraConfig;
use crate::agent::{MOST_HEAD, Refusal, Write};

type Body = UnsyncBoxBody<Bytes, Error>;

/// What an agent's URL begins with.
const SCHEME: &str = "http://";

/// Where an agent is.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    /// `host:port`.
    pub(super) address: String,
    token: Secret,
    connect: Duration,
    call: Duration,
}

/// An answer that comes, and the connection on which it does: dropped, it is closed.
struct Answer {
    response: Response<Incoming>,
    connection: JoinSet<()>,
}

impl Remote {
    /// The agents of a configuration.
    pub(super) fn all(config: &CassandraConfig) -> Result<Vec<Self>> {
        let token = config.agent_token.clone().ok_or_else(|| {
            Error::invalid("agents are named, and no token for them").hint("give agent-token = { file = \"path\" }")
        })?;
        let one = |url: &String| {
            let address = address_of(url)?;
            let (connect, call) = (config.connect_timeout.0, config.call_timeout.0);
            Ok(Self { address: address.to_owned(), token: token.clone(), connect, call })
        };
        config.agents.iter().map(one).collect()
    }

    fn lost(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let error = error.into();
        Error::unavailable(format!("the agent at {} does not answer: {error}", self.address))
            .because(error)
            .hint("is it running, and reached from here?")
    }

    async fn send(&self, call: &str, body: Body) -> Result<Answer> {
        let late = |_| self.lost("in time");
        let stream = timeout(self.connect, TcpStream::connect(&self.address)).await.map_err(late)?;
        let stream = stream.map_err(|error| self.lost(error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, driven) = handshake.map_err(|error| self.lost(error))?;
        let mut connection = JoinSet::new();
        // What it ends with is told to who waits for the answer, too.
        connection.spawn(async move { drop(driven.await) });
        let token = self.token.reveal("the agents' token")?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
            .map_err(|_| Error::invalid("the agents' token has characters that no header has"))?;
        bearer.set_sensitive(true);
        let request = Request::post(format!("/v1/{call}"))
            .header(HOST, &self.address)
            .header(AUTHORIZATION, bearer)
            .body(body)
            .map_err(|error| Error::invalid("no call to an agent").because(error))?;
        let response = timeout(self.call, sender.send_request(request)).await.map_err(late)?;
        Ok(Answer { response: response.map_err(|error| self.lost(error))?, connection })
    }

    /// The answer, unless it is an error.
    async fn good(&self, answer: Answer) -> Result<Answer> {
        let status = answer.response.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let body =
            Limited::new(answer.response.into_body(), 1 << 20).collect().await.map_err(|error| self.lost(error))?;
        let refusal: Refusal = serde_json::from_slice(&body.to_bytes()).map_err(|_| {
            Error::unavailable(format!("what listens at {} answers {status}, and is no agent", self.address))
        })?;
        Err(Error::from(refusal).within(format_args!("agent {}", self.address)))
    }

    async fn taken<T: DeserializeOwned>(&self, answer: Answer) -> Result<T> {
        let Answer { response, connection } = self.good(answer).await?;
        let body = response.into_body().collect().await.map_err(|error| self.lost(error))?;
        drop(connection);
        serde_json::from_slice(&body.to_bytes()).map_err(|error| {
            Error::unsupported(format!("the agent at {} answers in another form", self.address))
                .because(error)
                .hint("agent and coordinator must be of the same version")
        })
    }

    /// A call with JSON both ways.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &str, what: &impl Serialize) -> Result<T> {
        let answer = self.send(call, whole(head_of(what)?)).await?;
        self.taken(answer).await
    }

    /// A call whose answer is bytes: exactly so many, or it fails.
    pub(super) async fn read(&self, what: &impl Serialize, bytes: u64) -> Result<ByteStream> {
        let answer = self.send("read", whole(head_of(what)?)).await?;
        let Answer { response, connection } = self.good(answer).await?;
        let this = self.clone();
        let data =
            BodyDataStream::new(response.into_body()).map(move |data| data.map_err(|error| this.lost(error))).boxed();
        let (address, start) = (self.address.clone(), (data, connection, bytes));
        let body = stream::try_unfold(start, move |(mut data, connection, left)| {
            let other = Error::corrupt(format!("the agent at {address} gave another count of bytes than was frozen"));
            async move {
                match data.next().await.transpose()? {
                    Some(chunk) => match left.checked_sub(chunk.len() as u64) {
                        Some(left) => Ok(Some((chunk, (data, connection, left)))),
                        None => Err(other),
                    },
                    None if left == 0 => Ok(None),
                    None => Err(other),
                }
            }
        });
        Ok(body.boxed())
    }

    /// Sends a piece. An error of `body` comes back unchanged.
    pub(super) async fn write(&self, what: &Write, body: ByteStream) -> Result<Applied> {
        let head = head_of(what)?;
        if head.len() > MOST_HEAD - 4 {
            return Err(Error::unsupported("the piece's description is too long for an agent"));
        }
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
        let failed: Arc<Mutex<Option<Error>>> = Arc::default();
        let keep = Arc::clone(&failed);
        let start = stream::iter([Ok(Bytes::copy_from_slice(&length)), Ok(head)]);
        let frames = start.chain(body).map_err(move |error| {
            // The connection breaks off, so that the agent takes nothing for whole; why is known here only.
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Error::unavailable("the piece's own bytes failed")
        });
        let sent = self.send("write", StreamBody::new(frames.map_ok(Frame::data)).boxed_unsync()).await;
        let applied = match sent {
            Ok(answer) => self.taken(answer).await,
            Err(error) => Err(error),
        };
        let own = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.map_or(applied, Err)
    }
}

/// `host:port` of an agent's URL.
pub(crate) fn address_of(url: &str) -> Result<&str> {
    let address = url.strip_prefix(SCHEME).map(|address| address.strip_suffix('/').unwrap_or(address));
    address.filter(|address| address.contains(':') && !address.contains(['/', '@', '?', ' '])).ok_or_else(|| {
        // It may have a password in it.
        Error::invalid("an agent's address has another form").hint("write http://HOST:PORT")
    })
}

fn head_of(what: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec(what).map_err(|error| Error::internal("a call can't be written").because(error))?;
    Ok(bytes.into())
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
