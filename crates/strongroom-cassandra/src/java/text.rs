//! Java's own form of UTF-8: NUL in two bytes, and what lies beyond U+FFFF as two surrogates of three bytes each. It is in
//! the documentation of `java.io.DataInput`.

/// Text as Java writes it.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        match unit {
            0x0001..=0x007F => bytes.push(low),
            0 | 0x0080..=0x07FF => bytes.extend([0xC0 | high << 2 | low >> 6, 0x80 | low & 0x3F]),
            _ => bytes.extend([0xE0 | high >> 4, 0x80 | (high & 0xF) << 2 | low >> 6, 0x80 | low & 0x3F]),
        }
    }
    bytes
}

/// Text that Java wrote; `None` if these bytes are none. A surrogate without its other half becomes U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    if bytes.is_ascii() && !bytes.contains(&0) {
        return String::from_utf8(bytes.to_vec()).ok();
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    let more = |rest: &mut dyn Iterator<Item = u8>| {
        rest.next().filter(|byte| byte & 0xC0 == 0x80).map(|byte| u16::from(byte & 0x3F))
    };
    while let Some(first) = rest.next() {
        units.push(match first {
            0x01..=0x7F => u16::from(first),
            0xC0..=0xDF => u16::from(first & 0x1F) << 6 | more(&mut rest)?,
            0xE0..=0xEF => u16::from(first & 0xF) << 12 | more(&mut rest)? << 6 | more(&mut rest)?,
            _ => return None,
        });
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_looks_as_java_writes_it() {
        for text in ["", "plain", "grüße", "\0", "a\0b", "漢字", "😀", "\u{FFFF}\u{10FFFF}"] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        assert_eq!(encode("\0"), [0xC0, 0x80]);
        assert_eq!(encode("😀"), [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]);
    }

    #[test]
    fn what_is_no_text_is_told() {
        for bytes in [&[0][..], &[0x80], &[0xC3], &[0xC3, 0x20], &[0xE0, 0x80], &[0xF0, 0x9F, 0x98, 0x80], &[0xFF]] {
            assert_eq!(decode(bytes), None, "{bytes:x?}");
        }
        assert_eq!(decode(&[0xED, 0xA0, 0xBD]).as_deref(), Some("\u{FFFD}"));
    }
}
