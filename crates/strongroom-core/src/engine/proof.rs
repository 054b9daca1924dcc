//! Proving that stored objects are what was stored: before a restore destroys anything, and for `verify`.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::codec::{CodecId, CodecRegistry};
use crate::id::RepositoryId;
use crate::manifest::{Blake3, ObjectRef, StoredPiece};
use crate::model::Depth;
use crate::pipeline::{PartReader, Workroom};
use crate::repository::Broken;
use crate::{Error, ErrorKind, Key, PutMode, Result, Storage};

/// How a restore proves its source before anything is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Presence and sizes of everything, and a sample: the smallest piece of each step is decoded, which shows that the
    /// keys fit.
    #[default]
    Check,
    /// Read everything and compare hashes; nothing is stored. The default when truncating.
    Hash,
    /// Bring everything to a staging storage, compare hashes, and restore from there. A restore that ends well deletes
    /// it there again.
    Stage,
}

/// One object or piece that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The object, or the first object of the piece.
    pub key: Key,
    /// `NOT_FOUND` or `CORRUPT`; `UNSUPPORTED` for a manifest that a newer version wrote.
    pub kind: ErrorKind,
    /// What is wrong, one line.
    pub problem: String,
}

impl Finding {
    /// A manifest that can't be used.
    pub(super) fn of_broken(broken: &Broken) -> Self {
        Self { key: broken.key.clone(), kind: broken.kind, problem: broken.why.clone() }
    }
}

/// Proves objects of one repository in one storage.
#[derive(Clone, Copy)]
pub(super) struct Prover<'a> {
    pub(super) storage: &'a Arc<dyn Storage>,
    pub(super) repository: RepositoryId,
    pub(super) registry: &'a Arc<dyn CodecRegistry>,
    pub(super) room: &'a Arc<Workroom>,
}

impl Prover<'_> {
    /// Proves a step's source; the first thing that is wrong is the error.
    pub(super) async fn prove(
        self,
        objects: &[ObjectRef],
        pieces: &[StoredPiece],
        codecs: &[CodecId],
        proof: Proof,
        staging: Option<&Arc<dyn Storage>>,
    ) -> Result<()> {
        let parallel = self.room.settings().parallel;
        match (proof, staging) {
            (Proof::Check, _) => {
                self.each(objects, Depth::Exists).try_collect::<Vec<()>>().await?;
                let sample = pieces.iter().filter(|piece| piece.plain_bytes > 0).min_by_key(|piece| piece.plain_bytes);
                match sample {
                    Some(piece) => self.decode(piece, codecs).await,
                    None => Ok(()),
                }
            }
            (Proof::Hash, _) => self.each(objects, Depth::Hash).try_collect::<Vec<()>>().await.map(drop),
            (Proof::Stage, Some(staging)) => {
                let staged: Vec<_> = objects.iter().map(|object| self.stage(staging, object).boxed()).collect();
                stream::iter(staged).buffer_unordered(parallel).try_collect().await
            }
            (Proof::Stage, None) => Err(Error::invalid("staging needs a place").hint("name a staging folder")),
        }
    }

    /// Brings one object to the staging place, proven. What an earlier attempt left there is proven too, and brought
    /// again if it is damaged.
    async fn stage(self, staging: &Arc<dyn Storage>, object: &ObjectRef) -> Result<()> {
        match transfer(&**self.storage, &**staging, object, self.room).await {
            Ok(true) => return Ok(()),
            Ok(false) if Prover { storage: staging, ..self }.reader(&[]).prove(object).await.is_ok() => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        staging.delete(&object.key).await?;
        transfer(&**self.storage, &**staging, object, self.room).await.map(drop)
    }

    /// Checks objects and pieces: what is missing or damaged comes back as findings, sorted by name.
    pub(super) async fn examine(
        self,
        objects: &[ObjectRef],
        pieces: &[StoredPiece],
        codecs: &[CodecId],
        depth: Depth,
    ) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut checks = self.each(objects, depth.min(Depth::Hash)).zip(stream::iter(objects));
        while let Some((outcome, object)) = checks.next().await {
            note(&mut findings, &object.key, outcome)?;
        }
        drop(checks);
        // What is damaged already would only be told twice.
        if depth == Depth::Decode && findings.is_empty() {
            let work: Vec<_> =
                pieces.iter().map(|piece| async move { (piece, self.decode(piece, codecs).await) }.boxed()).collect();
            let mut decoded = stream::iter(work).buffered(self.room.settings().parallel);
            while let Some((piece, outcome)) = decoded.next().await {
                if let Some(part) = piece.parts.first() {
                    note(&mut findings, &part.object.key, outcome)?;
                }
            }
        }
        findings.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(findings)
    }

    /// The outcome of each object, in order.
    fn each<'a>(self, objects: &'a [ObjectRef], depth: Depth) -> impl futures::Stream<Item = Result<()>> + Send + 'a
    where
        Self: 'a,
    {
        let checks: Vec<BoxFuture<'a, Result<()>>> = objects
            .iter()
            .map(|object| match depth {
                Depth::Exists => find(&**self.storage, object).boxed(),
                Depth::Hash | Depth::Decode => async move { self.reader(&[]).prove(object).await }.boxed(),
            })
            .collect();
        stream::iter(checks).buffered(self.room.settings().parallel)
    }

    /// Reads a piece to its end, through every check there is.
    async fn decode(self, piece: &StoredPiece, codecs: &[CodecId]) -> Result<()> {
        let mut body = self.reader(codecs).piece(piece);
        let mut plain = 0;
        while let Some(chunk) = body.next().await {
            plain += chunk?.len() as u64;
        }
        if plain == piece.plain_bytes {
            return Ok(());
        }
        let name = piece.spec.name.escape_debug();
        Err(Error::corrupt(format!("piece '{name}' has {plain} plain bytes instead of {}", piece.plain_bytes)))
    }

    fn reader(self, codecs: &[CodecId]) -> PartReader {
        PartReader {
            room: Arc::clone(self.room),
            storage: Arc::clone(self.storage),
            repository: self.repository,
            codecs: codecs.to_vec(),
            registry: Arc::clone(self.registry),
        }
    }
}

