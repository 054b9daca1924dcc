//! The frame around every small object of a repository: a head line that says what it is, the body, and a last line
//! that proves all bytes before it. A cut, a flip or a swapped object is told before a single field is believed.
//!
//! ```text
//! {"strongroom":"manifest","format":1,"repository":"…","name":"…","nonce":"…"}
//! <body: one JSON value a line>
//! {"blake3":"<64 hex digits>"}
//! ```
//!
//! Every later format keeps this frame, so that an older version can say "newer" instead of "damaged".

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::id::RepositoryId;
use crate::manifest::{Blake3, FORMAT};
use crate::{Error, Key, Result};

/// What an object is. Compared when it is read, so that no object can stand in for another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Repository,
    Cluster,
    Manifest,
    Void,
    Pieces,
    Shared,
    Segment,
    Snapshot,
    Lease,
    Condemned,
    Done,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Head {
    strongroom: Kind,
    format: u32,
    repository: RepositoryId,
    /// The object's own name: one that was swapped with another of its kind, or put back in a later one's place, is told.
    #[serde(default)]
    name: String,
    #[serde(default)]
    nonce: String,
}

impl Head {
    fn new(kind: Kind, repository: RepositoryId, key: &Key, nonce: [u8; 16]) -> Self {
        let (name, nonce) = (key.as_str().to_owned(), hex(&nonce));
        Self { strongroom: kind, format: FORMAT, repository, name, nonce }
    }
}

#[derive(Serialize, Deserialize)]
struct Foot {
    blake3: Blake3,
}

/// The length of the last line with its line feed: `{"blake3":"` + 64 + `"}` + LF.
const FOOT: usize = 78;

/// Puts lines into the frame of the object `key`.
pub(crate) fn seal<T: Serialize>(
    kind: Kind,
    repository: RepositoryId,
    key: &Key,
    nonce: [u8; 16],
    lines: impl IntoIterator<Item = T>,
) -> Result<Bytes> {
    seal_with(kind, repository, key, nonce, |out| lines.into_iter().try_for_each(|line| push_line(out, &line)))
}

/// Puts a body into a frame. `body` appends it; it must end in a line feed.
pub(crate) fn seal_with(
    kind: Kind,
    repository: RepositoryId,
    key: &Key,
    nonce: [u8; 16],
    body: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<Bytes> {
    let head = Head::new(kind, repository, key, nonce);
    let mut out = Vec::with_capacity(512);
    push_line(&mut out, &head)?;
    body(&mut out)?;
    let foot = Foot { blake3: Blake3::of(&out) };
    push_line(&mut out, &foot)?;
    Ok(out.into())
}

/// As much of a long document is made at once.
const CHUNK: usize = 256 << 10;

/// The bytes of a document like [`seal`]'s, chunk by chunk, so that a long one never rests in memory.
pub(crate) fn chunks<T: Serialize>(
    kind: Kind,
    repository: RepositoryId,
    key: &Key,
    nonce: [u8; 16],
    lines: impl Iterator<Item = T>,
) -> impl Iterator<Item = Result<Bytes>> {
    let head = Head::new(kind, repository, key, nonce);
    let mut lines = lines.fuse();
    let (mut head, mut hasher, mut over) = (Some(head), blake3::Hasher::new(), false);
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let mut out = Vec::with_capacity(CHUNK + 4096);
        let filled = head.take().map_or(Ok(()), |head| push_line(&mut out, &head)).and_then(|()| {
            while out.len() < CHUNK {
                let Some(line) = lines.next() else {
                    over = true;
                    break;
                };
                push_line(&mut out, &line)?;
            }
            hasher.update(&out);
            if over { push_line(&mut out, &Foot { blake3: hasher.finalize().into() }) } else { Ok(()) }
        });
        over |= filled.is_err();
        Some(filled.map(|()| out.into()))
    })
}

/// Opens a document that comes in chunks, as [`open`] does one that is there: each line of the body goes to `line` as soon
/// as it is known not to be the last of the document. What was given out is proven only by [`Opening::finish`].
pub(crate) struct Opening<'a, F> {
    key: &'a Key,
    kinds: &'a [Kind],
    repository: RepositoryId,
    line: F,
    /// Large, so in a box: futures hold this.
    hasher: Box<blake3::Hasher>,
    /// What came and is not worked off.
    rest: Vec<u8>,
    headed: bool,
}

