//! Folders as the reference tools lay them out.
//!
//! A **backup folder** holds one backup of one namespace: `metadata_<namespace>_<n>.asb` with indexes and functions, and
//! `<worker>_<namespace>_<n>.asb` with records; `n` counts all files of the run. Older tools name files
//! `<namespace>_<n>.asb`. Every file stands alone, in whatever wrapping (see [`crate::wrap`]). Nothing marks such
//! a folder as complete.
//!
//! A **service folder** is what the backup service keeps, and does mark it:
//!
//! ```text
//! <root>/<routine>/backup/<ms>[_<text>]/data/<namespace>[.<attempt>]/       a backup folder, full
//! <root>/<routine>/incremental/<ms>[_<text>]/data/<namespace>[.<attempt>]/  a backup folder, incremental
//!                                             …/metadata.yaml              written last: the backup is complete
//! ```
//!
//! Everything here is synchronous and streams; call it from a blocking thread.

mod metadata;
mod read;
mod service;
mod write;

pub use metadata::Metadata;
pub use read::FolderReader;
pub use service::{Kind, ServiceBackup, ServiceWriter, State, list_service_folder};
pub use write::{FolderOptions, FolderWriter, Written};

use std::path::Path;

use strongroom_core::{Error, Result};

/// An I/O error with the path it is about.
fn at<T>(path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::from(error).within(path.display()))
}

/// Makes the names in a folder survive a power cut.
fn sync_folder(path: &Path) -> Result<()> {
    // Folders can't be opened as files everywhere; where they can't, there is nothing to sync.
    if cfg!(unix) { at(path, std::fs::File::open(path).and_then(|folder| folder.sync_all())) } else { Ok(()) }
}
