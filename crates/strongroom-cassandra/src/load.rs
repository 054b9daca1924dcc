//! The end of a restore, when everything is on the node: check, make what is missing, empty, take in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use strongroom_core::cluster::{RestoreReport, RestoreSession};
use strongroom_core::{Error, ErrorKind, Result};

use crate::CassandraCluster;
use crate::cluster::blocking;
use crate::node::Import;
use crate::schema::Schema;
use crate::session::{Course, Phase, Stage};

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
        let of = stage.clone();
        let staged = blocking(move || staged(&of.data())).await?;
        let mut warnings = Vec::new();
        if course.phase == Phase::Staging {
            warnings = self.make_schema(&stage, &course).await?;
        }
        let there = self.tables().await?;
        Self::all_there(&staged, &there)?;
        if course.phase != Phase::Loading && course.options.truncate && !course.options.no_data {
            course = Self::enter(&stage, course, Phase::Truncating).await?;
            self.empty(&course, &there).await?;
        }
        Self::enter(&stage, course, Phase::Loading).await?;
        for ((keyspace, table), folders) in staged {
            self.take_in(&keyspace, &table, folders).await?;
        }
        self.end_session(session.id).await?;
        Ok(RestoreReport { warnings })
    }

    async fn enter(stage: &Stage, mut course: Course, phase: Phase) -> Result<Course> {
        course.phase = phase;
        let stage = stage.clone();
        blocking(move || stage.put_course(&course).map(|()| course)).await
    }

    /// Compares every schema with what is there, and only then makes what is missing.
    async fn make_schema(&self, stage: &Stage, course: &Course) -> Result<Vec<String>> {
        let keyspaces = self.cql().keyspaces(self.config()).await?;
        let (mut missing, mut differences) = (Vec::new(), Vec::new());
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
            missing.extend(comparison.missing);
            differences.extend(comparison.differences.into_iter().map(|what| format!("keyspace '{target}', {what}")));
        }
        if !differences.is_empty() && !self.config().restore.force {
            return Err(Error::invalid(format!("the schema is another: {}", differences.join("; ")))
                .hint("nothing was changed; drop or alter what differs, or restore with force"));
        }
        for statement in missing {
            match self.cql().execute(self.config(), &statement).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(differences.into_iter().map(|what| format!("forced into another schema: {what}")).collect())
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

    /// Lets the node take in the files of a table. It moves them, so that a folder which still holds some was not taken.
    async fn take_in(&self, keyspace: &str, table: &str, folders: Vec<PathBuf>) -> Result<()> {
        let names = folders.iter().map(|folder| {
            folder.to_str().map(str::to_owned).ok_or_else(|| Error::invalid(format!("{} is no text", folder.display())))
        });
        let import = Import { copy: false, ..Import::new(keyspace, table, names.collect::<Result<_>>()?) };
        let within = |error: Error| error.within(format_args!("table '{keyspace}.{table}'"));
        let refused = self.node().import(&import).await.map_err(within)?;
        let left = blocking(move || folders.iter().map(|folder| files_in(folder)).sum::<Result<usize>>()).await?;
        if refused.is_empty() && left == 0 {
            return Ok(());
        }
        Err(within(
            Error::invalid(format!("the node did not take in {left} files ({})", refused.join(", ")))
                .hint("its log says why; the files are kept: go on with the restore once the cause is gone"),
        ))
    }
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
