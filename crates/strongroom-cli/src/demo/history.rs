//! Part 2: the same history, backed up into a repository and restored to a moment in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use strongroom::embedded::{EmbeddedCluster, ImportOptions, PutOptions};
use strongroom::record::canonical::Covers;
use strongroom::record::{Digest, Record};
use strongroom::{
    BackupKindWish, BackupRequest, Error, OpenRepository, PartOutcome, Request, RestoreRequest, Result, Strongroom,
    Target,
};

use super::Story;
use super::clock::DemoClock;
use super::data::{self, NAMESPACE, hash};
use super::proof::{VoidTimes, digests, prove};
use crate::text;

/// Plays, backs up, plans, restores, proves.
pub(super) async fn show(story: &Story, input: &Path, work: &Path) -> Result<()> {
    let at = |name| data::moment(input, name);
    let [t0, t1, between, t2] = [at("t0")?, at("t1")?, at("t2-from")?, at("t2")?];
    story.say("2. The same history, with deletes that are seen");
    let (clock, environment) = DemoClock::at(t0.plus_micros(-1_000_000));
    let strongroom = Strongroom::new().with_environment(environment.clone());
    let repository = strongroom.init(&format!("file:{}", work.join("repository").display()), None, &[]).await?;
    let cluster = EmbeddedCluster::create(work.join("cluster.redb"), environment)?;
    cluster.import_folder(input.join(data::BASE), &ImportOptions::default())?;
    clock.set(t0);
    back_up(story, &repository, &cluster, BackupKindWish::Base).await?;

    let mut at_t1 = Vec::new();
    for (name, moment) in [("t1-truth", t1), ("t2-truth", t2)] {
        clock.set(moment.plus_micros(-1_000_000));
        let truth = data::records(&input.join(name))?;
        let (put, deleted) = become_like(&cluster, &truth)?;
        story.say(format!("  Then the server's next changes are made: {put} records put, {deleted} deleted."));
        clock.set(moment);
        back_up(story, &repository, &cluster, BackupKindWish::Incremental).await?;
        if moment == t1 {
            at_t1 = data::held(&cluster)?;
        }
    }

    let request = Request::at(Target::AtOrBefore(between));
    let loaded = repository.load().await?;
    let plan = loaded.catalogue().plan(&request)?;
    story.say(format!("  The plan for {between}, a moment in between, explains itself:\n"));
    story.say(text::indented(&loaded.catalogue().explain(&request).to_string(), "  "));
    story.say("");
    let drill = EmbeddedCluster::create(work.join("restored.redb"), strongroom.environment().clone())?;
    let summary = repository.restore(plan, Arc::new(drill.clone()), RestoreRequest::default()).await?;
    story.say(format!(
        "  Restored: {} records written, {} deleted, {} definitions created.",
        summary.applied.written, summary.applied.deleted, summary.applied.definitions
    ));
    let restored = data::held(&drill)?;
    story.say("  Against the first cluster as it was at that moment, generations and void times included:");
    prove(story, ["restored", "cluster then"], &restored, &at_t1, VoidTimes::Equal)?;
    story.say("  Against the whole backup that the real tools took of the real server then:");
    let truth = data::records(&input.join("t1-truth"))?;
    prove(story, ["restored", "truth"], &restored, &truth, VoidTimes::WithinASecond)?;
    if drill.indexes(NAMESPACE)? != cluster.indexes(NAMESPACE)? || drill.functions()? != cluster.functions()? {
        return Err(Error::corrupt("the restored indexes or functions are other ones"));
    }
    let (now, then) = (hash(Covers::ALL, &data::held(&cluster)?)?, hash(Covers::ALL, &restored)?);
    story.say(format!("  The first cluster has moved on since: {} records, BLAKE3 {now}.", now.records));
    if now == then {
        return Err(Error::internal("the demo's history does not change anything, so it proves nothing"));
    }
    Ok(())
}

async fn back_up(
    story: &Story,
    repository: &OpenRepository,
    cluster: &EmbeddedCluster,
    kind: BackupKindWish,
) -> Result<()> {
    let request = BackupRequest { kind, ..BackupRequest::default() };
    let report = repository.backup(Arc::new(cluster.clone()), request)?.await?.into_result()?;
    for part in &report.parts {
        let PartOutcome::Committed(done) = &part.outcome else {
            return Err(Error::internal(format!("part '{}' was not backed up: {:?}", part.part, part.outcome)));
        };
        story.say(format!(
            "  Backed up: {} until {}, {} records, {} deletes, {} bytes stored of {}.",
            done.kind,
            done.window.until,
            done.totals.records,
            done.totals.deletes,
            done.totals.stored_bytes,
            done.totals.plain_bytes
        ));
    }
    Ok(())
}

/// Puts what is new or changed in `truth` and deletes what is not in it; how many of each.
fn become_like(cluster: &EmbeddedCluster, truth: &[Record]) -> Result<(usize, usize)> {
    let held: BTreeMap<Digest, Record> = data::held(cluster)?.into_iter().map(|r| (r.digest, r)).collect();
    let there = digests(truth);
    let gone: Vec<Digest> = held.keys().filter(|digest| !there.contains(*digest)).copied().collect();
    let mut changed = Vec::new();
    for record in truth {
        // A void time that is one second off is the tools' rounding, not a change that the server made.
        let same = match held.get(&record.digest) {
            None => false,
            Some(old) => {
                hash(Covers::NO_VOID_TIME, [old])? == hash(Covers::NO_VOID_TIME, [record])?
                    && (old.void_time == 0) == (record.void_time == 0)
                    && old.void_time.abs_diff(record.void_time) <= 1
            }
        };
        if !same {
            changed.push(record.clone());
        }
    }
    let counts = (changed.len(), gone.len());
    cluster.write_batch(|batch| {
        for digest in gone {
            batch.delete(NAMESPACE, digest)?;
        }
        changed.into_iter().try_for_each(|record| batch.put(record, PutOptions::AS_GIVEN).map(drop))
    })?;
    Ok(counts)
}
