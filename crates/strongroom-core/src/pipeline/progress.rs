//! Counters that anybody may look at while a job runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::environment::Clock;

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Looking and planning: nothing is moved yet.
    #[default]
    Preparing,
    /// Moving pieces.
    Moving,
    /// Writing manifests, sealing steps, checking.
    Finishing,
    /// Over, one way or the other.
    Over,
}

const PHASES: [Phase; 4] = [Phase::Preparing, Phase::Moving, Phase::Finishing, Phase::Over];

/// The counters of one job.
pub struct Progress {
    clock: Arc<dyn Clock>,
    started: u64,
    ended: AtomicU64,
    phase: AtomicU8,
    pieces_total: AtomicU64,
    pieces: AtomicU64,
    records: AtomicU64,
    expected: AtomicU64,
    plain: AtomicU64,
    stored: AtomicU64,
    reused: AtomicU64,
}

/// The counters at one moment. Totals are estimates until the end, but never below what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgressSnapshot {
    /// What the job is doing.
    pub phase: Phase,
    /// Pieces that are done.
    pub pieces: u64,
    /// Pieces in all.
    pub pieces_total: u64,
    /// Records of the pieces that are done.
    pub records: u64,
    /// Plain bytes moved.
    pub plain_bytes: u64,
    /// Plain bytes in all, as far as known.
    pub plain_bytes_total: u64,
    /// Bytes written to, or read from, storage.
    pub stored_bytes: u64,
    /// Plain bytes that needed no moving, since they were there already.
    pub reused_bytes: u64,
    /// Since the job began.
    pub elapsed_micros: u64,
    /// Plain bytes a second since the job began.
    pub bytes_per_second: u64,
    /// The time left at this rate, if it can be told.
    pub remaining_micros: Option<u64>,
    /// How much is done, 0 to 1000.
    pub permille: u16,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.snapshot(), f)
    }
}

impl Progress {
    /// Counters at zero; the time runs from now on.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let started = clock.monotonic_micros();
        Self {
            clock,
            started,
            ended: AtomicU64::new(u64::MAX),
            phase: AtomicU8::new(0),
            pieces_total: AtomicU64::new(0),
            pieces: AtomicU64::new(0),
            records: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            plain: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            reused: AtomicU64::new(0),
        }
    }

    /// Enters a phase. The time stops with [`Phase::Over`].
    pub fn enter(&self, phase: Phase) {
        let number = PHASES.iter().position(|known| *known == phase).and_then(|at| u8::try_from(at).ok());
        self.phase.store(number.unwrap_or(0), Relaxed);
        if phase == Phase::Over {
            self.ended.fetch_min(self.clock.monotonic_micros(), Relaxed);
        }
    }

    /// Adds pieces to be done, with about how many plain bytes.
    pub fn expect(&self, pieces: u64, plain_bytes: u64) {
        self.pieces_total.fetch_add(pieces, Relaxed);
        self.expected.fetch_add(plain_bytes, Relaxed);
    }

    /// Counts a piece as done without moving it.
    pub fn reuse(&self, expected: u64, plain_bytes: u64, records: u64) {
        self.reused.fetch_add(plain_bytes, Relaxed);
        self.correct(expected, plain_bytes);
        self.plain.fetch_add(plain_bytes, Relaxed);
        self.records.fetch_add(records, Relaxed);
        self.pieces.fetch_add(1, Relaxed);
    }

    /// Counts what one attempt moves, until it is kept or dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Share {
        Share { of: Arc::clone(self), moved: Moved::default() }
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> ProgressSnapshot {
        let phase = PHASES.get(usize::from(self.phase.load(Relaxed))).copied().unwrap_or_default();
        let now = self.clock.monotonic_micros().min(self.ended.load(Relaxed));
        let elapsed = now.saturating_sub(self.started);
        let (pieces, plain) = (self.pieces.load(Relaxed), self.plain.load(Relaxed));
        let reused = self.reused.load(Relaxed);
        let pieces_total = self.pieces_total.load(Relaxed).max(pieces);
        let total = self.expected.load(Relaxed).max(plain);
        let (done, all) = match (total, pieces_total) {
            (0, 0) => (u64::from(phase == Phase::Over), 1),
            (0, _) => (pieces, pieces_total),
            _ => (plain, total),
        };
        // While something is to be done, it is never quite 1000.
        let most = if phase == Phase::Over && pieces == pieces_total { 1000 } else { 999 };
        let permille = scaled(done, 1000, all).min(most);
        let moved = plain.saturating_sub(reused);
        let remaining = (phase == Phase::Moving && moved > 0).then(|| scaled(total - plain, elapsed, moved));
        ProgressSnapshot {
            phase,
            pieces,
            pieces_total,
            records: self.records.load(Relaxed),
            plain_bytes: plain,
            plain_bytes_total: total,
            stored_bytes: self.stored.load(Relaxed),
            reused_bytes: reused,
            elapsed_micros: elapsed,
            bytes_per_second: scaled(moved, 1_000_000, elapsed),
            remaining_micros: remaining,
            permille: u16::try_from(permille).unwrap_or(1000),
        }
    }

    /// Replaces what was expected of a piece with what it had.
    fn correct(&self, expected: u64, found: u64) {
        // Two steps: in between the total is too high, never too low.
        self.expected.fetch_add(found, Relaxed);
        let _ = self.expected.fetch_update(Relaxed, Relaxed, |total| Some(total.saturating_sub(expected)));
    }
}

