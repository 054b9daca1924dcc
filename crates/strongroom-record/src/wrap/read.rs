//! Reading a file in whatever wrapping it is.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use strongroom_core::{Error, ErrorKind, Result};

use super::cipher::{HEADER, Keystream};
use super::{FileKey, Mode, ZSTD_MAGIC};

/// How a file was found to be wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Form {
    /// Whether it is compressed.
    pub zstd: bool,
    /// How it is encrypted, if it is.
    pub encryption: Option<Mode>,
}

const TEXT: &[u8] = b"Version ";
/// As many bytes of the beginning as are looked at.
const PEEK: usize = HEADER + 8;

/// The plain text of a file. Not buffered: read large pieces, as [`crate::asb::Reader`] does.
pub struct WrapReader<R: Read> {
    form: Form,
    layers: Layers<R>,
}

enum Layers<R: Read> {
    Plain(Opened<R>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Opened<R>>>>),
}

/// The file with its peeked beginning put back, decrypted.
struct Opened<R> {
    source: io::Chain<Cursor<Vec<u8>>, R>,
    keystream: Option<Keystream>,
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // The source's own errors are marked, to tell them from those of the decompressor above.
        let count = self.source.read(out).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(Error::from(error)),
        })?;
        if let Some(keystream) = &mut self.keystream {
            keystream.apply(&mut out[..count]);
        }
        Ok(count)
    }
}

impl<R: Read> WrapReader<R> {
    /// Looks at the first bytes of `source` and unwraps it. The key is tried only on what is neither text nor zstd.
    ///
    /// # Errors
    /// `Denied` if it is neither and there is no key, or the key does not fit; `Corrupt` if it is empty or too short;
    /// or what the source fails with. A wrong key is told here, before anything is handed out.
    pub fn open(mut source: R, key: Option<&FileKey>) -> Result<Self> {
        let mut head = Vec::with_capacity(PEEK);
        source.by_ref().take(PEEK as u64).read_to_end(&mut head)?;
        let known = |head: &[u8]| {
            let text = head.starts_with(TEXT) || (head.len() < TEXT.len() && TEXT.starts_with(head));
            text.then_some(false).or_else(|| head.starts_with(ZSTD_MAGIC).then_some(true))
        };
        if head.is_empty() {
            return Err(Error::corrupt("the file is empty").hint("use another copy of it"));
        }
        if let Some(zstd) = known(&head) {
            return Self::layered(head, source, None, Form { zstd, encryption: None });
        }
        let Some(key) = key else {
            return Err(Error::denied("the file is neither text nor zstd, so it is encrypted or no backup file")
                .hint("give the private key that it was encrypted with, or check the path"));
        };
        let Some((header, begin)) = head.split_first_chunk::<HEADER>().filter(|(_, begin)| !begin.is_empty()) else {
            return Err(Error::corrupt(format!("the file ends after {} bytes", head.len()))
                .hint("it is cut off: use another copy of it"));
        };
        for mode in [Mode::Aes256, Mode::Aes128] {
            let mut plain = begin.to_vec();
            Keystream::open(key, mode, *header).apply(&mut plain);
            if let Some(zstd) = known(&plain) {
                let keystream = Keystream::open(key, mode, *header);
                let form = Form { zstd, encryption: Some(mode) };
                return Self::layered(begin.to_vec(), source, Some(keystream), form);
            }
        }
        Err(Error::denied("the key does not fit: what it decrypts is neither text nor zstd")
            .hint("give the private key that the file was encrypted with, or check that it is a backup file"))
    }

    fn layered(head: Vec<u8>, source: R, keystream: Option<Keystream>, form: Form) -> Result<Self> {
        let opened = Opened { source: Cursor::new(head).chain(source), keystream };
        let layers = if form.zstd {
            let buffered = BufReader::with_capacity(1 << 17, opened);
            Layers::Zstd(Box::new(zstd::Decoder::with_buffer(buffered).map_err(undo)?))
        } else {
            Layers::Plain(opened)
        };
        Ok(Self { form, layers })
    }

    /// How the file is wrapped.
    pub const fn form(&self) -> Form {
        self.form
    }
}

/// The library's error that an I/O error carries, or the I/O error sorted into a kind.
pub(crate) fn undo(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(Error::from)
}

/// What the decompressor itself says means that the file is damaged.
fn damaged(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted || error.get_ref().and_then(|e| e.downcast_ref::<Error>()).is_some() {
        return error;
    }
    let cut = error.kind() == io::ErrorKind::UnexpectedEof;
    let (what, hint) = if cut {
        ("the compressed stream ends too early", "the file is cut off: use another copy of it")
    } else {
        ("the compressed stream is damaged", "use another copy of the file or an earlier backup")
    };
    io::Error::other(Error::new(ErrorKind::Corrupt, what).because(error).hint(hint))
}

impl<R: Read> Read for WrapReader<R> {
    /// Errors carry a [`strongroom_core::Error`], which [`crate::asb::Reader`] takes out again.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.layers {
            Layers::Plain(opened) => opened.read(out),
            Layers::Zstd(decoder) => decoder.read(out).map_err(damaged),
        }
    }
}

impl<R: Read> fmt::Debug for WrapReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapReader").field("form", &self.form).finish_non_exhaustive()
    }
}
