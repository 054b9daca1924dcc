//! What the program prints: text for people or one JSON value, errors that say what to do, and exit codes.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use strongroom::core::planner::Reason;
use strongroom::{Error, ErrorKind, Result};

use crate::progress::Show;

/// The exit code of what went well.
pub(crate) const DONE: u8 = 0;
/// Something was found: damage (`verify`), a failure (`doctor`), no plan (`check`), a backup that could not be copied
/// (`copy`).
pub(crate) const FOUND: u8 = 3;
/// A part's newest restorable point is too old, or there is none (`status`).
pub(crate) const TOO_OLD: u8 = 12;
/// The exit code after Ctrl-C or SIGTERM.
pub(crate) const CANCELLED: u8 = 130;

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

    /// How the progress of jobs is shown: to people only.
    pub(crate) fn progress(self) -> Show {
        Show::fitting(!self.json && !self.quiet)
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
        let advice = error.advice().unwrap_or_else(|| error.kind().advice());
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
                "advice": advice,
                "causes": causes,
            }});
            eprintln!("{value:#}");
        } else {
            eprintln!("error: {}", error.message());
            for cause in causes {
                eprintln!("  because: {cause}");
            }
            eprintln!("  next: {advice}");
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
        ErrorKind::Cancelled => CANCELLED,
        _ => 1,
    }
}

/// The exit code of a refusal that is the result: that of its error.
pub(crate) fn refused(reason: Reason) -> u8 {
    exit_code(reason.error_kind())
}

/// `1 record`, `2 records`.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("{number} {what}") } else { format!("{number} {what}s") }
}

/// Rows under a heading, each column as wide as its widest cell; columns of numbers stand to the right.
pub(crate) fn table<const N: usize>(heading: [&str; N], numbers: [bool; N], rows: &[[String; N]]) -> Vec<String> {
    let mut widths = heading.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for ((cell, width), right) in cells.into_iter().zip(widths).zip(numbers) {
            let cell = if right { format!("{cell:>width$}") } else { format!("{cell:width$}") };
            line.push_str(&cell);
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    };
    let cells = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(heading)).chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["one".to_owned(), "7".to_owned()], ["fourteen".to_owned(), "12345".to_owned()]];
        let lines = table(["NAME", "SIZE"], [false, true], &rows);
        assert_eq!(lines, ["NAME       SIZE", "one           7", "fourteen  12345"]);
    }

    #[test]
    fn every_kind_of_error_has_a_code_that_clap_and_success_have_not() {
        for kind in ErrorKind::ALL {
            assert!(![0, 2, FOUND, TOO_OLD].contains(&exit_code(kind)), "{kind}");
        }
    }
}
