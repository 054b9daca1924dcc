//! One connection of JRMP: a call, its answer, the next call.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use strongroom_core::{Error, Result};

use super::exception;
use super::reference::ObjectId;
use crate::java::{Answer, Argument, Item, Reader, Writer};

/// `JRMI`, version 2, a stream of calls.
const HELLO: [u8; 7] = [b'J', b'R', b'M', b'I', 0x00, 0x02, 0x4B];
const WELCOME: u8 = 0x4E;
const CALL: u8 = 0x50;
const RETURN: u8 = 0x51;
/// How a return says that an exception follows; 1 is a value, or nothing.
const EXCEPTIONAL: u8 = 2;

/// Where a node is managed, and how long it may be silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JmxAddress {
    /// A name or an address.
    pub host: String,
    /// The port of the registry: 7199 if nobody changed it.
    pub port: u16,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a call may take. A snapshot of a large node takes its time.
    pub call_timeout: Duration,
}

impl JmxAddress {
    /// The usual times: 10 seconds, and an hour.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_hours(1),
        }
    }

    fn silent(&self, port: u16, error: &std::io::Error) -> Error {
        Error::unavailable(format!("no answer from JMX at {}:{port}: {error}", self.host))
            .hint("is the node up? by default JMX listens on 127.0.0.1:7199 only")
    }
}

/// A call of a remote method.
pub(super) struct Call<'a> {
    pub(super) object: &'a ObjectId,
    /// The number of the method; -1 where it is known by its hash alone.
    pub(super) operation: i32,
    pub(super) hash: i64,
    pub(super) arguments: &'a [Argument],
    /// Whether a value comes back. If nothing does, nothing follows in the stream that would end it.
    pub(super) returns: bool,
}

/// A connection, open.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn open(address: &JmxAddress, port: u16) -> Result<Self> {
        let silent = |error: std::io::Error| address.silent(port, &error);
        let mut failed = std::io::Error::other("the name has no address");
        for place in (address.host.as_str(), port).to_socket_addrs().map_err(silent)? {
            match TcpStream::connect_timeout(&place, address.connect_timeout) {
                Ok(stream) => return Self::greet(stream, address).map_err(|error| address.silent(port, &error))?,
                Err(error) => failed = error,
            }
        }
        Err(silent(failed))
    }

    /// Both sides say what they speak.
    fn greet(stream: TcpStream, address: &JmxAddress) -> std::io::Result<Result<Self>> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(address.connect_timeout))?;
        stream.set_write_timeout(Some(address.connect_timeout))?;
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(&HELLO)?;
        let mut welcome = [0];
        stream.read_exact(&mut welcome)?;
        if welcome != [WELCOME] {
            return Ok(Err(Error::invalid(format!(
                "what listens at {}:{} is no RMI service",
                address.host, address.port
            ))
            .hint("give the port of JMX, 7199 by default; TLS for JMX is not supported yet")));
        }
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut own = vec![0; usize::from(u16::from_be_bytes(length)) + 4];
        stream.read_exact(&mut own)?;
        // What the other side sees us as, and that nothing of ours can be called.
        own.truncate(own.len() - 4);
        let mut me = length.to_vec();
        me.extend(own);
        me.extend([0; 4]);
        stream.get_mut().write_all(&me)?;
        stream.get_mut().set_read_timeout(Some(address.call_timeout))?;
        Ok(Ok(Self { stream }))
    }

    /// Calls, and waits for the answer. After an error of kind `Unavailable` the connection is of no use any more.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Result<Option<Answer>> {
        let mut writer = Writer::new();
        let mut head = call.object.to_vec();
        head.extend(call.operation.to_be_bytes());
        head.extend(call.hash.to_be_bytes());
        writer.block(&head);
        call.arguments.iter().for_each(|argument| writer.value(argument));
        let mut bytes = vec![CALL];
        bytes.extend(writer.finish());
        let failed = |error| Error::unavailable(format!("the connection to the node's JMX failed: {error}"));
        self.stream.get_mut().write_all(&bytes).map_err(failed)?;
        let mut first = [0];
        self.stream
            .read_exact(&mut first)
            .map_err(|error| failed(error).hint("the call may have been carried out all the same"))?;
        if first != [RETURN] {
            return Err(Error::invalid("the node's answer to a call is no return"));
        }
        read_return(&mut self.stream, call.returns)
    }
}

/// Reads what follows the byte that says that a call returned.
pub(super) fn read_return(input: impl std::io::Read, returns: bool) -> Result<Option<Answer>> {
    let mut reader = Reader::new(input)?;
    let Item::Block(head) = reader.next()? else {
        return Err(Error::invalid("a return of the node does not say what it is"));
    };
    if head.first() == Some(&EXCEPTIONAL) {
        return Err(exception::error(&reader.answer()?));
    }
    if returns { reader.answer().map(Some) } else { Ok(None) }
}
