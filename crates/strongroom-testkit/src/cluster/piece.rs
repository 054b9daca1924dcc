//! The bytes of a simulated piece: text lines, each record's value behind its line.
//!
//! ```text
//! sim1                                 first line
//! def <table>                          a table
//! put <micros> <table> <record> <n>    a record, then its n bytes and a line end
//! del <micros> <table> <record>        a delete
//! end <count>                          last line: how many entries there were
//! ```

use bytes::{Buf as _, Bytes, BytesMut};
use strongroom_core::{Error, Key, Result, Timestamp};

use super::history::partition;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Table(String),
    Record { table: String, record: String, at: Timestamp, value: Option<Bytes> },
}

/// Pieces are sorted by this.
pub(super) type Place = (u16, String, String);

impl Entry {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Table(table) => (0, table.clone(), String::new()),
            Self::Record { table, record, .. } => (partition(table, record), table.clone(), record.clone()),
        }
    }
}

/// Writes one piece.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    count: u64,
    started: bool,
}

impl Encoder {
    pub(super) fn push(&mut self, entry: &Entry, out: &mut BytesMut) {
        if !self.started {
            self.started = true;
            out.extend_from_slice(b"sim1\n");
        }
        self.count += 1;
        match entry {
            Entry::Table(table) => out.extend_from_slice(format!("def {}\n", Key::escape(table)).as_bytes()),
            Entry::Record { table, record, at, value } => {
                let (table, record, at) = (Key::escape(table), Key::escape(record), at.micros());
                match value {
                    Some(value) => {
                        let line = format!("put {at} {table} {record} {}\n", value.len());
                        out.extend_from_slice(line.as_bytes());
                        out.extend_from_slice(value);
                        out.extend_from_slice(b"\n");
                    }
                    None => out.extend_from_slice(format!("del {at} {table} {record}\n").as_bytes()),
                }
            }
        }
    }

    pub(super) fn finish(self, out: &mut BytesMut) {
        if !self.started {
            out.extend_from_slice(b"sim1\n");
        }
        out.extend_from_slice(format!("end {}\n", self.count).as_bytes());
    }
}

/// Longest line that is believed: names are at most a few hundred bytes.
const MAX_LINE: usize = 4096;

/// Reads one piece as its bytes arrive.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    rest: BytesMut,
    started: bool,
    ended: bool,
    count: u64,
    /// A record whose value has not arrived yet, and its length.
    open: Option<(Entry, usize)>,
}

impl Decoder {
    /// Takes the next bytes; entries that became whole are put to the end of `entries`.
    pub(super) fn push(&mut self, chunk: &[u8], entries: &mut impl Extend<Entry>) -> Result<()> {
        self.rest.extend_from_slice(chunk);
        loop {
            if let Some((entry, length)) = self.open.take() {
                if self.rest.len() <= length {
                    self.open = Some((entry, length));
                    return Ok(());
                }
                let found = self.rest.split_to(length).freeze();
                if self.rest.get_u8() != b'\n' {
                    return Err(Error::corrupt("a simulated piece: a value without a line end"));
                }
                let Entry::Record { table, record, at, .. } = entry else { return Err(broken("an open table")) };
                entries.extend([Entry::Record { table, record, at, value: Some(found) }]);
                continue;
            }
            let Some(length) = self.rest.iter().position(|byte| *byte == b'\n') else {
                let long = self.rest.len() > MAX_LINE;
                return if long { Err(broken("a line without an end")) } else { Ok(()) };
            };
            let line = self.rest.split_to(length);
            self.rest.advance(1);
            let line = std::str::from_utf8(&line).map_err(|_| broken("a line that is not text"))?;
            self.line(line, entries)?;
        }
    }

    fn line(&mut self, line: &str, entries: &mut impl Extend<Entry>) -> Result<()> {
        if self.ended {
            return Err(broken("bytes after its end"));
        }
        if !self.started {
            self.started = line == "sim1";
            return if self.started { Ok(()) } else { Err(broken("another first line")) };
        }
        let words: Vec<&str> = line.split(' ').collect();
        let entry = match words.as_slice() {
            ["end", count] => {
                self.ended = true;
                let same = number::<u64>(count)? == self.count;
                return if same { Ok(()) } else { Err(broken("another count of entries")) };
            }
            ["def", table] => Entry::Table(unescape(table)?),
            ["del", at, table, record] => Entry::Record {
                table: unescape(table)?,
                record: unescape(record)?,
                at: Timestamp::from_micros(number(at)?),
                value: None,
            },
            ["put", at, table, record, length] => {
                let (table, record) = (unescape(table)?, unescape(record)?);
                let entry = Entry::Record { table, record, at: Timestamp::from_micros(number(at)?), value: None };
                self.open = Some((entry, number(length)?));
                self.count += 1;
                return Ok(());
            }
            _ => return Err(broken("an unknown line")),
        };
        self.count += 1;
        entries.extend([entry]);
        Ok(())
    }

    /// Whether not one byte has come.
    pub(super) fn is_untouched(&self) -> bool {
        !self.started && self.rest.is_empty()
    }

    /// Tells whether the piece was whole.
    pub(super) fn finish(&self) -> Result<()> {
        if self.ended && self.rest.is_empty() { Ok(()) } else { Err(broken("no end")) }
    }
}

fn broken(what: &str) -> Error {
    Error::corrupt(format!("a simulated piece has {what}"))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N> {
    text.parse().map_err(|_| broken("a bad number"))
}

/// Undoes [`Key::escape`].
fn unescape(text: &str) -> Result<String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    if text == "%" {
        return Ok(String::new());
    }
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or_else(|| broken("a bad escape"))?;
        out.push(byte);
        rest = rest.get(2..).unwrap_or_default();
    }
    String::from_utf8(out).map_err(|_| broken("a name that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], chunk: usize) -> Result<Vec<Entry>> {
        let (mut decoder, mut entries) = (Decoder::default(), Vec::new());
        for chunk in bytes.chunks(chunk) {
            decoder.push(chunk, &mut entries)?;
        }
        decoder.finish()?;
        Ok(entries)
    }

    fn sample() -> (Vec<Entry>, BytesMut) {
        let record = |record: &str, value: Option<&str>| Entry::Record {
            table: "a b".to_owned(),
            record: record.to_owned(),
            at: Timestamp::from_micros(-5),
            value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        };
        let entries = vec![
            Entry::Table("ü%".to_owned()),
            record("", Some("line\nend 1\n")),
            record("empty", Some("")),
            record("gone", None),
        ];
        let (mut encoder, mut out) = (Encoder::default(), BytesMut::new());
        for entry in &entries {
            encoder.push(entry, &mut out);
        }
        encoder.finish(&mut out);
        (entries, out)
    }

    #[test]
    fn pieces_round_trip_in_chunks_of_any_size() {
        let (entries, bytes) = sample();
        for chunk in 1..bytes.len() {
            assert_eq!(decode(&bytes, chunk).unwrap(), entries);
        }
    }

    #[test]
    fn a_cut_or_lengthened_piece_is_corrupt() {
        let (_, bytes) = sample();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], 7).is_err(), "{length}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(decode(&longer, 7).is_err());
        assert!(decode(b"sim1\nput 1 t r 99999999999999\nx", 7).is_err());
    }
}
