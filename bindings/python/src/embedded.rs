//! The records of an embedded cluster.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use serde_json::json as value;
use strongroom::core::model::Filter;
use strongroom::embedded::{EmbeddedCluster, Emptying, LookIn, PutOptions, Scan as CoreScan};
use strongroom::record::canonical::Covers;
use strongroom::record::model::{Bin, BinName, CITRUSLEAF_EPOCH, Name, Record as CoreRecord};
use strongroom::record::{Digest, UserKey};
use strongroom::{Error, Result, Timestamp};

use crate::errors::raise;
use crate::runtime::Owned;
use crate::value::{of_key, of_particle, particle, user_key};

/// Where the records of an embedded cluster are written and read.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Records {
    cluster: Owned<EmbeddedCluster>,
}

impl Records {
    pub(crate) fn new(cluster: EmbeddedCluster) -> Self {
        Self { cluster: Owned::new(cluster) }
    }

    /// Works with the cluster while other threads go on.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&EmbeddedCluster) -> Result<T> + Send) -> PyResult<T> {
        let cluster = self.cluster.get(py)?;
        py.detach(|| work(cluster)).map_err(|error| raise(py, &error))
    }
}

fn filter(tables: Option<Vec<String>>) -> Filter {
    Filter { tables: tables.map(|tables| tables.into_iter().collect()), ..Filter::default() }
}

fn look(now: Option<i64>) -> LookIn {
    LookIn { now: now.map(Timestamp::from_micros) }
}

fn record(
    namespace: &str,
    set: Option<&str>,
    key: UserKey,
    expires: u64,
    bins: &Bound<'_, PyDict>,
) -> PyResult<CoreRecord> {
    let py = bins.py();
    let refuse = |error: strongroom::record::model::NameError| raise(py, &Error::invalid(error.to_string()));
    let void_time = match expires.checked_sub(CITRUSLEAF_EPOCH).map(u32::try_from) {
        None if expires == 0 => 0,
        Some(Ok(seconds)) if seconds > 0 => seconds,
        _ => return Err(raise(py, &Error::invalid("a record expires between 2010 and 2146"))),
    };
    let bins = bins.iter().map(|(name, value)| {
        let name: String = name.extract()?;
        Ok(Bin { name: BinName::new(name).map_err(refuse)?, value: particle(&value)? })
    });
    Ok(CoreRecord {
        namespace: Name::namespace(namespace.to_owned()).map_err(refuse)?,
        set: set.map(|set| Name::set(set.to_owned())).transpose().map_err(refuse)?,
        digest: Digest::of_key(set.map(str::as_bytes), &key),
        key: Some(key),
        generation: 0,
        void_time,
        bins: bins.collect::<PyResult<_>>()?,
    })
}

#[pymethods]
impl Records {
    /// Writes records, `(key, bins)` each, in one transaction. `expires` is in seconds since 1970; 0 = never.
    fn put(
        &self,
        py: Python<'_>,
        namespace: &str,
        set: Option<&str>,
        rows: Vec<(Bound<'_, PyAny>, Bound<'_, PyDict>)>,
        expires: u64,
    ) -> PyResult<()> {
        let made = rows.iter().map(|(key, bins)| record(namespace, set, user_key(key)?, expires, bins));
        let records: Vec<CoreRecord> = made.collect::<PyResult<_>>()?;
        self.with(py, move |cluster| {
            cluster.write_batch(|batch| {
                for record in records {
                    batch.put(record, PutOptions::default())?;
                }
                Ok(())
            })
        })
    }

    /// Deletes records by their keys, in one transaction. Gives how many were there.
    fn delete(&self, py: Python<'_>, namespace: &str, set: Option<&str>, keys: Vec<Bound<'_, PyAny>>) -> PyResult<u64> {
        let keys: Vec<UserKey> = keys.iter().map(user_key).collect::<PyResult<_>>()?;
        self.with(py, move |cluster| {
            cluster.write_batch(|batch| {
                let mut there = 0;
                for key in keys {
                    there += u64::from(batch.delete(namespace, Digest::of_key(set.map(str::as_bytes), &key))?);
                }
                Ok(there)
            })
        })
    }

    /// Deletes every record, leaving tombstones. Gives how many were there.
    fn empty(&self, py: Python<'_>, namespace: &str, sets: Option<Vec<String>>) -> PyResult<u64> {
        self.with(py, move |cluster| cluster.empty(namespace, &filter(sets), Emptying::Tombstones))
    }

    /// One record by its key.
    fn get(
        &self,
        py: Python<'_>,
        namespace: &str,
        set: Option<&str>,
        key: &Bound<'_, PyAny>,
        now: Option<i64>,
    ) -> PyResult<Option<Record>> {
        let key = user_key(key)?;
        let found = self.with(py, move |cluster| cluster.get_by_key(namespace, set, &key, look(now)))?;
        Ok(found.map(|found| Record { record: found.record }))
    }

