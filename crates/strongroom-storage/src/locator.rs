//! From a URL to a configuration.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use strongroom_core::{Error, Result};
use url::form_urlencoded;

use crate::config::{AzBlobConfig, GcsConfig, LocalConfig, MemoryConfig, Options, S3Config, StorageConfig};
use strongroom_secret::{REDACTED, Secret};

const LIMITS: &[&str] = &["read_limit", "write_limit"];
const NETWORK: &[&str] = &[
    "part_size",
    "concurrency",
    "requests",
    "retries",
    "retry_delay",
    "connect_timeout",
    "timeout",
    "part_timeout",
    "ca_file",
];
const S3: &[&str] = &[
    "endpoint",
    "region",
    "virtual_host_style",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "profile",
    "role_arn",
    "external_id",
    "instance_metadata",
    "anonymous",
    "storage_class",
    "server_side_encryption",
    "kms_key_id",
    "customer_key",
    "checksum",
];
const AZBLOB: &[&str] = &["account", "endpoint", "account_key", "sas_token", "anonymous"];
const GCS: &[&str] =
    &["endpoint", "token", "credential", "credential_file", "instance_metadata", "anonymous", "storage_class"];
/// Options that are secrets; each can be given as a reference too, with `_env` or `_file` after the name.
const SECRETS: &[&str] =
    &["secret_access_key", "session_token", "customer_key", "account_key", "sas_token", "token", "credential"];

impl StorageConfig {
    /// Reads a URL or a path.
    ///
    /// | form | storage |
    /// |---|---|
    /// | `folder`, `/folder`, `file:/folder`, `file:///folder` | [`StorageConfig::Local`] |
    /// | `memory:NAME` | [`StorageConfig::Memory`] |
    /// | `s3://BUCKET/PREFIX?region=…&endpoint=…` | [`StorageConfig::S3`] |
    /// | `azblob://CONTAINER/PREFIX?account=…` | [`StorageConfig::AzBlob`] |
    /// | `gcs://BUCKET/PREFIX` | [`StorageConfig::Gcs`] |
    ///
    /// Each field of a configuration is an option of the same name; those of `limits` are `read_limit` and `write_limit`.
    /// A secret may be given with `_env` or `_file` after its name. `options` holds what the URL doesn't say.
    ///
    /// # Errors
    /// `Invalid`, naming the known schemes or options. The message never holds a secret.
    pub fn from_url(url: &str, options: &Options) -> Result<Self> {
        let Some((scheme, rest)) = scheme_of(url) else {
            if url.is_empty() {
                return Err(Error::invalid("an empty storage address").hint("give a folder or a URL"));
            }
            return Ok(Self::Local(LocalConfig { path: url.into(), limits: options.limits }));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self::build(scheme, rest, query, options).map_err(|error| error.within(format!("'{}'", redact_url(url))))
    }

    fn build(scheme: &str, rest: &str, query: &str, options: &Options) -> Result<Self> {
        let mut config = match scheme {
            "file" => Self::Local(LocalConfig { path: path_of_url(rest)?, limits: options.limits }),
            "memory" if rest.is_empty() => {
                return Err(Error::invalid("a memory storage needs a name").hint("memory:NAME"));
            }
            "memory" => Self::Memory(MemoryConfig { name: rest.to_owned(), limits: options.limits }),
            "s3" | "azblob" | "gcs" => cloud(scheme, rest, options)?,
            _ => {
                return Err(Error::invalid(format!("'{}:' is no known storage", scheme.escape_debug()))
                    .hint("use file:, memory:, s3://, azblob:// or gcs://, or ./ before a folder's name"));
            }
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            config.set(&name, &value)?;
        }
        Ok(config)
    }

    /// The names of the options that this kind of storage takes.
    fn known(&self) -> Vec<&'static str> {
        let own: &[&[&str]] = match self {
            Self::Local(_) | Self::Memory(_) => &[LIMITS],
            Self::S3(_) => &[S3, NETWORK, LIMITS],
            Self::AzBlob(_) => &[AZBLOB, NETWORK, LIMITS],
            Self::Gcs(_) => &[GCS, NETWORK, LIMITS],
        };
        own.concat()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let (base, secret) = secret_option(name, value);
        let known = self.known();
        if !known.contains(&base) {
            return Err(Error::invalid(format!("unknown option '{}'", name.escape_debug()))
                .hint(format!("known options: {}", known.join(", "))));
        }
        let (limits, network) = match self {
            Self::Local(config) => (&mut config.limits, None),
            Self::Memory(config) => (&mut config.limits, None),
            Self::S3(config) => (&mut config.limits, Some(&mut config.network)),
            Self::AzBlob(config) => (&mut config.limits, Some(&mut config.network)),
            Self::Gcs(config) => (&mut config.limits, Some(&mut config.network)),
        };
        match (base, network) {
            ("read_limit", _) => limits.read = Some(parse(base, value)?),
            ("write_limit", _) => limits.write = Some(parse(base, value)?),
            ("part_size", Some(network)) => network.part_size = parse(base, value)?,
            ("concurrency", Some(network)) => network.concurrency = parse(base, value)?,
            ("requests", Some(network)) => network.requests = parse(base, value)?,
            ("retries", Some(network)) => network.retries = parse(base, value)?,
            ("retry_delay", Some(network)) => network.retry_delay = parse(base, value)?,
            ("connect_timeout", Some(network)) => network.connect_timeout = parse(base, value)?,
            ("timeout", Some(network)) => network.timeout = parse(base, value)?,
            ("part_timeout", Some(network)) => network.part_timeout = parse(base, value)?,
            ("ca_file", Some(network)) => network.ca_file = Some(value.into()),
            _ => self.set_own(base, value, secret)?,
        }
        Ok(())
    }

