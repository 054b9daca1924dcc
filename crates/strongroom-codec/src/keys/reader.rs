//! A reader's key: what opens a repository for one reader.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use strongroom_core::environment::Entropy;
use strongroom_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::passphrase::Cost;
use super::wrap::Derivation;

/// 256 bits from which wrapping keys are derived.
pub(crate) type Material = Zeroizing<[u8; 32]>;

/// How many derivations one reader's wraps may ask for: each costs up to seconds. Sound ones share a single one.
const MAX_DERIVATIONS: usize = 8;
/// No key file and no passphrase file is longer.
const MAX_FILE: usize = 4096;

/// The key of one reader, under the reader's name. Wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct ReaderKey {
    name: String,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Key(Material),
    Passphrase { text: Zeroizing<Vec<u8>>, cost: Cost, derived: Arc<Mutex<Vec<(Derivation, Material)>>> },
}

impl ReaderKey {
    /// From the key's 32 bytes.
    ///
    /// # Errors
    /// `Invalid` when the name is not 1 to 64 lower-case ASCII letters, digits and `-_.@+`, or begins with a dot.
    pub fn from_bytes(name: &str, key: [u8; 32]) -> Result<Self> {
        Ok(Self { name: checked(name)?, secret: Secret::Key(Zeroizing::new(key)) })
    }

    /// From a file of 32 raw bytes, or of text: 64 hex digits or base64, white space around it ignored.
    ///
    /// # Errors
    /// `Invalid` when it holds no such key; `NotFound`, `Denied` or `Unavailable` when it can't be read.
    pub fn from_file(name: &str, path: &Path) -> Result<Self> {
        let bytes = read_file(path)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new).ok();
        let key = key.or_else(|| std::str::from_utf8(&bytes).ok().and_then(key_from_text));
        Self::from_parsed(name, key, &format!("key file {}", path.display()))
    }

    /// From an environment variable that holds 64 hex digits or base64.
    ///
    /// # Errors
    /// `NotFound` when it is not set, `Invalid` when it holds no key.
    pub fn from_environment(name: &str, variable: &str) -> Result<Self> {
        let value = Zeroizing::new(read_variable(variable)?);
        Self::from_parsed(name, key_from_text(&value), &format!("environment variable {variable}"))
    }

    fn from_parsed(name: &str, key: Option<Material>, place: &str) -> Result<Self> {
        let key = key.ok_or_else(|| {
            Error::invalid(format!("{place} holds no key")).hint("a key is 32 bytes: 64 hex digits, or base64")
        })?;
        Ok(Self { name: checked(name)?, secret: Secret::Key(key) })
    }

    /// From a passphrase, through Argon2id. `cost` is for what is wrapped from now on; what is stored says its own.
    /// The passphrase is taken byte by byte as it is.
    ///
    /// # Errors
    /// `Invalid` for an empty passphrase, a bad name, or a cost out of bounds ([`Cost::check`]).
    pub fn from_passphrase(name: &str, passphrase: &[u8], cost: Cost) -> Result<Self> {
        cost.check()?;
        if passphrase.is_empty() {
            return Err(Error::invalid(format!("the passphrase of reader '{}' is empty", name.escape_debug())));
        }
        let text = Zeroizing::new(passphrase.to_vec());
        Ok(Self { name: checked(name)?, secret: Secret::Passphrase { text, cost, derived: Arc::default() } })
    }

    /// From where a profile or a command line says: `file:PATH`, `env:VARIABLE`, `passphrase-file:PATH` (one line end
    /// at its end is ignored) or `passphrase-env:VARIABLE`.
    ///
    /// # Errors
    /// As the other constructors; `Invalid` for any other text.
    pub fn from_source(name: &str, source: &str) -> Result<Self> {
        match source.split_once(':') {
            Some(("file", path)) => Self::from_file(name, Path::new(path)),
            Some(("env", variable)) => Self::from_environment(name, variable),
            Some(("passphrase-env", variable)) => {
                let text = Zeroizing::new(read_variable(variable)?);
                Self::from_passphrase(name, text.as_bytes(), Cost::default())
            }
            Some(("passphrase-file", path)) => {
                let bytes = read_file(Path::new(path))?;
                let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                Self::from_passphrase(name, text.strip_suffix(b"\r").unwrap_or(text), Cost::default())
            }
            // The text is not repeated: it may be a key that was put in the wrong place.
            _ => Err(Error::invalid(format!("the source of reader key '{}'", name.escape_debug()))
                .hint("write file:PATH, env:VARIABLE, passphrase-file:PATH or passphrase-env:VARIABLE")),
        }
    }

    /// The reader's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a new wrap is to be derived: from a passphrase with the salt in use, if there is one, so that opening many
    /// data keys costs one derivation.
    pub(crate) fn derivation(&self, entropy: &dyn Entropy) -> Result<Derivation> {
        let Secret::Passphrase { cost, derived, .. } = &self.secret else { return Ok(Derivation::Direct) };
        let derived = derived.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = derived.iter().map(|(derivation, _)| derivation);
        if let Some(same) = in_use.into_iter().find(|derivation| derivation.cost() == Some(*cost)) {
            return Ok(same.clone());
        }
        let mut salt = [0; 16];
        entropy.fill(&mut salt)?;
        Ok(Derivation::Argon2id { cost: *cost, salt: salt.into() })
    }

    /// The 256 bits under `derivation`; `None` when this is a key and a passphrase is asked for, or the reverse.
    pub(crate) async fn material(&self, derivation: &Derivation) -> Result<Option<Material>> {
        match (&self.secret, derivation) {
            (Secret::Key(key), Derivation::Direct) => Ok(Some(key.clone())),
            (Secret::Passphrase { text, derived, .. }, Derivation::Argon2id { cost, salt }) => {
                let find = |known: &[(Derivation, Material)]| {
                    known.iter().find(|(known, _)| known == derivation).map(|(_, key)| key.clone())
                };
                {
                    let known = derived.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(key) = find(&known) {
                        return Ok(Some(key));
                    }
                    if known.len() >= MAX_DERIVATIONS {
                        let why = format!("reader '{}' has wraps under more than {MAX_DERIVATIONS} salts", self.name);
                        return Err(Error::corrupt(why).hint("rotate the reader's key"));
                    }
                }
                let key = cost.derive(text.clone(), salt.0).await?;
                derived.lock().unwrap_or_else(PoisonError::into_inner).push((derivation.clone(), key.clone()));
                Ok(Some(key))
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for ReaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.secret {
            Secret::Key(_) => "key",
            Secret::Passphrase { .. } => "passphrase",
        };
        write!(f, "ReaderKey({}, {kind} [secret])", self.name)
    }
}

/// Fresh key text for a key file: 64 hex digits.
///
/// # Errors
/// `Unavailable` when there are no random bytes.
pub fn new_key_text(entropy: &dyn Entropy) -> Result<Zeroizing<String>> {
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(&mut *key)?;
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in key.iter() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Whether a name may be a reader's: a folder of that name must mean the same on every storage.
pub(crate) fn is_reader_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.@+".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

fn checked(name: &str) -> Result<String> {
    if is_reader_name(name) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid(format!("reader name '{}'", name.escape_debug()))
        .hint("1 to 64 lower-case letters, digits and -_.@+, not beginning with a dot"))
}

fn key_from_text(text: &str) -> Option<Material> {
    let text = text.trim();
    let bytes = if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let pairs = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
        Zeroizing::new(pairs.collect::<Result<Vec<_>, _>>().ok()?)
    } else {
        let text = text.trim_end_matches('=');
        Zeroizing::new(STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?)
    };
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Error::from(error).within(format_args!("key file {}", path.display())))?;
    if bytes.len() > MAX_FILE {
        return Err(Error::invalid(format!("key file {} is longer than {MAX_FILE} bytes", path.display())));
    }
    Ok(bytes)
}

