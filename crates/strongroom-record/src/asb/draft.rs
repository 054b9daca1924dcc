//! A record while its lines come in.

use bytes::Bytes;

use super::cursor::{Cursor, Stop, shown};
use super::float;
use crate::model::{Bin, BinName, Digest, Double, Name, Particle, Record, UserKey};

/// Which line of a record comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Next {
    #[default]
    KeyOrNamespace,
    Namespace,
    Digest,
    SetOrGeneration,
    Generation,
    VoidTime,
    BinCount,
    Bins,
}

impl Next {
    const fn wanted(self) -> &'static str {
        match self {
            Self::KeyOrNamespace => "the key (`+ k`) or the namespace (`+ n`) of a record",
            Self::Namespace => "the namespace (`+ n`) of the record",
            Self::Digest => "the digest (`+ d`) of the record",
            Self::SetOrGeneration => "the set (`+ s`) or the generation (`+ g`) of the record",
            Self::Generation => "the generation (`+ g`) of the record",
            Self::VoidTime => "the void time (`+ t`) of the record",
            Self::BinCount => "the number of bins (`+ b`) of the record",
            Self::Bins => "a bin (`- `) of the record",
        }
    }
}

/// The names seen lately: records share them instead of each having its own.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Vec<Name>,
    oldest: usize,
}

impl Names {
    const MOST: usize = 32;

    pub(crate) fn intern<E>(&mut self, bytes: &[u8], make: impl FnOnce(Bytes) -> Result<Name, E>) -> Result<Name, E> {
        if let Some(name) = self.known.iter().find(|name| name.as_bytes() == bytes) {
            return Ok(name.clone());
        }
        let name = make(Bytes::copy_from_slice(bytes))?;
        if self.known.len() < Self::MOST {
            self.known.push(name.clone());
        } else {
            self.known[self.oldest] = name.clone();
            self.oldest = (self.oldest + 1) % Self::MOST;
        }
        Ok(name)
    }
}

/// How much of a record may be in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) value: usize,
    pub(super) record: usize,
}

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) next: Next,
    key: Option<UserKey>,
    namespace: Option<Name>,
    pub(super) digest: Option<Digest>,
    set: Option<Name>,
    generation: u16,
    void_time: u32,
    pub(super) bins_left: usize,
    pub(super) bins: Vec<Bin>,
    size: usize,
}

impl Draft {
    /// Reads the next line; the finished record after the last one. Nothing changes unless the whole line is there.
    pub(super) fn line(&mut self, c: &mut Cursor, names: &mut Names, room: Room) -> Result<Option<Record>, Stop> {
        if self.next == Next::Bins {
            let bin = self.bin(c, room)?;
            self.size += bin.value.bytes().map_or(0, Bytes::len);
            self.bins.push(bin);
            self.bins_left -= 1;
            return if self.bins_left == 0 { self.finish(c).map(Some) } else { Ok(None) };
        }
        let from = c.pos;
        let &[plus, space, letter, gap] = c.take::<4>()?;
        if (plus, space, gap) != (b'+', b' ', b' ') {
            return Err(self.unexpected(c, from));
        }
        match (letter, self.next) {
            (b'k', Next::KeyOrNamespace) => {
                self.key = Some(key(c, room)?);
                self.next = Next::Namespace;
            }
            (b'n', Next::KeyOrNamespace | Next::Namespace) => {
                let token = c.token(b'\n', "the namespace")?;
                let name = names.intern(&token, Name::namespace);
                self.namespace = Some(name.map_err(|error| c.bad_at(from, error.to_string()))?);
                self.next = Next::Digest;
            }
            (b'd', Next::Digest) => {
                self.digest = Some(digest(c)?);
                self.next = Next::SetOrGeneration;
            }
            (b's', Next::SetOrGeneration) => {
                let token = c.token(b'\n', "the set")?;
                // An empty set name is how some writers say "no set".
                if !token.is_empty() {
                    let name = names.intern(&token, Name::set);
                    self.set = Some(name.map_err(|error| c.bad_at(from, error.to_string()))?);
                }
                self.next = Next::Generation;
            }
            (b'g', Next::SetOrGeneration | Next::Generation) => {
                self.generation = narrow(c, c.pos, u64::from(u16::MAX), "the generation")?;
                self.next = Next::VoidTime;
            }
            (b't', Next::VoidTime) => {
                self.void_time = narrow(c, c.pos, u64::from(u32::MAX), "the void time")?;
                self.next = Next::BinCount;
            }
            (b'b', Next::BinCount) => {
                let count: u16 = narrow(c, c.pos, u64::from(u16::MAX), "the number of bins")?;
                self.bins_left = usize::from(count);
                // A hostile count reserves little; real records rarely have more bins.
                self.bins = Vec::with_capacity(self.bins_left.min(64));
                self.next = Next::Bins;
                if count == 0 {
                    return self.finish(c).map(Some);
                }
            }
            _ => return Err(self.unexpected(c, from)),
        }
        Ok(None)
    }

    fn unexpected(&self, c: &Cursor, from: usize) -> Stop {
        c.bad_at(from, format!("expected {}, found {}", self.next.wanted(), shown(c.rest(from))))
    }

    fn finish(&mut self, c: &Cursor) -> Result<Record, Stop> {
        let draft = std::mem::take(self);
        let (Some(namespace), Some(digest)) = (draft.namespace, draft.digest) else {
            return Err(c.bad("a record without namespace or digest"));
        };
        if let Some(name) = duplicate(&draft.bins) {
            return Err(
                c.bad_at(c.pos - 1, format!("the record {digest} has two bins named {}", shown(name.as_bytes())))
            );
        }
        Ok(Record {
            namespace,
            set: draft.set,
            digest,
            key: draft.key,
            generation: draft.generation,
            void_time: draft.void_time,
            bins: draft.bins,
        })
    }

