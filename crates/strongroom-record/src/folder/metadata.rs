//! `metadata.yaml`: the backup service's mark that a backup is complete.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use strongroom_core::{Error, Result, Timestamp};

use super::{at, sync_folder};

/// The file's name.
pub(super) const FILE: &str = "metadata.yaml";
/// The service's own are below 1 KiB.
const LARGEST: u64 = 64 * 1024;
/// How the service writes "no time".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What the backup service says of a complete backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// When the backup began.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Changes from here on are in it; `None` for a full backup.
    pub from: Option<Timestamp>,
    /// The namespace.
    pub namespace: String,
    /// How many records it has.
    pub record_count: u64,
    /// How many bytes its files have together.
    pub byte_count: u64,
    /// How many files it has, besides this one.
    pub file_count: u64,
    /// How many index definitions it has.
    pub secondary_index_count: u64,
    /// How many function modules it has.
    pub udf_count: u64,
    /// `NONE` or `ZSTD`.
    pub compression: String,
    /// `NONE`, `AES128` or `AES256`.
    pub encryption: String,
}

/// The file as it stands; what newer services add is passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Raw {
    created: String,
    finished: String,
    from: String,
    namespace: String,
    record_count: u64,
    byte_count: u64,
    file_count: u64,
    secondary_index_count: u64,
    udf_count: u64,
    compression: String,
    encryption: String,
}

impl Metadata {
    /// Reads the text of a `metadata.yaml`. Fields that are not known are passed over.
    ///
    /// # Errors
    /// `Corrupt` if it is no such text, or `created`, `finished` or `namespace` is missing.
    pub fn parse(text: &str) -> Result<Self> {
        let raw: Raw = serde_saphyr::from_str(text)
            .map_err(|error| Error::corrupt("metadata.yaml cannot be read").because(error.to_string()))?;
        for (field, value) in [("created", &raw.created), ("finished", &raw.finished), ("namespace", &raw.namespace)] {
            if value.is_empty() {
                return Err(Error::corrupt(format!("metadata.yaml has no `{field}`")));
            }
        }
        let moment = |field: &str, text: &str| {
            text.parse::<Timestamp>().map_err(|error| {
                Error::corrupt(format!("metadata.yaml: `{field}` is no moment: {}", text.escape_debug())).because(error)
            })
        };
        let from = Some(raw.from).filter(|from| !from.is_empty() && from != NEVER);
        Ok(Self {
            created: moment("created", &raw.created)?,
            finished: moment("finished", &raw.finished)?,
            from: from.map(|from| moment("from", &from)).transpose()?,
            namespace: raw.namespace,
            record_count: raw.record_count,
            byte_count: raw.byte_count,
            file_count: raw.file_count,
            secondary_index_count: raw.secondary_index_count,
            udf_count: raw.udf_count,
            compression: raw.compression,
            encryption: raw.encryption,
        })
    }

    /// The text of the file.
    ///
    /// # Errors
    /// `Internal` if the writer of YAML fails, which it has no reason to.
    pub fn to_yaml(&self) -> Result<String> {
        let raw = Raw {
            created: self.created.to_string(),
            finished: self.finished.to_string(),
            from: self.from.map_or_else(|| NEVER.to_owned(), |from| from.to_string()),
            namespace: self.namespace.clone(),
            record_count: self.record_count,
            byte_count: self.byte_count,
            file_count: self.file_count,
            secondary_index_count: self.secondary_index_count,
            udf_count: self.udf_count,
            compression: self.compression.clone(),
            encryption: self.encryption.clone(),
        };
        serde_saphyr::to_string(&raw).map_err(|error| Error::internal("metadata.yaml").because(error.to_string()))
    }

    /// Reads the file of a backup folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut text = Vec::new();
        at(&path, File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)))?;
        if text.len() as u64 > LARGEST {
            return Err(Error::corrupt(format!("metadata.yaml is larger than {LARGEST} bytes")));
        }
        let text = String::from_utf8(text).map_err(|_| Error::corrupt("metadata.yaml is not UTF-8"))?;
        Self::parse(&text)
    }

    /// Writes the file: it appears whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let unfinished = folder.join("metadata.yaml.unfinished");
        let text = self.to_yaml()?;
        at(
            &unfinished,
            File::create(&unfinished).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            }),
        )?;
        at(&path, std::fs::rename(&unfinished, &path))?;
        sync_folder(folder)
    }
}
