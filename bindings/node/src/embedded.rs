//! The records of an embedded cluster, with JSON in and out: see [`crate::value`].

use std::sync::{Arc, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use serde_json::{Map, Value, json as told};
use strongroom::calls::json;
use strongroom::core::model::Filter;
use strongroom::embedded::{EmbeddedCluster, Emptying, LookIn, PutOptions, Scan as CoreScan};
use strongroom::options::{Moment, read};
use strongroom::record::canonical::Covers;
use strongroom::record::model::{Bin, BinName, CITRUSLEAF_EPOCH, Name, NameError, Record as CoreRecord};
use strongroom::record::{Digest, UserKey};
use strongroom::{Error, Result};

use crate::answer::{Answer, promise};
use crate::cluster::Slot;
use crate::session::blocking;
use crate::value::{of_key, of_particle, particle, user_key};

/// Where the records of an embedded cluster are written and read.
#[napi]
pub struct Records(Slot<EmbeddedCluster>);

impl Records {
    pub(crate) fn new(cluster: Slot<EmbeddedCluster>) -> Self {
        Self(cluster)
    }

    /// Works with the cluster away from JavaScript's thread.
    fn with<'env, T: napi::bindgen_prelude::ToNapiValue + Send + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&EmbeddedCluster) -> Result<T> + Send + 'static,
    ) -> napi::Result<PromiseRaw<'env, Answer<T>>> {
        let cluster = self.0.get();
        promise(env, blocking(move || work(&cluster?)))
    }
}

fn filter(tables: Option<Vec<String>>) -> Filter {
    Filter { tables: tables.map(|tables| tables.into_iter().collect()), ..Filter::default() }
}

