//! The schema of a keyspace as a piece, what of it is missing in a node, and what does not fit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result};

use crate::cql::Definition;
use crate::script::{in_keyspace, statements};

/// The form of the piece.
const FORMAT: u32 = 1;

/// A keyspace and all that is defined in it, in the order in which it can be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    format: u32,
    pub(crate) keyspace: String,
    pub(crate) definitions: Vec<Definition>,
}

/// What a schema of a backup says to that of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Comparison {
    /// Statements for what is not there.
    pub(crate) missing: Vec<String>,
    /// Likewise, for storage-attached indexes.
    pub(crate) attached: Vec<String>,
    /// Likewise, for materialized views.
    pub(crate) views: Vec<String>,
    /// What is there and does not fit, in words.
    pub(crate) differences: Vec<String>,
}

impl Schema {
    pub(crate) fn new(keyspace: &str, definitions: Vec<Definition>) -> Self {
        Self { format: FORMAT, keyspace: keyspace.to_owned(), definitions }
    }

    pub(crate) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::internal("a schema can't be written").because(error))
    }

    /// Reads the piece.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        let schema: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::corrupt("this is no schema").because(error))?;
        if schema.format != FORMAT {
            return Err(Error::unsupported(format!("the schema has form {}, known is {FORMAT}", schema.format))
                .hint("a newer strongroom reads it"));
        }
        Ok(schema)
    }

    /// The same in another keyspace.
    pub(crate) fn renamed(mut self, to: &str) -> Self {
        if self.keyspace == to {
            return self;
        }
        for definition in &mut self.definitions {
            definition.text = in_keyspace(&definition.text, &self.keyspace, to);
            if definition.kind == "keyspace" {
                to.clone_into(&mut definition.name);
            }
        }
        Self { keyspace: to.to_owned(), ..self }
    }

    /// The same without tables that are left out.
    pub(crate) fn only(mut self, tables: Option<&BTreeSet<String>>) -> Self {
        let kept = |name: &String| tables.is_none_or(|tables| tables.contains(name));
        self.definitions.retain(|definition| definition.kind != "table" || kept(&definition.name));
        self
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = &str> {
        self.definitions.iter().filter(|definition| definition.is_view()).map(|definition| definition.name.as_str())
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.definitions
            .iter()
            .filter(|definition| definition.kind == "table")
            .map(|definition| definition.name.as_str())
    }

    /// The statements that make its tables on a node that is alone, with the ids that a commit log knows them by. What else
    /// is made of tables is made of them by the cluster.
    pub(crate) fn to_replay_into(&self) -> Vec<String> {
        let keyspace = format!(
            "CREATE KEYSPACE \"{}\" WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
            self.keyspace
        );
        let kept = self.definitions.iter().filter(|definition| matches!(definition.kind.as_str(), "type" | "table"));
        let made = kept.flat_map(|definition| statements(&definition.text)).map(str::to_owned);
        std::iter::once(keyspace).chain(made).collect()
    }

    /// Compares with what a node has; nothing if the keyspace is not there. Of definitions of a table that is left out
    /// nothing is made.
    pub(crate) fn against(&self, there: &[Definition], tables: Option<&BTreeSet<String>>) -> Comparison {
        let mut found = Comparison::default();
        for definition in &self.definitions {
            let left_out =
                definition.kind == "table" && tables.is_some_and(|tables| !tables.contains(&definition.name));
            // What stands on tables is made only if all of them are.
            let stands_on_tables = matches!(definition.kind.as_str(), "index" | "materialized_view");
            if left_out || (stands_on_tables && !definition.stands_on(tables)) {
                continue;
            }
            match there.iter().find(|other| other.kind == definition.kind && other.name == definition.name) {
                None if definition.is_attached() => found.attached.extend(definition.to_make()),
                None if definition.is_view() => found.views.extend(definition.to_make()),
                None => found.missing.extend(definition.to_make()),
                Some(other) => found.differences.extend(definition.difference(other)),
            }
        }
        found
    }
}

