//! A node as a URL: `cassandra://[user@]host[:port]/?option=value&…`.

use serde_json::{Map, Value};
use strongroom_core::{Error, Result};
use url::form_urlencoded;

use crate::CassandraConfig;

/// The scheme of Cassandra nodes.
pub const SCHEME: &str = "cassandra://";

const NO_PASSWORD: &str = "a password in a URL ends up in logs and histories";

impl CassandraConfig {
    /// Reads `cassandra://[user@]host[:port][/][?option=value&…]`. The options are those of the configuration by their names,
    /// and `password-env`, `password-file`, `jmx-host`, `jmx-port`, `jmx-user`, `jmx-password-env`, `jmx-password-file`, `force`, `load`,
    /// `replay` (repeatable), `replay-until`, `replay-conf`, `replay-command`,
    /// and for the agents `agent`, `agent-token-env`, `agent-token-file`; `agent` and `data-folder` may come several times.
    ///
    /// # Errors
    /// `Invalid` for another URL, an unknown option, a value that makes no sense, or a password in the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::read(url).map_err(|error| error.within(format_args!("'{}'", shown(url))))
    }

    fn read(url: &str) -> Result<Self> {
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| {
            Error::invalid("this is no URL of a Cassandra node").hint("write cassandra://127.0.0.1:9042")
        })?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
        if host.contains('/') {
            return Err(Error::invalid("a node has no path").hint("choose keyspaces with --part"));
        }
        if user.is_some_and(|user| user.contains(':')) {
            return Err(
                Error::invalid(NO_PASSWORD).hint("write user@host, and password-env=NAME or password-file=PATH")
            );
        }
        let mut whole = Map::new();
        whole.insert("host".to_owned(), host.into());
        let (mut login, mut jmx, mut jmx_login, mut restore) =
            <(Map<_, _>, Map<_, _>, Map<_, _>, Map<_, _>)>::default();
        if let Some(user) = user {
            login.insert("user".to_owned(), user.into());
        }
        let (mut folders, mut agents, mut segments): (Vec<Value>, Vec<Value>, Vec<Value>) = Default::default();
        let mut replay = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let text = || Value::from(value.as_ref());
            let number = || value.parse::<u64>().map_or_else(|_| text(), Value::from);
            let reference = |kind: &str| Value::Object([(kind.to_owned(), text())].into_iter().collect());
            let (group, name, value) = match name.as_ref() {
                "data-folder" => {
                    folders.push(text());
                    continue;
                }
                "agent" => {
                    agents.push(text());
                    continue;
                }
                "agent-token-env" => (&mut whole, "agent-token", reference("env")),
                "agent-token-file" => (&mut whole, "agent-token", reference("file")),
                "user" => (&mut login, "user", text()),
                "password-env" => (&mut login, "password", reference("env")),
                "password-file" => (&mut login, "password", reference("file")),
                "jmx-host" => (&mut jmx, "host", text()),
                "jmx-port" => (&mut jmx, "port", number()),
                "jmx-user" => (&mut jmx_login, "user", text()),
                "jmx-password-env" => (&mut jmx_login, "password", reference("env")),
                "jmx-password-file" => (&mut jmx_login, "password", reference("file")),
                "password" | "jmx-password" | "agent-token" => {
                    return Err(Error::invalid(NO_PASSWORD).hint("write password-env=NAME or password-file=PATH"));
                }
                "replay" => {
                    segments.push(text());
                    continue;
                }
                "replay-until" => (&mut replay, "until", text()),
                "replay-conf" => (&mut replay, "conf", text()),
                "replay-command" => (&mut replay, "command", value.split_whitespace().collect()),
                "force" => (&mut restore, "force", flag(&value)),
                "alone" => (&mut whole, "alone", flag(&value)),
                "load" => (&mut restore, "load", text()),
                "parallelism" => (&mut whole, "parallelism", number()),
                "host" | "login" | "jmx" | "restore" | "data-folders" | "agents" => {
                    return Err(Error::invalid(format!("'{name}' is no option of a URL"))
                        .hint("docs/cassandra.md lists the options"));
                }
                other => (&mut whole, other, text()),
            };
            if group.insert(name.to_owned(), value).is_some() {
                return Err(Error::invalid(format!("option '{name}' is given twice")));
            }
        }
        if !jmx_login.is_empty() {
            jmx.insert("login".to_owned(), Value::Object(jmx_login));
        }
        if !segments.is_empty() {
            replay.insert("segments".to_owned(), Value::Array(segments));
        }
        if !replay.is_empty() {
            restore.insert("replay".to_owned(), Value::Object(replay));
        }
        for (name, group) in [("login", login), ("jmx", jmx), ("restore", restore)] {
            if !group.is_empty() {
                whole.insert(name.to_owned(), Value::Object(group));
            }
        }
        if !folders.is_empty() {
            whole.insert("data-folders".to_owned(), Value::Array(folders));
        }
        if !agents.is_empty() {
            whole.insert("agents".to_owned(), Value::Array(agents));
        }
        let config: Self = serde_json::from_value(Value::Object(whole))
            .map_err(|error| Error::invalid(error.to_string()).hint("docs/cassandra.md lists the options"))?;
        config.check()?;
        Ok(config)
    }
}

