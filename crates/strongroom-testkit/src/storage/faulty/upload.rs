//! Uploads that fail.

use async_trait::async_trait;
use bytes::Bytes;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{Error, Key, Result, Upload};

use super::{Chance, unavailable};

/// How many of the newest objects a stale listing does not know yet.
const STALE: usize = 3;

pub(super) struct FaultyUpload {
    pub(super) inner: Box<dyn Upload>,
    pub(super) key: Key,
    pub(super) chance: Chance,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.chance.enter("write", self.key.as_str()).await?;
        if self.chance.hits(|faults| faults.half_write) {
            self.inner.write(chunk.slice(..chunk.len() / 2)).await?;
            return Err(unavailable("write", self.key.as_str()));
        }
        {
            let mut state = self.chance.lock();
            let written = state.written + chunk.len() as u64;
            if state.faults.room.is_some_and(|room| written > room) {
                state.injected += 1;
                return Err(Error::no_space(format!("write of '{}', as the test wants", self.key)));
            }
            state.written = written;
        }
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        self.chance.enter("finish", self.key.as_str()).await?;
        let meta = self.inner.finish().await?;
        {
            let mut state = self.chance.lock();
            state.newest.push_back(self.key.clone());
            if state.newest.len() > STALE {
                state.newest.pop_front();
            }
        }
        self.chance.leave("finish", self.key.as_str())?;
        Ok(meta)
    }
}
