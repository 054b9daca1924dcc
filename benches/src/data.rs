//! Data as databases hold it, the same for the same seed.

/// What data looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Words of a language, some much more often than others.
    Text,
    /// Documents of one shape, one a line.
    Json,
    /// Rows as an `SSTable` has them: sorted keys, deltas of times, short cells.
    Rows,
    /// Nothing to be compressed.
    Random,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Rows, Self::Random];

    /// A name for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Rows => "rows",
            Self::Random => "random",
        }
    }

    /// `length` bytes of this kind.
    #[must_use]
    pub fn bytes(self, seed: u64, length: usize) -> Vec<u8> {
        let mut chance = Chance(seed.wrapping_mul(0x1234_5677).wrapping_add(self as u64));
        let words = words();
        let mut out = Vec::with_capacity(length + 512);
        let mut number = 0_u64;
        while out.len() < length {
            match self {
                Self::Text => sentence(&mut chance, &words, &mut out),
                Self::Json => document(&mut chance, &words, number, &mut out),
                Self::Rows => row(&mut chance, &words, number, &mut out),
                Self::Random => out.extend_from_slice(&chance.next().to_le_bytes()),
            }
            number += 1;
        }
        out.truncate(length);
        out
    }
}

/// Split-mix: quick, and good enough to look like chance.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of `all`, the first ones much more often: about as Zipf found it.
    fn word<'a>(&mut self, all: &'a [String]) -> &'a str {
        let scale = 1_u64 << self.below(15);
        let at = usize::try_from(self.below(scale)).unwrap_or(0);
        all.get(at % all.len()).map_or("", String::as_str)
    }
}

/// 16 384 words, the shorter ones first.
fn words() -> Vec<String> {
    const SYLLABLES: [&str; 32] = [
        "a", "ba", "ce", "di", "do", "en", "fa", "ge", "hi", "in", "ka", "le", "ma", "ne", "on", "pa", "qui", "re",
        "sa", "te", "ti", "tu", "un", "ver", "wa", "xo", "ya", "zu", "sch", "lan", "ment", "tion",
    ];
    (0..16_384_usize)
        .map(|number| {
            let mut word = String::new();
            let mut left = number * 7 + 3;
            while left > 0 {
                word.push_str(SYLLABLES[left % SYLLABLES.len()]);
                left /= SYLLABLES.len();
            }
            word
        })
        .collect()
}

fn sentence(chance: &mut Chance, words: &[String], out: &mut Vec<u8>) {
    for at in 0..5 + chance.below(12) {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(chance.word(words).as_bytes());
        if chance.below(9) == 0 {
            out.push(b',');
        }
    }
    out.extend_from_slice(if chance.below(5) == 0 { b".\n" } else { b". " });
}

fn document(chance: &mut Chance, words: &[String], number: u64, out: &mut Vec<u8>) {
    let text = format!(
        "{{\"id\":{},\"user\":\"{}-{}\",\"at\":\"2026-{:02}-{:02}T{:02}:{:02}:{:02}Z\",\"amount\":{}.{:02},\"active\":{},\"tags\":[\"{}\",\"{}\"],\"note\":\"{} {} {}\"}}\n",
        number * 3 + chance.below(3),
        chance.word(words),
        chance.below(100_000),
        1 + chance.below(12),
        1 + chance.below(28),
        chance.below(24),
        chance.below(60),
        chance.below(60),
        chance.below(10_000),
        chance.below(100),
        chance.below(4) > 0,
        chance.word(words),
        chance.word(words),
        chance.word(words),
        chance.word(words),
        chance.word(words),
    );
    out.extend_from_slice(text.as_bytes());
}

fn row(chance: &mut Chance, words: &[String], number: u64, out: &mut Vec<u8>) {
    // Partition key: sorted, with a random end; then deletion time, flags, and cells with deltas of times.
    out.extend_from_slice(&16_u16.to_be_bytes());
    out.extend_from_slice(&(number / 4).to_be_bytes());
    out.extend_from_slice(&chance.next().to_be_bytes());
    out.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0x24]);
    for cell in 0..3 + chance.below(4) {
        out.push(0x08);
        out.push(u8::try_from(cell).unwrap_or(0));
        out.extend_from_slice(&u32::try_from(chance.below(1 << 18)).unwrap_or(0).to_be_bytes());
        match cell % 3 {
            0 => out.extend_from_slice(&u32::try_from(chance.below(5000)).unwrap_or(0).to_be_bytes()),
            1 => {
                let word = chance.word(words);
                out.push(u8::try_from(word.len()).unwrap_or(255));
                out.extend_from_slice(word.as_bytes());
            }
            _ => out.extend_from_slice(&chance.next().to_be_bytes()),
        }
    }
    out.push(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for kind in Kind::ALL {
            assert_eq!(kind.bytes(3, 10_000), kind.bytes(3, 10_000));
            assert_eq!(kind.bytes(3, 10_000).len(), 10_000);
            assert_ne!(kind.bytes(3, 10_000), kind.bytes(4, 10_000));
        }
    }
}