impl<'a, F: FnMut(&[u8]) -> Result<()>> Opening<'a, F> {
    pub(crate) fn new(key: &'a Key, kinds: &'a [Kind], repository: RepositoryId, line: F) -> Self {
        Self { key, kinds, repository, line, hasher: Box::default(), rest: Vec::new(), headed: false }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<()> {
        self.rest.extend_from_slice(chunk);
        let sure = self.rest.len().saturating_sub(FOOT);
        let end = self.rest[..sure].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.work_off(end)
    }

    /// Checks the end of the document.
    pub(crate) fn finish(mut self) -> Result<()> {
        let damaged = |key: &Key, why: &str| {
            Error::corrupt(format!("{key} is damaged: {why}")).hint("put back a good copy of it, or use another copy")
        };
        let at = self.rest.len().checked_sub(FOOT).ok_or_else(|| damaged(self.key, "it is too short"))?;
        let foot = serde_json::from_slice::<Foot>(&self.rest[at..]);
        let Ok(foot) =
            foot.map_err(drop).and_then(|foot| if at == 0 || self.rest[at - 1] == b'\n' { Ok(foot) } else { Err(()) })
        else {
            return Err(damaged(self.key, "its last line, which proves it, is missing or cut"));
        };
        self.work_off(at)?;
        if !self.headed {
            return Err(damaged(self.key, "it has no head"));
        }
        if foot.blake3 != Blake3::from(self.hasher.finalize()) {
            return Err(damaged(self.key, "its bytes are not those that were written"));
        }
        Ok(())
    }

    fn work_off(&mut self, end: usize) -> Result<()> {
        if end == 0 {
            return Ok(());
        }
        let rest = std::mem::take(&mut self.rest);
        let (lines, kept) = rest.split_at(end);
        self.hasher.update(lines);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if self.headed {
                (self.line)(line)?;
            } else {
                let head = serde_json::from_slice(line).map_err(|error| {
                    Error::corrupt(format!("{} is damaged: it has no head", self.key)).because(error)
                })?;
                check_head(self.key, &head, self.kinds, Some(self.repository))?;
                self.headed = true;
            }
        }
        self.rest = kept.to_vec();
        Ok(())
    }
}

/// Appends a value as a line.
pub(crate) fn push_line<T: Serialize>(out: &mut Vec<u8>, line: &T) -> Result<()> {
    serde_json::to_writer(&mut *out, line)
        .map_err(|error| Error::internal("a document could not be written as JSON").because(error))?;
    out.push(b'\n');
    Ok(())
}

/// Lower-case hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An opened frame.
pub(crate) struct Opened<'a> {
    pub(crate) kind: Kind,
    pub(crate) repository: RepositoryId,
    body: &'a [u8],
}

impl<'a> Opened<'a> {
    /// The body, whatever it is made of.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The body's lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// The body as exactly one value.
    pub(crate) fn one<T: DeserializeOwned>(&self, key: &Key) -> Result<T> {
        let mut lines = self.lines();
        match (lines.next(), lines.next()) {
            (Some(line), None) => parse(line, key),
            _ => Err(Error::corrupt(format!("{key} does not hold exactly one value"))),
        }
    }
}

/// Reads one line.
pub(crate) fn parse<T: DeserializeOwned>(line: &[u8], key: &Key) -> Result<T> {
    serde_json::from_slice(line)
        .map_err(|error| Error::corrupt(format!("{key} holds a value that makes no sense")).because(error))
}

/// Checks the frame of the object `key` and gives its body.
///
/// # Errors
/// `Corrupt` when it is damaged or another object; `Unsupported` when a newer version wrote it.
pub(crate) fn open<'a>(
    key: &Key,
    bytes: &'a [u8],
    kinds: &[Kind],
    repository: Option<RepositoryId>,
) -> Result<Opened<'a>> {
    let damaged = |why: &str| {
        Error::corrupt(format!("{key} is damaged: {why}")).hint("put back a good copy of it, or use another copy")
    };
    let at = bytes.len().checked_sub(FOOT).ok_or_else(|| damaged("it is too short"))?;
    let (covered, foot) = bytes.split_at(at);
    let foot: Foot = match serde_json::from_slice(foot) {
        Ok(foot) if covered.ends_with(b"\n") => foot,
        _ => return Err(damaged("its last line, which proves it, is missing or cut")),
    };
    if foot.blake3 != Blake3::of(covered) {
        return Err(damaged("its bytes are not those that were written"));
    }
    let end = covered.iter().position(|byte| *byte == b'\n').unwrap_or(covered.len() - 1);
    let (head, body) = covered.split_at(end + 1);
    let head: Head = serde_json::from_slice(head).map_err(|error| damaged("it has no head").because(error))?;
    check_head(key, &head, kinds, repository)?;
    Ok(Opened { kind: head.strongroom, repository: head.repository, body })
}

fn check_head(key: &Key, head: &Head, kinds: &[Kind], repository: Option<RepositoryId>) -> Result<()> {
    let damaged = |why: &str| {
        Error::corrupt(format!("{key} is damaged: {why}")).hint("put back a good copy of it, or use another copy")
    };
    if head.format > FORMAT {
        return Err(newer(key, head.format));
    }
    if !kinds.contains(&head.strongroom) {
        return Err(damaged("it is another kind of object"));
    }
    if repository.is_some_and(|own| own != head.repository) {
        return Err(damaged("it belongs to another repository"));
    }
    if head.name != key.as_str() {
        return Err(damaged(&format!("it was written as '{}'", head.name.escape_debug())));
    }
    Ok(())
}