    /// One record by its digest.
    fn get_digest(&self, py: Python<'_>, namespace: &str, digest: &str, now: Option<i64>) -> PyResult<Option<Record>> {
        let Some(digest) = Digest::from_hex(digest) else {
            let error = Error::invalid(format!("'{digest}' is no digest"));
            return Err(raise(py, &error.hint("a digest has 40 hexadecimal digits")));
        };
        let found = self.with(py, move |cluster| cluster.get(namespace, digest, look(now)))?;
        Ok(found.map(|found| Record { record: found.record }))
    }

    /// All records, as they are now.
    fn scan(&self, py: Python<'_>, namespace: &str, sets: Option<Vec<String>>, now: Option<i64>) -> PyResult<Scan> {
        let scan = self.with(py, move |cluster| cluster.scan(namespace, &filter(sets), look(now)))?;
        Ok(Scan { scan: Owned::new(scan) })
    }

    /// The namespaces with their sets and counts, as JSON.
    fn namespaces(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |cluster| {
            let mut named = serde_json::Map::new();
            for (name, about) in cluster.namespaces()? {
                let sets: serde_json::Map<_, _> =
                    about.sets.iter().map(|(set, held)| (set.clone(), value!(held.records))).collect();
                let indexes: Vec<String> = cluster.indexes(&name)?.iter().map(|index| index.name.to_string()).collect();
                named.insert(name, value!({ "records": about.count.records, "sets": sets, "indexes": indexes }));
            }
            Ok(serde_json::Value::from(named).to_string())
        })
    }

    /// One hash over all records of a namespace, wherever they are: the same for the same records.
    fn hash(&self, py: Python<'_>, namespace: &str) -> PyResult<String> {
        self.with(py, |cluster| Ok(cluster.canonical_hash(namespace, Covers::CONTENT, LookIn::default())?.to_string()))
    }
}

/// Records, one batch after the other.
#[pyclass(module = "strongroom._native")]
pub(crate) struct Scan {
    scan: Owned<CoreScan>,
}

#[pymethods]
impl Scan {
    /// The next records, at most so many; none: that was all.
    fn batch<'py>(&mut self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let scan = self.scan.get_mut(py)?;
        let found: Result<Vec<CoreRecord>> =
            py.detach(|| scan.take(most).map(|found| found.map(|found| found.record)).collect());
        let found = found.map_err(|error| raise(py, &error))?;
        PyList::new(py, found.into_iter().map(|record| Record { record }))
    }
}

/// A record.
#[pyclass(frozen, module = "strongroom")]
pub(crate) struct Record {
    record: CoreRecord,
}

#[pymethods]
impl Record {
    /// The namespace it is in.
    #[getter]
    fn namespace(&self) -> String {
        self.record.namespace.to_string()
    }

    /// The set it is in, if any.
    #[getter]
    fn set(&self) -> Option<String> {
        self.record.set.as_ref().map(ToString::to_string)
    }

    /// The user key, where it is stored.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.record.key.as_ref().map(|key| of_key(py, key)).transpose()
    }

    /// What a server knows it by.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.record.digest.0)
    }

    /// How often it was written.
    #[getter]
    fn generation(&self) -> u16 {
        self.record.generation
    }

    /// When it expires; `None`: never.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(seconds) = self.record.expires_at() else { return Ok(None) };
        let module = py.import("datetime")?;
        let utc = module.getattr("timezone")?.getattr("utc")?;
        module.getattr("datetime")?.call_method1("fromtimestamp", (seconds, utc)).map(Some)
    }

    /// Its values by name.
    #[getter]
    fn bins<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let bins = PyDict::new(py);
        for bin in &self.record.bins {
            bins.set_item(bin.name.to_string(), of_particle(py, &bin.value)?)?;
        }
        Ok(bins)
    }

    /// The value of a bin.
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.record.bin(name) {
            Some(value) => of_particle(py, value),
            None => Err(pyo3::exceptions::PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().record == self.record)
    }

    fn __hash__(&self) -> u64 {
        // Any eight bytes of a digest are as good as a hash of it.
        self.record.digest.0.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let key = match self.key(py)? {
            Some(key) => format!("key={}", key.repr()?),
            None => format!("digest={}", self.record.digest.to_hex()),
        };
        let set = self.set().map_or_else(String::new, |set| format!(", set='{set}'"));
        Ok(format!("Record({key}, namespace='{}'{set}, bins={})", self.namespace(), self.bins(py)?.repr()?))
    }
}
