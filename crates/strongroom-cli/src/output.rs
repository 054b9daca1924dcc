//! What the program prints: text for people or one JSON value, errors that say what to do, and exit codes.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use strongroom::{Error, ErrorKind, Result};

/// The exit code of what went well.
pub(crate) const DONE: u8 = 0;
/// A check that was asked for found something: damage (`verify`).
pub(crate) const FOUND: u8 = 3;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints the result: `text` for people, `value` with `--json`.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(value).map_err(|error| Error::internal("output").because(error))?
        } else {
            text()
        };
        print(text.trim_end())
    }

    /// A remark on the way, for people only; on standard error, so that results stay clean.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        if !self.json && !self.quiet {
            eprintln!("{}", text.as_ref());
        }
    }

    /// Prints an error with its causes and the advice, and gives the exit code.
    pub(crate) fn error(self, error: &Error) -> ExitCode {
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        if self.json {
            let value = json!({ "error": {
                "code": error.kind().code(),
                "message": error.message(),
                "advice": error.advice(),
                "causes": causes,
            }});
            eprintln!("{value:#}");
        } else {
            eprintln!("error: {}", error.message());
            for cause in causes {
                eprintln!("  because: {cause}");
            }
            if let Some(advice) = error.advice() {
                eprintln!("  next: {advice}");
            }
        }
        ExitCode::from(exit_code(error.kind()))
    }
}

/// Standard output that may be a closed pipe (`strongroom list | head`): that is no error worth telling.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Error::from(error).within("standard output")),
    }
}

/// The exit code of an error. 2 is clap's own, for a command line that makes no sense.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid | ErrorKind::Unsupported => 4,
        ErrorKind::NotFound => 5,
        ErrorKind::AlreadyExists => 6,
        ErrorKind::Denied => 7,
        ErrorKind::Unavailable => 8,
        ErrorKind::NoSpace => 9,
        ErrorKind::Corrupt => 10,
        ErrorKind::BrokenChain => 11,
        ErrorKind::Cancelled => 130,
        _ => 1,
    }
}

/// `1 record`, `2 records`.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("{number} {what}") } else { format!("{number} {what}s") }
}