fn look(now: Option<&str>) -> Result<LookIn> {
    Ok(LookIn { now: now.map(read::<Moment>).transpose()?.map(|now| now.0) })
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over")]
fn bad_name(error: NameError) -> Error {
    Error::invalid(error.to_string())
}

fn record(namespace: &str, set: Option<&str>, expires: u32, row: &Value) -> Result<CoreRecord> {
    let (Some(key), Some(bins)) = (row.get(0), row.get(1).and_then(Value::as_object)) else {
        return Err(Error::invalid("a record is a pair of a key and bins"));
    };
    let key = user_key(key)?;
    let bins = bins
        .iter()
        .map(|(name, value)| Ok(Bin { name: BinName::new(name.clone()).map_err(bad_name)?, value: particle(value)? }));
    Ok(CoreRecord {
        namespace: Name::namespace(namespace.to_owned()).map_err(bad_name)?,
        set: set.map(|set| Name::set(set.to_owned())).transpose().map_err(bad_name)?,
        digest: Digest::of_key(set.map(str::as_bytes), &key),
        key: Some(key),
        generation: 0,
        void_time: expires,
        bins: bins.collect::<Result<_>>()?,
    })
}

/// A record for JavaScript: `[namespace, set, key, digest, generation, expires, bins]`.
fn of_record(record: &CoreRecord) -> Value {
    let bins: Map<_, _> = record.bins.iter().map(|bin| (bin.name.to_string(), of_particle(&bin.value))).collect();
    told!([
        record.namespace.to_string(),
        record.set.as_ref().map(ToString::to_string),
        record.key.as_ref().map(of_key),
        record.digest.to_hex(),
        record.generation,
        record.expires_at(),
        bins
    ])
}

fn keys(text: &str) -> Result<Vec<UserKey>> {
    read::<Vec<Value>>(text)?.iter().map(user_key).collect()
}

#[napi]
impl Records {
    /// Writes records, `[key, bins]` each, in one transaction. `expires` is in seconds since 1970; nothing: never.
    #[napi]
    pub fn put<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        set: Option<String>,
        rows: String,
        expires: Option<i64>,
    ) -> napi::Result<PromiseRaw<'env, Answer<()>>> {
        self.with(env, move |cluster| {
            let epoch = i64::try_from(CITRUSLEAF_EPOCH).unwrap_or(i64::MAX);
            let expires = match expires.map(|seconds| u32::try_from(seconds.saturating_sub(epoch))) {
                None => 0,
                Some(Ok(seconds)) if seconds > 0 => seconds,
                _ => return Err(Error::invalid("a record expires between 2010 and 2146")),
            };
            let rows: Vec<Value> = read(&rows)?;
            let made = rows.iter().map(|row| record(&namespace, set.as_deref(), expires, row));
            let records: Vec<CoreRecord> = made.collect::<Result<_>>()?;
            cluster.write_batch(|batch| {
                records.into_iter().try_for_each(|record| batch.put(record, PutOptions::default()).map(drop))
            })
        })
    }

    /// Deletes records by their keys, in one transaction. Gives how many were there.
    #[napi]
    pub fn delete<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        set: Option<String>,
        keys: String,
    ) -> napi::Result<PromiseRaw<'env, Answer<u32>>> {
        self.with(env, move |cluster| {
            let keys = self::keys(&keys)?;
            cluster.write_batch(|batch| {
                let mut there = 0;
                for key in keys {
                    let digest = Digest::of_key(set.as_deref().map(str::as_bytes), &key);
                    there += u32::from(batch.delete(&namespace, digest)?);
                }
                Ok(there)
            })
        })
    }

    /// Deletes every record, leaving tombstones. Gives how many were there.
    #[napi]
    pub fn empty<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        sets: Option<Vec<String>>,
    ) -> napi::Result<PromiseRaw<'env, Answer<i64>>> {
        self.with(env, move |cluster| {
            let emptied = cluster.empty(&namespace, &filter(sets), Emptying::Tombstones)?;
            Ok(i64::try_from(emptied).unwrap_or(i64::MAX))
        })
    }

    /// One record by its key; nothing: it is not there.
    #[napi]
    pub fn get<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        set: Option<String>,
        key: String,
        now: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, Answer<Option<String>>>> {
        self.with(env, move |cluster| {
            let key = user_key(&read(&key)?)?;
            let found = cluster.get_by_key(&namespace, set.as_deref(), &key, look(now.as_deref())?)?;
            found.map(|found| json(&of_record(&found.record))).transpose()
        })
    }

    /// All records, as they are now.
    #[napi]
    pub fn scan<'env>(
        &self,
        env: &'env Env,
        namespace: String,
        sets: Option<Vec<String>>,
        now: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, Answer<Scan>>> {
        self.with(env, move |cluster| {
            let scan = cluster.scan(&namespace, &filter(sets), look(now.as_deref())?)?;
            Ok(Scan(Arc::new(Mutex::new(scan))))
        })
    }

    /// The namespaces with their sets and counts, as JSON.
    #[napi]
    pub fn namespaces<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.with(env, |cluster| {
            let mut named = Map::new();
            for (name, about) in cluster.namespaces()? {
                let sets: Map<_, _> = about.sets.iter().map(|(set, held)| (set.clone(), told!(held.records))).collect();
                let indexes: Vec<String> = cluster.indexes(&name)?.iter().map(|index| index.name.to_string()).collect();
                named.insert(name, told!({ "records": about.count.records, "sets": sets, "indexes": indexes }));
            }
            json(&named)
        })
    }

    /// One hash over all records of a namespace, wherever they are: the same for the same records.
    #[napi]
    pub fn hash<'env>(&self, env: &'env Env, namespace: String) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        self.with(env, move |cluster| {
            Ok(cluster.canonical_hash(&namespace, Covers::CONTENT, LookIn::default())?.to_string())
        })
    }
}

/// Records, one batch after the other.
#[napi]
pub struct Scan(Arc<Mutex<CoreScan>>);

#[napi]
impl Scan {
    /// The next records as JSON, at most so many; none: that was all.
    #[napi]
    pub fn batch<'env>(&self, env: &'env Env, most: u32) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        let scan = Arc::clone(&self.0);
        promise(
            env,
            blocking(move || {
                let mut scan = scan.lock().unwrap_or_else(PoisonError::into_inner);
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                let found = scan.by_ref().take(most).map(|found| found.map(|found| of_record(&found.record)));
                json(&found.collect::<Result<Vec<_>>>()?)
            }),
        )
    }
}
