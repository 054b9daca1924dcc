//! Reader keys: whether their sources are there, hold a key, and are readable by their owner only.

use super::{Check, Notes};
use crate::Strongroom;
use crate::profile::KeyProfile;

pub(super) fn check(strongroom: &Strongroom, name: &str, checks: &mut Vec<Check>) {
    let notes = Notes::new("key", name);
    checks.push(match strongroom.reader_key(name) {
        Ok(_) => notes.ok("source", "its source is there and holds a key"),
        Err(error) => notes.error("source", &error),
    });
    if let Some(profile) = strongroom.profiles().keys.get(name) {
        checks.extend(exposed(&notes, profile));
    }
}

/// Whether others of this machine may read the file.
#[cfg(unix)]
fn exposed(notes: &Notes, profile: &KeyProfile) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = profile.file.as_ref().or(profile.passphrase_file.as_ref())?;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Some(notes.ok("permissions", "only its owner may read the file"));
    }
    let file = file.display();
    Some(
        notes
            .warn("permissions", format!("others may read {file} (mode {mode:03o})"))
            .next(format!("chmod 600 {file}")),
    )
}

#[cfg(not(unix))]
fn exposed(_notes: &Notes, _profile: &KeyProfile) -> Option<Check> {
    None
}