fn flag(value: &str) -> Value {
    match value {
        "" | "true" => true.into(),
        "false" => false.into(),
        other => other.into(),
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
    fn every_option_is_read() {
        let config = CassandraConfig::from_url(
            "cassandra://ops@127.0.0.1:9043/?password-env=PW&jmx-port=7200&jmx-user=m&jmx-password-file=/p&name=7\
             &replay=/x&replay=/y&replay-until=2026-11-22T21:52:21.5Z&replay-conf=/c&replay-command=run%20it&data-folder=/a&data-folder=/b&staging=/s&memory=/m&parallelism=2&force&alone=false&load=stream&call-timeout=5m&connect-timeout=3s",
        )
        .unwrap();
        assert_eq!((config.cql_address().as_str(), config.jmx.port), ("127.0.0.1:9043", 7200));
        assert_eq!(config.name.as_deref(), Some("7"));
        assert_eq!(config.data_folders.len(), 2);
        assert_eq!((config.alone, config.restore.load), (false, Some(crate::Load::Stream)));
        assert!(config.restore.force && config.staging.is_some() && config.memory.is_some());
        assert_eq!((config.login.unwrap().user, config.jmx.login.unwrap().user), ("ops".to_owned(), "m".to_owned()));
        let replay = config.restore.replay.unwrap();
        assert_eq!((replay.segments.len(), replay.command), (2, vec!["run".to_owned(), "it".to_owned()]));
        assert_eq!(replay.until.unwrap().to_string(), "2026-11-22T21:52:21.5Z");
        let several =
            CassandraConfig::from_url("cassandra://x?agent=http://a:1&agent=http://b:2/&agent-token-env=T").unwrap();
        assert_eq!((several.agents.len(), several.agent_token.is_some()), (2, true));
        let plain = CassandraConfig::from_url("cassandra://db1").unwrap();
        assert_eq!(plain.cql_address(), "db1:9042");
        let text = serde_json::to_string(&plain).unwrap();
        assert_eq!(serde_json::from_str::<CassandraConfig>(&text).unwrap(), plain);
    }

    #[test]
    fn what_makes_no_sense_says_so_and_shows_no_password() {
        for (url, told) in [
            ("cassandra://", "no address"),
            ("cassandra://a,b", "no address of one node"),
            ("cassandra://a/ks", "no path"),
            ("cassandra://a?no-such=1", "no-such"),
            ("cassandra://a?jmx-port=many", "many"),
            ("cassandra://a?force=perhaps", "perhaps"),
            ("cassandra://a?load=x", "import"),
            ("cassandra://a?name=1&name=2", "twice"),
            ("cassandra://a?staging=here", "absolute"),
            ("cassandra://a?replay=here", "absolute"),
            ("cassandra://a?replay-until=2026-11-22T21:52:21Z", "needs the folders"),
            ("cassandra://a?replay=/a&replay-until=now", "now"),
            ("cassandra://a?host=b", "no option"),
            ("cassandra://a?agent=http://x:hunter2@b:1", "http://HOST:PORT"),
            ("cassandra://a?agent=b", "http://HOST:PORT"),
            ("cassandra://a?agent-token=hunter2", "password in a URL"),
            ("cassandra://a?jmx-user=x", "password"),
            ("cassandra://ops:hunter2@a", "password in a URL"),
            ("cassandra://a?jmx-password=hunter2", "password in a URL"),
            ("http://a", "no URL of a Cassandra node"),
        ] {
            let error = CassandraConfig::from_url(url).unwrap_err();
            assert!(error.to_string().contains(told), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
