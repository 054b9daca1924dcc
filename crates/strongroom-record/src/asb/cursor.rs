//! Reading one line: tokens, numbers and values, each either there, not there yet, or wrong.

use std::borrow::Cow;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use strongroom_core::ErrorKind;

use super::AsbError;
use crate::model::MAX_TOKEN;

/// What to do about damage, unless something more helpful is known.
pub(crate) const DAMAGED: &str = "the file is damaged here: use another copy of it or an earlier backup";

/// Why a line could not be read.
#[derive(Debug)]
pub(crate) enum Stop {
    /// At least so many bytes, counted from the start of the line, are needed.
    Need(usize),
    /// The line is wrong.
    Bad(Box<Fault>),
}

#[derive(Debug)]
pub(crate) struct Fault {
    /// Position in the cursor's buffer.
    pub(crate) at: usize,
    /// How many line ends lie before it in the same line of the format.
    pub(crate) lines: u64,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
    pub(crate) kind: ErrorKind,
}

impl Fault {
    /// The same fault placed in the file; the line began at `offset`, which is `start` in the cursor's buffer.
    pub(crate) fn placed(self, offset: u64, start: usize, line: u64) -> AsbError {
        let Self { at, lines, message, hint, kind } = self;
        AsbError { offset: offset + (at - start) as u64, line: line + lines, message, hint, kind }
    }
}

/// A position in a line.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) buf: &'a Bytes,
    pub(crate) pos: usize,
    start: usize,
    /// Line ends met inside names and values.
    pub(crate) lines: u64,
}

