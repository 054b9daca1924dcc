//! Filter expressions, as far as backups use them: and, or, not, comparisons of last update, void time, time to live and set.

use crate::pack::{self, Value};
use crate::record::Record;

/// A filter that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Value);

/// What a filter looks at besides the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Seconds since 2010.
    pub(crate) seconds: u32,
}

/// Unix seconds of 2010-01-01T00:00:00Z.
pub(crate) const EPOCH_2010: i64 = 1_262_304_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Bool(bool),
    Integer(i64),
    Text(Vec<u8>),
}

impl Filter {
    /// Reads a filter; `None` if it asks for something that is not done here.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let filter = Self(pack::read(bytes)?);
        // Judged once beforehand: what is not understood is refused before anything is sent.
        evaluate(&filter.0, &Record::default(), Now { seconds: 0 })?;
        Some(filter)
    }

    pub(crate) fn holds(&self, record: &Record, now: Now) -> bool {
        evaluate(&self.0, record, now) == Some(Found::Bool(true))
    }
}

fn evaluate(value: &Value, record: &Record, now: Now) -> Option<Found> {
    let Value::Array(parts) = value else { return literal(value) };
    let (Value::Integer(operator), operands) = parts.split_first()? else { return None };
    let found = |at: usize| evaluate(operands.get(at)?, record, now);
    let compared = |holds: fn(std::cmp::Ordering) -> bool| Some(Found::Bool(holds(found(0)?.cmp(&found(1)?))));
    let truths = || operands.iter().map(|operand| evaluate(operand, record, now)).collect::<Option<Vec<_>>>();
    match operator {
        1 => compared(std::cmp::Ordering::is_eq),
        2 => compared(std::cmp::Ordering::is_ne),
        3 => compared(std::cmp::Ordering::is_gt),
        4 => compared(std::cmp::Ordering::is_ge),
        5 => compared(std::cmp::Ordering::is_lt),
        6 => compared(std::cmp::Ordering::is_le),
        16 => Some(Found::Bool(truths()?.iter().all(|truth| *truth == Found::Bool(true)))),
        17 => Some(Found::Bool(truths()?.contains(&Found::Bool(true)))),
        18 => Some(Found::Bool(found(0)? == Found::Bool(false))),
        68 | 69 if record.void_time == 0 => Some(Found::Integer(-1)),
        66 => Some(Found::Integer(record.last_update_millis.checked_mul(1_000_000)?)),
        68 => Some(Found::Integer((EPOCH_2010 + i64::from(record.void_time)).checked_mul(1_000_000_000)?)),
        69 => Some(Found::Integer(i64::from(record.void_time) - i64::from(now.seconds))),
        70 => Some(Found::Text(record.set.clone())),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<Found> {
    match value {
        Value::Integer(number) => Some(Found::Integer(*number)),
        Value::Bool(truth) => Some(Found::Bool(*truth)),
        // A string's particle type stands before it.
        Value::Text(text) => {
            text.split_first().filter(|(kind, _)| **kind == 3).map(|(_, text)| Found::Text(text.to_vec()))
        }
        Value::Nil | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_a_recorded_incremental_is_understood() {
        let bytes = b"\x93\x10\x93\x02\x91\x46\xa9\x03<ERO~MRT\x93\x10\x93\x04\x91\x42\xd3\x18\xea\x34\xee\x67\x45\0\0\
            \x93\x05\x91\x42\xd3\x18\xea\x83\x82\xf8\x94\0\0";
        let filter = Filter::of(bytes).unwrap();
        // The first millisecond of the window, and the first after it.
        let first = |nanos: i64| (nanos + 999_999) / 1_000_000;
        let (from, until) = (first(0x18ea_34ee_6745_0000), first(0x18ea_8382_f894_0000));
        let now = Now { seconds: 0 };
        let at = |last_update_millis| Record { last_update_millis, ..Record::default() };
        assert!(!filter.holds(&at(from - 1), now) && filter.holds(&at(from), now));
        assert!(filter.holds(&at(until - 1), now) && !filter.holds(&at(until), now));
        let monitor = Record { set: b"<ERO~MRT".to_vec(), ..at(from) };
        assert!(!filter.holds(&monitor, now));
        assert_eq!(Filter::of(&[0x92, 99, 1]), None);
    }
}
