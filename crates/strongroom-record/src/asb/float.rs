//! Floats as text: both reference tools' forms are read, the newer one's are written.

use std::fmt::{self, Write as _};

/// Digits and exponent of the shortest decimal that reads back as the same float.
struct Shortest {
    text: [u8; 32],
    length: usize,
}

impl fmt::Write for Shortest {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        self.text.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The significant digits (no point) of `1.2345e-7`, at most 17, and the exponent.
fn shortest(value: f64) -> ([u8; 20], usize, i32) {
    let mut printed = Shortest { text: [0; 32], length: 0 };
    // 17 digits, point, `e-308`: never more than 32 bytes, so this cannot fail.
    let _ = write!(printed, "{value:e}");
    let text = &printed.text[..printed.length];
    let split = memchr::memchr(b'e', text).unwrap_or(text.len());
    let mut digits = [0_u8; 20];
    let mut count = 0;
    for &byte in &text[..split] {
        if byte != b'.' && count < digits.len() {
            digits[count] = byte;
            count += 1;
        }
    }
    let exponent = text.get(split + 1..).and_then(|e| std::str::from_utf8(e).ok()).and_then(|e| e.parse().ok());
    (digits, count, exponent.unwrap_or(0))
}

/// The names that Go gives to what is no number; true if it was one of those.
fn special(out: &mut Vec<u8>, value: f64) -> bool {
    let text: &[u8] = match value {
        _ if value.is_nan() => b"NaN",
        f64::INFINITY => b"+Inf",
        f64::NEG_INFINITY => b"-Inf",
        _ => return false,
    };
    out.extend_from_slice(text);
    true
}

/// Go's shortest `g`: with an exponent below 1e-4 and from 1e+06 on.
pub(super) fn write_general(out: &mut Vec<u8>, value: f64) {
    if special(out, value) {
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let (digits, count, exponent) = shortest(value.abs());
    if (-4..GENERAL_EXPONENT).contains(&exponent) {
        plain(out, &digits[..count], exponent);
        return;
    }
    out.push(digits[0]);
    if count > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..count]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

/// From which exponent on `g` writes one.
const GENERAL_EXPONENT: i32 = 6;

/// Go's shortest `f`: never an exponent.
pub(super) fn write_fixed(out: &mut Vec<u8>, value: f64) {
    if special(out, value) {
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let (digits, count, exponent) = shortest(value.abs());
    plain(out, &digits[..count], exponent);
}

fn plain(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    let Ok(before) = usize::try_from(exponent) else {
        out.extend_from_slice(b"0.");
        zeros(out, exponent.unsigned_abs() as usize - 1);
        out.extend_from_slice(digits);
        return;
    };
    if digits.len() <= before + 1 {
        out.extend_from_slice(digits);
        zeros(out, before + 1 - digits.len());
    } else {
        out.extend_from_slice(&digits[..=before]);
        out.push(b'.');
        out.extend_from_slice(&digits[before + 1..]);
    }
}

/// Longest text of a float that is read: `f` of the smallest float has 1077 bytes.
pub(super) const LONGEST: usize = 1100;

/// Reads either tool's form; `None` if it is no float.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn general(value: f64) -> String {
        let mut out = Vec::new();
        write_general(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn fixed(value: f64) -> String {
        let mut out = Vec::new();
        write_fixed(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn general_is_as_go_writes_it() {
        for (value, text) in [
            (1.5, "1.5"),
            (1.0, "1"),
            (0.0, "0"),
            (-0.0, "-0"),
            (std::f64::consts::PI, "3.141592653589793"),
            (1e21, "1e+21"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (123_456_789.5, "1.234567895e+08"),
            (1e-7, "1e-07"),
            (1.25e-5, "1.25e-05"),
            (0.0001, "0.0001"),
            (1e308, "1e+308"),
            (5e-324, "5e-324"),
            (-1_004.804_139_473_703_7, "-1004.8041394737037"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(general(value), text);
        }
    }

    #[test]
    fn fixed_has_no_exponent() {
        assert_eq!(fixed(1.25), "1.25");
        assert_eq!(fixed(1e21), "1000000000000000000000");
        assert_eq!(fixed(1.5e-7), "0.00000015");
        assert_eq!(fixed(12345.678), "12345.678");
        assert_eq!(fixed(-0.0), "-0");
        assert!(fixed(f64::from_bits(1)).len() <= LONGEST);
        assert!(fixed(f64::MIN_POSITIVE).len() <= LONGEST);
        assert!(fixed(f64::from_bits(0x000f_ffff_ffff_ffff)).len() <= LONGEST);
    }

    #[test]
    fn both_tools_words_are_read() {
        for text in ["+Inf", "inf", "Inf", "INF", "+inf"] {
            assert_eq!(parse(text.as_bytes()), Some(f64::INFINITY), "{text}");
        }
        assert_eq!(parse(b"-inf"), Some(f64::NEG_INFINITY));
        for text in ["nan", "NaN", "-nan", "NAN"] {
            assert!(parse(text.as_bytes()).is_some_and(f64::is_nan), "{text}");
        }
        assert_eq!(parse(b"9.9999999999999995e-08"), Some(1e-7));
        for text in ["", " 1", "1 ", "0x10", "1e", "one", "\u{0661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_float_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            for text in [general(value), fixed(value)] {
                let read = parse(text.as_bytes()).unwrap();
                prop_assert!(read.to_bits() == bits || (value.is_nan() && read.is_nan()), "{text}");
            }
        }
    }
}
