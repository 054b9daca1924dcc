//! The incremental reader: chunks in, entities out.

use bytes::Bytes;

use super::AsbError;
use super::cursor::{Cursor, Stop, shown};
use super::draft::{Draft, Names, Next, Room};
use super::global::{self, Meta};
use super::lines::Lines;
use crate::model::{Entity, Name};

/// The version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The 3 of 3.1.
    pub major: u8,
    /// The 1 of 3.1.
    pub minor: u8,
}

/// What the lines at the top of a file say, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The version; `None` until its line was read.
    pub version: Option<Version>,
    /// The `# namespace` line.
    pub namespace: Option<Name>,
    /// Whether there is a `# first-file` line: the first file that a backup run made.
    pub first_file: bool,
}

/// What a reader accepts, so that a hostile file can't take all memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest single value, in bytes of its text in the file.
    pub value: usize,
    /// Most bytes of all values of one record.
    pub record: usize,
}

impl Default for Limits {
    /// 128 MiB a value, which is the largest record that a server can be configured to take, and 256 MiB a record.
    fn default() -> Self {
        Self { value: 128 << 20, record: 256 << 20 }
    }
}

/// Reads a file that comes in chunks of any size.
///
/// Push a chunk, take entities until there are no more, and so on; after the last chunk call [`Decoder::finish`].
/// String, blob, map and list values share the chunk's memory (see [`crate::Record::detach`]). Memory is bounded by
/// the chunks that were pushed and not yet read, plus one record.
///
/// ```
/// use strongroom_record::asb::Decoder;
///
/// let mut decoder = Decoder::default();
/// let mut count = 0;
/// for chunk in ["Version 3.1\n# name", "space test\n+ n test\n+ d AAECAwQFBgcICQoLDA0ODxAREhM=\n", "+ g 1\n+ t 0\n+ b 0\n"] {
///     decoder.push(chunk.into());
///     while let Some(_entity) = decoder.next_entity()? {
///         count += 1;
///     }
/// }
/// decoder.finish()?;
/// assert_eq!(count, 1);
/// # Ok::<(), strongroom_record::asb::AsbError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
    header: Header,
    draft: Draft,
    names: Names,
    limits: Limits,
    records: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Decoder {
    /// A reader at the start of a file.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            lines: Lines::default(),
            header: Header::default(),
            draft: Draft::default(),
            names: Names::default(),
            limits,
            records: 0,
        }
    }

    /// Adds the next bytes of the file.
    pub fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// What the top of the file said; complete once the first record came.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How many records came so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The next record, index or function; `None` if more bytes are needed for it.
    ///
    /// # Errors
    /// [`AsbError`] at the first fault. The entities before it are sound; none comes after it, and the error stays.
    pub fn next_entity(&mut self) -> Result<Option<Entity>, AsbError> {
        let Self { lines, header, draft, names, limits, .. } = self;
        let entity = lines.next(|cursor| step(cursor, header, draft, names, *limits))?;
        self.records += u64::from(entity.as_ref().is_some_and(|entity| entity.as_record().is_some()));
        Ok(entity)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`AsbError`] if the file stops anywhere but between two entities, or has not even a version line.
    pub fn finish(&mut self) -> Result<(), AsbError> {
        let Self { lines, header, draft, names, limits, .. } = self;
        lines.settle(|cursor| step(cursor, header, draft, names, *limits))?;
        let left = self.lines.left();
        let message = if self.header.version.is_none() {
            if left == 0 { "the file is empty".to_owned() } else { "the file ends in its version line".to_owned() }
        } else if self.draft.next != Next::KeyOrNamespace {
            self.inside_a_record()
        } else if left > 0 {
            format!("the file ends in the middle of a line: {}", self.lines.leftover())
        } else {
            return Ok(());
        };
        Err(self.lines.cut_off(message))
    }

    fn inside_a_record(&self) -> String {
        let digest = self.draft.digest.map_or_else(|| "before its digest".to_owned(), |digest| digest.to_string());
        let bins = match self.draft.next {
            Next::Bins => {
                let done = self.draft.bins.len();
                format!(", in bin {} of {}", done + 1, done + self.draft.bins_left)
            }
            _ => String::new(),
        };
        format!("the file ends inside record {} ({digest}{bins})", self.records + 1)
    }
}

/// Reads one line.
fn step(
    c: &mut Cursor,
    header: &mut Header,
    draft: &mut Draft,
    names: &mut Names,
    limits: Limits,
) -> Result<Option<Entity>, Stop> {
    if header.version.is_none() {
        header.version = Some(global::version(c)?);
        return Ok(None);
    }
    if draft.next == Next::KeyOrNamespace {
        match c.peek()? {
            b'+' => {}
            b'*' => return global::global(c, limits.value).map(Some),
            b'#' => {
                match global::meta(c)? {
                    Meta::FirstFile => header.first_file = true,
                    Meta::Namespace(name) => header.namespace = Some(name),
                }
                return Ok(None);
            }
            _ => {
                let found = shown(c.rest(c.pos));
                return Err(c.bad(format!("expected a line that begins with `+`, `*` or `#`, found {found}")));
            }
        }
    }
    let room = Room { value: limits.value, record: limits.record };
    Ok(draft.line(c, names, room)?.map(Entity::Record))
}
