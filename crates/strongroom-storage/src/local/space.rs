//! How much room a disk has.

use std::path::Path;

use serde::Serialize;
use strongroom_core::{Error, Result};

/// The room of a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// What this user may still write.
    pub free: u64,
    /// What the disk has in all.
    pub total: u64,
}

/// The room of the disk that holds `path`, or will hold it: the nearest folder above that exists is asked. `None` where
/// the system does not tell.
///
/// # Errors
/// What the file system says.
#[cfg(unix)]
pub fn space_at(path: &Path) -> Result<Option<Space>> {
    let whole = std::path::absolute(path).map_err(|error| Error::from(error).within(path.display()))?;
    let there = whole.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let told = rustix::fs::statvfs(there).map_err(|error| Error::from(std::io::Error::from(error)));
    let told = told.map_err(|error| error.within(there.display()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(Some(Space { free: bytes(told.f_bavail), total: bytes(told.f_blocks) }))
}

#[cfg(not(unix))]
pub fn space_at(_path: &Path) -> Result<Option<Space>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let space = space_at(&folder.path().join("not/yet")).unwrap().unwrap();
        assert!(space.total > 0 && space.free <= space.total, "{space:?}");
        assert_eq!(space.total, space_at(folder.path()).unwrap().unwrap().total);
    }
}
