//! What is wrong in a file, and exactly where.

use strongroom_core::{Error, ErrorKind};

/// A fault in a backup file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}, line {line}: {message}")]
pub struct AsbError {
    /// Where in the file (uncompressed, decrypted), counted from 0.
    pub offset: u64,
    /// The line, counted from 1, as an editor counts: line ends inside values count too.
    pub line: u64,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
    /// `Corrupt`, or `Unsupported` for what is well-formed but not known here.
    pub kind: ErrorKind,
}

impl From<AsbError> for Error {
    fn from(error: AsbError) -> Self {
        Self::new(error.kind, error.to_string()).hint(error.hint)
    }
}
