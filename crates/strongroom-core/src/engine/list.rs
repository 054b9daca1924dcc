//! Lists of pieces in the form of a part: packed and locked like the data they describe.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::codec::{CodecRegistry, FrameId, PartHeader};
use crate::environment::Environment;
use crate::id::RepositoryId;
use crate::manifest::{Blake3, ObjectRef};
use crate::pipeline::Stack;
use crate::pipeline::coder::{FrameFault, Scratch};
use crate::pipeline::frame::{FRAME_HEADER, FrameHeader, MAX_PLAIN};
use crate::pipeline::part::{HEAD_PREFIX, PartHead};
use crate::repository::{Chunks, ListForm, Sink};
use crate::{Error, Key, Result, Storage, StorageExt as _};

/// The most plain bytes of a list: about a million pieces.
const LONGEST: usize = 2 << 30;

/// Lists as parts of one repository.
#[derive(Debug, Clone)]
pub struct CodedList {
    repository: RepositoryId,
    environment: Environment,
    registry: Arc<dyn CodecRegistry>,
    stack: Stack,
}

impl CodedList {
    /// Lists that are stored with `stack`, and read with whatever codecs they name.
    #[must_use]
    pub fn new(
        repository: RepositoryId,
        environment: Environment,
        registry: Arc<dyn CodecRegistry>,
        stack: Stack,
    ) -> Self {
        Self { repository, environment, registry, stack }
    }
}

#[async_trait]
impl ListForm for CodedList {
    async fn store(&self, storage: &dyn Storage, key: &Key, chunks: Chunks<'_>) -> Result<ObjectRef> {
        let header = PartHeader { repository: self.repository, part: identity(key), salt: self.environment.random()? };
        let coder = Arc::new(self.stack.begin(&header)?);
        let head = PartHead { header, codecs: self.stack.ids() };
        let mut body = head.to_bytes().map_err(|fault| Error::invalid(fault.to_string()))?;
        let (mut frame, mut index) = (BytesMut::new(), 0_u32);
        let encode = |id: FrameId, plain: Bytes, mut body: Vec<u8>| {
            let coder = Arc::clone(&coder);
            blocking(plain.len(), move || {
                coder.encode(id, &[plain], &mut Scratch::default(), &mut body)?;
                Ok(body)
            })
        };
        for chunk in chunks {
            frame.extend_from_slice(&chunk?);
            // One byte at least is left for the last frame.
            while frame.len() > MAX_PLAIN {
                body = encode(FrameId { index, last: false }, frame.split_to(MAX_PLAIN).freeze(), body).await?;
                index = index.checked_add(1).ok_or_else(|| Error::invalid("a list of pieces is too long"))?;
            }
        }
        body = encode(FrameId { index, last: true }, frame.freeze(), body).await?;
        let body = Bytes::from(body);
        let object = ObjectRef { key: key.clone(), size: body.len() as u64, blake3: Blake3::of(&body) };
        // The salt in it is the nonce that tells a lost reply from a lost race.
        storage.put_new(key, body).await?;
        Ok(object)
    }

    async fn load(&self, storage: &dyn Storage, object: &ObjectRef, sink: &mut Sink<'_>) -> Result<()> {
        let bytes = storage.get(&object.key, object.size).await?;
        if bytes.len() as u64 != object.size || Blake3::of(&bytes) != object.blake3 {
            return Err(Error::corrupt(format!("{}: its bytes are not those that were stored", object.key))
                .hint("use another copy, or an earlier backup"));
        }
        self.decode(&object.key, &bytes, sink).await
    }
}

/// A list's identity in its head: names may be longer than an identity.
fn identity(key: &Key) -> String {
    format!("list.{}", Blake3::of(key.as_str().as_bytes()))
}

/// Work on fewer bytes than this is done at once: handing it over would cost as much.
const AT_ONCE: usize = 8 << 10;

/// Does `work`, which concerns `bytes` bytes, off the async threads.
async fn blocking<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if bytes < AT_ONCE {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::internal("coding a list panicked").because(error)))
}

impl CodedList {
    /// Decodes a whole list, frame by frame.
    pub(super) async fn decode(&self, key: &Key, bytes: &Bytes, sink: &mut Sink<'_>) -> Result<()> {
        let fault = |at: usize, fault: FrameFault| fault.at(key, at as u64);
        let cut_off = || Error::corrupt(format!("{key}: the list of pieces is cut off"));
        let prefix = bytes.first_chunk::<HEAD_PREFIX>().ok_or_else(cut_off)?;
        let length = PartHead::measure(prefix).map_err(|found| fault(0, found))?;
        let head = PartHead::parse(bytes.get(..length).ok_or_else(cut_off)?).map_err(|found| fault(0, found))?;
        if head.header.repository != self.repository || head.header.part != identity(key) {
            return Err(Error::corrupt(format!("{key} holds another list, or that of another repository")));
        }
        let coder = Arc::new(Stack::resolve(&*self.registry, &head.codecs)?.begin(&head.header)?);
        let (mut at, mut total) = (length, 0);
        for index in 0.. {
            let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<FRAME_HEADER>()).ok_or_else(cut_off)?;
            let header = FrameHeader::parse(header, index).map_err(|found| fault(at, found))?;
            let end = at + FRAME_HEADER + header.coded as usize;
            if end > bytes.len() {
                return Err(cut_off());
            }
            let body = bytes.slice(at + FRAME_HEADER..end);
            header.check(std::slice::from_ref(&body)).map_err(|found| fault(at, found))?;
            total += header.plain as usize;
            if total > LONGEST {
                return Err(Error::corrupt(format!("{key}: the list of pieces is longer than {LONGEST} bytes")));
            }
            let (frames, length) = (Arc::clone(&coder), (header.plain as usize).max(body.len()));
            let decode = move || {
                let mut plain = Vec::new();
                frames.decode(&header, &body, &mut Scratch::default(), &mut plain)?;
                Ok(plain)
            };
            sink(&blocking(length, decode).await.map_err(|error| error.within(key))?)?;
            at = end;
            if header.id.last {
                break;
            }
        }
        if at == bytes.len() { Ok(()) } else { Err(Error::corrupt(format!("{key}: bytes follow the list of pieces"))) }
    }
}
