//! Writing a backup folder.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_core::environment::Entropy;
use strongroom_core::{Error, Result};

use super::{at, sync_folder};
use crate::asb::{Encoder, GlobalsVersion};
use crate::model::{Function, Name, Record, SecondaryIndex};
use crate::wrap::{WrapWriter, Wrapping};

/// How a folder is written.
#[derive(Debug, Clone)]
pub struct FolderOptions {
    /// Bytes as they are instead of base64.
    pub compact: bool,
    /// Compression and encryption.
    pub wrapping: Wrapping,
    /// A file that has passed this many bytes is closed and the next begun.
    pub file_limit: u64,
}

impl Default for FolderOptions {
    /// The reference tools' defaults: base64, no wrapping, 250 MiB.
    fn default() -> Self {
        Self { compact: false, wrapping: Wrapping::default(), file_limit: 250 << 20 }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// How many records.
    pub records: u64,
    /// How many indexes.
    pub indexes: u64,
    /// How many functions.
    pub functions: u64,
    /// How many files.
    pub files: u64,
    /// How many bytes, as they are in the files.
    pub bytes: u64,
}

/// Writes a backup of one namespace into an empty folder, as the newer reference tool does it with one worker.
#[derive(Debug)]
pub struct FolderWriter {
    folder: PathBuf,
    namespace: Name,
    /// The namespace as it stands in file names.
    label: String,
    options: FolderOptions,
    entropy: Arc<dyn Entropy>,
    current: Option<(PathBuf, WrapWriter<BufWriter<File>>)>,
    text: Vec<u8>,
    written: Written,
}

impl FolderWriter {
    /// Makes the folder. `entropy` gives the counters of encrypted files.
    ///
    /// # Errors
    /// `AlreadyExists` if the folder has something in it; `Invalid` if the namespace can be no file name; or what
    /// the file system says.
    pub fn create(
        folder: impl Into<PathBuf>,
        namespace: Name,
        options: FolderOptions,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let folder = folder.into();
        let label = file_label(&namespace)?;
        at(&folder, fs::create_dir_all(&folder))?;
        if at(&folder, fs::read_dir(&folder))?.next().is_some() {
            let error = Error::already_exists(format!("{}: the folder is not empty", folder.display()));
            return Err(error.hint("give a new folder: a backup never mixes with another"));
        }
        let written = Written::default();
        Ok(Self { folder, namespace, label, options, entropy, current: None, text: Vec::new(), written })
    }

    /// Writes indexes and functions into their own file, before the first record. Nothing is written if there are none.
    ///
    /// # Errors
    /// `Invalid` after a record, or for what the format cannot hold; or what the file system says.
    pub fn schema(&mut self, indexes: &[SecondaryIndex], functions: &[Function]) -> Result<()> {
        if self.written.files > 0 {
            return Err(Error::invalid("indexes and functions come once, before the records"));
        }
        if indexes.is_empty() && functions.is_empty() {
            return Ok(());
        }
        let encoder = Encoder { compact: self.options.compact, version: GlobalsVersion::needed(indexes) };
        self.begin("metadata", encoder)?;
        for function in functions {
            encoder.function(&mut self.text, function)?;
        }
        for index in indexes {
            encoder.index(&mut self.text, index)?;
        }
        self.flush_text()?;
        self.end()?;
        self.written.indexes = indexes.len() as u64;
        self.written.functions = functions.len() as u64;
        Ok(())
    }

    /// Writes a record.
    ///
    /// # Errors
    /// `Invalid` if it is in another namespace or the format cannot hold it; or what the file system says.
    pub fn record(&mut self, record: &Record) -> Result<()> {
        if record.namespace != self.namespace {
            let (found, wanted) = (&record.namespace, &self.namespace);
            return Err(Error::invalid(format!("record {} is in {found}, the folder is of {wanted}", record.digest)));
        }
        let encoder = Encoder { compact: self.options.compact, version: GlobalsVersion::V3_1 };
        if self.current.is_none() {
            self.begin("0", encoder)?;
        }
        encoder.record(&mut self.text, record)?;
        self.flush_text()?;
        self.written.records += 1;
        if self.current.as_ref().is_some_and(|(_, file)| file.written() >= self.options.file_limit) {
            self.end()?;
        }
        Ok(())
    }

    /// Ends the folder; only then everything is safely in it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> Result<Written> {
        self.end()?;
        sync_folder(&self.folder)?;
        Ok(self.written)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn begin(&mut self, prefix: &str, encoder: Encoder) -> Result<()> {
        let number = self.written.files + 1;
        let path = self.folder.join(format!("{prefix}_{}_{number}.asb", self.label));
        let mut counter = [0; 16];
        if self.options.wrapping.encrypts() {
            self.entropy.fill(&mut counter)?;
        }
        let file = at(&path, OpenOptions::new().write(true).create_new(true).open(&path))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        self.current = Some((path, WrapWriter::create(file, &self.options.wrapping, counter)?));
        encoder.header(&mut self.text, &self.namespace, number == 1);
        self.written.files = number;
        Ok(())
    }

    fn flush_text(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        if let Some((path, file)) = &mut self.current {
            at(path, file.write_all(&text))?;
        }
        self.text = text;
        self.text.clear();
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some((path, file)) = self.current.take() else {
            return Ok(());
        };
        let file = file.finish().map_err(|error| error.within(path.display()))?;
        let file = at(&path, file.into_inner().map_err(std::io::IntoInnerError::into_error))?;
        at(&path, file.sync_all())?;
        self.written.bytes += at(&path, file.metadata())?.len();
        Ok(())
    }
}

/// The namespace as a part of a file name.
pub(super) fn file_label(namespace: &Name) -> Result<String> {
    let usable = |text: &&str| !text.starts_with('.') && !text.contains(['/', '\\', '\0', ':']);
    namespace.as_str().filter(usable).map(str::to_owned).ok_or_else(|| {
        Error::invalid(format!("the namespace {namespace:?} can be no file name"))
            .hint("restore it under another name first")
    })
}
