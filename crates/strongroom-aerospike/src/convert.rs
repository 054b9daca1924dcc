//! Records off the wire and onto it. Values stay as they are: numbers become numbers, everything else stays bytes.

use bytes::Bytes;
use strongroom_aerospike_wire::message::{Bin as WireBin, Message};
use strongroom_aerospike_wire::write::geo_json_text;
use strongroom_core::{Error, Result};
use strongroom_record::model::ParticleKind;
use strongroom_record::{Bin, BinName, Digest, Double, Name, Particle, Record, UserKey};

/// Makes records of messages. Neighbours are often of one set, so the last set's name is kept.
#[derive(Debug)]
pub(crate) struct Intake {
    namespace: Name,
    set: Option<Name>,
}

impl Intake {
    pub(crate) const fn new(namespace: Name) -> Self {
        Self { namespace, set: None }
    }

    /// The record of a message, which lies in `body`: its values share that memory.
    pub(crate) fn record(&mut self, digest: Digest, message: &Message<'_>, body: &Bytes) -> Result<Record> {
        self.read(digest, message, body).map_err(|error| {
            let set =
                message.set.map(String::from_utf8_lossy).map_or_else(String::new, |set| format!(" of set '{set}'"));
            error.within(format_args!("record {digest}{set}"))
        })
    }

    fn read(&mut self, digest: Digest, message: &Message<'_>, body: &Bytes) -> Result<Record> {
        let generation = u16::try_from(message.head.generation)
            .map_err(|_| Error::invalid(format!("a generation of {}", message.head.generation)))?;
        let key = message.key.map(|(kind, value)| user_key(kind, value, body)).transpose()?;
        let mut bins = Vec::with_capacity(message.bins().len());
        for bin in message.bins() {
            let name = BinName::new(bin.name)?;
            let value = particle(&bin, body).map_err(|error| error.within(format_args!("bin '{name}'")))?;
            bins.push(Bin { name, value });
        }
        let namespace = self.namespace.clone();
        let set = message.set.map(|set| self.set_of(set)).transpose()?;
        Ok(Record { namespace, set, digest, key, generation, void_time: message.head.void_time, bins })
    }

    fn set_of(&mut self, set: &[u8]) -> Result<Name> {
        match &self.set {
            Some(known) if known.as_bytes() == set => Ok(known.clone()),
            _ => Ok(self.set.insert(Name::set(set.to_vec())?).clone()),
        }
    }
}

fn user_key(kind: u8, value: &[u8], body: &Bytes) -> Result<UserKey> {
    let key = match kind {
        kind if kind == ParticleKind::Integer as u8 => UserKey::Integer(i64::from_be_bytes(eight(value)?)),
        kind if kind == ParticleKind::Double as u8 => UserKey::Double(double(value)?),
        kind if kind == ParticleKind::String as u8 => UserKey::String(body.slice_ref(value)),
        kind if kind == ParticleKind::Blob as u8 => UserKey::Blob(body.slice_ref(value)),
        _ => {
            return Err(Error::unsupported(format!("its user key has particle type {kind}, which no client stores"))
                .hint("please report it"));
        }
    };
    Ok(key)
}

fn particle(bin: &WireBin<'_>, body: &Bytes) -> Result<Particle> {
    let bytes = || body.slice_ref(bin.value);
    Ok(match bin.particle {
        0 => Particle::Nil,
        1 => Particle::Integer(i64::from_be_bytes(eight(bin.value)?)),
        2 => Particle::Double(double(bin.value)?),
        3 => Particle::String(bytes()),
        4 => Particle::Blob(bytes()),
        7 => Particle::Java(bytes()),
        8 => Particle::CSharp(bytes()),
        9 => Particle::Python(bytes()),
        10 => Particle::Ruby(bytes()),
        11 => Particle::Php(bytes()),
        12 => Particle::Erlang(bytes()),
        17 => match bin.value {
            [0] => Particle::Bool(false),
            [1] => Particle::Bool(true),
            _ => return Err(Error::corrupt("a boolean that is neither true nor false")),
        },
        18 => Particle::Hll(bytes()),
        19 => Particle::Map(bytes()),
        20 => Particle::List(bytes()),
        23 => {
            let text = geo_json_text(bin.value).ok_or_else(|| Error::corrupt("GeoJSON without its cells"))?;
            Particle::Geo(body.slice_ref(text))
        }
        other => {
            return Err(Error::unsupported(format!("particle type {other} is not known"))
                .hint("leave the bin out, or use a newer strongroom"));
        }
    })
}

fn eight(value: &[u8]) -> Result<[u8; 8]> {
    value.try_into().map_err(|_| Error::corrupt(format!("a number of {} bytes instead of 8", value.len())))
}

fn double(value: &[u8]) -> Result<Double> {
    eight(value).map(|bits| Double::from_bits(u64::from_be_bytes(bits)))
}

/// A record made ready to be borrowed by a request.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    record: &'a Record,
    numbers: Vec<[u8; 8]>,
    key: Option<[u8; 8]>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let number = |bin: &Bin| match bin.value {
            Particle::Integer(value) => value.to_be_bytes(),
            Particle::Double(value) => value.to_bits().to_be_bytes(),
            Particle::Bool(value) => [u8::from(value), 0, 0, 0, 0, 0, 0, 0],
            _ => [0; 8],
        };
        let key = match &record.key {
            Some(UserKey::Integer(value)) => Some(value.to_be_bytes()),
            Some(UserKey::Double(value)) => Some(value.to_bits().to_be_bytes()),
            _ => None,
        };
        Self { record, numbers: record.bins.iter().map(number).collect(), key }
    }

    /// The bins as the wire has them. A nil is no bin at all: a server keeps none.
    pub(crate) fn bins(&self) -> Vec<WireBin<'_>> {
        let bins = self.record.bins.iter().zip(&self.numbers).filter(|(bin, _)| bin.value != Particle::Nil);
        bins.map(|(bin, number)| {
            let value = match &bin.value {
                Particle::Bool(_) => &number[..1],
                value => value.bytes().map_or(&number[..], |bytes| bytes),
            };
            WireBin { name: bin.name.as_bytes(), particle: bin.value.kind() as u8, value }
        })
        .collect()
    }

    /// The user key as the wire has it.
    pub(crate) fn key(&self) -> Option<(u8, &[u8])> {
        let key = self.record.key.as_ref()?;
        let value = match (key, &self.key) {
            (UserKey::String(bytes) | UserKey::Blob(bytes), _) => &bytes[..],
            (_, Some(number)) => &number[..],
            (_, None) => return None,
        };
        Some((key.kind() as u8, value))
    }
}
