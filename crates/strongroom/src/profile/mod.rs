//! `strongroom.toml`: clusters, repositories and keys by name.
//!
//! ```toml
//! [clusters.app]
//! url = "embedded:/var/lib/app.redb"
//!
//! [clusters.live.aerospike]
//! seeds = ["db1:3000", "db2:3000"]
//! login = { user = "backup", password = { env = "AEROSPIKE_PASSWORD" } }
//!
//! [clusters.node.cassandra]
//! host = "127.0.0.1"
//! jmx = { login = { user = "backup", password = { file = "/etc/strongroom/jmx" } } }
//!
//! [repositories.main]
//! url = "s3://backups/app?region=eu-central-1"
//! codecs = "zstd:1,seal"
//! keys = ["ops"]
//! object_lock = "30d"
//!
//! [repositories.main.retention]
//! keep_within = "2d"
//! keep_daily = 14
//!
//! [keys.ops]
//! file = "/etc/strongroom/ops.key"
//! ```

mod check;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use strongroom_aerospike::AerospikeConfig;
use strongroom_cassandra::CassandraConfig;
use strongroom_core::model::PartName;
use strongroom_core::planner::RetentionPolicy;
use strongroom_core::units::Span;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_storage::StorageConfig;

pub use self::check::Problem;

/// The file that is looked for when none is named.
pub const DEFAULT_FILE: &str = "strongroom.toml";

/// Everything that `strongroom.toml` names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// Clusters by name.
    #[serde(default)]
    pub clusters: BTreeMap<String, ClusterProfile>,
    /// Repositories by name.
    #[serde(default)]
    pub repositories: BTreeMap<String, RepositoryProfile>,
    /// Reader keys by name.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyProfile>,
}

/// One cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterProfile {
    /// Where it is, such as `embedded:/var/lib/app.redb` or `aerospike://db1:3000`. Either this, `aerospike` or `cassandra`.
    #[serde(default)]
    pub url: String,
    /// A live Aerospike cluster in full, where a URL does not say enough.
    #[serde(default)]
    pub aerospike: Option<AerospikeConfig>,
    /// A Cassandra node in full, likewise.
    #[serde(default)]
    pub cassandra: Option<CassandraConfig>,
}

/// One repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryProfile {
    /// Where it is, such as `s3://bucket/prefix`. Either this or `storage`.
    #[serde(default)]
    pub url: Option<String>,
    /// The storage in full, where a URL does not say enough.
    #[serde(default)]
    pub storage: Option<StorageConfig>,
    /// The codecs of new backups, such as `zstd:1,seal`. Absent: what the repository was made with.
    #[serde(default)]
    pub codecs: Option<String>,
    /// The names of the keys to read and write it with.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What a prune keeps of each part.
    #[serde(default)]
    pub retention: Option<RetentionPolicy>,
    /// Parts with a policy of their own.
    #[serde(default)]
    pub part_retention: BTreeMap<PartName, RetentionPolicy>,
    /// How long what is condemned stays, such as `24h`.
    #[serde(default)]
    pub grace: Option<Span>,
    /// How long the storage keeps an object from being deleted after its writing (object lock), such as `30d`.
    #[serde(default)]
    pub object_lock: Option<Span>,
}

/// Where one reader key comes from: exactly one of the four. The file itself never holds a key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyProfile {
    /// A file that holds the key.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// An environment variable that holds the key.
    #[serde(default)]
    pub env: Option<String>,
    /// A file that holds a passphrase; one line end at its end is not part of it.
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// An environment variable that holds a passphrase.
    #[serde(default)]
    pub passphrase_env: Option<String>,
}

impl Profiles {
    /// Reads a file.
    ///
    /// # Errors
    /// `NotFound`, `Denied` for the file; `Invalid`, with the line, for what is in it: see [`Profiles::problems`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::from(error).within(path.display()))?;
        let profiles: Self = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| check::line_at(&text, span.start));
            Error::invalid(format!("{}, line {line}: {}", path.display(), error.message()))
                .hint("docs/cli.md shows what the file may hold")
        })?;
        match profiles.problems().into_iter().next() {
            Some(Problem { at, what, advice }) => {
                let line = check::line_of(&text, &at);
                Err(Error::invalid(format!("{}, line {line}: {what}", path.display())).hint(advice))
            }
            None => Ok(profiles),
        }
    }

    /// Reads `path` if one is given, else [`DEFAULT_FILE`] in the current folder if it is there, else nothing.
    ///
    /// # Errors
    /// As [`Profiles::read`]; a default file that is missing is no error.
    pub fn read_or_default(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) => Self::read(path),
            None => match Self::read(Path::new(DEFAULT_FILE)) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
                other => other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Profiles> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Profiles::read(file.path())
    }

    #[test]
    fn the_documented_example_reads() {
        let profiles = parse(
            "[clusters.app]\nurl = 'embedded:/var/lib/app.redb'\n[repositories.main]\nurl = 's3://b/p'\n\
             codecs = 'zstd:1,seal'\nkeys = ['ops']\nobject_lock = '30d'\n[repositories.main.retention]\n\
             keep_within = '2d'\nkeep_daily = 14\n[keys.ops]\nfile = '/etc/strongroom/ops.key'\n",
        )
        .unwrap();
        assert_eq!(profiles.repositories["main"].retention.as_ref().unwrap().keep_daily, Some(14));
        assert_eq!(profiles.repositories["main"].object_lock, Some(Span::days(30)));
        assert_eq!(profiles.clusters["app"].url, "embedded:/var/lib/app.redb");
        assert_eq!(profiles.repositories["main"].keys, ["ops"]);
    }

    #[test]
    fn a_misspelt_field_is_refused_with_its_line() {
        let error = parse("[clusters.app]\nulr = 'x'\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("line 2") && error.to_string().contains("ulr"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_together_is_refused_with_its_line() {
        for (line, told, text) in [
            (2, "both url and storage", "[repositories.main]\nurl = 'x'\nstorage = { type = 'memory', name = 'x' }\n"),
            (1, "neither url nor storage", "[repositories.main]\n"),
            (3, "no key 'ops'", "[repositories.main]\nurl = 'x'\nkeys = ['ops']\n"),
            (3, "codec", "[repositories.main]\nurl = 'x'\ncodecs = 'zap'\n"),
            (4, "seal", "\n[repositories.main]\nurl = 'x'\ncodecs = 'zstd,seal'\n"),
            (1, "no source", "[keys.ops]\n"),
            (1, "2 sources", "[keys.ops]\nfile = 'x'\nenv = 'X'\n"),
            (2, "no url", "[clusters.app]\nurl = ''\n"),
            (2, "both url and aerospike", "[clusters.app]\nurl = 'aerospike://a'\naerospike = { seeds = ['a'] }\n"),
            (2, "no address", "[clusters.app]\naerospike = { }\n"),
            (2, "both url and cassandra", "[clusters.app]\nurl = 'cassandra://a'\ncassandra = { host = 'a' }\n"),
            (2, "both aerospike and cassandra", "[clusters.app]\naerospike = { seeds = ['a'] }\ncassandra = { }\n"),
            (2, "no absolute path", "[clusters.app]\ncassandra = { staging = 'here' }\n"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.message().contains(&format!("line {line}: ")), "{text}\n{error}");
            assert!(error.message().contains(told) && error.advice().is_some(), "{text}\n{error}");
        }
    }

    #[test]
    fn a_named_file_must_exist_but_the_default_need_not() {
        let missing = Path::new("no/such/strongroom.toml");
        assert_eq!(Profiles::read_or_default(Some(missing)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
