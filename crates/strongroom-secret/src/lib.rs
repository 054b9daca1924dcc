//! Credentials that never show up in a log, an error or a saved configuration.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strongroom_core::{Error, Result};
use zeroize::Zeroizing;

/// What stands in place of a secret wherever one would be shown.
pub const REDACTED: &str = "[secret]";

/// A secret, or the place where it is found when it is needed.
///
/// In a configuration file it is a text, `{ env = "NAME" }` or `{ file = "path" }` (its first line).
/// `Debug` and `Serialize` show `[secret]` instead of the text; a reference shows what it refers to.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself; wiped from memory when dropped.
    Text(Zeroizing<String>),
    /// The name of an environment variable.
    Env(String),
    /// A file whose first line is the secret.
    File(PathBuf),
}

impl Secret {
    /// A secret given as text.
    pub fn text(secret: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(secret.into()))
    }

    /// Whether this is the placeholder that a saved or shown configuration carries instead of the secret.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        matches!(self, Self::Text(text) if text.as_str() == REDACTED)
    }

    /// The secret itself. `name` says in an error which one was looked for.
    ///
    /// # Errors
    /// `Denied` when the variable or file is missing, unreadable or empty, or only the placeholder is there.
    pub fn reveal(&self, name: &str) -> Result<Zeroizing<String>> {
        let text = match self {
            Self::Text(text) if self.is_redacted() => {
                return Err(Error::denied(format!("{name} is only the placeholder {}", text.as_str()))
                    .hint("give the secret itself, or { env = \"NAME\" } or { file = \"path\" }"));
            }
            Self::Text(text) => text.clone(),
            Self::Env(variable) => Zeroizing::new(std::env::var(variable).map_err(|_| {
                Error::denied(format!("{name} should be in the environment variable {variable}, which is not set"))
                    .hint("set it, or change the reference in the configuration")
            })?),
            Self::File(path) => {
                let body = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
                    Error::denied(format!("{name} should be in the file {}: {error}", path.display()))
                })?;
                Zeroizing::new(body.lines().next().unwrap_or_default().to_owned())
            }
        };
        if text.trim().is_empty() {
            return Err(Error::denied(format!("{name} is empty")));
        }
        Ok(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str(REDACTED),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// The forms a configuration file may use.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, { env = \"NAME\" } or { file = \"path\" }")]
enum Form {
    Text(String),
    Env(EnvForm),
    File(FileForm),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvForm {
    env: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    file: PathBuf,
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Text(_) => serializer.serialize_str(REDACTED),
            Self::Env(env) => EnvForm { env: env.clone() }.serialize(serializer),
            Self::File(file) => FileForm { file: file.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => Self::text(text),
            Form::Env(EnvForm { env }) => Self::Env(env),
            Form::File(FileForm { file }) => Self::File(file),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::ErrorKind;

    #[test]
    fn a_secret_never_shows() {
        let secret = Secret::text("hunter2");
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[secret]\"");
        assert_eq!(secret.reveal("the key").unwrap().as_str(), "hunter2");
    }

    #[test]
    fn references_are_kept_and_resolved_late() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cr3t\nnot this\n").unwrap();
        let json = serde_json::json!({ "file": file.path() });
        let secret: Secret = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(secret.reveal("the key").unwrap().as_str(), "s3cr3t");
        assert_eq!(serde_json::to_value(&secret).unwrap(), json);

        let missing: Secret = serde_json::from_str(r#"{"env":"STRONGROOM_NO_SUCH_VARIABLE"}"#).unwrap();
        let error = missing.reveal("the key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("STRONGROOM_NO_SUCH_VARIABLE"), "{error}");
    }

    #[test]
    fn the_placeholder_is_no_secret() {
        let back: Secret = serde_json::from_str("\"[secret]\"").unwrap();
        assert!(back.is_redacted());
        assert_eq!(back.reveal("the key").unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(Secret::text(" ").reveal("the key").unwrap_err().kind(), ErrorKind::Denied);
    }
}
