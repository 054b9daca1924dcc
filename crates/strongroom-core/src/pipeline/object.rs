//! One object being written: small chunks are put together, everything is hashed in order.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join;

use super::buffers::Buffer;
use super::room::Workroom;
use crate::manifest::{Blake3, ObjectRef};
use crate::{Error, ErrorKind, Key, PutMode, Result, Storage, Upload};

/// Chunks below this are put together before they are hashed and written.
const SMALL: usize = 32 << 10;
/// As much is put together at most.
const TOGETHER: usize = 512 << 10;

/// The hashes of an object being written. Large, so they travel between threads in a box.
struct Hashers {
    object: blake3::Hasher,
    /// That of the part being written; `None` when the part will be the whole object.
    part: Option<blake3::Hasher>,
}

/// An object of one or more parts, being written.
pub(crate) struct ObjectWriter {
    room: Arc<Workroom>,
    storage: Arc<dyn Storage>,
    key: Key,
    upload: Box<dyn Upload>,
    hashers: Option<Box<Hashers>>,
    together: Option<Buffer>,
    /// The first bytes: a part's head with a salt that nobody else has.
    first: Bytes,
    size: u64,
}

impl ObjectWriter {
    /// Begins the object `key`, which nobody else writes. `packed`: each part gets a hash of its own.
    pub(crate) async fn begin(
        room: &Arc<Workroom>,
        storage: &Arc<dyn Storage>,
        key: Key,
        packed: bool,
    ) -> Result<Self> {
        let upload = storage.create(&key, PutMode::CreateNew).await?;
        Ok(Self {
            room: Arc::clone(room),
            storage: Arc::clone(storage),
            key,
            upload,
            hashers: Some(Box::new(Hashers { object: blake3::Hasher::new(), part: packed.then(blake3::Hasher::new) })),
            together: None,
            first: Bytes::new(),
            size: 0,
        })
    }

    /// How many bytes were pushed.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Appends bytes.
    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<()> {
        if self.first.is_empty() {
            self.first = chunk.clone();
        }
        self.size += chunk.len() as u64;
        if chunk.len() >= SMALL {
            self.flush().await?;
            return self.send(chunk, true).await;
        }
        if let Some(part) = self.part() {
            part.update(&chunk);
        }
        let together = self.together.get_or_insert_with(|| self.room.buffers.take());
        together.bytes().extend_from_slice(&chunk);
        if together.len() >= TOGETHER { self.flush().await } else { Ok(()) }
    }

    /// Ends a part; its hash, if the object is packed.
    pub(crate) fn end_part(&mut self) -> Option<Blake3> {
        let part = self.part()?;
        let hash = part.finalize().into();
        part.reset();
        Some(hash)
    }

    fn part(&mut self) -> Option<&mut blake3::Hasher> {
        self.hashers.as_mut()?.part.as_mut()
    }

    async fn flush(&mut self) -> Result<()> {
        match self.together.take() {
            Some(together) => self.send(together.freeze(), false).await,
            None => Ok(()),
        }
    }

    /// Hashes and writes at the same time.
    async fn send(&mut self, chunk: Bytes, of_part: bool) -> Result<()> {
        let taken = self.hashers.take();
        let mut hashers = taken.ok_or_else(|| Error::internal("an object is written on after an error"))?;
        let bytes = chunk.clone();
        let hash = self.room.cpu.run(bytes.len(), move || {
            hashers.object.update(&bytes);
            if let Some(part) = hashers.part.as_mut().filter(|_| of_part) {
                part.update(&bytes);
            }
            hashers
        });
        let (hashers, ()) = try_join(hash, self.upload.write(chunk)).await?;
        self.hashers = Some(hashers);
        Ok(())
    }

    /// Makes the object visible.
    pub(crate) async fn finish(mut self) -> Result<ObjectRef> {
        self.flush().await?;
        let Self { storage, key, upload, hashers, first, size, .. } = self;
        let hashers = hashers.ok_or_else(|| Error::internal("an object is finished after an error"))?;
        let stored = match upload.finish().await {
            Ok(meta) => meta.size,
            // The name has a nonce of this attempt, so it is one's own object unless somebody copied names: a reply
            // was lost. The salt at the beginning proves it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let size = storage.stat(&key).await?.size;
                if size < first.len() as u64 || begin_of(&*storage, &key, first.len()).await? != first {
                    return Err(error);
                }
                size
            }
            Err(error) => return Err(error),
        };
        if stored != size {
            return Err(Error::corrupt(format!("{key} was written with {size} bytes, the storage has {stored}")));
        }
        Ok(ObjectRef { key, size, blake3: hashers.object.finalize().into() })
    }
}

async fn begin_of(storage: &dyn Storage, key: &Key, length: usize) -> Result<Bytes> {
    let mut stream = storage.read(key, Some(0..length as u64)).await?;
    let mut bytes = Vec::with_capacity(length);
    while let Some(chunk) = futures::StreamExt::next(&mut stream).await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > length {
            return Err(Error::unavailable(format!("{key}: more bytes came than were asked for")));
        }
    }
    Ok(bytes.into())
}
