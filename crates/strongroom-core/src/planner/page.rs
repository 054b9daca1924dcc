//! Text for people: lines of a bounded width, sizes and spans as people read them. The same values give the same text.

use std::fmt;

/// No line is wider.
pub(super) const WIDTH: usize = 98;

/// Lines under each other.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// One line as it is, without spaces at its end.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    /// `text` after `head`, and on the lines after it under where it began.
    pub(super) fn entry(&mut self, head: &str, text: &str) {
        let indent = head.chars().count();
        let room = WIDTH.saturating_sub(indent).max(24);
        let mut lines = wrapped(text, room).into_iter();
        self.line(format!("{head}{}", lines.next().unwrap_or_default()));
        for line in lines {
            self.line(format!("{:indent$}{line}", ""));
        }
    }

    /// Ends it.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

/// `text` in lines of at most `room`; a longer word stands alone.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if let Some(line) = lines.last_mut().filter(|_| width + 1 + length <= room) {
            line.push(' ');
            line.push_str(word);
            width += 1 + length;
        } else {
            lines.push(word.to_owned());
            width = length;
        }
    }
    lines
}

/// `1 step`, `2 steps`, `12 345 steps`.
pub(super) fn count(number: u64, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {what}{end}", grouped(number))
}

/// Digits in threes.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `1.5 KiB`, `40.0 GiB`: in the largest unit of which there is one, rounded down.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let found = units.iter().zip(1_u32..).take_while(|(_, power)| bytes >> (10 * power) > 0).last();
    found.map_or_else(
        || format!("{bytes} B"),
        |(unit, power)| {
            let tenths = (u128::from(bytes) * 10) >> (10 * power);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

/// `250 ms`, `12.5 s`, `3.2 h`, `40.1 days`: rounded down.
pub(super) fn span(micros: i64) -> String {
    let micros = micros.unsigned_abs();
    let units = [("days", 86_400_000_000, 2), ("h", 3_600_000_000, 2), ("min", 60_000_000, 2), ("s", 1_000_000, 1)];
    let found = units.iter().find(|(_, unit, least)| micros >= unit * least);
    match found {
        Some((name, unit, _)) => {
            let tenths = u128::from(micros) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None if micros >= 1000 => format!("{} ms", micros / 1000),
        None => format!("{micros} us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!(
            ["1 step", "0 steps", "12 345 steps"],
            [1, 0, 12345].map(|number| count(number, "step").leak() as &str)
        );
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "15.9 EiB");
        let spans = [999, 250_000, 12_500_000, 119_000_000, 120_000_000, 172_800_000_000].map(span);
        assert_eq!(spans, ["999 us", "250 ms", "12.5 s", "119.0 s", "2.0 min", "2.0 days"]);
    }

    #[test]
    fn lines_are_wrapped_under_where_they_began() {
        let mut page = Page::default();
        page.entry("  head  ", &"word ".repeat(30));
        let lines: Vec<&str> = page.text.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("  head  word") && lines[1].starts_with("        word"));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        let mut page = Page::default();
        page.entry("", &"x".repeat(200));
        assert_eq!(page.text.trim_end().len(), 200, "a longer word stands alone");
    }
}
