//! To a moment: archived commit logs, replayed in a scratch node, become files that are restored beside those of the backup.
//!
//! ```text
//!   archive of each node ──▶ scratch node: the backup's tables by their ids, empty ──▶ its files up to the moment ──▶ staged
//! ```
//!
//! A mutation in a log carries its write times, and of a counter the count itself, so that what is replayed without the rest of the
//! table is merged with it by whoever reads both. The live cluster is not restarted, and may have any ring: the files are
//! loaded as those of the backup are. See `docs/decisions/0046-logs-are-replayed-in-a-scratch-node.md`.

mod ledger;
mod scratch;
mod segments;

use std::fs;
use std::path::PathBuf;

use strongroom_core::cluster::RestoreOutline;
use strongroom_core::{Error, Result};

pub use self::ledger::{ArchivedSegment, archive_segment};
use self::scratch::{Purpose, Scratch};
use self::segments::{Segment, check_end, doubts, from, late_beginning, segments_in};
use crate::CassandraCluster;
use crate::cluster::blocking;
use crate::component::Component;
use crate::config::ReplayConfig;
use crate::files::NodeFiles;
use crate::node::NodeFacts;
use crate::schema::Schema;
use crate::session::{Course, Stage};

/// Where files of the scratch node stand among those of the nodes; no node has this for its id.
const PLACE: &str = "replayed";
const TAG: &str = "strongroom-replayed";

impl CassandraCluster {
    /// What can be said of a replay before anything is touched: refusals, and warnings.
    pub(crate) async fn check_replay(
        &self,
        facts: &NodeFacts,
        outline: &RestoreOutline,
    ) -> Result<(Vec<String>, Vec<String>)> {
        let Some(config) = self.config().restore.replay.clone() else { return Ok(Default::default()) };
        let (mut refusals, mut warnings) = (Vec::new(), Vec::new());
        let Some(reached) = outline.parts.values().map(|part| part.reached).min() else {
            return Ok(Default::default());
        };
        let latest = outline.parts.values().map(|part| part.reached).max().unwrap_or(reached);
        if let Some(until) = config.until {
            if until < latest {
                refusals.push(format!(
                    "logs carry a state on, not back: the backup reaches {latest}, and {until} is before that; restore an older one"
                ));
            }
            if until.micros() % 1_000_000 != 0 && facts.version.starts_with("4.") {
                refusals.push(format!("Cassandra {} replays to whole seconds only", facts.version));
            }
        }
        let force = self.config().restore.force;
        let checked = blocking(move || {
            let (mut wrong, mut doubtful) = (Vec::new(), Vec::new());
            for (folder, segments) in archives(&config)? {
                let used = from(&segments, reached);
                wrong.extend(
                    config
                        .until
                        .and_then(|until| check_end(&folder, &segments, until).err())
                        .map(|error| error.to_string()),
                );
                doubtful.extend(late_beginning(&folder, used, reached));
                match ledger::read(&folder)? {
                    Some(ledger) => {
                        let told = if force { &mut doubtful } else { &mut wrong };
                        told.extend(ledger::objections(&folder, &ledger, used));
                    }
                    None => doubtful.extend(doubts(&folder, used)),
                }
            }
            Ok((wrong, doubtful))
        });
        match checked.await {
            Ok((wrong, doubtful)) => {
                refusals.extend(wrong);
                warnings.extend(doubtful);
            }
            Err(error) => refusals.push(error.to_string()),
        }
        Ok((refusals, warnings))
    }

    pub(crate) fn replays(&self, course: &Course) -> bool {
        self.config().restore.replay.is_some() && !course.options.no_data
    }

    /// A view follows what is written into its table, and not files that are loaded into it: it is made at the end.
    pub(crate) async fn can_replay(&self, course: &Course) -> Result<()> {
        for part in course.parts.keys().map(|part| course.options.target_of(part)) {
            if let Some(view) = self.cql().views(self.config(), part).await?.first() {
                return Err(Error::invalid(format!("the cluster has the materialized view '{part}.{view}', which logs do not carry on"))
                    .hint("nothing was emptied; drop the view: the restore makes it again, if it was there at the time of the backup"));
            }
        }
        Ok(())
    }