    fn set_own(&mut self, name: &str, value: &str, secret: Option<Secret>) -> Result<()> {
        let text = || Some(value.to_owned());
        match self {
            Self::S3(config) => match name {
                "endpoint" => config.endpoint = text(),
                "region" => config.region = text(),
                "virtual_host_style" => config.virtual_host_style = parse(name, value)?,
                "access_key_id" => config.access_key_id = text(),
                "secret_access_key" => config.secret_access_key = secret,
                "session_token" => config.session_token = secret,
                "profile" => config.profile = text(),
                "role_arn" => config.role_arn = text(),
                "external_id" => config.external_id = text(),
                "instance_metadata" => config.instance_metadata = Some(parse(name, value)?),
                "anonymous" => config.anonymous = parse(name, value)?,
                "storage_class" => config.storage_class = text(),
                "server_side_encryption" => config.server_side_encryption = text(),
                "kms_key_id" => config.kms_key_id = text(),
                "customer_key" => config.customer_key = secret,
                "checksum" => config.checksum = text(),
                _ => return Err(forgotten(name)),
            },
            Self::AzBlob(config) => match name {
                "account" => config.account = text(),
                "endpoint" => config.endpoint = text(),
                "account_key" => config.account_key = secret,
                "sas_token" => config.sas_token = secret,
                "anonymous" => config.anonymous = parse(name, value)?,
                _ => return Err(forgotten(name)),
            },
            Self::Gcs(config) => match name {
                "endpoint" => config.endpoint = text(),
                "token" => config.token = secret,
                "credential" => config.credential = secret,
                "credential_file" => config.credential_file = Some(value.into()),
                "instance_metadata" => config.instance_metadata = Some(parse(name, value)?),
                "anonymous" => config.anonymous = parse(name, value)?,
                "storage_class" => config.storage_class = text(),
                _ => return Err(forgotten(name)),
            },
            Self::Local(_) | Self::Memory(_) => return Err(forgotten(name)),
        }
        Ok(())
    }
}

/// A name that is in a list of known ones, but not set: a test goes through all of them.
fn forgotten(name: &str) -> Error {
    Error::internal(format!("the option {name} is known but not handled"))
}

fn parse<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|error| Error::invalid(format!("option {name}={}: {error}", value.escape_debug())))
}

/// The scheme and what follows its colon; a single letter is a drive, not a scheme.
fn scheme_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let plain = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    plain.then_some((scheme, rest))
}