fn read_variable(variable: &str) -> Result<String> {
    if variable.is_empty() || variable.contains(['=', '\0']) {
        return Err(Error::invalid(format!("environment variable name '{}'", variable.escape_debug())));
    }
    let value = std::env::var_os(OsStr::new(variable)).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("environment variable {variable} is not set"))
            .hint("set it to the reader's key")
    })?;
    value.into_string().map_err(|_| Error::invalid(format!("environment variable {variable} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    fn counted() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    fn bytes_of(key: &ReaderKey) -> [u8; 32] {
        match &key.secret {
            Secret::Key(key) => **key,
            Secret::Passphrase { .. } => panic!("a passphrase"),
        }
    }

    #[test]
    fn every_written_form_of_a_key_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let base64 = STANDARD_NO_PAD.encode(counted());
        let forms = [counted().to_vec(), HEX.into(), format!(" {HEX}\r\n").into(), format!("{base64}=\n").into()];
        for form in forms.into_iter().chain([base64.into(), URL_SAFE_NO_PAD.encode(counted()).into()]) {
            std::fs::write(&path, &form).unwrap();
            assert_eq!(bytes_of(&ReaderKey::from_file("ops", &path).unwrap()), counted());
        }
        let source = format!("file:{}", path.display());
        assert_eq!(bytes_of(&ReaderKey::from_source("ops", &source).unwrap()), counted());
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for form in [&b""[..], b"secretsecret", &HEX.as_bytes()[..63], &[b'x'; 5000], &[0xFF; 33]] {
            std::fs::write(&path, form).unwrap();
            let error = ReaderKey::from_file("ops", &path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("secretsecret"));
        }
        let missing = ReaderKey::from_file("ops", &folder.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let unset = ReaderKey::from_environment("ops", "STRONGROOM_TEST_NEVER_SET").unwrap_err();
        assert_eq!(unset.kind(), ErrorKind::NotFound);
        assert_eq!(ReaderKey::from_source("ops", "env:").unwrap_err().kind(), ErrorKind::Invalid);
        let misplaced = ReaderKey::from_source("ops", HEX).unwrap_err();
        assert!(!format!("{misplaced:?}").contains(HEX), "{misplaced:?}");
        assert!(ReaderKey::from_passphrase("ops", b"", Cost::default()).is_err());
        for name in ["", ".ops", "Ops", "a/b", "..", "ä", &"x".repeat(65)] {
            assert_eq!(ReaderKey::from_bytes(name, [1; 32]).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = ReaderKey::from_bytes("ops", [0xAB; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "ReaderKey(ops, key [secret])");
        let phrase = ReaderKey::from_passphrase("ops", b"correct horse", Cost::default()).unwrap();
        assert_eq!(format!("{phrase:?}"), "ReaderKey(ops, passphrase [secret])");
    }
}
