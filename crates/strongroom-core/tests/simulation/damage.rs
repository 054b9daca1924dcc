//! Damage at the end of a run: it is found and named, what it did not touch restores, and nothing wrong ever does.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_core::engine::{VerifyRequest, verify};
use strongroom_core::id::BackupId;
use strongroom_core::model::Depth;
use strongroom_core::{ErrorKind, Key};

use crate::check::{plan_for, restores, staying};
use crate::run::Simulation;
use crate::support::settings;
use crate::toy::Codecs;

impl Simulation {
    pub(crate) async fn damage(&mut self) {
        let storage = self.world.storage.clone();
        let loaded = self.world.open().await.load().await.unwrap();
        let sound = staying(&loaded);
        let folders: BTreeSet<&str> = sound.iter().map(|entry| entry.manifest.folder()).collect();
        let used = |key: &Key| {
            let folder = folders.iter().any(|folder| key.as_str().starts_with(&format!("{folder}/")));
            folder && !key.as_str().contains("/receipts/")
        };
        let keys: Vec<Key> = storage.keys().into_iter().filter(used).collect();
        let Some(key) = self.rng.choice(&keys).cloned() else { return };
        let mut body = storage.take(&key).unwrap().to_vec();
        let missing = self.rng.bool();
        if !missing {
            let at = self.rng.usize(..body.len());
            body[at] ^= 1 << self.rng.u8(..8);
            storage.put(key.clone(), body);
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
                assert!(named || checked.unusable.iter().any(|finding| finding.key == key), "{what}: no plan");
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
