//! Writing a file in a wrapping.

use std::fmt;
use std::io::{self, Write};

use strongroom_core::Result;

use super::cipher::Keystream;
use super::read::undo;
use super::{FileKey, Mode};

/// How to wrap files.
#[derive(Debug, Clone, Default)]
pub struct Wrapping {
    /// Compress at this zstd level (the tools' default is 3).
    pub zstd: Option<i32>,
    /// Encrypt.
    pub encryption: Option<(FileKey, Mode)>,
}

impl Wrapping {
    /// Whether a file needs a random counter of its own.
    #[must_use]
    pub const fn encrypts(&self) -> bool {
        self.encryption.is_some()
    }
}

/// Wraps what is written to it.
pub struct WrapWriter<W: Write> {
    layers: Layers<W>,
}

enum Layers<W: Write> {
    Plain(Sealing<W>),
    Zstd(Box<zstd::Encoder<'static, Sealing<W>>>),
}

/// Encrypts, if it has a keystream, and counts.
struct Sealing<W> {
    target: W,
    keystream: Option<Keystream>,
    scratch: Vec<u8>,
    written: u64,
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(keystream) = &mut self.keystream {
            self.scratch.clear();
            self.scratch.extend_from_slice(bytes);
            keystream.apply(&mut self.scratch);
            // All or nothing: the keystream has moved on by all of it.
            self.target.write_all(&self.scratch)?;
        } else {
            self.target.write_all(bytes)?;
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

impl<W: Write> WrapWriter<W> {
    /// Begins a file. `counter` must be 16 fresh random bytes for every encrypted file: two files with one key and
    /// overlapping counters betray each other's text. It is not used without encryption.
    ///
    /// # Errors
    /// What the target fails with; `Invalid` for an impossible level.
    pub fn create(target: W, wrapping: &Wrapping, counter: [u8; 16]) -> Result<Self> {
        let mut sealing = Sealing { target, keystream: None, scratch: Vec::new(), written: 0 };
        if let Some((key, mode)) = &wrapping.encryption {
            let (keystream, header) = Keystream::create(key, *mode, counter);
            sealing.write_all(&header)?;
            sealing.keystream = Some(keystream);
        }
        let layers = match wrapping.zstd {
            Some(level) => Layers::Zstd(Box::new(zstd::Encoder::new(sealing, level).map_err(undo)?)),
            None => Layers::Plain(sealing),
        };
        Ok(Self { layers })
    }

    /// How many bytes the target got so far. What the compressor still holds is not in it.
    pub fn written(&self) -> u64 {
        match &self.layers {
            Layers::Plain(sealing) => sealing.written,
            Layers::Zstd(encoder) => encoder.get_ref().written,
        }
    }

    /// Ends the file and gives the target back, not flushed.
    ///
    /// # Errors
    /// What the target fails with.
    pub fn finish(self) -> Result<W> {
        match self.layers {
            Layers::Plain(sealing) => Ok(sealing.target),
            Layers::Zstd(encoder) => Ok(encoder.finish()?.target),
        }
    }
}

impl<W: Write> Write for WrapWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layers {
            Layers::Plain(sealing) => sealing.write(bytes),
            Layers::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.layers {
            Layers::Plain(sealing) => sealing.flush(),
            Layers::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl<W: Write> fmt::Debug for WrapWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapWriter").field("written", &self.written()).finish_non_exhaustive()
    }
}