    /// Replays what is asked for, and stages the files that come of it. Again is once more.
    pub(crate) async fn replay(&self, stage: &Stage, course: &Course) -> Result<()> {
        let Some(config) = self.config().restore.replay.clone().filter(|_| self.replays(course)) else {
            return Ok(());
        };
        let folder = stage.scratch();
        let (old, staged) = (folder.clone(), stage.data().join(PLACE));
        blocking(move || [old, staged].iter().try_for_each(remove)).await?;
        let (of, parts) = (stage.clone(), course.clone());
        let schemas = blocking(move || schemas(&of, &parts)).await?;
        let tables: Vec<String> = schemas
            .iter()
            .flat_map(|schema| schema.tables().map(|table| format!("{}.{table}", schema.keyspace)))
            .collect();
        if tables.is_empty() {
            return Ok(());
        }
        let purpose = Purpose { tables: &tables, until: config.until };
        let scratch = Scratch::start(&config, self.environment(), folder.clone(), &purpose).await?;
        let within = |error: Error| error.within("the scratch node").hint("nothing of the cluster was touched");
        for statement in schemas.iter().flat_map(Schema::to_replay_into) {
            scratch.node.cql().execute(scratch.node.config(), &statement).await.map_err(within)?;
        }
        for (_, segments) in blocking(move || archives(&config)).await? {
            for segment in from(&segments, course.reached) {
                let path = segment.path.to_str().ok_or_else(|| Error::invalid("a segment's path is no text"))?;
                let replayed = scratch.node.node().replay_log(path).await;
                replayed.map_err(|error| within(error.within(format_args!("replaying {path}"))))?;
            }
        }
        let keyspaces: Vec<String> = schemas.iter().map(|schema| schema.keyspace.clone()).collect();
        scratch.node.node().take_snapshot(TAG, &keyspaces).await.map_err(within)?;
        let data = scratch.end().await?;
        let (stage, course) = (stage.clone(), course.clone());
        blocking(move || {
            take_over(&data, &keyspaces, &stage, &course)?;
            for schema in &schemas {
                let target = course.options.target_of(&schema.keyspace);
                schema.views().try_for_each(|view| leave_out(&stage, target, view))?;
            }
            remove(&folder)
        })
        .await
    }
}

type Archives = Vec<(PathBuf, Vec<Segment>)>;

fn archives(config: &ReplayConfig) -> Result<Archives> {
    let each = |folder: &PathBuf| Ok((folder.clone(), segments_in(folder)?));
    config.segments.iter().map(each).collect()
}

fn remove(folder: &PathBuf) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::from(error).within(folder.display())),
        _ => Ok(()),
    }
}

/// Removes the files of a view: it is made anew of its table.
fn leave_out(stage: &Stage, keyspace: &str, view: &str) -> Result<()> {
    let data = stage.data();
    let at = |error: std::io::Error| Error::from(error).within(data.display());
    for node in fs::read_dir(&data).map_err(at)? {
        remove(&node.map_err(at)?.path().join(keyspace).join(view))?;
    }
    Ok(())
}

/// The schemas of all parts of a restore, of the chosen tables alone.
fn schemas(stage: &Stage, course: &Course) -> Result<Vec<Schema>> {
    let mut found = Vec::new();
    for (part, filter) in &course.parts {
        let file = stage.schema(part);
        let bytes = fs::read(&file).map_err(|error| {
            Error::from(error).within(file.display()).hint("a replay needs the tables' ids: restore with definitions")
        })?;
        found.push(Schema::of(&bytes)?.only(filter.tables.as_ref()));
    }
    Ok(found)
}

/// Moves what the scratch node made to where files of the backup stand, under the new names of keyspaces.
fn take_over(data: &PathBuf, keyspaces: &[String], stage: &Stage, course: &Course) -> Result<()> {
    let files = NodeFiles::open(std::slice::from_ref(data))?;
    for keyspace in keyspaces {
        let target = course.options.target_of(keyspace);
        for found in files.snapshot(keyspace, TAG)?.sstables {
            let from = files.place_of(&found, keyspace, TAG)?;
            let to = stage.table(target, &found.table, PLACE);
            let at = |error: std::io::Error| Error::from(error).within(to.display());
            fs::create_dir_all(&to).map_err(at)?;
            let kept = found.files.iter().filter(|name| Component::of(name).is_some_and(|part| !part.is_made_anew()));
            for name in kept {
                fs::rename(from.join(name), to.join(name)).map_err(at)?;
            }
        }
    }
    Ok(())
}
