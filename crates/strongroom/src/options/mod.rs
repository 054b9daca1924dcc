//! What is asked of a repository, as data: how other languages say it. The names are those of the program's options.
//!
//! Moments are microseconds since 1970 or RFC 3339 text, spans and sizes are text such as `30d` and `8MiB`. A field that
//! is left out has the program's default; one that is not known is refused.

mod choice;
mod jobs;

use std::num::{NonZeroU16, NonZeroU64};

use serde::Deserialize;
use strongroom_core::pipeline::{Limits, Settings};
use strongroom_core::units::ByteSize;
use strongroom_core::{Error, Result, Timestamp};

pub use self::choice::{Choice, Subject};
pub use self::jobs::{Backup, Copy, Delete, Pinning, Prune, Restore, Resume, Synthesize, Verify};

/// Reads options from JSON.
///
/// # Errors
/// `Invalid`, naming the field that is wrong.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        // The place within text that a program made tells a person nothing.
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        Error::invalid(format!("options: {what}"))
    })
}

/// How fast a job may be, and how much it does at once.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Move at most this many bytes a second.
    pub limit_rate: Option<ByteSize>,
    /// Move at most this many records a second.
    pub limit_records: Option<NonZeroU64>,
    /// Work on this many pieces at once.
    pub parallel: Option<NonZeroU16>,
}

impl Pace {
    /// As settings of a job.
    ///
    /// # Errors
    /// `Invalid` for a rate of nothing.
    pub fn settings(&self) -> Result<Settings> {
        let default = Settings::default();
        let bytes = |size: ByteSize| {
            NonZeroU64::new(size.0)
                .ok_or_else(|| Error::invalid("limit_rate: nothing would ever be moved: give a size above 0"))
        };
        Ok(Settings {
            parallel: self.parallel.map_or(default.parallel, |parallel| parallel.get().into()),
            limits: Limits {
                bytes_per_second: self.limit_rate.map(bytes).transpose()?,
                records_per_second: self.limit_records,
            },
            ..default
        })
    }
}

/// A moment, as a number of microseconds or as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Micros(i64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Micros(micros) => Ok(Self(Timestamp::from_micros(micros))),
            Form::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::ErrorKind;

    use super::*;

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (json, told) in [
            (r#"{"limit": 3}"#, "unknown field `limit`"),
            (r#"{"limit_rate": "5 apples"}"#, "5 apples"),
            (r#"{"parallel": 0}"#, "nonzero"),
        ] {
            let error = read::<Pace>(json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(told) && !error.message().contains("line"), "{error}");
        }
        assert_eq!(read::<Pace>(r#"{"limit_rate": 0}"#).unwrap().settings().unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_moment_is_a_number_or_a_text() {
        let text: Moment = serde_json::from_str("\"2026-11-22T23:01:58Z\"").unwrap();
        let number: Moment = serde_json::from_str("1795388518000000").unwrap();
        assert_eq!(text, number);
        assert!(serde_json::from_str::<Moment>("\"2026-11-22T23:01:58\"").is_err());
    }
}
