//! The commands: one file each, with its arguments and what it does.

pub(crate) mod adopt;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod mend;
pub(crate) mod pin;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod synthesize;
pub(crate) mod verify;
pub(crate) mod what_if;
pub(crate) mod windows;
