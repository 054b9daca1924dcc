//! Sizes and durations as people write them: `8MiB`, `500ms`, `30d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes. In text: digits with `B`, `K`/`KB` (1000), `KiB` (1024), and so on up to `T`; in files also a bare number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A span of time. In text: digits with `ms`, `s`, `m`, `h`, `d`, `w` (7 days) or `y` (365 days); in files also a bare
/// number of seconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl ByteSize {
    /// `count` MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl Span {
    /// `count` seconds.
    #[must_use]
    pub const fn secs(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// `count` days of 24 hours.
    #[must_use]
    pub const fn days(count: u64) -> Self {
        Self(Duration::from_secs(count.saturating_mul(DAY / 1000)))
    }

    /// In microseconds, saturating: the unit of every moment.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Milliseconds.
const DAY: u64 = 86_400_000;

/// Splits `12 MiB` into the number and the unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

impl FromStr for ByteSize {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(format!("'{}' is not a size", text.escape_debug()))
                .hint("write it like 8MiB, 500KB or 1048576")
        };
        let (count, unit) = split(text).ok_or_else(refuse)?;
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "kib" => 1 << 10,
            "m" | "mb" => 1_000_000,
            "mib" => 1 << 20,
            "g" | "gb" => 1_000_000_000,
            "gib" => 1 << 30,
            "t" | "tb" => 1_000_000_000_000,
            "tib" => 1 << 40,
            _ => return Err(refuse()),
        };
        count.checked_mul(factor).map(Self).ok_or_else(refuse)
    }
}

impl FromStr for Span {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(format!("'{}' is not a duration", text.escape_debug()))
                .hint("write it like 30s, 500ms, 5m, 12h or 30d")
        };
        let (count, unit) = split(text).ok_or_else(refuse)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY,
            "w" => 7 * DAY,
            "y" => 365 * DAY,
            _ => return Err(refuse()),
        };
        count.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis))).ok_or_else(refuse)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let day = u128::from(DAY);
        if millis != 0 && millis.is_multiple_of(day) {
            write!(f, "{}d", millis / day)
        } else if millis.is_multiple_of(1000) {
            write!(f, "{}s", millis / 1000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

/// `Debug`, `Serialize` and `Deserialize` through the text form; a bare number is accepted too.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = match NumberOrText::deserialize(deserializer)? {
                    NumberOrText::Number(number) => number.to_string(),
                    NumberOrText::Text(text) => text,
                };
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(ByteSize, Span);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_and_written() {
        for (text, bytes) in
            [("8MiB", 8 << 20), ("8 mib", 8 << 20), ("500KB", 500_000), ("7", 7), ("1GiB", 1 << 30), ("0", 0)]
        {
            assert_eq!(text.parse::<ByteSize>().unwrap(), ByteSize(bytes), "{text}");
        }
        let spans = [("30s", 30_000), ("500ms", 500), ("5m", 300_000), ("2", 2000), ("3h", 10_800_000)];
        let days =
            [("5d", 5 * DAY), ("2w", 14 * DAY), ("1y", 365 * DAY)].map(|(text, millis)| (text, u128::from(millis)));
        for (text, millis) in spans.into_iter().chain(days) {
            assert_eq!(text.parse::<Span>().unwrap().0.as_millis(), millis, "{text}");
        }
        for text in ["", "x", "8XB", "-1", "99999999999TiB", "1.5MiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        for text in ["", "5x", "-1s", "5 days", "99999999999999y"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!(Span::days(14).to_string(), "14d");
        assert_eq!((Span::secs(90).to_string().as_str(), Span::secs(0).to_string().as_str()), ("90s", "0s"));
        assert_eq!((Span::days(1).micros(), Span(Duration::MAX).micros()), (86_400_000_000, i64::MAX));
    }

    proptest::proptest! {
        #[test]
        fn text_form_round_trips(bytes: u64, millis: u32) {
            let size = ByteSize(bytes);
            proptest::prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
            let span = Span(Duration::from_millis(u64::from(millis)));
            proptest::prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }
}
