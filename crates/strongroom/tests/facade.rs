//! The façade through a whole history, plain and sealed.
#![cfg(test)]

use std::path::Path;
use std::sync::Arc;

use strongroom::core::codec::{CodecId, FrameCoder, FrameId, PartHeader};
use strongroom::embedded::{LookIn, PutOptions};
use strongroom::profile::Profiles;
use strongroom::record::canonical::Covers;
use strongroom::record::{Bin, BinName, Digest, Name, Particle, Record, UserKey};
use strongroom::{
    Access, BackupRequest, Codec, Error, ErrorKind, JobHandle, Request, RestoreRequest, Storage, Strongroom, Target,
};
use strongroom_testkit::MemoryStorage;

fn record(number: i64) -> Record {
    let key = UserKey::Integer(number);
    Record {
        namespace: Name::namespace("test").unwrap(),
        set: None,
        digest: Digest::of_key(None, &key),
        key: Some(key),
        generation: 0,
        void_time: 0,
        bins: vec![Bin { name: BinName::new("n").unwrap(), value: Particle::Integer(number) }],
    }
}

fn put(strongroom: &Strongroom, url: &str, numbers: std::ops::Range<i64>) {
    let cluster = strongroom.embedded(url, Access::Create).unwrap();
    let put = |batch: &mut strongroom::embedded::Batch<'_>| {
        numbers.into_iter().try_for_each(|number| batch.put(record(number), PutOptions::default()).map(drop))
    };
    cluster.write_batch(put).unwrap();
}

fn profiles(folder: &Path) -> Strongroom {
    std::fs::write(folder.join("ops.key"), "ab".repeat(32)).unwrap();
    std::fs::write(folder.join("other.key"), "cd".repeat(32)).unwrap();
    let file = folder.join("strongroom.toml");
    let text = format!(
        "[clusters.app]\nurl = 'embedded:{0}/app.redb'\n\
         [repositories.main]\nurl = 'file:{0}/backups'\ncodecs = 'zstd:1,seal'\nkeys = ['ops']\n\
         [repositories.stranger]\nurl = 'file:{0}/backups'\nkeys = ['other']\n\
         [keys.ops]\nfile = '{0}/ops.key'\n[keys.other]\nfile = '{0}/other.key'\n",
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    Strongroom::new().with_profiles(Profiles::read(&file).unwrap())
}

#[tokio::test]
async fn a_sealed_history_comes_back_at_its_first_point() {
    let folder = tempfile::tempdir().unwrap();
    let strongroom = profiles(folder.path());
    let repository = strongroom.init("main", None, &[]).await.unwrap();
    put(&strongroom, "app", 0..50);
    let back_up = async || {
        let job = repository.backup(strongroom.cluster("app").unwrap(), BackupRequest::default()).unwrap();
        job.await.unwrap().into_result().unwrap()
    };
    let first = back_up().await.backups().next().unwrap();
    let app = || strongroom.embedded("app", Access::Read).unwrap();
    let then = app().canonical_hash("test", Covers::ALL, LookIn::default()).unwrap();
    put(&strongroom, "app", 40..60);
    back_up().await;
    assert_ne!(app().canonical_hash("test", Covers::ALL, LookIn::default()).unwrap(), then);

    let opened = strongroom.repository("main").await.unwrap();
    let plan = opened.plan(&Request::at(Target::Backup(first))).await.unwrap();
    let drill = format!("embedded:{}/drill.redb", folder.path().display());
    opened.restore(plan, strongroom.target(&drill).unwrap(), RestoreRequest::default()).await.unwrap();
    let restored = strongroom.embedded(&drill, Access::Read).unwrap();
    assert_eq!(restored.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap(), then);
}

#[tokio::test]
async fn without_its_key_a_repository_does_not_open_and_no_key_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let strongroom = profiles(folder.path());
    strongroom.init("main", None, &[]).await.unwrap();
    for name in ["stranger", &format!("file:{}/backups", folder.path().display())] {
        let error = strongroom.repository(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error:?}");
        assert!(error.advice().is_some(), "{error:?}");
        assert!(!format!("{error:?}{strongroom:?}").contains("abab"), "{error:?}");
    }
}