impl Definition {
    fn stands_on(&self, tables: Option<&BTreeSet<String>>) -> bool {
        let Some(tables) = tables else { return true };
        tables.iter().any(|table| self.names(table))
    }

    /// Whether this word is in it: `CREATE INDEX x ON ks.table (…)`, `… FROM ks.table …`.
    pub(crate) fn names(&self, word: &str) -> bool {
        self.text.split(|char: char| !(char.is_alphanumeric() || char == '_')).any(|other| other == word)
    }

    pub(crate) fn is_view(&self) -> bool {
        self.kind == "materialized_view"
    }

    /// Whether it is a storage-attached index.
    pub(crate) fn is_attached(&self) -> bool {
        let class = self.text.rsplit_once(" USING ").map(|(_, class)| class.to_ascii_lowercase());
        self.kind == "index"
            && class.is_some_and(|class| class.contains("storageattachedindex") || class.starts_with("'sai'"))
    }

    /// The statements that make it, without the table's old id: a new table must not meet what a commit log still holds of
    /// the old one.
    fn to_make(&self) -> Vec<String> {
        statements(&self.text).into_iter().map(without_id).collect()
    }

    /// Why data of this one can't be taken in by `other`, if so.
    fn difference(&self, other: &Self) -> Option<String> {
        let what = |why: String| format!("{} '{}': {why}", self.kind, self.name);
        match self.kind.as_str() {
            "table" => {
                let (mine, theirs) = (Columns::of(&self.text), Columns::of(&other.text));
                if mine.order != theirs.order {
                    return Some(what("rows are in another order".to_owned()));
                }
                let lacking = mine.lines.iter().find(|line| !theirs.lines.contains(line))?;
                Some(what(format!("the backup has '{lacking}', the cluster has not")))
            }
            "type" => {
                let (mine, theirs) = (body(&self.text), body(&other.text));
                (!theirs.starts_with(&mine)).then(|| what("its fields are others".to_owned()))
            }
            _ => None,
        }
    }
}

/// What decides whether one table's files can be another's: columns and keys, without options.
struct Columns {
    lines: Vec<String>,
    order: Option<String>,
}

impl Columns {
    fn of(text: &str) -> Self {
        let parts = statements(text);
        let create = parts.first().copied().unwrap_or_default();
        let dropped: Vec<&str> =
            parts.iter().skip(1).filter_map(|alter| alter.split_once(" DROP ")?.1.split(' ').next()).collect();
        let mut lines = body(create);
        lines.retain(|line| {
            !dropped.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
        });
        let order =
            create.lines().find_map(|line| line.split_once("CLUSTERING ORDER BY").map(|(_, order)| order.trim()));
        Self { lines, order: order.map(|order| order.trim_end_matches(';').to_owned()) }
    }
}

/// The lines between the brackets of a statement that makes something.
fn body(text: &str) -> Vec<String> {
    let lines = text.lines().skip(1).take_while(|line| !line.starts_with(')'));
    lines.map(|line| line.trim().trim_end_matches(',').to_owned()).collect()
}

