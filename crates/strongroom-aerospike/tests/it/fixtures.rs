//! The records that a real server held, as real tools backed them up: through a live cluster and back.

use std::path::PathBuf;

use strongroom_aerospike_fake::{Bin, Digest, Index, Record};
use strongroom_core::engine::{BackupKindWish, RestoreRequest};
use strongroom_core::planner::Target;
use strongroom_record::asb::Limits;
use strongroom_record::folder::FolderReader;
use strongroom_record::model::{IndexCollection, IndexType};
use strongroom_record::wrap::FileKey;
use strongroom_record::{Entity, Name, Particle, UserKey};

use crate::common::World;
use crate::engine::{bring_back, plan, repository, store};

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../strongroom-record/testdata/aerospike").join(path)
}

/// A record as a server keeps it.
pub(crate) fn kept(record: &strongroom_record::Record) -> (Digest, Record) {
    let number = |kind: u8, bytes: [u8; 8]| [&[kind][..], &bytes].concat();
    let key = record.key.as_ref().map(|key| match key {
        UserKey::Integer(value) => number(1, value.to_be_bytes()),
        UserKey::Double(value) => number(2, value.to_bits().to_be_bytes()),
        UserKey::String(bytes) => [&[3][..], bytes].concat(),
        UserKey::Blob(bytes) => [&[4][..], bytes].concat(),
    });
    let bin = |bin: &strongroom_record::Bin| {
        let value = match &bin.value {
            Particle::Integer(value) => value.to_be_bytes().to_vec(),
            Particle::Double(value) => value.to_bits().to_be_bytes().to_vec(),
            Particle::Bool(value) => vec![u8::from(*value)],
            Particle::Geo(text) => [&[0; 3][..], text].concat(),
            other => other.bytes().unwrap().to_vec(),
        };
        Bin { name: bin.name.as_bytes().to_vec(), particle: bin.value.kind() as u8, value }
    };
    let set = record.set.as_ref().map(|set| set.as_bytes().to_vec()).unwrap_or_default();
    let (generation, void_time) = (record.generation, record.void_time);
    let bins = record.bins.iter().filter(|bin| bin.value != Particle::Nil).map(bin).collect();
    (*record.digest.as_bytes(), Record { set, key, generation, void_time, last_update_millis: 0, bins })
}

fn index(index: &strongroom_record::SecondaryIndex) -> Index {
    use base64::Engine as _;
    let packed = |bytes: &bytes::Bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
    Index {
        set: index.set.as_ref().map(Name::to_string).unwrap_or_default(),
        bin: String::from_utf8(index.path.to_vec()).unwrap(),
        data_type: match index.data_type {
            IndexType::String => "string",
            IndexType::Numeric => "numeric",
            IndexType::Geo => "geo2dsphere",
            IndexType::Blob => "blob",
        }
        .to_owned(),
        index_type: match index.collection {
            IndexCollection::List => "list",
            IndexCollection::MapKeys => "mapkeys",
            IndexCollection::MapValues => "mapvalues",
            _ => "default",
        }
        .to_owned(),
        context: index.context.as_ref().map(packed),
        expression: index.expression.as_ref().map(packed),
    }
}

/// All that a folder holds.
pub(crate) fn entities(folder: &str) -> Vec<Entity> {
    let key = FileKey::from_pem(&std::fs::read(fixture("keys/key-pkcs1.pem")).unwrap()).unwrap();
    FolderReader::open(fixture(folder), Some(key), Limits::default()).unwrap().map(Result::unwrap).collect()
}

/// Puts all of a folder into a world; tells of how many records.
fn fill(world: &World, folder: &str) -> usize {
    let mut count = 0;
    for entity in entities(folder) {
        let mut store = world.fake.store();
        match entity {
            Entity::Record(record) => {
                let (digest, record) = kept(&record);
                let now = store.now();
                store.put("test", digest, Record { last_update_millis: now, ..record });
                count += 1;
            }
            Entity::Index(defined) => store.define_index("test", &defined.name.to_string(), index(&defined)),
            Entity::Function(function) => store.define_function(&function.name.to_string(), function.body.to_vec()),
        }
    }
    count
}

#[tokio::test]
async fn every_particle_type_comes_back_byte_by_byte() {
    for folder in ["t0-base", "forms/plain", "forms/compact", "forms/zstd-aes256", "forms/aes128", "t2-truth"] {
        let world = World::new(&["test"]).await;
        let count = fill(&world, folder);
        let repository = repository().await;
        let committed = store(&repository, &world.cluster, BackupKindWish::Base).await;
        assert_eq!(committed.totals.records, count as u64, "{folder}");
        let target = World::new(&["test"]).await;
        target.fake.store().tick_by(0);
        let point = plan(&repository, Target::Backup(committed.backup)).await;
        let summary = bring_back(&repository, point, &target.cluster, RestoreRequest::default()).await.unwrap();
        assert_eq!((summary.applied.written, summary.applied.expired), (count as u64, 0), "{folder}");
        let (found, truth) = (target.contents("test"), world.contents("test"));
        for (digest, record) in &truth {
            assert_eq!(found.get(digest), Some(record), "{folder}");
        }
        assert_eq!(found.len(), truth.len());
        let (found, truth) = (target.fake.store().clone(), world.fake.store().clone());
        assert_eq!(found.indexes("test"), truth.indexes("test"), "{folder}");
        assert_eq!(found.functions(), truth.functions(), "{folder}");
        if folder == "t0-base" {
            assert_eq!((truth.indexes("test").unwrap().len(), truth.functions().len()), (6, 1));
        }
    }
}
