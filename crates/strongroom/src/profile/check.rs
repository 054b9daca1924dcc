//! What a profile file must keep beyond its form: references that lead somewhere, and one source for each thing.

use strongroom_codec::PlainRegistry;
use toml::de::{DeTable, DeValue};

use super::{ClusterProfile, Profiles};
use crate::keys::seals;

/// Something in the profiles that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: tables and field, such as `repositories`, `main`, `keys`.
    pub at: Vec<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

impl ClusterProfile {
    /// The fields that say where it is: one, unless something is wrong.
    fn ways(&self) -> Vec<&'static str> {
        let ways = [
            ("url", !self.url.is_empty()),
            ("aerospike", self.aerospike.is_some()),
            ("cassandra", self.cassandra.is_some()),
        ];
        ways.into_iter().filter(|(_, there)| *there).map(|(way, _)| way).collect()
    }
}

impl Profiles {
    /// Everything in the profiles that makes no sense. Nothing is opened for it and no secret is read.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut problem = |at: &[&str], what: String, advice: &str| {
            let at = at.iter().map(|step| (*step).to_owned()).collect();
            found.push(Problem { at, what, advice: advice.to_owned() });
        };
        for (name, cluster) in &self.clusters {
            match cluster.ways()[..] {
                [] => {
                    let what = format!("cluster '{name}' has no url");
                    let advice = "write embedded:FILE, aerospike://HOST:3000 or cassandra://HOST:9042";
                    problem(&["clusters", name, "url"], what, advice);
                }
                [one, other, ..] => {
                    let what = format!("cluster '{name}' has both {one} and {other}");
                    problem(&["clusters", name, one], what, "give it one of them");
                }
                [way] => {
                    let aerospike = cluster.aerospike.iter().map(strongroom_aerospike::AerospikeConfig::check);
                    let cassandra = cluster.cassandra.iter().map(strongroom_cassandra::CassandraConfig::check);
                    for error in aerospike.chain(cassandra).filter_map(Result::err) {
                        let what = format!("cluster '{name}': {}", error.message());
                        let advice = format!("docs/{way}.md lists the options");
                        problem(&["clusters", name, way], what, error.advice().unwrap_or(&advice));
                    }
                }
            }
        }
        for (name, repository) in &self.repositories {
            let told = match (&repository.url, &repository.storage) {
                (Some(_), Some(_)) => Some("both url and storage"),
                (None, None) => Some("neither url nor storage"),
                _ => None,
            };
            if let Some(told) = told {
                problem(
                    &["repositories", name, "url"],
                    format!("repository '{name}' has {told}"),
                    "give it one of them",
                );
            }
            for key in repository.keys.iter().filter(|key| !self.keys.contains_key(*key)) {
                let what = format!("repository '{name}' is to be opened with a key that is not there: no key '{key}'");
                problem(
                    &["repositories", name, "keys"],
                    what,
                    &format!("add [keys.{key}], or take it out of the list"),
                );
            }
            let at = ["repositories", name, "codecs"];
            // Profiles are for the program too, which knows no codecs but ours.
            match seals(repository.codecs.as_deref().unwrap_or_default(), &PlainRegistry::new()) {
                Ok(true) if repository.keys.is_empty() => {
                    let what = format!("repository '{name}' has seal among its codecs, and no keys");
                    problem(&at, what, "name its keys: keys = [\"NAME\"], with [keys.NAME]");
                }
                Ok(_) => {}
                Err(error) => {
                    let advice = error.advice().unwrap_or("name none, lz4, zstd or zstd:LEVEL, and ,seal after it");
                    problem(&at, format!("the codecs of repository '{name}': {}", error.message()), advice);
                }
            }
        }
        for (name, key) in &self.keys {
            let sources =
                [key.file.is_some(), key.env.is_some(), key.passphrase_file.is_some(), key.passphrase_env.is_some()];
            let sources = sources.iter().filter(|there| **there).count();
            if sources != 1 {
                let many = if sources == 0 { "no source".to_owned() } else { format!("{sources} sources") };
                problem(
                    &["keys", name],
                    format!("key '{name}' has {many}"),
                    "give it exactly one of file, env, passphrase_file, passphrase_env",
                );
            }
        }
        found
    }
}

/// The line of the byte `at`, from 1.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// The line of the field `path`, or of the innermost table on the way that is there.
pub(super) fn line_of(text: &str, path: &[String]) -> usize {
    let Ok(root) = DeTable::parse(text) else { return 1 };
    let mut table = root.get_ref();
    let mut line = 1;
    for step in path {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == step.as_str()) else { break };
        line = line_at(text, key.span().start);
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    line
}
