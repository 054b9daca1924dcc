//! Shared content: parts that many backups use, stored once and named by their content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::condemned::Condemned;
use super::objects::list_all;
use super::{Repository, layout};
use crate::manifest::{Blake3, Manifest, StoredPart};
use crate::{Key, Result, Storage};

/// The shared content that a running backup may use instead of storing it again.
///
/// Made after the backup was begun, so that every condemned name that it does not know of is newer than the backup.
/// What it finds is there at that moment and stays until the backup is committed or given up.
#[derive(Debug)]
pub struct SharedContent {
    storage: Arc<dyn Storage>,
    condemned: Condemned,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: BTreeMap<Blake3, Vec<StoredPart>>,
    /// Names and sizes by folder, each folder listed once.
    present: BTreeMap<String, BTreeMap<Key, u64>>,
    avoided: BTreeSet<Key>,
    /// Stored by this backup, so younger than every list that it knows.
    own: BTreeSet<Key>,
}

impl Repository {
    /// The shared content that `manifests` use, for a backup that was begun before this call. Manifests whose list of
    /// shared content is damaged add nothing: their content is stored anew.
    ///
    /// # Errors
    /// As the storage.
    pub async fn shared_content(&self, manifests: &[Manifest]) -> Result<SharedContent> {
        let condemned = self.condemned().await?;
        let mut known: BTreeMap<Blake3, Vec<StoredPart>> = BTreeMap::new();
        for manifest in manifests {
            match self.shared_parts(manifest).await {
                Ok(parts) => {
                    for shared in parts {
                        known.entry(shared.content).or_default().push(shared.part);
                    }
                }
                Err(error) if matches!(error.kind(), crate::ErrorKind::Corrupt | crate::ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let inner = Mutex::new(Inner { known, ..Inner::default() });
        Ok(SharedContent { storage: self.storage.clone(), condemned, inner })
    }

    /// A fresh name for content of this hash. Every upload gets another one, so a deleted name never comes back.
    ///
    /// # Errors
    /// `Unavailable` when there is no randomness.
    pub fn content_key(&self, hash: &Blake3) -> Result<Key> {
        layout::content(hash, self.environment.random()?)
    }
}

impl SharedContent {
    /// A stored part with this content that may be used, if there is one: it is named by a manifest, rests on the
    /// storage with its size, and no prune has condemned it.
    ///
    /// # Errors
    /// As the storage.
    pub async fn find(&self, hash: &Blake3) -> Result<Option<StoredPart>> {
        let mut inner = self.inner.lock().await;
        if !inner.known.contains_key(hash) {
            return Ok(None);
        }
        let folder = layout::content_folder(hash);
        if !inner.present.contains_key(&folder) {
            let listed = list_all(&*self.storage, &folder).await?;
            inner.present.insert(folder.clone(), listed.into_iter().map(|meta| (meta.key, meta.size)).collect());
        }
        let usable = |part: &&StoredPart| {
            let key = &part.object.key;
            inner.present.get(&folder).and_then(|present| present.get(key)) == Some(&part.object.size)
                && !inner.avoided.contains(key)
                && (inner.own.contains(key) || self.is_free(key))
        };
        Ok(inner.known.get(hash).and_then(|parts| parts.iter().find(usable)).cloned())
    }

    /// Adds what this backup stored itself, so that its next piece with the same content uses it.
    pub async fn insert(&self, hash: Blake3, part: StoredPart) {
        let mut inner = self.inner.lock().await;
        let folder = layout::content_folder(&hash);
        if let Some(present) = inner.present.get_mut(&folder) {
            present.insert(part.object.key.clone(), part.object.size);
        }
        inner.own.insert(part.object.key.clone());
        inner.known.entry(hash).or_default().push(part);
    }

    /// Whether no list condemns it. A list that can't be read may condemn anything.
    fn is_free(&self, key: &Key) -> bool {
        self.condemned.damaged.is_empty() && self.condemned.among([key]).is_empty()
    }

    /// Never gives these names again: a commit found them condemned.
    pub async fn avoid(&self, names: impl IntoIterator<Item = Key>) {
        self.inner.lock().await.avoided.extend(names);
    }
}
