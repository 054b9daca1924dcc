//! Taking a text of several CQL statements apart, and moving it into another keyspace.

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
        if let Some(length) = enclosed(rest) {
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

/// How long the quoted text, quoted name, body or comment is that `rest` begins with, if it does.
fn enclosed(rest: &str) -> Option<usize> {
    let kinds = [("'", "'"), ("\"", "\""), ("$$", "$$"), ("--", "\n"), ("//", "\n"), ("/*", "*/")];
    kinds.iter().find_map(|(open, close)| {
        let inner = rest.strip_prefix(open)?;
        Some(open.len() + inner.find(close).map_or(inner.len(), |length| length + close.len()))
    })
}

/// After these a name may have its keyspace before it, in what `DESCRIBE` gives.
const NAMING: [&str; 8] = ["KEYSPACE", "TYPE", "TABLE", "ON", "VIEW", "FROM", "FUNCTION", "AGGREGATE"];

/// The same statements for another keyspace.
pub(crate) fn in_keyspace(text: &str, from: &str, to: &str) -> String {
    let (mut made, mut at, mut before) = (String::with_capacity(text.len()), 0, "");
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let bare = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
        let length = enclosed(rest).unwrap_or(bare).max(rest.chars().next().map_or(1, char::len_utf8));
        let (word, after) = rest.split_at(length);
        let naming = NAMING.contains(&before) && (after.starts_with('.') || before == "KEYSPACE");
        if naming && word.trim_matches('"') == from {
            made.extend(["\"", to, "\""]);
        } else {
            made.push_str(word);
        }
        if !word.trim().is_empty() {
            before = word;
        }
        at += length;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_keyspace_are_moved() {
        for (text, moved) in [
            ("CREATE KEYSPACE app WITH x = 'app';", "CREATE KEYSPACE \"b\" WITH x = 'app';"),
            (
                "CREATE TABLE app.app (app int) WITH comment = 'ON app.x'",
                "CREATE TABLE \"b\".app (app int) WITH comment = 'ON app.x'",
            ),
            ("CREATE INDEX i ON app.t (app)", "CREATE INDEX i ON \"b\".t (app)"),
            (
                "CREATE MATERIALIZED VIEW app.v AS SELECT * FROM app.t WHERE app IS NOT NULL",
                "CREATE MATERIALIZED VIEW \"b\".v AS SELECT * FROM \"b\".t WHERE app IS NOT NULL",
            ),
            ("CREATE FUNCTION app.f() AS $$ FROM app.t $$", "CREATE FUNCTION \"b\".f() AS $$ FROM app.t $$"),
            ("CREATE TABLE apps.t (x frozen<app>)", "CREATE TABLE apps.t (x frozen<app>)"),
            ("ALTER TABLE \"app\".t DROP grüße", "ALTER TABLE \"b\".t DROP grüße"),
        ] {
            assert_eq!(in_keyspace(text, "app", "b"), moved);
        }
    }

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