/// `value * factor / divisor`, 0 without a divisor, saturating.
fn scaled(value: u64, factor: u64, divisor: u64) -> u64 {
    let wide = (u128::from(value) * u128::from(factor)).checked_div(u128::from(divisor)).unwrap_or(0);
    u64::try_from(wide).unwrap_or(u64::MAX)
}

/// What one attempt has moved so far. Dropped, it is taken back: a failed attempt has moved nothing.
#[derive(Debug)]
pub struct Share {
    of: Arc<Progress>,
    moved: Moved,
}

#[derive(Debug, Default)]
struct Moved {
    plain: u64,
    stored: u64,
    expected: u64,
    found: u64,
    pieces: u64,
    records: u64,
}

impl Share {
    /// Counts plain bytes.
    pub fn plain(&mut self, bytes: u64) {
        self.moved.plain += bytes;
        self.of.plain.fetch_add(bytes, Relaxed);
    }

    /// Counts stored bytes.
    pub fn stored(&mut self, bytes: u64) {
        self.moved.stored += bytes;
        self.of.stored.fetch_add(bytes, Relaxed);
    }

    /// A piece is moved: it had `plain_bytes` where `expected` were expected. Counted with [`Share::keep`].
    pub fn piece(&mut self, expected: u64, plain_bytes: u64, records: u64) {
        self.moved.expected += expected;
        self.moved.found += plain_bytes;
        self.moved.records += records;
        self.moved.pieces += 1;
    }

    /// The attempt went well: everything stays counted.
    pub fn keep(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        self.of.correct(moved.expected, moved.found);
        self.of.records.fetch_add(moved.records, Relaxed);
        self.of.pieces.fetch_add(moved.pieces, Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.plain.fetch_sub(self.moved.plain, Relaxed);
        self.of.stored.fetch_sub(self.moved.stored, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    /// One second later at every look.
    #[derive(Debug, Default)]
    struct Ticks(AtomicU64);

    impl Clock for Ticks {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }
        fn monotonic_micros(&self) -> u64 {
            self.0.fetch_add(1_000_000, Relaxed)
        }
    }

    fn progress() -> Arc<Progress> {
        Arc::new(Progress::new(Arc::new(Ticks::default())))
    }

    #[test]
    fn rate_and_time_left_follow_from_what_moved() {
        let progress = progress();
        progress.expect(2, 400);
        progress.enter(Phase::Moving);
        let mut share = progress.begin();
        share.plain(100);
        let now = progress.snapshot();
        assert_eq!((now.bytes_per_second, now.remaining_micros, now.permille), (100, Some(3_000_000), 250));
    }

    #[test]
    fn totals_never_go_past_the_whole() {
        let progress = progress();
        progress.expect(1, 10);
        let mut share = progress.begin();
        share.plain(25);
        let now = progress.snapshot();
        assert_eq!((now.plain_bytes, now.plain_bytes_total, now.permille), (25, 25, 999));
        share.piece(10, 25, 3);
        share.keep();
        progress.enter(Phase::Over);
        let now = progress.snapshot();
        assert_eq!((now.plain_bytes_total, now.permille, now.records, now.pieces), (25, 1000, 3, 1));
        assert_eq!(now.elapsed_micros, progress.snapshot().elapsed_micros, "the time has stopped");
    }

    #[test]
    fn a_failed_attempt_has_moved_nothing() {
        let progress = progress();
        progress.expect(1, 10);
        let mut share = progress.begin();
        share.plain(7);
        share.stored(5);
        share.piece(10, 7, 2);
        drop(share);
        let now = progress.snapshot();
        assert_eq!((now.plain_bytes, now.stored_bytes, now.plain_bytes_total, now.pieces), (0, 0, 10, 0));
    }

    #[test]
    fn reused_bytes_do_not_make_the_rate_look_better() {
        let progress = progress();
        progress.expect(2, 1000);
        progress.enter(Phase::Moving);
        progress.reuse(500, 500, 1);
        progress.begin().plain(0);
        let now = progress.snapshot();
        assert_eq!((now.permille, now.bytes_per_second, now.reused_bytes), (500, 0, 500));
    }

    #[test]
    fn nothing_to_do_is_done_only_at_the_end() {
        let progress = progress();
        assert_eq!(progress.snapshot().permille, 0);
        progress.enter(Phase::Over);
        assert_eq!(progress.snapshot().permille, 1000);
    }
}
