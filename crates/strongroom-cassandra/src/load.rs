//! The end of a restore, when everything is on the node: check, make what is missing, empty, take in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use strongroom_core::cluster::{RestoreReport, RestoreSession};
use strongroom_core::{Error, ErrorKind, Result};

use crate::cluster::blocking;
use crate::node::{Import, NodeFacts};
use crate::schema::{Comparison, Schema};
use crate::session::{Course, Phase, Stage};
use crate::{CassandraCluster, Load};

/// How often a node is asked to take files in. It sometimes stumbles over files that it looked at itself a moment before
/// (`NullPointerException` in `SSTableReader$InstanceTidier.setup`, seen of 4.0.19), takes nothing, and does so at the next try.
const ATTEMPTS: u32 = 3;

/// Folders of files by keyspace and table.
type Staged = BTreeMap<(String, String), Vec<PathBuf>>;

impl CassandraCluster {
    pub(crate) async fn load(&self, session: &RestoreSession) -> Result<RestoreReport> {
        let _alone = self.loading().lock().await;
        let (stage, mut course) = match self.course(session).await {
            Ok(found) => found,
            // It was finished, and the reply was lost.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RestoreReport::default()),
            Err(error) => return Err(error),
        };
        if course.phase == Phase::Staging {
            self.replay(&stage, &course).await?;
        }
        let of = stage.clone();
        let staged = blocking(move || staged(&of.data())).await?;
        let mut warnings = Vec::new();
        let way = self.way(&self.facts().await?);
        if course.phase == Phase::Staging {
            warnings = self.make_schema(&stage, &course, way).await?;
        }
        let there = self.tables().await?;
        Self::all_there(&staged, &there)?;
        if way == Load::Stream {
            self.can_stream(&staged).await?;
        }
        if self.replays(&course) {
            self.can_replay(&course).await?;
        }
        if course.phase != Phase::Loading && course.options.truncate && !course.options.no_data {
            course = Self::enter(&stage, course, Phase::Truncating).await?;
            self.empty(&course, &there).await?;
        }
        let definitions = course.clone();
        Self::enter(&stage, course, Phase::Loading).await?;
        for ((keyspace, table), folders) in staged {
            match way {
                Load::Import => self.take_in(&keyspace, &table, folders).await?,
                Load::Stream => self.send(&keyspace, &table, folders).await?,
            }
        }
        let late = self.compare(&stage, &definitions).await?;
        if way == Load::Stream {
            let building = "nodes still build storage-attached indexes: queries by them fail until they are ready";
            warnings.extend(late.attached.first().map(|_| building.to_owned()));
            self.make(&late.attached).await?;
        }
        if self.replays(&definitions) {
            let building = "nodes still build materialized views: they lack rows until they are ready";
            warnings.extend(late.views.first().map(|_| building.to_owned()));
            self.make(&late.views).await?;
        }
        self.end_session(session.id).await?;
        Ok(RestoreReport { warnings })
    }

    async fn enter(stage: &Stage, mut course: Course, phase: Phase) -> Result<Course> {
        course.phase = phase;
        let stage = stage.clone();
        blocking(move || stage.put_course(&course).map(|()| course)).await
    }

