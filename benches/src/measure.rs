//! Time, processor time and memory of a piece of work, and medians over rounds.
//!
//! Processor time is that of the whole process on all cores: on a machine that others use too it moves far less than
//! the time on the wall, so tables show both.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// On the wall.
    pub wall: Duration,
    /// Of all this process' threads.
    pub cpu: Duration,
}

impl Spent {
    /// Runs `work` and tells what it took.
    pub fn by<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let (wall, cpu) = (Instant::now(), process_time());
        let result = work();
        (Self { wall: wall.elapsed(), cpu: process_time().saturating_sub(cpu) }, result)
    }

    /// Wall and processor time in milliseconds, as a table shows them.
    #[must_use]
    pub fn millis(&self) -> String {
        format!("{} / {}", millis(self.wall), millis(self.cpu))
    }
}

impl Spent {
    /// As [`Spent::millis`], to the microsecond.
    #[must_use]
    pub fn micros(&self) -> String {
        format!("{:.3} / {:.3}", self.wall.as_secs_f64() * 1e3, self.cpu.as_secs_f64() * 1e3)
    }
}

impl std::ops::Div<u32> for Spent {
    type Output = Self;

    fn div(self, times: u32) -> Self {
        Self { wall: self.wall / times, cpu: self.cpu / times }
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// The processor time that this process has used.
#[must_use]
pub fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The processor time of all processes that this one started and waited for, in ticks of 10 ms.
///
/// # Errors
/// When the system does not tell (it is no Linux).
pub fn children_time() -> std::io::Result<Duration> {
    const USER: usize = 13;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    let sum = ticks(USER).zip(ticks(USER + 1)).map(|(user, system)| user + system);
    let sum = sum.ok_or_else(|| std::io::Error::other("the system does not tell the time of children"))?;
    Ok(Duration::from_millis(sum * 1000 / rustix::param::clock_ticks_per_second()))
}

/// A duration in milliseconds, with as many digits as mean something.
#[must_use]
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}

/// The median of each of the two times.
#[must_use]
pub fn median(rounds: &[Spent]) -> Spent {
    let of = |pick: fn(&Spent) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(pick).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Spent { wall: of(|spent| spent.wall), cpu: of(|spent| spent.cpu) }
}

/// The least of each of the two times.
#[must_use]
pub fn best(rounds: &[Spent]) -> Spent {
    Spent {
        wall: rounds.iter().map(|spent| spent.wall).min().unwrap_or_default(),
        cpu: rounds.iter().map(|spent| spent.cpu).min().unwrap_or_default(),
    }
}

/// The most memory that this process has held at once, in bytes, since it started or since [`reset_peak`].
///
/// # Errors
/// When the system does not tell (it is no Linux).
pub fn peak_memory() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| std::io::Error::other("the system does not tell a peak of memory"))
}

/// Forgets the peak so far.
///
/// # Errors
/// As [`peak_memory`].
pub fn reset_peak() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

/// `part / whole`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "what a bench counts is far below 2^52")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
