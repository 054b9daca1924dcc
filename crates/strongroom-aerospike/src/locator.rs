//! A cluster as a URL: `aerospike://host:3000,other:3000/?option=value&…`.

use serde::Serialize;
use serde_json::{Map, Value};
use strongroom_core::{Error, Result};
use url::form_urlencoded;

use crate::{AerospikeConfig, BackupConfig, RestoreConfig};

/// The scheme of live clusters.
pub const SCHEME: &str = "aerospike://";

/// The options whose value is text, whatever it looks like.
const TEXTS: [&str; 15] = [
    "name",
    "id",
    "user",
    "auth",
    "password-env",
    "password-file",
    "tls-ca-file",
    "tls-name",
    "tls-cert-file",
    "tls-key-file",
    "nodes",
    "racks",
    "after-digests",
    "modified-after",
    "modified-before",
];
/// Whether a group of the configuration has an option of this name.
fn has(group: &impl Serialize, name: &str) -> bool {
    serde_json::to_value(group).is_ok_and(|group| group.get(name).is_some())
}

impl AerospikeConfig {
    /// Reads `aerospike://[user@]host[:port],…[/][?option=value&…]`. The options are those of the configuration by their
    /// names, whichever group they are in, and `tls-…`, `user`, `auth`, `password-env`, `password-file`.
    ///
    /// # Errors
    /// `Invalid` for another URL, an unknown option, a value that makes no sense, or a password in the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::read(url).map_err(|error| error.within(format_args!("'{}'", shown(url))))
    }

    fn read(url: &str) -> Result<Self> {
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| {
            Error::invalid("this is no URL of an Aerospike cluster").hint("write aerospike://host:3000")
        })?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let (user, hosts) = place.rsplit_once('@').map_or((None, place), |(user, hosts)| (Some(user), hosts));
        if hosts.contains('/') {
            return Err(Error::invalid("a cluster has no path").hint("choose namespaces with --part"));
        }
        if user.is_some_and(|user| user.contains(':')) {
            return Err(Error::invalid("a password in a URL ends up in logs and histories")
                .hint("write user@host, and password-env=NAME or password-file=PATH"));
        }
        let mut options = Options::default();
        let seeds = hosts.split(',').filter(|host| !host.is_empty()).map(|host| Value::from(host.to_owned()));
        options.whole.insert("seeds".to_owned(), seeds.collect());
        if let Some(user) = user {
            options.login.insert("user".to_owned(), Value::from(user));
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            options.add(&name, &value)?;
        }
        let config: Self = serde_json::from_value(options.json())
            .map_err(|error| Error::invalid(error.to_string()).hint("docs/aerospike.md lists the options"))?;
        config.check()?;
        Ok(config)
    }
}

#[derive(Default)]
struct Options {
    whole: Map<String, Value>,
    login: Map<String, Value>,
    tls: Option<Map<String, Value>>,
    backup: Map<String, Value>,
    restore: Map<String, Value>,
}

impl Options {
    fn add(&mut self, name: &str, value: &str) -> Result<()> {
        let text = Value::from(value);
        let value = match value {
            _ if TEXTS.contains(&name) => text.clone(),
            "true" | "" => Value::from(true),
            "false" => Value::from(false),
            value => value.parse::<u64>().map_or(text.clone(), Value::from),
        };
        let list = || Value::from(text.as_str().unwrap_or_default().split(',').map(str::to_owned).collect::<Vec<_>>());
        let reference = |kind: &str| Value::Object([(kind.to_owned(), text.clone())].into_iter().collect());
        let (group, name, value) = match name {
            "tls" if value.as_bool() == Some(true) => {
                self.tls.get_or_insert_default();
                return Ok(());
            }
            "tls-ca-file" | "tls-name" | "tls-cert-file" | "tls-key-file" => {
                (self.tls.get_or_insert_default(), name.trim_start_matches("tls-"), value)
            }
            "user" | "auth" => (&mut self.login, name, value),
            "password-env" => (&mut self.login, "password", reference("env")),
            "password-file" => (&mut self.login, "password", reference("file")),
            "password" => {
                return Err(Error::invalid("a password in a URL ends up in logs and histories")
                    .hint("write password-env=NAME or password-file=PATH"));
            }
            "nodes" | "racks" | "after-digests" => (&mut self.backup, name, list()),
            // Absent by default, so not told by one that is default.
            "modified-after" | "modified-before" => (&mut self.backup, name, value),
            _ if has(&BackupConfig::default(), name) => (&mut self.backup, name, value),
            _ if has(&RestoreConfig::default(), name) => (&mut self.restore, name, value),
            _ => (&mut self.whole, name, value),
        };
        match group.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!("option '{name}' is given twice"))),
        }
    }

    fn json(self) -> Value {
        let mut whole = self.whole;
        let login = (!self.login.is_empty()).then_some(("login", self.login));
        let groups =
            [login, self.tls.map(|tls| ("tls", tls)), Some(("backup", self.backup)), Some(("restore", self.restore))];
        for (name, group) in groups.into_iter().flatten() {
            whole.insert(name.to_owned(), Value::Object(group));
        }
        Value::Object(whole)
    }
}

/// A URL fit for logs: without what might be a password.
fn shown(url: &str) -> String {
    let rest = url.strip_prefix(SCHEME).unwrap_or(url);
    let place = rest.split('?').next().unwrap_or_default();
    format!("{SCHEME}{}", place.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_of_options_is_read() {
        let config = AerospikeConfig::from_url(
            "aerospike://ops@db1:3100,db2/?name=7&tls-ca-file=/ca.pem&password-env=PW&parallelism=3&batch-bytes=64KiB\
             &backoff=5ms&no-indexes=true&extra-ttl=1d&nodes=A,B",
        )
        .unwrap();
        assert_eq!(config.seeds, ["db1:3100", "db2"]);
        assert_eq!(config.name.as_deref(), Some("7"));
        assert_eq!((config.backup.parallelism, config.restore.batch_bytes.0), (3, 64 << 10));
        assert_eq!(config.backup.nodes, ["A", "B"]);
        assert!(config.backup.no_indexes);
        assert_eq!(config.login.unwrap().user.as_deref(), Some("ops"));
        assert!(config.tls.unwrap().ca_file.is_some());
    }

    #[test]
    fn what_makes_no_sense_says_so_and_shows_no_password() {
        for (url, told) in [
            ("aerospike://", "no address"),
            ("aerospike://a:x", "no address of a node"),
            ("aerospike://a/ns", "no path"),
            ("aerospike://a?no-such=1", "no-such"),
            ("aerospike://a?retries=many", "many"),
            ("aerospike://a?retries=1&retries=2", "twice"),
            ("aerospike://ops:hunter2@a", "password in a URL"),
            ("aerospike://a?password=hunter2", "password in a URL"),
            ("http://a", "no URL of an Aerospike cluster"),
        ] {
            let error = AerospikeConfig::from_url(url).unwrap_err();
            assert!(error.to_string().contains(told), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
