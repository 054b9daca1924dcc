//! From redb's errors to ours: what the caller can do about each.

use std::fmt::Display;
use std::io;

use strongroom_core::Error;

/// The errors of redb's many functions, told as one of ours.
pub(crate) trait Told<T> {
    /// Names what was being done.
    fn told(self, what: impl Display) -> strongroom_core::Result<T>;
}

impl<T, E: Into<redb::Error>> Told<T> for Result<T, E> {
    fn told(self, what: impl Display) -> strongroom_core::Result<T> {
        self.map_err(|error| tell(error.into()).within(what))
    }
}

const OTHER_COPY: &str = "put back a copy of the file, or restore a backup into a new one";

fn tell(error: redb::Error) -> Error {
    use redb::Error as E;
    match error {
        E::DatabaseAlreadyOpen | E::LockProtocolMismatch => Error::unavailable("the file is open elsewhere")
            .hint("a file has one writer, or any number of readers: close the other program, or handle, first")
            .because(error),
        E::Io(cause) => tell_io(cause),
        E::Corrupted(_) | E::RepairAborted => Error::corrupt("the file is damaged").hint(OTHER_COPY).because(error),
        E::TableTypeMismatch { .. }
        | E::TypeDefinitionChanged { .. }
        | E::TableIsMultimap(_)
        | E::TableIsNotMultimap(_)
        | E::TableDoesNotExist(_) => {
            Error::corrupt("the file is a redb database, but not an embedded cluster").hint(OTHER_COPY).because(error)
        }
        E::UpgradeRequired(_) => Error::unsupported("the file was written in another file format of redb")
            .hint("open it with the version of strongroom that wrote it, back it up, and restore into a new file")
            .because(error),
        E::ValueTooLarge(_) => Error::invalid("a record is larger than the file can hold (3 GiB)").because(error),
        E::PreviousIo | E::DatabaseClosed => {
            Error::unavailable("the file was closed after an earlier failure").hint("open it again").because(error)
        }
        other => Error::internal("the store refused").because(other),
    }
}

/// An I/O error at the file itself.
pub(crate) fn tell_io(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            Error::corrupt("this is no file of an embedded cluster, or it lost its beginning")
                .hint("check the path; if it is the right one, put back a copy of the file")
                .because(error)
        }
        io::ErrorKind::UnexpectedEof => {
            Error::corrupt("the file is shorter than it was").hint(OTHER_COPY).because(error)
        }
        _ => Error::from(error),
    }
}
