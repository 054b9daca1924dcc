//! Lists of pieces in the form of a part: packed and locked like the data they describe.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::codec::{CodecRegistry, FrameId, PartHeader};
use crate::environment::Environment;
use crate::id::RepositoryId;
use crate::manifest::{Blake3, ObjectRef};
use crate::pipeline::Stack;
use crate::pipeline::coder::{FrameFault, Scratch};
use crate::pipeline::frame::{FRAME_HEADER, FrameHeader, MAX_PLAIN};
use crate::pipeline::part::{HEAD_PREFIX, PartHead};
use crate::repository::ListForm;
use crate::{Error, Key, PutMode, Result, Storage, StorageExt as _};

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
    async fn store(&self, storage: &dyn Storage, key: &Key, plain: Bytes) -> Result<ObjectRef> {
        let (repository, stack) = (self.repository, self.stack.clone());
        let header = PartHeader { repository, part: identity(key), salt: self.environment.random()? };
        let body = blocking(move || encode(header, &stack, &plain)).await?;
        let object = ObjectRef { key: key.clone(), size: body.len() as u64, blake3: Blake3::of(&body) };
        let mut upload = storage.create(key, PutMode::CreateNew).await?;
        upload.write(body).await?;
        upload.finish().await?;
        Ok(object)
    }

    async fn load(&self, storage: &dyn Storage, object: &ObjectRef) -> Result<Bytes> {
        let bytes = storage.get(&object.key, object.size).await?;
        let (repository, registry, object) = (self.repository, Arc::clone(&self.registry), object.clone());
        blocking(move || {
            if bytes.len() as u64 != object.size || Blake3::of(&bytes) != object.blake3 {
                return Err(Error::corrupt(format!("{}: its bytes are not those that were stored", object.key))
                    .hint("use another copy, or an earlier backup"));
            }
            decode(repository, &*registry, &object.key, &bytes)
        })
        .await
    }
}

/// A list's identity in its head: names may be longer than an identity.
fn identity(key: &Key) -> String {
    format!("list.{}", Blake3::of(key.as_str().as_bytes()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::internal("coding a list panicked").because(error)))
}

fn encode(header: PartHeader, stack: &Stack, plain: &Bytes) -> Result<Bytes> {
    let coder = stack.begin(&header)?;
    let head = PartHead { header, codecs: stack.ids() };
    let mut out = head.to_bytes().map_err(|fault| Error::invalid(fault.to_string()))?;
    let mut scratch = Scratch::default();
    let frames = plain.len().div_ceil(MAX_PLAIN).max(1);
    for number in 0..frames {
        let from = number * MAX_PLAIN;
        let frame = plain.slice(from..plain.len().min(from + MAX_PLAIN));
        let index = u32::try_from(number).map_err(|_| Error::invalid("a list of pieces is too long"))?;
        coder.encode(FrameId { index, last: number + 1 == frames }, &[frame], &mut scratch, &mut out)?;
    }
    Ok(out.into())
}

pub(super) fn decode(
    repository: RepositoryId,
    registry: &dyn CodecRegistry,
    key: &Key,
    bytes: &Bytes,
) -> Result<Bytes> {
    let fault = |at: usize, fault: FrameFault| fault.at(key, at as u64);
    let cut_off = || Error::corrupt(format!("{key}: the list of pieces is cut off"));
    let prefix = bytes.first_chunk::<HEAD_PREFIX>().ok_or_else(cut_off)?;
    let length = PartHead::measure(prefix).map_err(|found| fault(0, found))?;
    let head = PartHead::parse(bytes.get(..length).ok_or_else(cut_off)?).map_err(|found| fault(0, found))?;
    if head.header.repository != repository || head.header.part != identity(key) {
        return Err(Error::corrupt(format!("{key} holds another list, or that of another repository")));
    }
    let coder = Stack::resolve(registry, &head.codecs)?.begin(&head.header)?;
    let (mut at, mut plain, mut scratch) = (length, Vec::new(), Scratch::default());
    for index in 0.. {
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<FRAME_HEADER>()).ok_or_else(cut_off)?;
        let header = FrameHeader::parse(header, index).map_err(|found| fault(at, found))?;
        let begin = at + FRAME_HEADER;
        let body = bytes.get(begin..begin + header.coded as usize).ok_or_else(cut_off)?;
        header.check(&[bytes.slice_ref(body)]).map_err(|found| fault(at, found))?;
        if plain.len() + header.plain as usize > LONGEST {
            return Err(Error::corrupt(format!("{key}: the list of pieces is longer than {LONGEST} bytes")));
        }
        coder.decode(&header, body, &mut scratch, &mut plain).map_err(|error| error.within(key))?;
        at = begin + body.len();
        if header.id.last {
            break;
        }
    }
    if at == bytes.len() {
        Ok(plain.into())
    } else {
        Err(Error::corrupt(format!("{key}: bytes follow the list of pieces")))
    }
}
