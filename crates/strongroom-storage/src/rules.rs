//! What every storage checks alike, so that all answer the same.

use std::ops::Range;

use strongroom_core::{Error, Key, Result};

/// The bytes `range` asks for of an object of `size` bytes.
pub(crate) fn check_range(key: &Key, range: Option<Range<u64>>, size: u64) -> Result<Range<u64>> {
    let Some(range) = range else { return Ok(0..size) };
    if range.start > range.end || range.end > size {
        return Err(Error::invalid(format!(
            "{key} has {size} bytes, bytes {}..{} were asked for",
            range.start, range.end
        )));
    }
    Ok(range)
}

/// Whether `prefix` is `""` or a valid name that ends in `/`.
pub(crate) fn check_folder(prefix: &str) -> Result<()> {
    match prefix.strip_suffix('/') {
        _ if prefix.is_empty() => Ok(()),
        Some(folder) => Key::new(folder).map(drop),
        None => Err(Error::invalid(format!("'{}' is not a folder: it must end in '/'", prefix.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_must_lie_within() {
        let key = Key::new("k").unwrap();
        assert_eq!(check_range(&key, None, 7).unwrap(), 0..7);
        assert_eq!(check_range(&key, Some(7..7), 7).unwrap(), 7..7);
        for range in [0..8, 8..8, Range { start: 3, end: 2 }] {
            assert!(check_range(&key, Some(range.clone()), 7).is_err(), "{range:?}");
        }
    }

    #[test]
    fn folders_end_in_a_slash_and_stay_inside() {
        for good in ["", "a/", "a/b/"] {
            assert!(check_folder(good).is_ok(), "{good}");
        }
        for bad in ["a", "/", "../", "a/../", "a//", "a b/"] {
            assert!(check_folder(bad).is_err(), "{bad}");
        }
    }
}
