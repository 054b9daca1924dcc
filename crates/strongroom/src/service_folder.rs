//! The folder of a backup service as a chain: planned as it stands, without copying anything first.
//!
//! Such a folder holds, for every routine, full backups and incrementals of each namespace. Its incrementals are taken
//! by last-update time: `cover`, deletes `unseen`. A moment T means there, as in the service's own restore calls, the
//! newest backup that *began* at or before T; the plan tells the window that it really reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::manifest::Blake3;
use strongroom_core::model::{Applies, BackupKind, Deletes, Filter, Scope, Status, Window};
use strongroom_core::planner::{Catalogue, Entry, Explanation, Plan, Request, Size, Target, Timeline};
use strongroom_core::{Error, ErrorKind, Key, Result, Timestamp};
use strongroom_record::folder::{Kind, Metadata, ServiceBackup, State, list_service_folder};

/// One routine of a backup service's folder.
#[derive(Debug)]
pub struct ServiceFolder {
    routine: String,
    backups: BTreeMap<BackupId, ServiceBackup>,
    entries: Vec<Entry>,
    timelines: Vec<Timeline>,
    /// What is in the folder but cannot be used, and why.
    pub unusable: Vec<String>,
}

impl ServiceFolder {
    /// Whether `folder` looks like one: something in it has the layout of a backup service.
    ///
    /// # Errors
    /// `NotFound`, `Denied` for the folder.
    pub fn is_one(folder: &Path) -> Result<bool> {
        match list_service_folder(folder) {
            Ok(backups) => Ok(!backups.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound && folder.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the folder's layout and metadata; no records yet.
    ///
    /// # Errors
    /// `NotFound` when the folder or the routine does not exist; `Invalid` when it holds several routines and none is
    /// named.
    pub fn open(folder: &Path, routine: Option<&str>) -> Result<Self> {
        let found = list_service_folder(folder)?;
        let routines: BTreeSet<String> = found.iter().map(|backup| backup.routine.clone()).collect();
        let names = || routines.iter().cloned().collect::<Vec<_>>().join(", ");
        let routine = match (routine, routines.first()) {
            (Some(name), _) if routines.contains(name) => name.to_owned(),
            (Some(name), _) => {
                return Err(Error::not_found(format!("no routine '{name}' in {}", folder.display()))
                    .hint(format!("there are: {}", names())));
            }
            (None, Some(only)) if routines.len() == 1 => only.clone(),
            (None, Some(_)) => {
                return Err(Error::invalid(format!("{} holds several routines", folder.display()))
                    .hint(format!("name one of: {}", names())));
            }
            (None, None) => {
                return Err(Error::not_found(format!("{} holds no backup of a backup service", folder.display()))
                    .hint("expected: ROUTINE/backup/MILLISECONDS/data/NAMESPACE/metadata.yaml"));
            }
        };
        let mut this = Self {
            routine,
            backups: BTreeMap::new(),
            entries: Vec::new(),
            timelines: Vec::new(),
            unusable: Vec::new(),
        };
        for backup in found {
            if backup.routine == this.routine {
                this.take(backup)?;
            }
        }
        Ok(this)
    }

    fn take(&mut self, backup: ServiceBackup) -> Result<()> {
        let metadata = match &backup.state {
            State::Complete(metadata) => metadata,
            State::Incomplete(why) => {
                self.unusable.push(format!("{}: {why}", backup.path.display()));
                return Ok(());
            }
        };
        let kind = match backup.kind {
            Kind::Full => BackupKind::Base,
            Kind::Incremental => BackupKind::Incremental,
        };
        // What a routine writes when its service cannot tell is "from the year one".
        let from = metadata.from.filter(|_| kind == BackupKind::Incremental);
        let window = match Window::new(from, metadata.created, metadata.finished.max(metadata.created)) {
            Ok(window) => window,
            Err(error) => {
                self.unusable.push(format!("{}: {error}", backup.path.display()));
                return Ok(());
            }
        };
        let timeline = TimelineId::from_bytes(self.hash(&["timeline", &backup.namespace]));
        if !self.timelines.iter().any(|known| known.id == timeline) {
            self.timelines.push(Timeline {
                id: timeline,
                part: backup.namespace.clone(),
                cluster: self.cluster(),
                parent: None,
                began: None,
            });
        }
        let at = metadata.created.micros().to_string();
        let id = BackupId::from_bytes(self.hash(&["backup", kind.as_str(), &at, &backup.namespace]));
        self.entries.push(Entry {
            id,
            run: RunId::from_bytes(self.hash(&["run", kind.as_str(), &at])),
            kind,
            parent: None,
            cluster: self.cluster(),
            part: backup.namespace.clone(),
            timeline,
            window,
            applies: Applies::Cover,
            deletes: Deletes::Unseen,
            filter: Filter::default(),
            missing: 0,
            status: Status::Complete,
            verified: None,
            size: Size {
                records: metadata.record_count,
                deletes: 0,
                objects: metadata.file_count,
                plain_bytes: metadata.byte_count,
                stored_bytes: metadata.byte_count,
            },
            codecs: Vec::new(),
            keys: Vec::new(),
            nodes: Vec::new(),
            manifest: Key::new(format!(
                "{}/{kind}-{at}-{}",
                Key::escape(&self.routine),
                Key::escape(&backup.namespace)
            ))?,
            copies: Vec::new(),
            pins: Vec::new(),
            created: metadata.finished,
            log: None,
        });
        self.backups.insert(id, backup);
        Ok(())
    }

    /// A name as 16 bytes, so that the same folder gives the same ids again.
    fn hash(&self, words: &[&str]) -> [u8; 16] {
        let hash = Blake3::of([&[self.routine.as_str()], words].concat().join("\0").as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        bytes
    }

    fn cluster(&self) -> ClusterId {
        ClusterId::from_bytes(self.hash(&["cluster"]))
    }

    /// The routine's name.
    #[must_use]
    pub fn routine(&self) -> &str {
        &self.routine
    }

    /// The backups that can be used, those that began first before the others, full ones before incrementals.
    pub(crate) fn usable(&self) -> Vec<(&ServiceBackup, &Metadata)> {
        let mut usable: Vec<_> =
            self.backups.values().filter_map(|backup| Some((backup, backup.metadata()?))).collect();
        usable.sort_by_key(|(backup, metadata)| (metadata.created, backup.kind, &backup.namespace));
        usable
    }

    /// The catalogue of its usable backups.
    #[must_use]
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::from_entries(self.entries.clone(), self.timelines.clone(), 0, true)
    }

    /// Plans the state of the newest backups that began at or before `at` (`None`: the newest), for all namespaces or
    /// for one.
    ///
    /// # Errors
    /// `BrokenChain` when nothing was backed up so early, or the chain has a gap.
    pub fn plan(&self, at: Option<Timestamp>, namespace: Option<&str>) -> Result<Plan> {
        let (catalogue, request) = self.begun(at, namespace)?;
        Ok(catalogue.plan(&request)?)
    }

    /// Explains what [`ServiceFolder::plan`] gives.
    ///
    /// # Errors
    /// As [`ServiceFolder::plan`] where no backup began so early.
    pub fn explain(&self, at: Option<Timestamp>, namespace: Option<&str>) -> Result<Explanation> {
        let (catalogue, request) = self.begun(at, namespace)?;
        Ok(catalogue.explain(&request))
    }

    /// The backups that began at or before `at`, and the request for the newest of them.
    fn begun(&self, at: Option<Timestamp>, namespace: Option<&str>) -> Result<(Catalogue, Request)> {
        let asked = |entry: &&Entry| namespace.is_none_or(|name| name == entry.part);
        let begun: Vec<Entry> = self
            .entries
            .iter()
            .filter(asked)
            .filter(|entry| at.is_none_or(|at| entry.window.until <= at))
            .cloned()
            .collect();
        if begun.is_empty() {
            let first = self.entries.iter().filter(asked).map(|entry| entry.window.until).min();
            return Err(match first {
                Some(first) => {
                    Error::broken_chain("no backup began that early").hint(format!("the first one began at {first}"))
                }
                None => Error::not_found(format!("routine '{}' has no usable backup of that namespace", self.routine))
                    .hint("leave out incomplete backups, or check the folder"),
            });
        }
        let scope = namespace.map_or_else(Scope::all, |name| Scope::of_parts([name]));
        let catalogue = Catalogue::from_entries(begun, self.timelines.clone(), 0, true);
        Ok((catalogue, Request::at(Target::Latest).of(scope)))
    }

    /// The folders of `namespace` that `plan` applies, oldest first.
    #[must_use]
    pub fn folders(&self, plan: &Plan, namespace: &str) -> Vec<PathBuf> {
        let steps = plan.parts.get(namespace).map(|part| part.steps.as_slice()).unwrap_or_default();
        steps.iter().filter_map(|step| self.backups.get(&step.backup)).map(|backup| backup.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::planner::WarningCode;

    use super::*;

    fn daily() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../strongroom-record/testdata/aerospike/abs-storage")
    }

    #[test]
    fn the_chain_of_a_real_service_is_planned_as_it_stands() {
        let folder = ServiceFolder::open(&daily(), None).unwrap();
        assert_eq!(folder.routine(), "daily");
        let t1 = "2026-11-22T23:01:58.506Z".parse().unwrap();
        let plan = folder.plan(Some(t1), None).unwrap();
        assert_eq!(plan.parts["test"].reached.until, t1);
        assert!(plan.warnings.iter().any(|warning| warning.code == WarningCode::DeletesUnseen), "{plan:?}");
        let folders = folder.folders(&plan, "test");
        assert_eq!(folders.len(), 2);
        assert!(folders[0].ends_with("backup/1795388512693/data/test"), "{folders:?}");
        assert!(folders[1].ends_with("incremental/1795388518506/data/test"), "{folders:?}");
    }

    #[test]
    fn a_moment_before_the_first_backup_is_refused_with_the_first_one() {
        let folder = ServiceFolder::open(&daily(), Some("daily")).unwrap();
        let error = folder.plan(Some("2026-11-22T23:00:00Z".parse().unwrap()), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenChain);
        assert!(error.to_string().contains("2026-11-22T23:01:52.693Z"), "{error}");
    }

    #[test]
    fn an_unknown_routine_names_those_that_are_there() {
        let error = ServiceFolder::open(&daily(), Some("weekly")).unwrap_err();
        assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("there are: daily")));
    }
}
