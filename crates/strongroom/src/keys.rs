//! The codecs and keys of a repository: none, or the keys that its profile names.

use std::sync::Arc;

use strongroom_codec::{KeyRing, PlainRegistry, ReaderKey};
use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::pipeline::Stack;
use strongroom_core::repository::Repository;
use strongroom_core::{Error, Result};

use crate::profile::{KeyProfile, Profiles};

/// The codecs of one repository.
#[derive(Debug, Clone)]
pub(crate) enum Codecs {
    /// Nothing in it is sealed.
    Plain(PlainRegistry),
    /// It has keys, and they are open.
    Keyed(Arc<KeyRing>),
}

impl Codecs {
    /// Opens the keys of `repository` with `readers`, if it has any. `own` knows the codecs that need no key.
    pub(crate) async fn open(repository: &Repository, readers: &[ReaderKey], own: &PlainRegistry) -> Result<Self> {
        if !KeyRing::exists(&**repository.storage(), repository.id()).await? {
            return Ok(Self::Plain(own.clone()));
        }
        if readers.is_empty() {
            return Err(Error::denied("the repository has keys, and none was given")
                .hint("name a key of it in strongroom.toml: keys = [\"NAME\"] in the repository, and [keys.NAME]"));
        }
        let ring = KeyRing::open(Arc::clone(repository.storage()), repository.id(), readers).await?;
        Ok(Self::Keyed(Arc::new(ring.with_plain(own.clone()))))
    }

    pub(crate) fn registry(&self) -> Arc<dyn CodecRegistry> {
        match self {
            Self::Plain(plain) => Arc::new(plain.clone()),
            Self::Keyed(ring) => Arc::<KeyRing>::clone(ring),
        }
    }

    /// The stack that `text` names; the default one for an empty text.
    pub(crate) fn stack(&self, text: &str) -> Result<Stack> {
        match self {
            Self::Plain(plain) if text.is_empty() => Ok(plain.default_stack()),
            Self::Plain(plain) => plain.stack(text),
            Self::Keyed(ring) if text.is_empty() => ring.default_stack(),
            Self::Keyed(ring) => ring.stack(text),
        }
    }

    /// The stack of shared content for data that is stored with `stack`: sealed with the key that outlives data keys.
    pub(crate) fn content_stack(&self, stack: &Stack) -> Result<Option<Stack>> {
        let Self::Keyed(ring) = self else { return Ok(None) };
        let mut codecs = Vec::new();
        for id in stack.ids() {
            codecs.push(match id.data_key() {
                Some(_) => ring.resolve(&CodecId::seal(ring.content_key()))?,
                None => stack.get(&id).ok_or_else(|| Error::internal(format!("no codec '{id}' in its own stack")))?,
            });
        }
        Ok(Some(Stack::new(codecs)))
    }
}

/// The reader keys `names` of `profiles`.
///
/// # Errors
/// `NotFound` for a name that is not there or a source that is missing; `Invalid` for a profile that does not name
/// exactly one source, or a source that holds no key. No message holds a key.
pub(crate) fn readers(profiles: &Profiles, names: &[String]) -> Result<Vec<ReaderKey>> {
    names.iter().map(|name| reader(profiles, name)).collect()
}

pub(crate) fn reader(profiles: &Profiles, name: &str) -> Result<ReaderKey> {
    let profile = profiles.keys.get(name).ok_or_else(|| {
        let known: Vec<&str> = profiles.keys.keys().map(String::as_str).collect();
        let error = Error::not_found(format!("no key '{name}' in the profiles"));
        if known.is_empty() {
            error.hint(format!("add [keys.{name}] to strongroom.toml"))
        } else {
            error.hint(format!("there are: {}", known.join(", ")))
        }
    })?;
    match profile {
        KeyProfile { file: Some(file), env: None, passphrase_file: None, passphrase_env: None } => {
            ReaderKey::from_file(name, file)
        }
        KeyProfile { file: None, env: Some(variable), passphrase_file: None, passphrase_env: None } => {
            ReaderKey::from_environment(name, variable)
        }
        KeyProfile { file: None, env: None, passphrase_file: Some(file), passphrase_env: None } => {
            ReaderKey::from_source(name, &format!("passphrase-file:{}", file.display()))
        }
        KeyProfile { file: None, env: None, passphrase_file: None, passphrase_env: Some(variable) } => {
            ReaderKey::from_source(name, &format!("passphrase-env:{variable}"))
        }
        _ => Err(Error::invalid(format!("key '{name}' must name exactly one source"))
            .hint("give it one of: file, env, passphrase_file, passphrase_env")),
    }
}

/// Checks codecs as a profile names them, without keys: whether they end in `seal`.
///
/// # Errors
/// `Invalid` or `Unsupported` for what is no stack of codecs.
pub(crate) fn seals(codecs: &str, plain: &PlainRegistry) -> Result<bool> {
    let (unsealed, sealed) = match codecs.strip_suffix("seal") {
        Some("") => ("none", true),
        Some(before) => (before.trim_end_matches(','), true),
        None => (codecs, false),
    };
    if !unsealed.is_empty() {
        plain.stack(unsealed)?;
    }
    Ok(sealed)
}
