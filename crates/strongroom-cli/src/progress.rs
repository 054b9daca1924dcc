//! What is seen of a job while it runs: a bar on a terminal, else a line every few seconds, and one at the end.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use strongroom::core::pipeline::{Phase, ProgressSnapshot};

/// How often a bar is drawn anew.
const DRAWN: Duration = Duration::from_millis(100);
/// How often a line is written.
const TOLD: Duration = Duration::from_secs(5);

/// Where the progress of jobs goes. Always to standard error, so that results stay clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// A bar: somebody watches.
    Bar,
    /// Lines: a log, as a rule.
    Lines,
    /// Nothing.
    Nothing,
}

impl Show {
    /// What fits standard error, unless nothing is wanted.
    pub(crate) fn fitting(wanted: bool) -> Self {
        match (wanted, stderr().is_terminal()) {
            (false, _) => Self::Nothing,
            (true, true) => Self::Bar,
            (true, false) => Self::Lines,
        }
    }

    /// How often [`Display::show`] shall be called.
    pub(crate) fn period(self) -> Duration {
        if self == Self::Bar { DRAWN } else { TOLD }
    }
}

/// The progress of one job.
#[derive(Debug)]
pub(crate) struct Display {
    job: &'static str,
    show: Show,
    bar: ProgressBar,
}

impl Display {
    pub(crate) fn new(job: &'static str, show: Show) -> Self {
        let bar = if show == Show::Bar { ProgressBar::new(1000) } else { ProgressBar::hidden() };
        // The template is a constant: were it wrong, the bar would only look plain.
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}% {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(job);
        Self { job, show, bar }
    }

    /// Shows the counters as they are now.
    pub(crate) fn show(&self, now: &ProgressSnapshot) {
        match self.show {
            Show::Bar => {
                self.bar.set_position(now.permille.into());
                self.bar.set_message(state(now));
            }
            Show::Lines => eprintln!("{}: {}% {}", self.job, now.permille / 10, state(now)),
            Show::Nothing => {}
        }
    }

    /// Takes the bar away and tells what was moved in all.
    pub(crate) fn end(self, last: &ProgressSnapshot, done: bool) {
        self.bar.finish_and_clear();
        if self.show != Show::Nothing {
            let how = if done { "done" } else { "ended" };
            eprintln!("{}: {how} after {}: {}", self.job, span(last.elapsed_micros), moved(last));
        }
    }

    /// Prints a line without breaking the bar.
    pub(crate) fn line(&self, text: &str) {
        if self.show != Show::Nothing {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }
}

/// Phase, bytes, rate and the time that is left.
fn state(now: &ProgressSnapshot) -> String {
    let phase = match now.phase {
        Phase::Preparing => return "preparing".to_owned(),
        Phase::Moving => "moving",
        Phase::Finishing => "finishing",
        Phase::Over => "over",
    };
    let mut text = format!(
        "{phase}: {} of {}, {}/s",
        HumanBytes(now.plain_bytes),
        HumanBytes(now.plain_bytes_total),
        HumanBytes(now.bytes_per_second)
    );
    if let Some(left) = now.remaining_micros {
        let _ = write!(text, ", {} left", span(left));
    }
    text
}

fn moved(last: &ProgressSnapshot) -> String {
    let mut text = format!("{}, {}/s", HumanBytes(last.plain_bytes), HumanBytes(last.bytes_per_second));
    if last.reused_bytes > 0 {
        let _ = write!(text, ", {} of it were there already", HumanBytes(last.reused_bytes));
    }
    text
}

/// `8s`, `2m08s`, `3h02m`.
pub(crate) fn span(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_names_phase_bytes_rate_and_time_left() {
        let mut now = ProgressSnapshot {
            phase: Phase::Moving,
            plain_bytes: 50 << 20,
            plain_bytes_total: 100 << 20,
            bytes_per_second: 10 << 20,
            remaining_micros: Some(5_000_000),
            ..ProgressSnapshot::default()
        };
        assert_eq!(state(&now), "moving: 50.00 MiB of 100.00 MiB, 10.00 MiB/s, 5s left");
        now.phase = Phase::Preparing;
        assert_eq!(state(&now), "preparing");
    }

    #[test]
    fn spans_are_short() {
        let texts = [7, 60, 128, 3600, 11_000].map(|seconds: u64| span(seconds * 1_000_000));
        assert_eq!(texts, ["7s", "1m00s", "2m08s", "1h00m", "3h03m"]);
    }
}
