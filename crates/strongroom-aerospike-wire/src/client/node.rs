//! One node: its idle connections, and what can be asked of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::connection::{Connection, Frame};
use super::options::{ClientOptions, Credentials};
use crate::admin::{self, LoginAnswer};
use crate::error::WireError;
use crate::frame::FrameKind;
use crate::info::{self, Answers};
use crate::message::{Message, Messages};
use crate::{Malformed, ResultCode};

/// How many unused connections a node keeps.
const IDLE: usize = 64;

/// One node of a cluster.
pub struct Node {
    id: String,
    address: (String, u16),
    tls_name: Option<String>,
    options: Arc<ClientOptions>,
    /// The hash of the password, worked out once: it takes a tenth of a second.
    credential: Option<Arc<str>>,
    token: Mutex<Option<Arc<[u8]>>>,
    idle: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} at {}:{})", self.id, self.address.0, self.address.1)
    }
}

/// The values of an info request.
#[derive(Debug, Clone)]
pub struct Answer(Bytes);

impl Answer {
    /// The lines.
    ///
    /// # Errors
    /// When they are not text.
    pub fn answers(&self) -> Result<Answers<'_>, Malformed> {
        Answers::of(&self.0)
    }

    /// The value of a command; empty where the server did not answer it.
    #[must_use]
    pub fn get(&self, command: &str) -> &str {
        self.answers().ok().and_then(|answers| answers.get(command)).unwrap_or_default()
    }
}

impl Node {
    pub(super) fn new(
        id: String,
        address: (String, u16),
        tls_name: Option<String>,
        options: Arc<ClientOptions>,
        credential: Option<Arc<str>>,
    ) -> Self {
        let (token, idle) = (Mutex::new(None), Mutex::new(Vec::new()));
        Self { id, address, tls_name, options, credential, token, idle }
    }