/// Bytes as they may be printed in a message.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    let dots = if bytes.len() > MOST { "…" } else { "" };
    format!("\"{}{dots}\"", bytes[..bytes.len().min(MOST)].escape_ascii())
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(buf: &'a Bytes, pos: usize) -> Self {
        Self { buf, pos, start: pos, lines: 0 }
    }

    pub(crate) fn bad_at(&self, at: usize, message: impl Into<String>) -> Stop {
        Stop::Bad(Box::new(Fault {
            at,
            lines: self.lines,
            message: message.into(),
            hint: DAMAGED,
            kind: ErrorKind::Corrupt,
        }))
    }

    pub(crate) fn bad(&self, message: impl Into<String>) -> Stop {
        self.bad_at(self.pos, message)
    }

    pub(crate) fn unsupported_at(&self, at: usize, message: impl Into<String>, hint: &'static str) -> Stop {
        Stop::Bad(Box::new(Fault {
            at,
            lines: self.lines,
            message: message.into(),
            hint,
            kind: ErrorKind::Unsupported,
        }))
    }

    /// The stop that asks for one byte more than there is.
    pub(crate) const fn more(&self) -> Stop {
        Stop::Need(self.buf.len() - self.start + 1)
    }

    /// The line up to its end or the end of what is there, for messages.
    pub(crate) fn rest(&self, from: usize) -> &'a [u8] {
        let rest = &self.buf[from.min(self.buf.len())..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        &rest[..end]
    }

    pub(crate) fn peek(&self) -> Result<u8, Stop> {
        self.buf.get(self.pos).copied().ok_or_else(|| self.more())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.pos += 1;
        Ok(byte)
    }

    /// The next `N` bytes.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Stop> {
        let found = self.buf[self.pos..].first_chunk::<N>();
        let found = found.ok_or(Stop::Need(self.pos - self.start + N))?;
        self.pos += N;
        Ok(found)
    }

    pub(crate) fn expect(&mut self, wanted: u8, what: &str) -> Result<(), Stop> {
        let found = self.peek()?;
        if found == wanted {
            self.pos += 1;
            return Ok(());
        }
        let name = if wanted == b'\n' { "a line end" } else { "a space" };
        Err(self.bad(format!("expected {name} after {what}, found {}", shown(&[found]))))
    }

    /// A name that ends at `end` (a space or a line end, which is read too), without its escapes.
    pub(crate) fn token(&mut self, end: u8, what: &str) -> Result<Cow<'a, [u8]>, Stop> {
        let from = self.pos;
        let data = &self.buf[from..];
        for (i, &byte) in data.iter().enumerate() {
            if byte == end {
                self.pos += i + 1;
                return Ok(Cow::Borrowed(&data[..i]));
            }
            match byte {
                b'\\' => return self.escaped(i, end, what).map(Cow::Owned),
                b' ' | b'\n' => return Err(self.misplaced(from + i, what)),
                _ if i >= MAX_TOKEN => return Err(self.endless(from, what)),
                _ => {}
            }
        }
        Err(self.more())
    }

    /// The slow way of [`Cursor::token`]: `plain` bytes are known to need no care.
    fn escaped(&mut self, plain: usize, end: u8, what: &str) -> Result<Vec<u8>, Stop> {
        let from = self.pos;
        let data = &self.buf[from..];
        let mut name = data[..plain].to_vec();
        let mut i = plain;
        let mut lines = 0;
        loop {
            let mut byte = *data.get(i).ok_or_else(|| self.more())?;
            i += 1;
            if byte == end {
                break;
            }
            match byte {
                b'\\' => {
                    byte = *data.get(i).ok_or_else(|| self.more())?;
                    lines += u64::from(byte == b'\n');
                    i += 1;
                }
                b' ' | b'\n' => return Err(self.misplaced(from + i - 1, what)),
                _ => {}
            }
            if name.len() >= MAX_TOKEN {
                return Err(self.endless(from, what));
            }
            name.push(byte);
        }
        self.pos += i;
        self.lines += lines;
        Ok(name)
    }

    fn misplaced(&self, at: usize, what: &str) -> Stop {
        if self.buf[at] == b' ' {
            self.bad_at(at, format!("there is a space in or after {what} that is not escaped"))
        } else {
            self.bad_at(at, format!("the line ends too early, in or after {what}"))
        }
    }

    fn endless(&self, from: usize, what: &str) -> Stop {
        self.bad_at(from, format!("{what} is longer than {MAX_TOKEN} bytes"))
    }

    /// Decimal digits up to `end`, which is read too.
    pub(crate) fn unsigned(&mut self, end: u8, most: u64, what: impl Display + Copy) -> Result<u64, Stop> {
        let from = self.pos;
        let mut value = 0_u64;
        for (i, &byte) in self.buf[from..].iter().enumerate() {
            match byte {
                b'0'..=b'9' if i < 20 => {
                    let digit = u64::from(byte - b'0');
                    let next = value.checked_mul(10).and_then(|v| v.checked_add(digit)).filter(|v| *v <= most);
                    value = next.ok_or_else(|| self.too_large(from, most, what))?;
                }
                _ if byte == end && i > 0 => {
                    self.pos += i + 1;
                    return Ok(value);
                }
                _ => return Err(self.not_a_number(from, most, what)),
            }
        }
        Err(self.more())
    }

    #[cold]
    fn too_large(&self, from: usize, most: u64, what: impl Display) -> Stop {
        self.bad_at(from, format!("{what} {} is larger than {most}", shown(self.word(from))))
    }

    #[cold]
    fn not_a_number(&self, from: usize, most: u64, what: impl Display) -> Stop {
        let word = self.word(from);
        let negative = word.first() == Some(&b'-');
        let found = if negative { "is negative" } else { "is not a number" };
        self.bad_at(from, format!("{what} {} {found}; expected 0 to {most}", shown(word)))
    }

    fn word(&self, from: usize) -> &'a [u8] {
        let rest = self.rest(from);
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        &rest[..end]
    }

    /// A signed 64-bit number up to the line end, which is read too.
    pub(crate) fn integer(&mut self, what: &str) -> Result<i64, Stop> {
        let from = self.pos;
        let negative = self.peek()? == b'-';
        let mut value = 0_i64;
        let digits = from + usize::from(negative);
        for (i, &byte) in self.buf[digits..].iter().enumerate() {
            match byte {
                b'0'..=b'9' if i < 20 => {
                    // Counted downwards, since there is one more negative number than positive ones.
                    let next = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(byte - b'0')));
                    value = next.ok_or_else(|| self.no_integer(from, what))?;
                }
                b'\n' if i > 0 => {
                    let value = if negative { Some(value) } else { value.checked_neg() };
                    let value = value.ok_or_else(|| self.no_integer(from, what))?;
                    self.pos = digits + i + 1;
                    return Ok(value);
                }
                _ => return Err(self.no_integer(from, what)),
            }
        }
        Err(self.more())
    }

    fn no_integer(&self, from: usize, what: &str) -> Stop {
        self.bad_at(from, format!("{what} {} is no signed 64-bit integer", shown(self.rest(from))))
    }

    /// The text up to the line end, which is read too; for short things only.
    pub(crate) fn line(&mut self, most: usize, what: &str) -> Result<&'a [u8], Stop> {
        let from = self.pos;
        let data = &self.buf[from..];
        let window = &data[..data.len().min(most + 1)];
        match memchr::memchr(b'\n', window) {
            Some(end) => {
                self.pos += end + 1;
                Ok(&data[..end])
            }
            None if window.len() > most => Err(self.bad_at(from, format!("{what} is longer than {most} bytes"))),
            None => Err(self.more()),
        }
    }

    /// A length, a space, so many bytes, and a line end: the position of the bytes.
    fn sized(&mut self, most: usize, what: &str) -> Result<(usize, usize), Stop> {
        let from = self.pos;
        let length = self.unsigned(b' ', u64::from(u32::MAX), format_args!("the length of {what}"))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or_else(|| {
            self.unsupported_at(
                from,
                format!("{what} is {length} bytes long, which is more than the limit of {most}"),
                "raise the limit of the reader if the file can be trusted",
            )
        })?;
        let begin = self.pos;
        let end = begin + length;
        // The last byte is asked for too: it shows whether the length was right.
        if self.buf.len() <= end {
            return Err(Stop::Need(end - self.start + 1));
        }
        if self.buf[end] != b'\n' {
            return Err(self.bad_at(from, format!("{what} does not end with a line after its {length} bytes")));
        }
        self.pos = end + 1;
        Ok((begin, end))
    }

    /// A value that stands in the file as it is.
    pub(crate) fn raw(&mut self, most: usize, what: &str) -> Result<Bytes, Stop> {
        let (begin, end) = self.sized(most, what)?;
        self.lines += memchr::memchr_iter(b'\n', &self.buf[begin..end]).count() as u64;
        Ok(self.buf.slice(begin..end))
    }

    /// A value in base64; the length is that of the text.
    pub(crate) fn base64(&mut self, most: usize, what: &str) -> Result<Bytes, Stop> {
        let (begin, end) = self.sized(most, what)?;
        self.decoded(begin, end, what)
    }

    fn decoded(&self, begin: usize, end: usize, what: &str) -> Result<Bytes, Stop> {
        STANDARD
            .decode(&self.buf[begin..end])
            .map(Bytes::from)
            .map_err(|error| self.bad_at(begin, format!("{what} is not base64: {error}")))
    }

    /// The rest of the line as base64.
    pub(crate) fn base64_line(&mut self, most: usize, what: &str) -> Result<Bytes, Stop> {
        let begin = self.pos;
        let length = self.line(most, what)?.len();
        self.decoded(begin, begin + length, what)
    }
}
