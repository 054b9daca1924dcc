//! Errors of the wire as errors of the engine.

use strongroom_aerospike_wire::{Class, Malformed, ResultCode, WireError};
use strongroom_core::{Error, ErrorKind};

/// Gives an error its kind and says what to do.
pub(crate) fn fault(error: WireError) -> Error {
    match error {
        WireError::Io { node, source } => Error::unavailable(format!("{node} can't be reached: {source}"))
            .hint("check the address and that the node is up")
            .because(source),
        error @ WireError::Timeout { .. } => Error::unavailable(error.to_string()),
        error @ WireError::Malformed { .. } => Error::invalid(error.to_string()).hint(
            "is this the port of a node's service (3000, or 4333 with TLS)? With TLS, is it switched on here too?",
        ),
        WireError::Tls { node, source } => Error::denied(format!("no TLS connection to {node}: {source}"))
            .hint(
                "check the certificate authority, the name in the node's certificate, one's own certificate if the node asks for \
                 one, and that this port speaks TLS",
            )
            .because(source),
        WireError::Server { node, what, code } => refused(code, format_args!("{node} refused {what}: {code}")),
        error @ WireError::TooLong(_) => Error::invalid(error.to_string()),
        error => Error::internal(error.to_string()),
    }
}

/// A result other than done.
pub(crate) fn refused(code: ResultCode, what: impl std::fmt::Display) -> Error {
    let (kind, hint) = match code.class() {
        Class::Done => (ErrorKind::Internal, ""),
        Class::Busy | Class::Elsewhere | Class::Session => (ErrorKind::Unavailable, ""),
        Class::Record => (ErrorKind::Invalid, ""),
        Class::Denied => (ErrorKind::Denied, "check user, password and privileges: read to back up, write to restore"),
        Class::NoSpace => {
            (ErrorKind::NoSpace, "the namespace is out of space or has stopped writes: free space, then go on")
        }
        Class::Refused => match code {
            ResultCode::NAMESPACE_NOT_FOUND => {
                (ErrorKind::NotFound, "namespaces are made in the server's configuration")
            }
            ResultCode::UNSUPPORTED | ResultCode(25) => (ErrorKind::Unsupported, ""),
            ResultCode::FORBIDDEN => (
                ErrorKind::Denied,
                "a namespace whose nsup-period is 0 takes no records that expire: set it, or restore elsewhere",
            ),
            ResultCode(1 | 150) => (ErrorKind::Unavailable, ""),
            _ => (ErrorKind::Invalid, ""),
        },
    };
    let error = Error::new(kind, what.to_string());
    if hint.is_empty() { error } else { error.hint(hint) }
}

/// An info answer that makes no sense.
pub(crate) fn nonsense(node: &str, what: &str, error: &Malformed) -> Error {
    Error::invalid(format!("node {node} answers {what} in another form: {error}"))
        .hint("servers 6.0 to 8.1 are known to work")
}
