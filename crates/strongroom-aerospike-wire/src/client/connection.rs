//! One connection: frames out, frames in.

use std::io;
use std::io::Read as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::options::{ClientOptions, TlsOptions};
use crate::Malformed;
use crate::error::WireError;
use crate::frame::{self, FrameHead, FrameKind};

/// A whole frame, unpacked if it came compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: FrameKind,
    /// Its body.
    pub body: Bytes,
}

trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for T {}

/// A connection to one node.
pub struct Connection {
    socket: Box<dyn Socket>,
    node: String,
    silence: Duration,
    buffer: BytesMut,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.node)
    }
}

/// How much is read at once.
const CHUNK: usize = 256 << 10;

impl Connection {
    /// Connects, without logging in.
    ///
    /// # Errors
    /// `Io`, `Timeout`, `Tls`.
    pub async fn open(
        address: &(String, u16),
        tls_name: Option<&str>,
        options: &ClientOptions,
    ) -> Result<Self, WireError> {
        let node = format!("{}:{}", address.0, address.1);
        let connect = async {
            let socket = TcpStream::connect((address.0.as_str(), address.1));
            let socket = socket.await.map_err(|source| WireError::Io { node: node.clone(), source })?;
            // Requests are written in one piece: waiting for more to send only delays them.
            socket.set_nodelay(true).map_err(|source| WireError::Io { node: node.clone(), source })?;
            match &options.tls {
                None => Ok(Box::new(socket) as Box<dyn Socket>),
                Some(tls) => {
                    let name = tls.name.as_deref().or(tls_name).unwrap_or(&address.0);
                    secure(socket, name, tls).await.map_err(|source| WireError::Tls { node: node.clone(), source })
                }
            }
        };
        let after = options.connect_timeout;
        let socket = timeout(after, connect).await.map_err(|_| WireError::Timeout { node: node.clone(), after })??;
        Ok(Self { socket, node, silence: options.silence_timeout, buffer: BytesMut::new() })
    }

    /// The node, as it was addressed.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Sends a request.
    ///
    /// # Errors
    /// `Io`, `Timeout`.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), WireError> {
        let write = async {
            self.socket.write_all(request).await?;
            self.socket.flush().await
        };
        match timeout(self.silence, write).await {
            Ok(outcome) => outcome.map_err(|source| self.broken(source)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// `Io` when the connection breaks or ends, `Timeout`, `Malformed`.
    pub async fn receive(&mut self) -> Result<Frame, WireError> {
        let head = loop {
            match self.buffer.first_chunk::<{ frame::HEAD }>() {
                Some(head) => break FrameHead::decode(*head).map_err(|error| self.malformed(error))?,
                None => self.fill(frame::HEAD).await?,
            }
        };
        let length = usize::try_from(head.length).map_err(|_| self.malformed(TOO_LARGE))?;
        while self.buffer.len() < frame::HEAD + length {
            self.fill(frame::HEAD + length).await?;
        }
        let mut whole = self.buffer.split_to(frame::HEAD + length);
        let body = whole.split_off(frame::HEAD).freeze();
        if head.kind == FrameKind::Compressed {
            return unpack(&body).map_err(|error| self.malformed(error));
        }
        Ok(Frame { kind: head.kind, body })
    }

    /// Reads what is there, at least a byte. `wanted`: how long the buffer has to become; memory is taken as bytes come, not
    /// as they are promised.
    async fn fill(&mut self, wanted: usize) -> Result<(), WireError> {
        let missing = wanted.saturating_sub(self.buffer.len());
        self.buffer.reserve(missing.clamp(CHUNK / 16, CHUNK));
        match timeout(self.silence, self.socket.read_buf(&mut self.buffer)).await {
            Err(_) => Err(self.silent()),
            Ok(Ok(0)) => {
                let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
                Err(WireError::Io { node: self.node.clone(), source })
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(self.broken(source)),
        }
    }

    /// The connection broke. With TLS 1.3 a server says only after the handshake that it refuses the client's certificate: that will
    /// not get better by itself.
    fn broken(&self, source: io::Error) -> WireError {
        let node = self.node.clone();
        if is_refusal(&source) { WireError::Tls { node, source } } else { WireError::Io { node, source } }
    }

    pub(crate) fn malformed(&self, source: Malformed) -> WireError {
        WireError::Malformed { node: self.node.clone(), source }
    }

    fn silent(&self) -> WireError {
        WireError::Timeout { node: self.node.clone(), after: self.silence }
    }
}

const TOO_LARGE: Malformed = Malformed::new("a frame larger than any server sends", 2);

/// Whether the other side of TLS said that it does not take this client.
fn is_refusal(error: &io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::AlertReceived(alert)) = tls else { return false };
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::HandshakeFailure
    )
}

async fn secure(socket: TcpStream, name: &str, tls: &TlsOptions) -> io::Result<Box<dyn Socket>> {
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("'{name}' can't be a certificate's name")))?;
    let socket = TlsConnector::from(std::sync::Arc::clone(&tls.config)).connect(name, socket).await?;
    Ok(Box::new(socket))
}

/// Unpacks a compressed frame: its plain length, then a zlib stream of a whole frame.
fn unpack(body: &[u8]) -> Result<Frame, Malformed> {
    const BROKEN: Malformed = Malformed::new("a compressed frame that can't be unpacked", 8);
    let (length, packed) = body.split_first_chunk::<8>().ok_or(BROKEN)?;
    let length = u64::from_be_bytes(*length);
    if length > frame::LARGEST {
        return Err(TOO_LARGE);
    }
    let mut plain = Vec::new();
    let limit = length + 1;
    flate2::read::ZlibDecoder::new(packed).take(limit).read_to_end(&mut plain).map_err(|_| BROKEN)?;
    if plain.len() as u64 != length {
        return Err(BROKEN);
    }
    let head = FrameHead::decode(*plain.first_chunk().ok_or(BROKEN)?)?;
    if head.kind == FrameKind::Compressed || head.length + frame::HEAD as u64 != length {
        return Err(BROKEN);
    }
    Ok(Frame { kind: head.kind, body: Bytes::from(plain).slice(frame::HEAD..) })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(plain: &[u8], length: u64) -> Vec<u8> {
        let mut packer = flate2::write::ZlibEncoder::new(length.to_be_bytes().to_vec(), flate2::Compression::fast());
        packer.write_all(plain).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_compressed_frame_is_unpacked_and_a_lying_one_refused() {
        let plain = [&[2_u8, 3, 0, 0, 0, 0, 0, 4][..], b"body"].concat();
        let frame = unpack(&packed(&plain, 12)).unwrap();
        assert_eq!((frame.kind, &frame.body[..]), (FrameKind::Message, &b"body"[..]));
        // A stream that is longer or shorter than it says, one without end, and one within another.
        assert!(unpack(&packed(&plain, 11)).is_err());
        assert!(unpack(&packed(&plain, 13)).is_err());
        assert!(unpack(&packed(&plain, u64::MAX)).is_err());
        assert!(unpack(&packed(&plain, 12)[..15]).is_err());
        assert!(unpack(&packed(&[2, 4, 0, 0, 0, 0, 0, 0], 8)).is_err());
        assert!(unpack(&[0; 7]).is_err());
    }
}