    /// Its id, as the cluster knows it; empty while it is only a seed.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> &(String, u16) {
        &self.address
    }

    /// The name that its TLS certificate has, if it said so.
    #[must_use]
    pub fn tls_name(&self) -> Option<&str> {
        self.tls_name.as_deref()
    }

    /// An idle connection, or a new one that is logged in.
    ///
    /// # Errors
    /// `Io`, `Timeout`, `Tls`; `Server` for a login that is refused.
    pub async fn connection(&self) -> Result<Connection, WireError> {
        let idle = lock(&self.idle).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    /// Gives back a connection whose last answer was read to its end.
    pub fn give_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    async fn connect(&self) -> Result<Connection, WireError> {
        let mut connection = Connection::open(&self.address, self.tls_name.as_deref(), &self.options).await?;
        if let Some(credentials) = &self.options.credentials {
            let after = self.options.connect_timeout;
            let login = tokio::time::timeout(after, self.log_in(&mut connection, credentials));
            login.await.map_err(|_| WireError::Timeout { node: connection.node().to_owned(), after })??;
        }
        Ok(connection)
    }

    /// Joins the node's session, or begins one.
    async fn log_in(&self, connection: &mut Connection, credentials: &Credentials) -> Result<(), WireError> {
        let token = lock(&self.token).clone();
        if let Some(token) = token {
            let answer = exchange(connection, &admin::authenticate(credentials.user(), &token)).await?;
            if answer.result == ResultCode::OK {
                return Ok(());
            }
            // The session may be over: begin another.
            *lock(&self.token) = None;
        }
        let credential = self.credential.as_deref().unwrap_or_default();
        let login = match credentials {
            Credentials::Internal { user, .. } => admin::login_internal(user, credential),
            Credentials::External { user, password } => admin::login_external(user, credential, password),
            Credentials::Certificate => admin::login_certificate(),
        };
        let answer = exchange(connection, &login).await?;
        match answer.result {
            ResultCode::OK => {
                *lock(&self.token) = Some(answer.token.into());
                Ok(())
            }
            code => Err(WireError::Server { node: connection.node().to_owned(), what: "the login", code }),
        }
    }

    /// Asks for values. An idle connection that turns out to be dead is replaced once.
    ///
    /// # Errors
    /// As [`Node::connection`]; `Malformed` when the answer is no info answer.
    pub async fn info(&self, commands: &[&str]) -> Result<Answer, WireError> {
        let request = info::request(commands.iter().copied());
        let (connection, frame) = self.ask(&request, true).await?;
        if frame.kind != FrameKind::Info {
            return Err(connection.malformed(Malformed::new("not an info answer", 1)));
        }
        Answers::of(&frame.body).map_err(|error| connection.malformed(error))?;
        self.give_back(connection);
        Ok(Answer(frame.body))
    }

    /// Sends a request about one record and waits for its only frame. It is never sent twice: whoever loses the answer to a write
    /// is told.
    ///
    /// # Errors
    /// As [`Node::connection`]. The result in the answer is for the caller to judge.
    pub async fn one(&self, request: &[u8]) -> Result<Bytes, WireError> {
        let (connection, frame) = self.ask(request, false).await?;
        if frame.kind != FrameKind::Message {
            return Err(connection.malformed(Malformed::new("not a message", 1)));
        }
        self.give_back(connection);
        Ok(frame.body)
    }

    /// Sends a query. It is never sent twice, since a server refuses the id of a query that it has begun or remembers.
    ///
    /// # Errors
    /// As [`Node::connection`]; also where the server had closed an idle connection: a query with a new id gets a new one. A refusal by the server is the only message of the answer.
    pub async fn query(self: &Arc<Self>, request: &[u8]) -> Result<Stream, WireError> {
        let (connection, frame) = self.ask(request, false).await?;
        Ok(Stream {
            node: Arc::clone(self),
            connection: Some(connection),
            first: Some(frame),
            ends: |message| message.ends_query(),
        })
    }

    /// Sends a batch. Since it may change records, it is never sent twice.
    ///
    /// # Errors
    /// As [`Node::connection`].
    pub async fn batch(self: &Arc<Self>, request: &[u8]) -> Result<Stream, WireError> {
        let (connection, frame) = self.ask(request, false).await?;
        Ok(Stream {
            node: Arc::clone(self),
            connection: Some(connection),
            first: Some(frame),
            ends: |message| message.is_last(),
        })
    }

    async fn ask(&self, request: &[u8], again: bool) -> Result<(Connection, Frame), WireError> {
        let idle = lock(&self.idle).pop();
        if let Some(mut connection) = idle {
            let asked = async {
                connection.send(request).await?;
                connection.receive().await
            };
            match asked.await {
                Ok(frame) => return Ok((connection, frame)),
                // The server closes connections that were unused for long: the others are as old.
                Err(error @ WireError::Io { .. }) => {
                    lock(&self.idle).clear();
                    if !again {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let mut connection = self.connect().await?;
        connection.send(request).await?;
        let frame = connection.receive().await?;
        Ok((connection, frame))
    }
}

/// The frames of a long answer.
#[derive(Debug)]
pub struct Stream {
    node: Arc<Node>,
    connection: Option<Connection>,
    first: Option<Frame>,
    ends: fn(&Message<'_>) -> bool,
}

impl Stream {
    /// The messages of the next frame; `None` after the frame whose last message ends the answer. Dropped before, the
    /// connection is closed and the server gives up.
    ///
    /// # Errors
    /// `Io`, `Timeout`, `Malformed`.
    pub async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let frame = match self.first.take() {
            Some(frame) => frame,
            None => connection.receive().await?,
        };
        if frame.kind != FrameKind::Message {
            return Err(connection.malformed(Malformed::new("not a message", 1)));
        }
        let mut ended = false;
        for message in Messages::of(&frame.body) {
            ended |= (self.ends)(&message.map_err(|error| connection.malformed(error))?);
        }
        if ended && let Some(connection) = self.connection.take() {
            self.node.give_back(connection);
        }
        Ok(Some(frame.body))
    }
}

async fn exchange(connection: &mut Connection, request: &[u8]) -> Result<LoginAnswer, WireError> {
    connection.send(request).await?;
    let frame = connection.receive().await?;
    if frame.kind != FrameKind::Admin {
        return Err(connection.malformed(Malformed::new("not an answer to a login", 1)));
    }
    LoginAnswer::of(&frame.body).map_err(|error| connection.malformed(error))
}

/// A lock whose holder can't have left things half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
