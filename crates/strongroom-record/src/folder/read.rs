//! Reading a backup folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::vec;

use strongroom_core::{Error, Result};

use super::at;
use crate::asb::{Limits, Reader};
use crate::model::Entity;
use crate::wrap::{FileKey, WrapReader};

/// Iterates over everything in a backup folder: indexes and functions first, if the tool kept them apart.
///
/// After an error there is nothing more. Errors name the file.
#[derive(Debug)]
pub struct FolderReader {
    files: vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Reader<WrapReader<File>>)>,
    key: Option<FileKey>,
    limits: Limits,
}

impl FolderReader {
    /// Looks into `folder`; `key` is for encrypted files.
    ///
    /// # Errors
    /// `NotFound` if it does not exist or holds no `.asb` file; `Denied` if one of them may not be read; else what the
    /// file system says.
    pub fn open(folder: impl AsRef<Path>, key: Option<FileKey>, limits: Limits) -> Result<Self> {
        let folder = folder.as_ref();
        let files = files(folder, "asb")?;
        if files.is_empty() {
            let error = Error::not_found(format!("{}: there is no .asb file in this folder", folder.display()));
            let streams = !self::files(folder, "asbx")?.is_empty();
            return Err(error.hint(if streams {
                "its .asbx files are stream backups of the enterprise tools, which only those can read"
            } else {
                "give the folder that directly holds the .asb files"
            }));
        }
        // Told before anything is done with the first of them.
        for path in &files {
            at(path, File::open(path))?;
        }
        Ok(Self::over(files, key, limits))
    }

    pub(super) fn over(files: Vec<PathBuf>, key: Option<FileKey>, limits: Limits) -> Self {
        Self { files: files.into_iter(), current: None, key, limits }
    }

    fn next_entity(&mut self) -> Result<Option<Entity>> {
        loop {
            if let Some((path, reader)) = &mut self.current {
                match reader.read_entity().map_err(|error| error.within(path.display()))? {
                    None => self.current = None,
                    entity => return Ok(entity),
                }
            }
            let Some(path) = self.files.next() else {
                return Ok(None);
            };
            let file = at(&path, File::open(&path))?;
            let plain = WrapReader::open(file, self.key.as_ref()).map_err(|error| error.within(path.display()))?;
            self.current = Some((path, Reader::new(plain, self.limits)));
        }
    }
}

impl Iterator for FolderReader {
    type Item = Result<Entity>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_entity();
        if next.is_err() {
            self.current = None;
            self.files = Vec::new().into_iter();
        }
        next.transpose()
    }
}

/// The files in `folder` with this extension: first those with indexes and functions, then by name.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in at(folder, std::fs::read_dir(folder))? {
        let path = at(folder, entry)?.path();
        if path.extension().is_none_or(|found| found != extension) {
            continue;
        }
        // Passed over, it would be missing without a word from what is read.
        if !at(&path, std::fs::metadata(&path))?.is_file() {
            return Err(Error::invalid(format!("{}: this is no regular file, so nobody can read it", path.display()))
                .hint("put the file itself in its place, or take it out of the folder"));
        }
        files.push(path);
    }
    let schema = |path: &PathBuf| path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"metadata_"));
    files.sort_by_cached_key(|path| (!schema(path), path.clone()));
    Ok(files)
}
