//! What shall be kept.

use serde::{Deserialize, Serialize};

use super::zone::Zone;
use crate::units::{ByteSize, Span};

/// How long a backup that no restore can use is kept, unless the policy says otherwise.
pub const KEEP_UNUSABLE: Span = Span::days(14);

/// What of each part shall be kept. A point stays if any of the rules wants it; a policy without a rule keeps every
/// point. What a point that stays needs stays with it, whatever its age.
///
/// ```
/// use strongroom_core::planner::RetentionPolicy;
///
/// let policy: RetentionPolicy = serde_json::from_str(
///     r#"{"keep_last": 3, "keep_within": "2d", "keep_daily": 14, "keep_monthly": 12, "zone": "Europe/Berlin"}"#,
/// )?;
/// assert!(policy.has_rules());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionPolicy {
    /// The newest so many points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// Every point younger than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Span>,
    /// The last point of each of the newest so many hours that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_hourly: Option<u32>,
    /// The same for days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_daily: Option<u32>,
    /// The same for weeks, which begin on Monday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_weekly: Option<u32>,
    /// The same for months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_monthly: Option<u32>,
    /// The same for years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_yearly: Option<u32>,
    /// Where hours, days, weeks, months and years begin.
    #[serde(skip_serializing_if = "Zone::is_utc")]
    pub zone: Zone,
    /// Every moment of this last span stays restorable: the points in it, the one before it, and the commit logs since
    /// then. `None`: commit logs stay as long as a point that a rule keeps is older than they.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_in_time: Option<Span>,
    /// A bound on what a part takes: the oldest of the points that the rules want go until the rest fits. What is kept in
    /// any case (see `min_redundancy`) stays even if it does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Option<ByteSize>,
    /// The newest so many bases stay in any case: the verified ones first, others where these are too few. The newest
    /// point and the newest one whose whole chain is verified stay in any case, too.
    pub min_redundancy: u32,
    /// How long backups that no restore can use are kept for somebody to look at: damaged ones, and those whose base is
    /// gone. They stay longer while there is no newer point.
    pub keep_unusable: Span,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            keep_last: None,
            keep_within: None,
            keep_hourly: None,
            keep_daily: None,
            keep_weekly: None,
            keep_monthly: None,
            keep_yearly: None,
            zone: Zone::default(),
            point_in_time: None,
            max_size: None,
            min_redundancy: 1,
            keep_unusable: KEEP_UNUSABLE,
        }
    }
}

impl RetentionPolicy {
    /// Whether any rule says what to keep. Without one, every point is kept (as far as [`RetentionPolicy::max_size`]
    /// allows).
    #[must_use]
    pub fn has_rules(&self) -> bool {
        let counts =
            [self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly];
        counts.iter().any(Option::is_some) || self.keep_within.is_some() || self.point_in_time.is_some()
    }
}
