//! Repositories: access, clocks, room, keys, catalogue, and whether anything could be restored.

use std::collections::BTreeSet;

use strongroom_core::Timestamp;
use strongroom_core::engine::run_of;
use strongroom_core::id::{ClusterId, RunId};
use strongroom_core::model::{PartName, Scope, Status};
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::Loaded;
use strongroom_storage::{Space, StorageConfig, probe};

use super::{Check, Notes};
use crate::{ErrorKind, OpenRepository, Result, Strongroom};

/// A difference of clocks that is no cause for a remark.
const CLOSE_MICROS: u64 = 5_000_000;
/// A difference at which services begin to refuse signed requests.
const FAR_MICROS: u64 = 15 * 60 * 1_000_000;
/// A backup that was begun longer ago and has not ended is dead, as a rule.
const DEAD_MICROS: i64 = 24 * 3600 * 1_000_000;

pub(super) async fn check(
    strongroom: &Strongroom,
    name: &str,
    read_only: bool,
    checks: &mut Vec<Check>,
) -> Option<OpenRepository> {
    let notes = Notes::new("repository", name);
    let config = match strongroom.storage_config(name) {
        Ok(config) => config,
        Err(error) => {
            checks.push(notes.error("profile", &error));
            return None;
        }
    };
    if !read_only && let Err(check) = access(strongroom, &notes, &config, checks).await {
        checks.push(*check);
        return None;
    }
    let repository = match strongroom.repository(name).await {
        Ok(repository) => repository,
        Err(error) => {
            let check = if error.kind() == ErrorKind::Denied { "keys" } else { "repository" };
            let advice = format!("make one: strongroom init {}", strongroom_storage::redact_url(name));
            let check = notes.error(check, &error);
            checks.push(if error.kind() == ErrorKind::NotFound { check.next(advice) } else { check });
            return None;
        }
    };
    if read_only {
        checks.push(notes.ok("access", "it can be read; writing, deleting and the clock were not looked at"));
    }
    keys(&notes, &repository, checks).await;
    let loaded = match repository.load().await {
        Ok(loaded) => loaded,
        Err(error) => {
            checks.push(notes.error("catalogue", &error));
            return Some(repository);
        }
    };
    catalogue(&notes, &loaded, checks);
    room(&notes, config.space(), &loaded, checks);
    unfinished(&notes, &loaded, strongroom.environment().now(), checks);
    restorable(&notes, &loaded, checks);
    Some(repository)
}

/// Lists, writes, reads, replaces in vain, deletes; compares the clocks.
async fn access(
    strongroom: &Strongroom,
    notes: &Notes,
    config: &StorageConfig,
    checks: &mut Vec<Check>,
) -> std::result::Result<(), Box<Check>> {
    let fault = |error: crate::Error| Box::new(notes.error("access", &error));
    let storage = config.open().map_err(fault)?;
    let name = RunId::fresh(strongroom.environment()).map_err(fault)?.to_string();
    let report = probe(&*storage, &name, strongroom.environment().now()).await.map_err(fault)?;
    checks.push(notes.ok("access", "listing, writing and reading work"));
    checks.push(if report.refuses_replacing {
        notes.ok("no replacing", "a second writer of the same name is refused")
    } else {
        let what = "the storage lets a second writer replace an object: two backups at once could destroy each other";
        notes.fail("no replacing", what).next("use a storage that knows conditional writes (docs/storage.md)")
    });
    checks.push(if report.deletes {
        notes.ok("deleting", "works; only prune needs it")
    } else {
        notes.warn("deleting", "is not allowed: backing up and restoring work, prune does not")
    });
    checks.push(match report.clock_ahead_micros {
        None => notes.ok("clock", "the storage does not tell its time"),
        Some(ahead) => {
            let detail = format!("the storage's clock differs from this one's by {} ms", ahead.unsigned_abs() / 1000);
            match ahead.unsigned_abs() {
                FAR_MICROS.. => {
                    notes.fail("clock", detail).next("set this machine's clock: services refuse such requests")
                }
                CLOSE_MICROS.. => notes.warn("clock", detail).next("let a time service set this machine's clock"),
                _ => notes.ok("clock", detail),
            }
        }
    });
    Ok(())
}

