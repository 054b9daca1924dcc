//! A file that can't grow any more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use strongroom_core::ErrorKind;
use strongroom_record::{Digest, Name, Record};
use strongroom_testkit::TestEnvironment;

use crate::{EmbeddedCluster, PutOptions};

#[derive(Debug)]
struct Full {
    inner: InMemoryBackend,
    limit: Arc<AtomicU64>,
}

impl StorageBackend for Full {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.limit.load(Ordering::SeqCst) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            self.inner.set_len(len)
        }
    }
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }
}

fn put(cluster: &EmbeddedCluster, numbers: std::ops::Range<u32>) -> strongroom_core::Result<()> {
    cluster.write_batch(|batch| {
        for number in numbers {
            let mut digest = [0; 20];
            digest[..4].copy_from_slice(&number.to_le_bytes());
            let record = Record {
                namespace: Name::namespace("test")?,
                set: None,
                digest: Digest(digest),
                key: None,
                generation: 1,
                void_time: 0,
                bins: Vec::new(),
            };
            batch.put(record, PutOptions::default())?;
        }
        Ok(())
    })
}

#[test]
fn a_full_disk_is_told_and_takes_nothing_that_was_there() {
    let limit = Arc::new(AtomicU64::new(u64::MAX));
    let backend = Full { inner: InMemoryBackend::new(), limit: Arc::clone(&limit) };
    let cluster = EmbeddedCluster::with_backend(backend, TestEnvironment::new(1).environment()).unwrap();
    put(&cluster, 0..100).unwrap();
    limit.store(0, Ordering::SeqCst);
    let error = put(&cluster, 100..500_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    assert!(error.to_string().contains("a cluster in memory"), "{error}");
    assert_eq!(cluster.count("test").unwrap().records, 100);
    limit.store(u64::MAX, Ordering::SeqCst);
    // redb lets nothing be written after a failure until the file is opened anew.
    let error = put(&cluster, 100..200).unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("open it again"), "{error:?}");
}