#[tokio::test]
async fn what_can_be_refused_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}/backups", folder.path().display());
    let strongroom = profiles(folder.path());
    for (codecs, keys, kind) in [
        ("zstd:1,seal", vec![], ErrorKind::Denied),
        ("brotli", vec![], ErrorKind::Unsupported),
        ("zstd", vec!["nobody".to_owned()], ErrorKind::NotFound),
    ] {
        assert_eq!(strongroom.init(&url, Some(codecs), &keys).await.unwrap_err().kind(), kind, "{codecs}");
    }
    assert!(!folder.path().join("backups/strongroom.json").exists());
    let mistyped = format!("embedded:{}/ap.redb", folder.path().display());
    assert_eq!(strongroom.cluster(&mistyped).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!folder.path().join("ap.redb").exists());
    let error = strongroom.cluster("postgres://x").unwrap_err();
    assert_eq!((error.kind(), error.advice().is_some()), (ErrorKind::Invalid, true));
}

#[tokio::test]
async fn a_repository_lives_in_a_storage_that_the_caller_wrote_and_its_job_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let strongroom = profiles(folder.path());
    put(&strongroom, "app", 0..20);
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let refused = strongroom.init_in(Arc::clone(&storage), "zstd:1,seal", &[]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    let keys = [strongroom.reader_key("ops").unwrap()];
    strongroom.init_in(Arc::clone(&storage), "zstd:1,seal", &keys).await.unwrap();
    let locked = strongroom.repository_in(Arc::clone(&storage), None, &[]).await.unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::Denied);
    let repository = strongroom.repository_in(storage, None, &keys).await.unwrap();

    let cluster = strongroom.cluster("app").unwrap();
    let named = cluster.describe().await.unwrap().identity;
    let job = JobHandle::new(repository.backup(cluster, BackupRequest::default()).unwrap());
    let ended = job.wait().await;
    let report: serde_json::Value = serde_json::from_str(ended.report.as_deref().unwrap()).unwrap();
    assert!(ended.error.is_none() && report["parts"][0]["outcome"]["committed"].is_object(), "{ended:?}");
    assert_eq!(repository.cluster_id(&named.name).await.unwrap(), named.id);
    assert_eq!(repository.cluster_id(&named.id.to_string()).await.unwrap(), named.id);
    assert_eq!(repository.cluster_id("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Turns every bit.
#[derive(Debug)]
struct Turning;

impl Codec for Turning {
    fn id(&self) -> CodecId {
        CodecId::new("turning").unwrap()
    }
    fn begin(&self, _: &PartHeader) -> strongroom::Result<Box<dyn FrameCoder>> {
        Ok(Box::new(Self))
    }
}

impl FrameCoder for Turning {
    fn encode(&self, _: FrameId, plain: &[u8], out: &mut Vec<u8>) -> strongroom::Result<()> {
        out.extend(plain.iter().map(|byte| !byte));
        Ok(())
    }
    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> strongroom::Result<()> {
        if coded.len() > limit {
            return Err(Error::corrupt("too long"));
        }
        self.encode(frame, coded, out)
    }
}

#[tokio::test]
async fn what_a_codec_of_ones_own_wrote_is_read_by_those_who_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let without = profiles(folder.path());
    put(&without, "app", 0..20);
    let with = without.clone().with_codec(Arc::new(Turning)).unwrap();
    for (name, codecs, keys) in
        [("plain", "turning", vec![]), ("sealed", "zstd:1,turning,seal", vec![with.reader_key("ops").unwrap()])]
    {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let refused = without.init_in(Arc::clone(&storage), codecs, &keys).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        with.init_in(Arc::clone(&storage), codecs, &keys).await.unwrap();
        let repository = with.repository_in(Arc::clone(&storage), None, &keys).await.unwrap();
        let job = repository.backup(with.cluster("app").unwrap(), BackupRequest::default()).unwrap();
        job.await.unwrap().into_result().unwrap();

        let refused = without.repository_in(Arc::clone(&storage), None, &keys).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.advice().unwrap().contains("of your own"), "{refused:?}");
        let stranger = without.repository_in(Arc::clone(&storage), Some("none"), &keys).await.unwrap();
        for (opened, reads) in [(stranger, false), (repository, true)] {
            let plan = opened.plan(&Request::at(Target::Latest)).await.unwrap();
            let target = format!("embedded:{}/{name}-{reads}.redb", folder.path().display());
            let job = opened.restore(plan, with.target(&target).unwrap(), RestoreRequest::default());
            let ended = job.await.map(drop).map_err(|error| error.kind());
            assert_eq!(ended, if reads { Ok(()) } else { Err(ErrorKind::Unsupported) });
            if reads {
                let hash = |url: &str| {
                    let cluster = with.embedded(url, Access::Read).unwrap();
                    cluster.canonical_hash("test", Covers::ALL, LookIn::default()).unwrap()
                };
                assert_eq!(hash(&target), hash("app"));
            }
        }
    }
}