async fn keys(notes: &Notes, repository: &OpenRepository, checks: &mut Vec<Check>) {
    let Some(ring) = repository.keys() else {
        checks.push(notes.ok("keys", "it has none: its backups are not sealed"));
        return;
    };
    checks.extend(ring.warnings().iter().map(|warning| notes.warn("keys", warning)));
    checks.push(match ring.current_data_key() {
        Ok(_) => notes.ok("keys", "they open, and new backups can be sealed"),
        Err(error) => notes.error("keys", &error),
    });
    match ring.readers().await {
        Ok(readers) if readers.len() == 1 => {
            let only = format!("'{}' is the only reader: without its key every sealed backup is lost", readers[0].name);
            checks
                .push(notes.warn("readers", only).next("add a second one that is kept elsewhere: strongroom key add"));
        }
        Ok(readers) => {
            let names: Vec<&str> = readers.iter().map(|reader| reader.name.as_str()).collect();
            checks.push(notes.ok("readers", names.join(", ")));
        }
        Err(error) => checks.push(notes.error("readers", &error)),
    }
}

fn catalogue(notes: &Notes, loaded: &Loaded, checks: &mut Vec<Check>) {
    let report = &loaded.report;
    for broken in &report.quarantined {
        checks.push(
            notes
                .fail("manifest", format!("{} can't be used: {}", broken.key, broken.why))
                .next("bring the object back from a copy; the other backups are not touched by it"),
        );
    }
    if report.damaged.is_empty() {
        checks.push(notes.ok("catalogue", format!("whole; {} backups", loaded.catalogue().len())));
    }
    for damage in &report.damaged {
        let check = notes.warn("catalogue", format!("damaged, and made up for by the manifests: {damage}"));
        checks.push(check.next("no backup is lost by it; a pin or a check that was recorded there may be"));
    }
    if !report.vanished.is_empty() {
        let gone: Vec<String> = report.vanished.iter().map(ToString::to_string).collect();
        checks.push(notes.fail("manifests", format!("gone from the storage: backups {}", gone.join(", "))));
    }
    let corrupt = loaded.entries().filter(|entry| entry.status == Status::Corrupt).count();
    if corrupt > 0 {
        let check = notes.fail("backups", format!("{corrupt} were found damaged"));
        checks.push(check.next("see them: strongroom list --doubtful; restore avoids them"));
    }
}

fn room(notes: &Notes, space: Result<Option<Space>>, loaded: &Loaded, checks: &mut Vec<Check>) {
    let space = match space {
        Ok(Some(space)) => space,
        Ok(None) => return,
        Err(error) => return checks.push(notes.error("room", &error)),
    };
    let bases = loaded.entries().filter(|entry| entry.kind.starts_a_chain());
    let largest = bases.map(|entry| entry.size.stored_bytes).max().unwrap_or(0);
    let detail = format!("{} of {} bytes free; the largest base has {largest}", space.free, space.total);
    checks.push(if space.free < largest || space.free < space.total / 20 {
        notes.warn("room", detail).next("make room, or delete old backups: the next base may not fit")
    } else {
        notes.ok("room", detail)
    });
}

fn unfinished(notes: &Notes, loaded: &Loaded, now: Timestamp, checks: &mut Vec<Check>) {
    let old = loaded.in_progress.iter().filter(|begun| now.since(begun.at) > DEAD_MICROS);
    let runs: BTreeSet<RunId> = old.filter_map(run_of).collect();
    for run in runs {
        checks.push(
            notes
                .warn("unfinished", format!("run {run} was begun more than a day ago and has not ended"))
                .next(format!("go on with it: strongroom resume … --run {run}; or let prune collect it")),
        );
    }
}

/// Whether the newest state of every part could be restored, and whether what it needs was ever verified.
fn restorable(notes: &Notes, loaded: &Loaded, checks: &mut Vec<Check>) {
    let live = loaded.entries().filter(|entry| entry.status != Status::Deleted && entry.log.is_none());
    let parts: BTreeSet<(ClusterId, PartName)> = live.map(|entry| (entry.cluster, entry.part)).collect();
    if parts.is_empty() {
        checks.push(notes.warn("restorable", "there is no backup yet").next("strongroom backup CLUSTER REPOSITORY"));
    }
    for (cluster, part) in parts {
        let request = Request { cluster: Some(cluster), ..Request::at(Target::Latest).of(Scope::of_parts([&*part])) };
        checks.push(match loaded.catalogue().plan(&request) {
            Ok(plan) if plan.totals.unverified > 0 => {
                let detail = format!("part '{part}' until {}, but not all of it was ever verified", plan.reached.until);
                notes.warn("restorable", detail).next("strongroom verify, or restore it into embedded:drill.redb")
            }
            Ok(plan) => notes.ok("restorable", format!("part '{part}' until {}, verified", plan.reached.until)),
            Err(error) => notes.error("restorable", &crate::Error::from(error).within(format!("part '{part}'"))),
        });
    }
}