    /// Compares every schema with what is there.
    async fn compare(&self, stage: &Stage, course: &Course) -> Result<Comparison> {
        let keyspaces = self.cql().keyspaces(self.config()).await?;
        let mut found = Comparison::default();
        for (part, filter) in &course.parts {
            let file = stage.schema(part);
            let bytes = blocking(move || match fs::read(&file) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Error::from(error).within(file.display())),
            });
            // Without definitions the tables must be there; that is looked at next.
            let Some(bytes) = bytes.await? else { continue };
            let target = course.options.target_of(part);
            let schema = Schema::of(&bytes)?.renamed(target);
            let there =
                if keyspaces.contains(target) { self.cql().describe(self.config(), target).await? } else { Vec::new() };
            let comparison = schema.against(&there, filter.tables.as_ref());
            found.missing.extend(comparison.missing);
            found.attached.extend(comparison.attached);
            found.views.extend(comparison.views);
            let within = |what| format!("keyspace '{target}', {what}");
            found.differences.extend(comparison.differences.into_iter().map(within));
        }
        Ok(found)
    }

    /// Makes what is missing, if all that is there fits; what nothing can be streamed into is made after that.
    async fn make_schema(&self, stage: &Stage, course: &Course, way: Load) -> Result<Vec<String>> {
        let Comparison { missing, attached, views, differences } = self.compare(stage, course).await?;
        if !differences.is_empty() && !self.config().restore.force {
            return Err(Error::invalid(format!("the schema is another: {}", differences.join("; ")))
                .hint("nothing was changed; drop or alter what differs, or restore with force"));
        }
        self.make(&missing).await?;
        if !self.replays(course) {
            self.make(&views).await?;
        }
        if way == Load::Import {
            self.make(&attached).await?;
        }
        Ok(differences.into_iter().map(|what| format!("forced into another schema: {what}")).collect())
    }

    async fn make(&self, statements: &[String]) -> Result<()> {
        for statement in statements {
            match self.cql().execute(self.config(), statement).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// A node does not take a whole file by stream into a table with a storage-attached index, whose part of that file is not
    /// sent with it. Seen of 5.0.9.
    async fn can_stream(&self, staged: &Staged) -> Result<()> {
        let keyspaces: BTreeSet<&String> = staged.keys().map(|(keyspace, _)| keyspace).collect();
        for keyspace in keyspaces {
            let there = self.cql().describe(self.config(), keyspace).await?;
            for index in there.iter().filter(|definition| definition.is_attached()) {
                let on = staged.keys().find(|(of, table)| of == keyspace && index.names(table));
                if let Some((_, table)) = on {
                    return Err(Error::invalid(format!(
                        "table '{keyspace}.{table}' has the storage-attached index '{}', and nodes take no files by stream into it",
                        index.name
                    ))
                    .hint("nothing was emptied; drop the index: the restore makes it again, if it was there at the time of the backup"));
                }
            }
        }
        Ok(())
    }

    fn all_there(staged: &Staged, there: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
        let lost = staged.keys().find(|(part, table)| !there.get(part).is_some_and(|tables| tables.contains(table)));
        let Some((part, table)) = lost else { return Ok(()) };
        Err(Error::not_found(format!("the cluster has no table '{part}.{table}'"))
            .hint("nothing was emptied; create it, or restore with definitions"))
    }

    /// Empties what is about to be filled. Views are emptied with their tables.
    async fn empty(&self, course: &Course, there: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
        for (part, filter) in &course.parts {
            let part = course.options.target_of(part);
            let views = self.cql().views(self.config(), part).await?;
            for table in there.get(part).into_iter().flatten().filter(|table| !views.contains(*table)) {
                if filter.tables.as_ref().is_none_or(|tables| tables.contains(table)) {
                    self.node().truncate(part, table).await?;
                }
            }
        }
        Ok(())
    }

    /// How nodes get the files.
    pub(crate) fn way(&self, facts: &NodeFacts) -> Load {
        let alone = facts.hosts.len() <= 1;
        self.config().restore.load.unwrap_or(if alone { Load::Import } else { Load::Stream })
    }

    /// Lets the node send the files of a table to their owners. What was sent is removed, so that a restore that goes on does
    /// not send it again; twice would do no harm.
    async fn send(&self, keyspace: &str, table: &str, folders: Vec<PathBuf>) -> Result<()> {
        let within = |error: Error| error.within(format_args!("table '{keyspace}.{table}'"));
        for folder in folders {
            self.node().stream(text_of(&folder)?).await.map_err(|error| {
                within(error)
                    .hint("the node's log says why; the files are kept: go on with the restore once the cause is gone")
            })?;
            blocking(move || fs::remove_dir_all(&folder).map_err(|error| Error::from(error).within(folder.display())))
                .await?;
        }
        Ok(())
    }

    /// Lets the node take in the files of a table. It moves them, so that a folder which still holds some was not taken.
    async fn take_in(&self, keyspace: &str, table: &str, mut folders: Vec<PathBuf>) -> Result<()> {
        let within = |error: Error| error.within(format_args!("table '{keyspace}.{table}'"));
        let mut refused = Vec::new();
        for _ in 0..ATTEMPTS {
            let names = folders.iter().map(|folder| text_of(folder).map(str::to_owned));
            let import = Import { copy: false, ..Import::new(keyspace, table, names.collect::<Result<_>>()?) };
            refused = self.node().import(&import).await.map_err(within)?;
            folders = blocking(move || {
                let left = folders.into_iter().map(|folder| files_in(&folder).map(|files| (folder, files > 0)));
                let left = left.filter(|found| !matches!(found, Ok((_, false))));
                left.map(|found| found.map(|(folder, _)| folder)).collect::<Result<_>>()
            })
            .await?;
            match (folders.is_empty(), refused.is_empty()) {
                (true, true) => return Ok(()),
                (true, false) => break,
                (false, _) => {}
            }
        }
        let left: BTreeSet<String> = folders.iter().map(|folder| folder.display().to_string()).chain(refused).collect();
        Err(within(
            Error::invalid(format!("the node did not take in the files in {}", Vec::from_iter(left).join(", ")))
                .hint("its log says why; the files are kept: go on with the restore once the cause is gone"),
        ))
    }
}

fn text_of(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::invalid(format!("{} is no text", path.display())))
}

fn staged(data: &Path) -> Result<Staged> {
    let mut found = Staged::new();
    for (_, node) in folders(data)? {
        for (keyspace, path) in folders(&node)? {
            for (table, path) in folders(&path)? {
                if files_in(&path)? > 0 {
                    found.entry((keyspace.clone(), table)).or_default().push(path);
                }
            }
        }
    }
    Ok(found)
}

fn folders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| Error::from(error).within(path.display()))? {
        let entry = entry.map_err(|error| Error::from(error).within(path.display()))?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    found.sort_unstable();
    Ok(found)
}

fn files_in(path: &Path) -> Result<usize> {
    folders(path).map(|found| found.len())
}