/// The path that a URL has after `file:`, or a scheme with the same rules: `folder`, `/folder`, `///folder` or
/// `//localhost/folder`. `%XX` stands for any byte, so that a path need not be UTF-8.
///
/// # Errors
/// `Invalid` for another machine's path and for an empty one.
pub fn path_of_url(rest: &str) -> Result<PathBuf> {
    let path = match rest.strip_prefix("//") {
        Some(after) => match after.strip_prefix("localhost").unwrap_or(after) {
            path if path.starts_with('/') => path,
            _ => return Err(Error::invalid("a file's URL can't name another machine").hint("write file:/path")),
        },
        None => rest,
    };
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(Error::invalid("a file's URL without a path").hint("write file:/path"));
    }
    os_path(bytes)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn os_path(bytes: Vec<u8>) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Ok(OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn os_path(bytes: Vec<u8>) -> Result<PathBuf> {
    let path = String::from_utf8(bytes).map_err(|_| Error::invalid("a file URL that is not UTF-8"))?;
    Ok(OsString::from(path).into())
}

fn cloud(scheme: &str, rest: &str, options: &Options) -> Result<StorageConfig> {
    let place = rest
        .strip_prefix("//")
        .ok_or_else(|| Error::invalid("two slashes are missing").hint(format!("write {scheme}://BUCKET/PREFIX")))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.contains('@') {
        return Err(Error::invalid("credentials before an '@' are not taken")
            .hint("use the provider's environment variables, or options like secret_access_key_env"));
    }
    let prefix = percent_decode_str(prefix.trim_matches('/'))
        .decode_utf8()
        .map_err(|_| Error::invalid("a prefix that is not UTF-8"))?
        .into_owned();
    let (bucket, network, limits) = (bucket.to_owned(), options.network.clone(), options.limits);
    Ok(match scheme {
        "s3" => StorageConfig::S3(S3Config { bucket, prefix, network, limits, ..S3Config::default() }),
        "azblob" => StorageConfig::AzBlob(AzBlobConfig {
            container: bucket,
            prefix,
            network,
            limits,
            ..AzBlobConfig::default()
        }),
        _ => StorageConfig::Gcs(GcsConfig { bucket, prefix, network, limits, ..GcsConfig::default() }),
    })
}

/// The name without `_env` or `_file`, and the secret that the option is or refers to.
fn secret_option<'a>(name: &'a str, value: &str) -> (&'a str, Option<Secret>) {
    let is_secret = |base: &str| SECRETS.contains(&base);
    if let Some(base) = name.strip_suffix("_env").filter(|base| is_secret(base)) {
        return (base, Some(Secret::Env(value.to_owned())));
    }
    // `credential_file` is an option of its own: a file of credentials, not of a key in base64.
    if let Some(base) = name.strip_suffix("_file").filter(|base| is_secret(base) && *base != "credential") {
        return (base, Some(Secret::File(value.into())));
    }
    (name, is_secret(name).then(|| Secret::text(value)))
}

/// The URL with `[secret]` in place of every secret: fit for logs and messages.
#[must_use]
pub fn redact_url(url: &str) -> String {
    if scheme_of(url).is_none() {
        return url.to_owned();
    }
    let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    let mut shown = match place.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, rest)) => format!("{scheme}://{REDACTED}@{rest}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    for (at, option) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match option.split_once('=') {
            Some((name, value)) if is_harmless(name, value) => shown.push_str(option),
            Some((name, _)) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(REDACTED);
            }
            None => shown.push_str(option),
        }
    }
    shown
}

/// Only what is known to be no secret is shown: a misspelt name may hold one. An endpoint could carry a password.
fn is_harmless(name: &str, value: &str) -> bool {
    let lists = [LIMITS, NETWORK, S3, AZBLOB, GCS];
    let listed = lists.iter().any(|list| list.contains(&name)) && !SECRETS.contains(&name);
    let reference =
        ["_env", "_file"].iter().any(|end| name.strip_suffix(end).is_some_and(|base| SECRETS.contains(&base)));
    (listed || reference) && !value.contains('@')
}

#[cfg(test)]
mod tests;
