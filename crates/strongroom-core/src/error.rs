//! One error type for the whole library, and one list of codes for every language it is used from.

use std::error::Error as StdError;
use std::fmt;

/// The result of everything in strongroom.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarse enough that each kind asks for a different reaction of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing does not exist. Check the name.
    NotFound,
    /// The named thing exists and must not be replaced. Choose another name, or accept the one that is there.
    AlreadyExists,
    /// The request or its input makes no sense. Change the request.
    Invalid,
    /// Valid, but this adapter, format or version cannot do it.
    Unsupported,
    /// Credentials or keys are missing or wrong. Retrying does not help.
    Denied,
    /// A server, network or device does not answer now. Retrying later may help.
    Unavailable,
    /// No room is left where bytes were to be written. Free space, then resume.
    NoSpace,
    /// Stored bytes are not what was stored. Use another copy or an earlier backup.
    Corrupt,
    /// No complete chain of backups reaches the asked point.
    BrokenChain,
    /// The job was cancelled.
    Cancelled,
    /// A defect of strongroom. Please report it.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::Invalid,
        Self::Unsupported,
        Self::Denied,
        Self::Unavailable,
        Self::NoSpace,
        Self::Corrupt,
        Self::BrokenChain,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The stable code: the same text in Rust, Python, JavaScript, REST and `--json`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::Invalid => "INVALID",
            Self::Unsupported => "UNSUPPORTED",
            Self::Denied => "DENIED",
            Self::Unavailable => "UNAVAILABLE",
            Self::NoSpace => "NO_SPACE",
            Self::Corrupt => "CORRUPT",
            Self::BrokenChain => "BROKEN_CHAIN",
            Self::Cancelled => "CANCELLED",
            Self::Internal => "INTERNAL",
        }
    }

    /// What to do next about an error of this kind that has no advice of its own.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NotFound => "check the name",
            Self::AlreadyExists => "choose another name",
            Self::Invalid => "change the request",
            Self::Unsupported => "choose another way to do it, or another version",
            Self::Denied => "check the credentials, keys and permissions",
            Self::Unavailable => "see that it is there and answers, then do the same again",
            Self::NoSpace => "make room there, then do the same again: what was whole before still is",
            Self::Corrupt => "verify what is there, then use another copy or an earlier backup",
            Self::BrokenChain => "ask for the moments that can be restored",
            Self::Cancelled => "do the same again when it may run to its end",
            Self::Internal => "report it with this message: it is a defect of strongroom",
        }
    }

    /// Whether the same call may succeed later with nothing changed.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An error: a kind, one line of what and where, what to do next where that is known, and the cause.
///
/// `Display` is one line without the cause (walk [`StdError::source`] for it); `Debug` prints the whole chain.
/// No message holds a credential or key material.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    what: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A new error of `kind`; `what` is one line that names the thing concerned.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, what: what.into(), hint: None, source: None }))
    }

    /// Adds what the user should do next, one sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts `context` before the message, keeping kind, hint and cause.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.0.what = format!("{context}: {}", self.0.what);
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.what
    }

    /// What to do next, if known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

/// `Error::not_found("…")` and so on: one constructor for each kind.
macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $(
                #[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
                pub fn $name(what: impl Into<String>) -> Self {
                    Self::new(ErrorKind::$kind, what)
                }
            )*
        }
    };
}
constructors! {
    not_found => NotFound, already_exists => AlreadyExists, invalid => Invalid, unsupported => Unsupported,
    denied => Denied, unavailable => Unavailable, no_space => NoSpace, corrupt => Corrupt,
    broken_chain => BrokenChain, cancelled => Cancelled, internal => Internal,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        self.0.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  because: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for Error {
    /// Sorts an I/O error into a kind. Callers add the path with [`Error::within`].
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
            Io::InvalidInput | Io::InvalidData | Io::NotADirectory | Io::IsADirectory | Io::InvalidFilename => {
                ErrorKind::Invalid
            }
            Io::UnexpectedEof => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_match_serde() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.code()));
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn display_is_one_line_and_debug_has_the_chain() {
        let error = Error::corrupt("part 3 of piece p0").because(Error::invalid("bad length")).hint("use another copy");
        assert_eq!(error.to_string(), "part 3 of piece p0 (use another copy)");
        assert_eq!(format!("{error:?}"), "CORRUPT: part 3 of piece p0 (use another copy)\n  because: bad length");
    }
}