    fn bin(&self, c: &mut Cursor, room: Room) -> Result<Bin, Stop> {
        let from = c.pos;
        let &[minus, space, letter] = c.take::<3>()?;
        if (minus, space) != (b'-', b' ') {
            return Err(self.unexpected(c, from));
        }
        let compact = c.peek()? == b'!';
        c.pos += usize::from(compact);
        c.expect(b' ', "the type of a bin")?;
        let token = c.token(if letter == b'N' { b'\n' } else { b' ' }, "the name of a bin")?;
        let name = BinName::new(&token).map_err(|error| c.bad_at(from, error.to_string()))?;
        // Only bytes have a compact form.
        if compact && !b"BJCPRHEYML".contains(&letter) {
            return Err(c.bad_at(from, format!("bins of type {} have no compact form", shown(&[letter, b'!']))));
        }
        let value = self.value(c, from, letter, compact, room)?;
        Ok(Bin { name, value })
    }

    fn value(&self, c: &mut Cursor, from: usize, letter: u8, compact: bool, room: Room) -> Result<Particle, Stop> {
        let most = room.value.min(room.record.saturating_sub(self.size));
        let wrap: fn(Bytes) -> Particle = match letter {
            b'N' => return Ok(Particle::Nil),
            b'Z' => return boolean(c).map(Particle::Bool),
            b'I' => return c.integer("the value of an integer bin").map(Particle::Integer),
            b'D' => return double(c).map(Particle::Double),
            b'S' => return c.raw(most, "the value of a string bin").map(Particle::String),
            b'X' => return c.base64(most, "the value of a string bin").map(Particle::String),
            b'G' => return c.raw(most, "the value of a geojson bin").map(Particle::Geo),
            b'B' => Particle::Blob,
            b'J' => Particle::Java,
            b'C' => Particle::CSharp,
            b'P' => Particle::Python,
            b'R' => Particle::Ruby,
            b'H' => Particle::Php,
            b'E' => Particle::Erlang,
            b'Y' => Particle::Hll,
            b'M' => Particle::Map,
            b'L' => Particle::List,
            b'U' => {
                return Err(c.unsupported_at(
                    from,
                    "a bin of a large data type, which no server since 3.16 knows",
                    "restore this backup with the tools of its time and back it up again",
                ));
            }
            other => {
                let message = format!("the bin type {} is not known", shown(&[other]));
                return Err(c.unsupported_at(from, message, "the file is damaged, or newer than this reader"));
            }
        };
        let what = "the value of a bin";
        let bytes = if compact { c.raw(most, what)? } else { c.base64(most, what)? };
        Ok(wrap(bytes))
    }
}

/// The first name that two bins share.
fn duplicate(bins: &[Bin]) -> Option<BinName> {
    if bins.len() <= 16 {
        let mut rest = bins;
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| other.name == first.name) {
                return Some(first.name);
            }
            rest = others;
        }
        return None;
    }
    let mut names: Vec<_> = bins.iter().map(|bin| bin.name).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn narrow<T: TryFrom<u64>>(c: &mut Cursor, from: usize, most: u64, what: &str) -> Result<T, Stop> {
    let value = c.unsigned(b'\n', most, what)?;
    T::try_from(value).map_err(|_| c.bad_at(from, format!("{what} {value} is out of range")))
}

fn digest(c: &mut Cursor) -> Result<Digest, Stop> {
    let from = c.pos;
    let text = c.line(64, "the digest")?;
    Digest::from_base64(text)
        .ok_or_else(|| c.bad_at(from, format!("the digest {} is not the base64 of 20 bytes", shown(text))))
}

fn boolean(c: &mut Cursor) -> Result<bool, Stop> {
    let value = match c.byte()? {
        b'T' => true,
        b'F' => false,
        other => return Err(c.bad_at(c.pos - 1, format!("a boolean is T or F, not {}", shown(&[other])))),
    };
    c.expect(b'\n', "a boolean")?;
    Ok(value)
}

fn double(c: &mut Cursor) -> Result<Double, Stop> {
    let from = c.pos;
    let text = c.line(float::LONGEST, "a float")?;
    let value = float::parse(text);
    value.map(Double::from).ok_or_else(|| c.bad_at(from, format!("{} is no float", shown(text))))
}

fn key(c: &mut Cursor, room: Room) -> Result<UserKey, Stop> {
    let from = c.pos;
    let letter = c.byte()?;
    let compact = c.peek()? == b'!';
    c.pos += usize::from(compact);
    c.expect(b' ', "the type of a key")?;
    let what = "the key";
    match (letter, compact) {
        (b'I', false) => c.integer(what).map(UserKey::Integer),
        (b'D', false) => double(c).map(UserKey::Double),
        (b'S', false) => c.raw(room.value, what).map(UserKey::String),
        (b'X', false) => c.base64(room.value, what).map(UserKey::String),
        (b'B', false) => c.base64(room.value, what).map(UserKey::Blob),
        (b'B', true) => c.raw(room.value, what).map(UserKey::Blob),
        _ => {
            let kind = &c.buf[from..c.pos - 1];
            let message = format!("the key type {} is not known", shown(kind));
            Err(c.unsupported_at(from, message, "the file is damaged, or newer than this reader"))
        }
    }
}