/// Looks for an object and compares its size.
async fn find(storage: &dyn Storage, object: &ObjectRef) -> Result<()> {
    let there = storage.stat(&object.key).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::not_found(format!("{} is missing", object.key)).because(error),
        _ => error.within(&object.key),
    })?;
    if there.size == object.size {
        return Ok(());
    }
    Err(Error::corrupt(format!("{} has {} bytes instead of {}", object.key, there.size, object.size))
        .hint("use another copy or an earlier backup"))
}

/// Copies one object and compares its hash on the way: nothing that is damaged becomes visible. `false` when it was
/// there already, with its size.
///
/// # Errors
/// `Corrupt` or `NotFound` for the source; as the storages otherwise.
pub(super) async fn transfer(
    from: &dyn Storage,
    to: &dyn Storage,
    object: &ObjectRef,
    room: &Workroom,
) -> Result<bool> {
    match to.stat(&object.key).await {
        Ok(there) if there.size == object.size => return Ok(false),
        Ok(there) => {
            return Err(Error::already_exists(format!(
                "{} is in the way: it has {} bytes there instead of {}",
                object.key, there.size, object.size
            )));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut body = from.read(&object.key, None).await.map_err(|error| error.within(&object.key))?;
    let mut upload = to.create(&object.key, PutMode::CreateNew).await?;
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0_u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        size += chunk.len() as u64;
        room.pass_bytes(chunk.len()).await;
        hasher.update(&chunk);
        upload.write(chunk).await?;
    }
    if size != object.size || Blake3::from(hasher.finalize()) != object.blake3 {
        return Err(Error::corrupt(format!("{} is not what was stored", object.key))
            .hint("use another copy or an earlier backup"));
    }
    match upload.finish().await {
        Ok(_) => Ok(true),
        // Somebody copies the same object, or the reply of one's own success was lost.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => find(to, object).await.map(|()| false),
        Err(error) => Err(error),
    }
}

/// Takes what is missing or damaged as a finding about `key`.
pub(super) fn note(findings: &mut Vec<Finding>, key: &Key, outcome: Result<()>) -> Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
            findings.push(Finding { key: key.clone(), kind: error.kind(), problem: error.to_string() });
            Ok(())
        }
        Err(error) => Err(error),
    }
}
