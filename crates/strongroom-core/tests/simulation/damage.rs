//! Damage while jobs run: none of them restores or copies what is wrong, and nothing is lost for good. Damage at the end of a
//! run: it is found and named, what it did not touch restores, and nothing wrong ever does.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::engine::{VerifyRequest, verify};
use strongroom_core::id::BackupId;
use strongroom_core::model::Depth;
use strongroom_core::{ErrorKind, Key};

use crate::check::{plan_for, restores, staying};
use crate::run::Simulation;
use crate::support::settings;
use crate::toy::Codecs;

/// An object that was damaged or taken away, and what it was.
pub(crate) struct Harm {
    key: Key,
    sound: Bytes,
    /// `None`: it was taken away.
    harmed: Option<Bytes>,
}

impl Simulation {
    /// Sometimes, harms an object of a backup, shared content or the catalogue.
    pub(crate) fn harm(&mut self, may_take_away: bool) -> Option<Harm> {
        if self.rng.u8(..5) > 0 {
            return None;
        }
        let meant =
            |key: &Key| ["backups/", "content/", "catalogue/"].iter().any(|folder| key.as_str().starts_with(folder));
        let keys: Vec<Key> = self.world.storage.keys().into_iter().filter(meant).collect();
        let key = self.rng.choice(&keys)?.clone();
        let sound = self.world.storage.take(&key)?;
        let takes_away = may_take_away && self.rng.bool();
        let harmed = (!takes_away && !sound.is_empty()).then(|| self.flipped(&sound));
        if let Some(harmed) = &harmed {
            self.world.storage.put(key.clone(), harmed.clone());
        }
        self.tell(format!("{key} is {}", if harmed.is_some() { "damaged" } else { "gone" }));
        Some(Harm { key, sound, harmed })
    }

    /// Puts back what it was. What a prune took away meanwhile stays away.
    pub(crate) fn mend(&mut self, harm: Harm) {
        let now = self.world.storage.contents().get(&harm.key).cloned();
        if now == harm.harmed {
            self.world.storage.put(harm.key, harm.sound);
        }
    }

    fn flipped(&mut self, sound: &Bytes) -> Bytes {
        let mut body = sound.to_vec();
        let at = self.rng.usize(..body.len());
        body[at] ^= 1 << self.rng.u8(..8);
        body.into()
    }

    pub(crate) async fn damage(&mut self) {
        let storage = self.world.storage.clone();
        let loaded = self.world.open().await.load().await.unwrap();
        let sound = staying(&loaded);
        // Only its manifest shows that such a backup is complete: its writer died before it was recorded.
        let unrecorded = loaded.report.unrecorded;
        let folders: BTreeSet<&str> = sound.iter().map(|entry| entry.manifest.folder()).collect();
        let used = |key: &Key| {
            let folder = folders.iter().any(|folder| key.as_str().starts_with(&format!("{folder}/")));
            folder && !key.as_str().contains("/receipts/")
        };
        let keys: Vec<Key> = storage.keys().into_iter().filter(used).collect();
        let Some(key) = self.rng.choice(&keys).cloned() else { return };
        let sound_body = storage.take(&key).unwrap();
        let missing = self.rng.bool();
        if !missing {
            storage.put(key.clone(), self.flipped(&sound_body));
        }
        let repository = self.world.open().await;
        let request = VerifyRequest { depth: Depth::Hash, settings: settings(), record: false, backups: None };
        let checked = verify(repository.clone(), Arc::new(Codecs), request).await.unwrap();
        let damaged: BTreeSet<BackupId> =
            checked.backups.iter().filter(|backup| !backup.findings.is_empty()).map(|backup| backup.backup).collect();
        // Objects of attempts that failed lie in the folders, too, and nobody misses them.
        let named = checked.backups.iter().flat_map(|backup| &backup.findings).any(|finding| finding.key == key);
        let loaded = repository.load().await.unwrap();
        for entry in &sound {
            let what = format!("{} after {key} (missing: {missing})", entry.id);
            let Ok(plan) = plan_for(&loaded, entry) else {
                let untold = missing && key == entry.manifest && unrecorded.contains(&entry.id);
                let told = named || checked.unusable.iter().any(|finding| finding.key == key);
                assert!(told || untold, "{what}: no plan");
                continue;
            };
            let touched = plan.steps().any(|(_, step)| damaged.contains(&step.backup));
            match restores(&self.world, &repository, plan, &what).await {
                Ok(()) => {}
                Err(error) => {
                    assert!(touched, "{what}: {error:?}");
                    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound), "{what}: {error:?}");
                }
            }
        }
        self.tell(format!("damage: {} of {} backups, named: {named}", damaged.len(), sound.len()));
    }
}
