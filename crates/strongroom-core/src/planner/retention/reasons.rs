//! Why points are kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a point is kept. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeepReason {
    /// It is the newest of its part, or what a restore to the latest point reaches.
    Latest,
    /// It is the newest whose whole chain is verified.
    NewestVerified,
    /// It is one of the newest bases (`min_redundancy`).
    MinRedundancy,
    /// `keep_last`.
    Last,
    /// `keep_within`.
    Within,
    /// `keep_hourly`.
    Hourly,
    /// `keep_daily`.
    Daily,
    /// `keep_weekly`.
    Weekly,
    /// `keep_monthly`.
    Monthly,
    /// `keep_yearly`.
    Yearly,
    /// A moment of the last `point_in_time` needs it.
    PointInTime,
    /// No rule says what to keep.
    NoRule,
    /// It was not to be deleted (an explicit delete names what goes).
    NotNamed,
}

impl KeepReason {
    const ALL: [Self; 13] = [
        Self::Latest,
        Self::NewestVerified,
        Self::MinRedundancy,
        Self::Last,
        Self::Within,
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Yearly,
        Self::PointInTime,
        Self::NoRule,
        Self::NotNamed,
    ];
}

/// A set of [`KeepReason`]s; a list in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons(u16);

impl Reasons {
    /// The reasons that no size limit overrides.
    pub(super) const ALWAYS: Self = Self(
        1 << KeepReason::Latest as u16 | 1 << KeepReason::NewestVerified as u16 | 1 << KeepReason::MinRedundancy as u16,
    );

    /// Adds one.
    pub fn insert(&mut self, reason: KeepReason) {
        self.0 |= 1 << reason as u16;
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, reason: KeepReason) -> bool {
        self.0 & (1 << reason as u16) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = KeepReason> {
        KeepReason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }
}

impl FromIterator<KeepReason> for Reasons {
    fn from_iter<I: IntoIterator<Item = KeepReason>>(reasons: I) -> Self {
        let mut all = Self::default();
        reasons.into_iter().for_each(|reason| all.insert(reason));
        all
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Reasons {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<KeepReason>::deserialize(deserializer)?.into_iter().collect())
    }
}
