//! Made-up records for property tests.

use bytes::Bytes;
use proptest::prelude::*;
use strongroom_record::{Bin, BinName, Digest, Double, Name, Particle, Record, UserKey};

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

/// Any value; NaNs only in their usual form, the one that the text format keeps.
pub(crate) fn any_particle() -> impl Strategy<Value = Particle> {
    prop_oneof![
        Just(Particle::Nil),
        any::<bool>().prop_map(Particle::Bool),
        any::<i64>().prop_map(Particle::Integer),
        any::<f64>()
            .prop_map(|value| if value.is_nan() { f64::NAN } else { value })
            .prop_map(|value| Particle::Double(Double::from(value))),
        bytes(40).prop_map(Particle::String),
        bytes(40).prop_map(Particle::Geo),
        bytes(40).prop_map(Particle::Blob),
        bytes(9).prop_map(Particle::Java),
        bytes(9).prop_map(Particle::CSharp),
        bytes(9).prop_map(Particle::Python),
        bytes(9).prop_map(Particle::Ruby),
        bytes(9).prop_map(Particle::Php),
        bytes(9).prop_map(Particle::Erlang),
        bytes(40).prop_map(Particle::Hll),
        bytes(40).prop_map(Particle::Map),
        bytes(40).prop_map(Particle::List),
    ]
}

pub(crate) fn any_key() -> impl Strategy<Value = UserKey> {
    prop_oneof![
        any::<i64>().prop_map(UserKey::Integer),
        (-1e9..1e9).prop_map(|value: f64| UserKey::Double(Double::from(value))),
        bytes(20).prop_map(UserKey::String),
        bytes(20).prop_map(UserKey::Blob),
    ]
}

pub(crate) fn any_bins() -> impl Strategy<Value = Vec<Bin>> {
    let name = proptest::collection::vec(any::<u8>(), 0..=BinName::MAX);
    proptest::collection::btree_map(name, any_particle(), 0..6).prop_map(|bins| {
        bins.into_iter().map(|(name, value)| Bin { name: BinName::new(name).unwrap(), value }).collect()
    })
}

/// Any record of the namespace `test`, its bins by name.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let set = proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8));
    (set, any::<[u8; 20]>(), proptest::option::of(any_key()), any::<u16>(), any::<u32>(), any_bins()).prop_map(
        |(set, digest, key, generation, void_time, bins)| Record {
            namespace: Name::namespace("test").unwrap(),
            set: set.map(|set| Name::set(set).unwrap()),
            digest: Digest(digest),
            key,
            generation,
            void_time,
            bins,
        },
    )
}
