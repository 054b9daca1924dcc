//! The lines of an answer.

use crate::Malformed;

/// An info answer: `command TAB value` lines.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a>(&'a str);

impl<'a> Answers<'a> {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// When it is not text.
    pub fn of(body: &'a [u8]) -> Result<Self, Malformed> {
        let at = |error: std::str::Utf8Error| Malformed::new("an info answer that is not text", error.valid_up_to());
        std::str::from_utf8(body).map(Self).map_err(at)
    }

    /// The value of a command, as it was asked. `None`: the server did not answer it.
    #[must_use]
    pub fn get(self, command: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| match line.split_once('\t') {
            Some((name, value)) => (name == command).then_some(value),
            None => (line == command).then_some(""),
        })
    }
}

/// What a server says instead of a value when it refuses: `ERROR:code:text`, `FAIL:code:text`, or `error=text`.
#[must_use]
pub fn refusal(value: &str) -> Option<&str> {
    let starts = |word: &str| value.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    ["ERROR:", "FAIL:", "ERROR=", "FAIL="]
        .iter()
        .find(|word| starts(word))
        .map(|word| &value[word.len()..])
        .or_else(|| (starts("ERROR") && value.len() == 5 || starts("FAIL") && value.len() == 4).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_by_their_command() {
        let answers = Answers::of(b"node\tA3000\nbuild\t8.1.2.0\nempty\t\nbare\n").unwrap();
        assert_eq!(answers.get("build"), Some("8.1.2.0"));
        assert_eq!(answers.get("empty"), Some(""));
        assert_eq!(answers.get("bare"), Some(""));
        assert_eq!(answers.get("buil"), None);
        assert!(Answers::of(b"\xff").is_err());
    }

    #[test]
    fn refusals_are_told_from_values() {
        assert_eq!(refusal("ERROR:4:bad param"), Some("4:bad param"));
        assert_eq!(refusal("FAIL:201:no index"), Some("201:no index"));
        assert_eq!(refusal("error=not_found"), Some("not_found"));
        assert_eq!(refusal("ok"), None);
        assert_eq!(refusal("errors=3;x=1"), None);
    }
}
