//! Giving out folders that the reference tools read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::folder::{FolderOptions, FolderWriter, Written};
use strongroom_record::model::PARTITIONS;
use strongroom_record::{Name, Sieve};

use crate::definitions::{functions_in, indexes_in};
use crate::look::Scan;
use crate::namespace::{checked_name, missing};
use crate::{EmbeddedCluster, LookIn};

/// What goes into a folder, and how.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Form, compression, encryption, size of the files.
    pub folder: FolderOptions,
    /// Only these sets, bins and partitions.
    pub filter: Filter,
    /// Whether expired records go too.
    pub look: LookIn,
    /// Leave out indexes and functions.
    pub no_definitions: bool,
}

impl EmbeddedCluster {
    /// Writes the state of now of one namespace into a new or empty folder, laid out as the reference tools do it.
    /// If it fails, what was written is taken away again.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist; `AlreadyExists` if something is in the folder; `Invalid` for a
    /// namespace that can be no file name; `NoSpace`, `Denied`.
    pub fn export_folder(&self, namespace: &str, folder: impl AsRef<Path>, options: &ExportOptions) -> Result<Written> {
        let folder = folder.as_ref();
        let snapshot = self.snapshot()?;
        snapshot.namespace(namespace)?.ok_or_else(|| missing(namespace))?;
        let sieve = Sieve::new(&options.filter)?;
        let name = checked_name(namespace)?;
        let made = !folder.exists();
        let entropy = Arc::clone(&self.inner.environment.entropy);
        let mut writer = FolderWriter::create(folder, name, options.folder.clone(), entropy)?;
        let write = || {
            if !options.no_definitions {
                let mut indexes = indexes_in(snapshot.transaction(), namespace)?;
                indexes.retain(|index| sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)));
                writer.schema(&indexes, &functions_in(snapshot.transaction())?)?;
            }
            for found in Scan::within(&snapshot, namespace, sieve, options.look, (0, PARTITIONS - 1), i64::MIN)? {
                writer.record(&found?.record)?;
            }
            Ok(())
        };
        let written = match write() {
            Ok(()) => writer.finish(),
            Err(error) => Err(error),
        };
        written.map_err(|error: Error| {
            let taken_away = take_away(folder, made);
            if taken_away.is_ok() { error } else { error.within("parts of it are left in the folder") }
        })
    }
}

/// Removes what was written into a folder that was empty before.
fn take_away(folder: &Path, made: bool) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "asb") {
            fs::remove_file(path)?;
        }
    }
    if made { fs::remove_dir(folder) } else { Ok(()) }
}
