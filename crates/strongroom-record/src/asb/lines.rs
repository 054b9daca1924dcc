//! The loop that every line-by-line reader here shares: try a line, wait for more bytes, place faults.

use bytes::Bytes;
use strongroom_core::ErrorKind;

use super::AsbError;
use super::cursor::{Cursor, Stop, shown};
use super::input::Input;

#[derive(Debug)]
pub(crate) struct Lines {
    input: Input,
    /// How many bytes must be there before trying again is worth it.
    need: usize,
    line: u64,
    failed: Option<Box<AsbError>>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { input: Input::default(), need: 1, line: 1, failed: None }
    }
}

impl Lines {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.input.push(chunk);
    }

    /// Reads lines with `step` until one yields something; `None` if more bytes are needed.
    ///
    /// `step` is called again with the same line when that was not all there, so it must change nothing before it
    /// has read all of it.
    pub(crate) fn next<T>(
        &mut self,
        mut step: impl FnMut(&mut Cursor) -> Result<Option<T>, Stop>,
    ) -> Result<Option<T>, AsbError> {
        self.check()?;
        loop {
            if self.input.available() < self.need {
                return Ok(None);
            }
            let offset = self.input.position();
            let (buf, start) = self.input.window();
            let mut cursor = Cursor::new(buf, start);
            match step(&mut cursor) {
                Ok(found) => {
                    let (pos, lines) = (cursor.pos, cursor.lines);
                    self.line += 1 + lines;
                    self.need = 1;
                    self.input.advance_to(pos);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Err(Stop::Need(need)) => {
                    self.need = need;
                    if !self.input.fill(need) {
                        return Ok(None);
                    }
                }
                Err(Stop::Bad(fault)) => {
                    let error = fault.placed(offset, start, self.line);
                    self.failed = Some(Box::new(error.clone()));
                    return Err(error);
                }
            }
        }
    }

    /// The fault met before, if any: nothing sound can come after it.
    pub(crate) fn check(&self) -> Result<(), AsbError> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(AsbError::clone(error)))
    }

    /// How many bytes wait for the rest of their line.
    pub(crate) fn left(&self) -> usize {
        self.input.available()
    }

    /// Those bytes, for a message.
    pub(crate) fn leftover(&mut self) -> String {
        let left = self.left();
        self.input.fill(left);
        let (buf, pos) = self.input.window();
        shown(&buf[pos..])
    }

    /// Looks at an unfinished last line once more, now that nothing can follow: it may be wrong and not just short.
    pub(crate) fn settle<T>(
        &mut self,
        step: impl FnOnce(&mut Cursor) -> Result<Option<T>, Stop>,
    ) -> Result<(), AsbError> {
        self.check()?;
        let left = self.left();
        if left == 0 || !self.input.fill(left) {
            return Ok(());
        }
        let offset = self.input.position();
        let (buf, start) = self.input.window();
        match step(&mut Cursor::new(buf, start)) {
            Err(Stop::Bad(fault)) => {
                let error = fault.placed(offset, start, self.line);
                self.failed = Some(Box::new(error.clone()));
                Err(error)
            }
            Ok(_) | Err(Stop::Need(_)) => Ok(()),
        }
    }

    /// The error that the file ends too early.
    pub(crate) fn cut_off(&mut self, message: String) -> AsbError {
        let error = AsbError {
            offset: self.input.position() + self.left() as u64,
            line: self.line,
            message,
            hint: "the file is cut off here: use another copy of it; what was read before is sound",
            kind: ErrorKind::Corrupt,
        };
        self.failed = Some(Box::new(error.clone()));
        error
    }
}
