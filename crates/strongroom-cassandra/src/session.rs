//! Restores in progress: a folder for each, on the node. It holds everything that is to be restored, and how far it came, so
//! that any process on the node goes on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{RestoreOptions, RestoreOutline, RestoreSession};
use strongroom_core::id::SessionId;
use strongroom_core::model::Filter;
use strongroom_core::{Error, ErrorKind, Result, Timestamp};

use crate::CassandraCluster;
use crate::cluster::blocking;
use crate::component::is_name;
use crate::describe::is_part;
use crate::freeze::check_filter;

/// How far a restore came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Files come; no table was touched.
    Staging,
    /// Tables are emptied; nothing was taken in yet, so that it may be done again.
    Truncating,
    /// Files are taken in; nothing may be emptied any more.
    Loading,
}

/// What is written down of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    pub(crate) phase: Phase,
    /// By their names in the backup.
    pub(crate) parts: BTreeMap<String, Filter>,
    pub(crate) options: RestoreOptions,
    /// The earliest moment that a part of the backup reaches.
    #[serde(default)]
    pub(crate) reached: Timestamp,
}

/// The folder of a restore.
#[derive(Debug, Clone)]
pub(crate) struct Stage(PathBuf);

impl Stage {
    fn course_file(&self) -> PathBuf {
        self.0.join("session.json")
    }

    /// Where files are while they come.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.0.join("unfinished")
    }

    /// Where the files of a table belong, under the keyspace's new name. Those of several nodes may have the same names; the last two folders must be named
    /// like keyspace and table, or a node finds nothing in them (`Descriptor.fromFileWithComponent` of Cassandra 5.0).
    pub(crate) fn table(&self, keyspace: &str, table: &str, node: &str) -> PathBuf {
        self.data().join(node).join(keyspace).join(table)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Where a scratch node is.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    pub(crate) fn schema(&self, part: &str) -> PathBuf {
        self.0.join("schema").join(part)
    }

    /// How far it came; `None` if it is not there.
    pub(crate) fn course(&self) -> Result<Option<Course>> {
        let file = self.course_file();
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::corrupt(format!("{} is damaged", file.display())).because(error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from(error).within(file.display())),
        }
    }

    /// Writes down how far it came, for good before it returns.
    pub(crate) fn put_course(&self, course: &Course) -> Result<()> {
        let bytes = serde_json::to_vec(course)
            .map_err(|error| Error::internal("a restore can't be written down").because(error))?;
        put(&self.0, &self.course_file(), &bytes)
    }

    fn make(&self) -> Result<()> {
        for folder in [self.unfinished(), self.data(), self.0.join("schema")] {
            fs::create_dir_all(&folder).map_err(|error| {
                Error::from(error)
                    .within(folder.display())
                    .hint("strongroom needs a place there, or another by staging")
            })?;
        }
        Ok(())
    }
}

/// Puts a file in its place, whole or not at all.
pub(crate) fn put(folder: &Path, file: &Path, bytes: &[u8]) -> Result<()> {
    let work = || {
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    };
    work().map_err(|error: std::io::Error| Error::from(error).within(file.display()))
}

/// What can be said against an outline before anything is touched.
pub(crate) fn objections(outline: &RestoreOutline, options: &RestoreOptions) -> Vec<Error> {
    let mut found = Vec::new();
    let mut targets = BTreeSet::new();
    for (part, detail) in &outline.parts {
        let target = options.target_of(part);
        for name in BTreeSet::from([part.as_str(), target]) {
            if !is_name(name) {
                found.push(Error::invalid(format!("'{}' is no name of a keyspace", name.escape_debug())));
            }
        }
        if !is_part(target) {
            found.push(Error::invalid(format!("keyspace '{target}' belongs to the cluster itself")));
        }
        if !targets.insert(target) {
            found.push(Error::invalid(format!("two keyspaces would become '{target}'")));
        }
        found.extend(check_filter(part, &detail.filter).err());
    }
    found
}

impl CassandraCluster {
    pub(crate) async fn stage(&self, id: SessionId) -> Result<Stage> {
        Ok(Stage(self.staging().await?.join(id.to_string())))
    }

    pub(crate) async fn begin_session(
        &self,
        id: SessionId,
        outline: &RestoreOutline,
        options: &RestoreOptions,
    ) -> Result<RestoreSession> {
        if let Some(error) = objections(outline, options).into_iter().next() {
            return Err(error);
        }
        let parts = outline.parts.iter().map(|(part, detail)| (part.clone(), detail.filter.clone())).collect();
        let reached = outline.parts.values().map(|detail| detail.reached).min().unwrap_or_default();
        let wanted = Course { phase: Phase::Staging, parts, options: options.clone(), reached };
        let stage = self.stage(id).await?;
        blocking(move || match stage.course()? {
            None => {
                stage.make()?;
                stage.put_course(&wanted)
            }
            Some(found) if found.parts == wanted.parts && found.options == wanted.options => Ok(()),
            Some(_) => Err(Error::invalid(format!("restore {id} was begun with another plan or other options"))
                .hint("resume it with its own, or begin a new one")),
        })
        .await?;
        Ok(RestoreSession { id, options: options.clone(), detail: serde_json::Value::Null })
    }

    /// Removes what was staged. Twice is once.
    pub(crate) async fn end_session(&self, id: SessionId) -> Result<()> {
        let stage = self.stage(id).await?;
        blocking(move || match fs::remove_dir_all(&stage.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::from(error).within(stage.0.display()))
            }
            _ => {
                // Gone with the last restore; others may be under way beside it.
                let _ = stage.0.parent().map(fs::remove_dir);
                Ok(())
            }
        })
        .await
    }

    /// What is known of a restore that goes on.
    pub(crate) async fn course(&self, session: &RestoreSession) -> Result<(Stage, Course)> {
        let stage = self.stage(session.id).await?;
        let (of, id) = (stage.clone(), session.id);
        let course = blocking(move || of.course()).await?;
        let gone = || {
            Error::new(ErrorKind::NotFound, format!("restore {id} is not, or no longer, on this node"))
                .hint("begin a new one")
        };
        Ok((stage, course.ok_or_else(gone)?))
    }

    /// Puts bytes in their place, in the folder of a restore.
    pub(crate) async fn put(folder: PathBuf, file: PathBuf, bytes: Vec<u8>) -> Result<()> {
        blocking(move || put(&folder, &file, &bytes)).await
    }
}