fn newer(key: &Key, format: u32) -> Error {
    Error::unsupported(format!(
        "{key} is written in format {format}, and this version (strongroom {}) reads formats up to {FORMAT}",
        env!("CARGO_PKG_VERSION")
    ))
    .hint("use the version of strongroom that wrote it, or a newer one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const REPOSITORY: RepositoryId = RepositoryId::from_u128(7);

    fn key() -> Key {
        Key::new("catalogue/x").unwrap()
    }

    fn sealed() -> Bytes {
        seal(Kind::Segment, REPOSITORY, &key(), [1; 16], ["one", "two"]).unwrap()
    }

    #[test]
    fn what_was_sealed_opens() {
        let bytes = sealed();
        let opened = open(&key(), &bytes, &[Kind::Segment], Some(REPOSITORY)).unwrap();
        let lines: Vec<String> = opened.lines().map(|line| parse(line, &key()).unwrap()).collect();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn every_cut_and_every_flip_is_corrupt() {
        let bytes = sealed();
        for end in 0..bytes.len() {
            let error = open(&key(), &bytes[..end], &[Kind::Segment], None).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {end}");
            assert!(error.to_string().contains("catalogue/x"));
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << bit;
                // A hex digit in upper case is the same hash; all else must be told.
                match open(&key(), &flipped, &[Kind::Segment], None) {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit} of byte {at}"),
                    Ok(_) => assert!(flipped.eq_ignore_ascii_case(&bytes), "bit {bit} of byte {at}"),
                }
            }
        }
    }

    #[test]
    fn another_kind_repository_or_name_is_refused() {
        let bytes = sealed();
        let other = Key::new("catalogue/y").unwrap();
        let error = open(&other, &bytes, &[Kind::Segment], Some(REPOSITORY)).err().unwrap();
        assert_eq!(error.message(), "catalogue/y is damaged: it was written as 'catalogue/x'");
        assert!(open(&key(), &bytes, &[Kind::Lease], None).is_err());
        assert!(open(&key(), &bytes, &[Kind::Segment], Some(RepositoryId::from_u128(8))).is_err());
    }

    #[test]
    fn a_newer_format_is_named_with_both_versions() {
        let mut body = format!("{{\"strongroom\":\"something\",\"format\":9,\"repository\":\"{REPOSITORY}\"}}\n");
        body += "{\"all\":\"new\"}\n";
        let foot = format!("{{\"blake3\":\"{}\"}}\n", Blake3::of(body.as_bytes()));
        body += &foot;
        let error = open(&key(), body.as_bytes(), &[Kind::Segment], None).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("format 9") && error.to_string().contains("up to 1"), "{error}");
    }

    fn in_chunks(bytes: &[u8], size: usize) -> Result<Vec<String>> {
        let (key, mut lines) = (key(), Vec::new());
        let mut opening = Opening::new(&key, &[Kind::Pieces], REPOSITORY, |line: &[u8]| {
            lines.push(parse(line, &Key::new("x")?)?);
            Ok(())
        });
        for chunk in bytes.chunks(size) {
            opening.push(chunk)?;
        }
        opening.finish()?;
        Ok(lines)
    }

    #[test]
    fn chunks_are_the_same_document() {
        for count in [0, 1, 5000] {
            let lines: Vec<String> = (0..count).map(|number| format!("{number:0100}")).collect();
            let made: Vec<Bytes> =
                chunks(Kind::Pieces, REPOSITORY, &key(), [1; 16], lines.iter()).map(Result::unwrap).collect();
            let made = made.concat();
            assert_eq!(made, seal(Kind::Pieces, REPOSITORY, &key(), [1; 16], &lines).unwrap());
            for size in [1, 50, 77, 78, 79, 1 << 20] {
                if made.len() / size < 10_000 {
                    assert_eq!(in_chunks(&made, size).unwrap(), lines, "{size}");
                }
            }
        }
    }

    #[test]
    fn every_cut_and_every_flip_is_told_in_chunks_too() {
        let bytes = seal(Kind::Pieces, REPOSITORY, &key(), [1; 16], ["one", "two"]).unwrap();
        for end in 0..bytes.len() {
            assert_eq!(in_chunks(&bytes[..end], 10).unwrap_err().kind(), ErrorKind::Corrupt, "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(in_chunks(&flipped, 10).is_err() || flipped.eq_ignore_ascii_case(&bytes), "bit {bit}");
        }
        assert!(in_chunks(&seal(Kind::Segment, REPOSITORY, &key(), [1; 16], ["x"]).unwrap(), 10).is_err());
        assert!(
            in_chunks(&seal(Kind::Pieces, RepositoryId::from_u128(8), &key(), [1; 16], ["x"]).unwrap(), 10).is_err()
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(open(&key(), &bytes, &[Kind::Segment], None).is_err());
            proptest::prop_assert!(in_chunks(&bytes, 7).is_err());
        }
    }
}
