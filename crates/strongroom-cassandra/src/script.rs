//! Taking a text of several CQL statements apart.

/// The statements of a text, without the `;` at their ends. Knows quoted text, quoted names, `$$` bodies and comments, as
/// Cassandra's grammar (`Lexer.g` of 5.0) has them.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
    let mut add = |from: usize, to: usize| {
        let statement = text.get(from..to).unwrap_or_default().trim();
        if !statement.is_empty() {
            found.push(statement);
        }
    };
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = [("'", "'"), ("\"", "\""), ("$$", "$$"), ("--", "\n"), ("//", "\n"), ("/*", "*/")]
            .iter()
            .find_map(|(open, close)| {
                let inner = rest.strip_prefix(open)?;
                Some(open.len() + inner.find(close).map_or(inner.len(), |length| length + close.len()))
            });
        if let Some(length) = skipped {
            at += length;
        } else {
            if rest.starts_with(';') {
                add(from, at);
                from = at + 1;
            }
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    add(from, text.len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ends_of_statements_divide() {
        assert_eq!(statements("a; b;\n"), ["a", "b"]);
        assert_eq!(statements("x = 'it''s; odd'; \"a;b\""), ["x = 'it''s; odd'", "\"a;b\""]);
        assert_eq!(statements("f AS $$ return x; $$; g"), ["f AS $$ return x; $$", "g"]);
        assert_eq!(statements("a /* ; */ b -- ;\n c; // ;"), ["a /* ; */ b -- ;\n c", "// ;"]);
        assert_eq!(statements(" ;; \n"), Vec::<&str>::new());
        assert_eq!(statements("grüße; 'open"), ["grüße", "'open"]);
    }
}
