//! A folder for what a bench writes, which goes when the bench ends.

use std::io;
use std::path::{Path, PathBuf};

/// A folder below the one that `STRONGROOM_BENCH` names, else below the system's for temporary files.
#[derive(Debug)]
pub struct BenchFolder(PathBuf);

impl BenchFolder {
    /// A fresh, empty one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let parent = std::env::var_os("STRONGROOM_BENCH").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = parent.join(format!("strongroom-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for BenchFolder {
    fn drop(&mut self) {
        // What stays is below a folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
