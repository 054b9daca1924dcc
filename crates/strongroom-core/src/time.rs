//! Moments in microseconds, the one unit of time of every window, target and manifest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A moment: microseconds since 1970-01-01T00:00:00Z. A number in JSON (below 2^53, so JavaScript keeps it);
/// RFC 3339 in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A moment in a configuration, as people write it: for `#[serde(with = "strongroom_core::time::written")]`.
pub mod written {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::Timestamp;

    /// Writes it in RFC 3339.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(moment: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => to.collect_str(moment),
            None => to.serialize_none(),
        }
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// For any other text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-30T21:59:59.999999Z: the last moment that the text form can carry.
    pub const MAX: Self = Self(253_402_207_199_999_999);

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// From whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded towards the past.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `micros` (minus, if negative), saturating.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this moment; negative if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (0..=Self::MAX.0).contains(&self.0) {
            return f.write_str(&rfc3339(self.0.cast_unsigned()));
        }
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// As jiff writes it, ten times as fast: a plan names many moments.
fn rfc3339(micros: u64) -> String {
    fn two(text: &mut [u8], number: u64) {
        text[0] += (number / 10).to_le_bytes()[0];
        text[1] += (number % 10).to_le_bytes()[0];
    }
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in cycles of 400: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + cycle * 400 + u64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    two(&mut text[0..], year / 100);
    two(&mut text[2..], year % 100);
    two(&mut text[5..], month);
    two(&mut text[8..], day);
    two(&mut text[11..], time / 3600);
    two(&mut text[14..], time / 60 % 60);
    two(&mut text[17..], time % 60);
    two(&mut text[20..], micros / 10_000);
    two(&mut text[22..], micros / 100 % 100);
    two(&mut text[24..], micros % 100);
    let kept = if micros == 0 { 19 } else { text[..26].iter().rposition(|byte| *byte != b'0').map_or(19, |at| at + 1) };
    text[kept] = b'Z';
    text[..=kept].iter().copied().map(char::from).collect()
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads RFC 3339 with a zone or offset; rejects a time without one, since guessing a zone moves a restore.
    fn from_str(text: &str) -> Result<Self> {
        text.parse::<jiff::Timestamp>().map(|moment| Self(moment.as_microsecond())).map_err(|error| {
            Error::invalid(format!("'{text}' is not a moment"))
                .because(error)
                .hint("write it as 2026-11-22T23:01:58Z, with a zone or offset")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let moment: Timestamp = "2026-11-22T23:01:58.506Z".parse().unwrap();
        assert_eq!(moment.millis(), 1_795_388_518_506);
        assert_eq!(moment.to_string(), "2026-11-22T23:01:58.506Z");
        assert_eq!("2026-11-23T00:01:58.506+01:00".parse::<Timestamp>().unwrap(), moment);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T21:59:59.999999Z");
    }

    proptest::proptest! {
        #[test]
        fn the_text_is_that_of_jiff(micros in 0..=Timestamp::MAX.0, round in 0..7_u32) {
            let micros = micros - micros % 10_i64.pow(round);
            let expected = jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
            proptest::prop_assert_eq!(Timestamp(micros).to_string(), expected);
        }
    }

    #[test]
    fn every_day_is_as_jiff_has_it() {
        for day in 0..Timestamp::MAX.0 / 86_400_000_000 {
            let micros = day * 86_400_000_000;
            assert_eq!(
                rfc3339(micros.cast_unsigned())[..10],
                jiff::Timestamp::from_microsecond(micros).unwrap().to_string()[..10]
            );
        }
    }

    #[test]
    fn a_time_without_zone_is_refused() {
        let error = "2026-11-22T23:01:58".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("with a zone or offset"), "{error}");
    }
}