/// A statement without `ID = …` among its options.
fn without_id(statement: &str) -> String {
    const ID: &str = "WITH ID = ";
    const UUID: usize = 36;
    let mut made = Vec::new();
    let mut done = false;
    for line in statement.lines() {
        let start = line.trim_start_matches([')', ' ']);
        if !done && let Some(rest) = start.strip_prefix(ID).and_then(|rest| rest.get(UUID..)) {
            done = true;
            let before = line.get(..line.len() - start.len()).unwrap_or_default();
            made.push(format!("{before}WITH{rest}"));
        } else {
            made.push(line.to_owned());
        }
    }
    let text = made.join("\n");
    // The option that followed it now comes first, or there is none.
    match text.split_once("WITH\n    AND ") {
        Some((before, after)) if done => format!("{before}WITH {after}"),
        _ if done && text.ends_with("WITH") => text.trim_end_matches("WITH").trim_end().to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE app.t (\n    k int,\n    c int,\n    v text,\n    gone text,\n    PRIMARY KEY (k, c)\n) WITH ID = \
                         34551da0-e968-11f1-bbb3-4dcd0ea53151\n    AND CLUSTERING ORDER BY (c DESC)\n    AND comment = 'x; y';\nALTER TABLE app.t DROP \
                         gone USING TIMESTAMP 5;";

    fn definition(kind: &str, name: &str, text: &str) -> Definition {
        Definition { kind: kind.to_owned(), name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_is_missing_is_made_without_its_old_id() {
        let schema = Schema::new("app", vec![definition("table", "t", TABLE)]);
        let made = schema.against(&[], None).missing;
        assert_eq!(made.len(), 2);
        assert!(
            !made[0].contains("ID =") && made[0].contains(") WITH CLUSTERING ORDER BY (c DESC)\n    AND comment"),
            "{}",
            made[0]
        );
        assert_eq!(made[1], "ALTER TABLE app.t DROP gone USING TIMESTAMP 5");
        assert_eq!(
            without_id("CREATE TABLE a.b (\n) WITH ID = 34551da0-e968-11f1-bbb3-4dcd0ea53151"),
            "CREATE TABLE a.b (\n)"
        );
        assert_eq!(without_id("CREATE TYPE a.b (\n)"), "CREATE TYPE a.b (\n)");
        assert_eq!(Schema::of(schema.to_text().unwrap().as_bytes()).unwrap(), schema);
        assert!(Schema::of(b"{}").is_err());
    }

    #[test]
    fn a_table_may_have_more_columns_and_other_options_but_not_fewer() {
        let schema = Schema::new("app", vec![definition("table", "t", TABLE)]);
        let against = |text: &str| schema.against(&[definition("table", "t", text)], None);
        assert_eq!(against(TABLE), Comparison::default());
        assert_eq!(
            against(&TABLE.replace("    v text,", "    v text,\n    more int,").replace("x; y", "z")),
            Comparison::default()
        );
        let never_dropped = TABLE.split("ALTER").next().unwrap().replace("    gone text,\n", "");
        assert_eq!(against(&never_dropped), Comparison::default());
        assert!(against(&TABLE.replace("v text", "v blob")).differences[0].contains("'v text'"));
        assert!(against(&TABLE.replace("(k, c)", "((k, c))")).differences[0].contains("PRIMARY KEY (k, c)"));
        assert!(against(&TABLE.replace("c DESC", "c ASC")).differences[0].contains("order"));
        assert!(against(&TABLE.replace("DROP gone", "DROP v")).differences[0].contains("'v text'"));
    }

    #[test]
    fn fields_of_a_type_are_only_added_at_its_end() {
        let of = |fields: &str| definition("type", "a", &format!("CREATE TYPE app.a (\n    {fields}\n);"));
        let schema = Schema::new("app", vec![of("x int")]);
        assert!(schema.against(&[of("x int,\n    y int")], None).differences.is_empty());
        assert_eq!(schema.against(&[of("y int,\n    x int")], None).differences.len(), 1);
    }

    #[test]
    fn of_some_tables_only_what_stands_on_them_is_made() {
        let schema = Schema::new(
            "app",
            vec![
                definition("keyspace", "app", "CREATE KEYSPACE app WITH x = 1;"),
                definition("table", "t", TABLE),
                definition("table", "u", &TABLE.replace("app.t", "app.u")),
                definition("index", "i", "CREATE INDEX i ON app.u (v);"),
            ],
        );
        let made = schema.against(&[], Some(&BTreeSet::from(["t".to_owned()]))).missing;
        assert_eq!(made.len(), 3, "{made:?}");
        assert!(made.iter().all(|statement| !statement.contains("app.u")));
    }
}
