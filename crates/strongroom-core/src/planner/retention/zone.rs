//! Hours, days, weeks, months and years in a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// A time zone, by its name in the IANA database (which is built in, so that the same policy means the same on every
/// machine). UTC by default.
#[derive(Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// Whether it is UTC.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        self.0 == TimeZone::UTC
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Zone {}

impl FromStr for Zone {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::default());
        }
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(|error| {
            Error::invalid(format!("'{}' is not a time zone", name.escape_debug()))
                .because(error)
                .hint("name it as the IANA database does, such as UTC or Europe/Berlin")
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Tells the periods of moments. Neighbours in time are told quickly.
#[derive(Debug)]
pub(super) struct Calendar<'a> {
    zone: &'a Zone,
    /// The quarter of an hour that was asked last, and the offset in it: clocks are only set forward or back between two
    /// of these.
    offset: (i64, i64),
    /// The day that was asked last, and its month and year.
    date: (i64, i64, i64),
}

const QUARTER: i64 = 900_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

impl<'a> Calendar<'a> {
    pub(super) fn new(zone: &'a Zone) -> Self {
        Self { zone, offset: (i64::MIN, 0), date: (i64::MIN, 0, 0) }
    }

    /// Offset from UTC in microseconds.
    fn offset(&mut self, moment: i64) -> i64 {
        let quarter = moment.div_euclid(QUARTER);
        if self.offset.0 != quarter {
            // Moments that no calendar has are taken as UTC.
            let offset = jiff::Timestamp::from_microsecond(moment).map_or(0, |at| self.zone.0.to_offset(at).seconds());
            self.offset = (quarter, i64::from(offset) * 1_000_000);
        }
        self.offset.1
    }

    /// The period in which `moment` lies. Two moments lie in the same one if and only if these are equal; an hour that
    /// comes twice, when clocks are set back, is two.
    pub(super) fn period(&mut self, kind: Period, moment: i64) -> (i64, i64) {
        let offset = self.offset(moment);
        let local = moment.saturating_add(offset);
        let day = local.div_euclid(DAY);
        match kind {
            Period::Hour => (local.div_euclid(HOUR), offset),
            Period::Day => (day, 0),
            // 1970 began on a Thursday.
            Period::Week => ((day + 3).div_euclid(7), 0),
            Period::Month => (self.date(day).1, self.date(day).0),
            Period::Year => (self.date(day).1, 0),
        }
    }

    /// Month and year of a day counted from 1970.
    fn date(&mut self, day: i64) -> (i64, i64) {
        if self.date.0 != day {
            let (month, year) = month_and_year(day);
            self.date = (day, month, year);
        }
        (self.date.1, self.date.2)
    }
}

/// The Gregorian calendar, by eras of 400 years that begin in March.
fn month_and_year(day: i64) -> (i64, i64) {
    let from_march = day + 719_468;
    let era = from_march.div_euclid(146_097);
    let day_of_era = from_march.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (month, year_of_era + era * 400 + i64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> i64 {
        text.parse::<crate::Timestamp>().unwrap().micros()
    }

    #[test]
    fn the_last_day_of_an_era_is_a_leap_day() {
        for (day, date) in
            [(11_015, (2, 2000)), (11_016, (2, 2000)), (11_017, (3, 2000)), (11_016 - 146_097, (2, 1600))]
        {
            assert_eq!(month_and_year(day), date, "{day}");
        }
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(day in -700_000_i64..2_900_000) {
            let at = jiff::Timestamp::from_second(day * 86_400).unwrap();
            let date = TimeZone::UTC.to_datetime(at).date();
            prop_assert_eq!(month_and_year(day), (i64::from(date.month()), i64::from(date.year())));
        }

        #[test]
        fn weeks_and_days_are_those_of_the_zone(second in -4_000_000_000_i64..8_000_000_000, zone in 0..4_usize) {
            let zone: Zone = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"][zone].parse().unwrap();
            let at = jiff::Timestamp::from_second(second).unwrap();
            let local = zone.0.to_datetime(at);
            let mut calendar = Calendar::new(&zone);
            let moment = second * 1_000_000;
            let day = local.date().duration_since(jiff::civil::date(1970, 1, 1)).as_secs().div_euclid(86_400);
            prop_assert_eq!(calendar.period(Period::Day, moment).0, day);
            let monday = jiff::civil::date(1970, 1, 5).duration_since(jiff::civil::date(1970, 1, 1)).as_secs() / 86_400;
            prop_assert_eq!(calendar.period(Period::Week, moment).0, (day - monday).div_euclid(7) + 1);
            let date = (i64::from(local.year()), i64::from(local.month()));
            prop_assert_eq!(calendar.period(Period::Month, moment), date);
            prop_assert_eq!(calendar.period(Period::Year, moment), (date.0, 0));
        }
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let mut there = Calendar::new(&berlin);
        let day = |calendar: &mut Calendar<'_>, text| calendar.period(Period::Day, micros(text));
        let (late, midnight) = ("2026-07-01T21:59:59.999999Z", "2026-07-01T22:00:00Z");
        assert_ne!(day(&mut there, late), day(&mut there, midnight));
        assert_eq!(day(&mut there, midnight), day(&mut there, "2026-07-02T21:59:59Z"));
        let utc = Zone::default();
        let mut here = Calendar::new(&utc);
        assert_eq!(day(&mut here, late), day(&mut here, midnight));
    }

    #[test]
    fn the_hour_that_comes_twice_is_two_hours() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let mut calendar = Calendar::new(&berlin);
        let mut hour = |text| calendar.period(Period::Hour, micros(text));
        // 02:30 summer time, then 02:30 winter time.
        let (first, second) = (hour("2026-10-25T00:30:00Z"), hour("2026-10-25T01:30:00Z"));
        assert_eq!(first.0, second.0);
        assert_ne!(first, second);
        assert_eq!(second, hour("2026-10-25T01:59:59Z"));
        assert_ne!(second, hour("2026-10-25T02:00:00Z"));
    }

    #[test]
    fn weeks_begin_on_monday() {
        let utc = Zone::default();
        let mut calendar = Calendar::new(&utc);
        let mut week = |text| calendar.period(Period::Week, micros(text));
        assert_ne!(week("2026-11-22T23:59:59Z"), week("2026-11-23T00:00:00Z"));
        assert_eq!(week("2026-11-23T00:00:00Z"), week("2026-11-29T23:59:59Z"));
        assert_ne!(week("1970-01-04T12:00:00Z"), week("1970-01-05T12:00:00Z"));
    }

    #[test]
    fn a_zone_is_read_by_its_name_and_nothing_else() {
        for name in ["UTC", "Europe/Berlin", "America/St_Johns"] {
            let zone: Zone = name.parse().unwrap();
            assert_eq!(zone.to_string(), name);
            assert_eq!(zone.is_utc(), name == "UTC");
            assert_eq!(serde_json::from_str::<Zone>(&serde_json::to_string(&zone).unwrap()).unwrap(), zone);
        }
        assert_ne!("Europe/Berlin".parse::<Zone>().unwrap(), Zone::default());
        for name in ["", "Mars", "+02:00"] {
            let error = name.parse::<Zone>().unwrap_err();
            assert!(error.to_string().contains("Europe/Berlin"), "{error}");
        }
    }

    #[test]
    fn a_moment_beyond_every_calendar_has_a_period_all_the_same() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let mut calendar = Calendar::new(&berlin);
        for kind in [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year] {
            assert_ne!(calendar.period(kind, 1 << 61), calendar.period(kind, -(1 << 61)));
        }
    }
}
