//! Taking in folders of the reference tools.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use strongroom_core::cluster::Conflict;
use strongroom_core::model::Filter;
use strongroom_core::{Error, ErrorKind, Result, Timestamp};
use strongroom_record::asb::Limits;
use strongroom_record::folder::FolderReader;
use strongroom_record::wrap::FileKey;
use strongroom_record::{Entity, Name, Record};

use crate::batch::Rule;
use crate::definitions::Origin;
use crate::namespace::{checked_name, text_of};
use crate::options::seconds;
use crate::{Batch, EmbeddedCluster, Generation, Put, PutOptions};
use strongroom_record::Sieve;

/// How many records are sorted before they are written.
const SORTED: usize = 16 << 10;
/// How many bytes of records are sorted before they are written, about.
const SORTED_BYTES: usize = 32 << 20;
/// How many refusals are told one by one.
const TOLD: usize = 100;

/// What of a folder is taken in, and how.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The key of encrypted files.
    pub key: Option<FileKey>,
    /// Only these namespaces of the files. `None`: all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Namespaces that get another name here.
    pub rename: BTreeMap<String, String>,
    /// Only these sets, bins and partitions.
    pub filter: Filter,
    /// What happens to records that were there before. Among the folders, the later one always counts.
    pub conflict: Conflict,
    /// Leave out what has expired at this moment. `None`: take all.
    pub now: Option<Timestamp>,
    /// Leave out indexes and functions.
    pub no_definitions: bool,
    /// Leave out records.
    pub no_data: bool,
    /// How much a single record may take.
    pub limits: Limits,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Records written; one that comes in several folders counts each time.
    pub written: u64,
    /// Records that were there before and stayed.
    pub kept: u64,
    /// Records left out because they had expired.
    pub expired: u64,
    /// Records and indexes outside the filter or the namespaces.
    pub filtered: u64,
    /// Indexes taken in.
    pub indexes: u64,
    /// Functions taken in.
    pub functions: u64,
    /// Records that can't be held here.
    pub refused: u64,
    /// The first 100 of them, each with its reason.
    pub refusals: Vec<String>,
    /// The namespaces, by their names here, that got records or indexes.
    pub namespaces: BTreeSet<String>,
}

impl EmbeddedCluster {
    /// Takes in a backup folder of the reference tools, plain or compact, compressed or encrypted.
    ///
    /// # Errors
    /// As [`EmbeddedCluster::import_folders`].
    pub fn import_folder(&self, folder: impl AsRef<Path>, options: &ImportOptions) -> Result<ImportReport> {
        self.import_folders(&[folder], options)
    }

    /// Takes in backup folders in the order given, a base before its incrementals: all in one transaction, or nothing.
    ///
    /// Such incrementals hold no deletes: what was deleted between them is back.
    ///
    /// # Errors
    /// `NotFound` for a folder without `.asb` files; `Denied` if a key is missing or wrong; `Corrupt` or `Unsupported`
    /// with file, byte and line; `NoSpace`. The message tells how far it came; nothing of it is in the cluster.
    pub fn import_folders<P: AsRef<Path>>(&self, folders: &[P], options: &ImportOptions) -> Result<ImportReport> {
        let sieve = Sieve::new(&options.filter)?;
        for target in options.rename.values() {
            checked_name(target)?;
        }
        self.write_batch(|batch| {
            let mut import = Import {
                begun: batch.tick(),
                batch,
                sieve,
                options,
                gathered: Vec::new(),
                weight: 0,
                report: ImportReport::default(),
            };
            for folder in folders {
                if let Err(error) = import.folder(folder.as_ref()) {
                    let read = import.report.written + import.gathered.len() as u64;
                    let far = format!("nothing was imported; it stopped after {read} records");
                    return Err(error.within(far));
                }
            }
            Ok(import.report)
        })
    }
}

struct Import<'b, 't, 'o> {
    batch: &'b mut Batch<'t>,
    begun: i64,
    sieve: Sieve,
    options: &'o ImportOptions,
    gathered: Vec<Record>,
    weight: usize,
    report: ImportReport,
}

impl Import<'_, '_, '_> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        for entity in FolderReader::open(folder, self.options.key.clone(), self.options.limits)? {
            match entity? {
                Entity::Record(record) => self.record(record)?,
                Entity::Index(_) | Entity::Function(_) if self.options.no_definitions => {}
                Entity::Function(function) => {
                    self.batch.store_function(function, Origin::default(), self.replaces())?;
                    self.report.functions += 1;
                }
                Entity::Index(mut index) => {
                    let target = self.target_of(&index.namespace)?;
                    match target {
                        Some(target) if self.sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)) => {
                            self.report.namespaces.insert(target.to_string());
                            index.namespace = target;
                            self.batch.store_index(index, Origin::default(), self.replaces())?;
                            self.report.indexes += 1;
                        }
                        _ => self.report.filtered += 1,
                    }
                }
            }
        }
        // Before the next folder, whose records are newer.
        self.flush()
    }

    fn replaces(&self) -> bool {
        self.options.conflict == Conflict::Replace
    }

    /// The name that a namespace gets here; `None` if it is left out.
    fn target_of(&self, namespace: &Name) -> Result<Option<Name>> {
        if self.options.namespaces.is_none() && self.options.rename.is_empty() {
            return Ok(Some(namespace.clone()));
        }
        let text = text_of(namespace)?;
        if self.options.namespaces.as_ref().is_some_and(|wanted| !wanted.contains(text)) {
            return Ok(None);
        }
        Ok(Some(match self.options.rename.get(text) {
            Some(target) => checked_name(target)?,
            None => namespace.clone(),
        }))
    }

    fn record(&mut self, mut record: Record) -> Result<()> {
        if self.options.no_data {
            return Ok(());
        }
        match self.target_of(&record.namespace)? {
            Some(target) if self.sieve.takes_record(&record) => record.namespace = target,
            _ => {
                self.report.filtered += 1;
                return Ok(());
            }
        }
        self.sieve.strip(&mut record);
        self.weight += record.weight();
        self.gathered.push(record);
        if self.gathered.len() >= SORTED || self.weight >= SORTED_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut records = std::mem::take(&mut self.gathered);
        self.weight = 0;
        records.sort_by(|one, other| (&one.namespace, one.order()).cmp(&(&other.namespace, other.order())));
        let options = PutOptions { generation: Generation::Given, conflict: self.options.conflict };
        let rule = Rule { options, own_after: Some(self.begun) };
        let now = self.options.now.map(seconds);
        for record in records.drain(..) {
            let (namespace, digest) = (record.namespace.clone(), record.digest);
            if now.is_some_and(|now| record.expired_at(now)) {
                let text = text_of(&namespace)?;
                if self.batch.has_namespace(text)? {
                    self.batch.delete_if(text, digest, |there| there.changed > self.begun)?;
                }
                self.report.expired += 1;
                continue;
            }
            match self.batch.store(record, rule) {
                Ok(Put::Written { .. }) => self.report.written += 1,
                Ok(Put::Kept) => self.report.kept += 1,
                Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) => {
                    self.refuse(&error);
                    continue;
                }
                Err(error) => return Err(error.within(format_args!("record {digest}"))),
            }
            if !self.report.namespaces.contains(text_of(&namespace)?) {
                self.report.namespaces.insert(namespace.to_string());
            }
        }
        self.gathered = records;
        Ok(())
    }

    fn refuse(&mut self, error: &Error) {
        self.report.refused += 1;
        if self.report.refusals.len() < TOLD {
            self.report.refusals.push(error.to_string());
        }
    }
}
