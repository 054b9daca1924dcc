//! Writing and deleting single records, with raw particles.

use bytes::{Bytes, BytesMut};

use crate::TooLong;
use crate::message::{Bin, Head, field, info2, info3, operation};
pub use crate::request::RecordName;
use crate::request::{Request, Start, count, put_field, put_op};

/// What happens when the record exists, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Exists {
    /// Bins that are written replace those of the same name; others stay.
    Update,
    /// The record is what is written, nothing else.
    #[default]
    Replace,
    /// The record is what is written, and must have existed.
    ReplaceOnly,
    /// It must not exist.
    CreateOnly,
}

/// How long a written record lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Expiry {
    /// For ever.
    #[default]
    Never,
    /// So many seconds, at least one.
    Seconds(u32),
    /// As the namespace says.
    NamespaceDefault,
}

impl Expiry {
    /// As the protocol has it.
    #[must_use]
    pub const fn ttl(self) -> u32 {
        match self {
            Self::Never => u32::MAX,
            // 0 would mean the namespace's default, the two highest numbers mean other things.
            Self::Seconds(0) => 1,
            Self::Seconds(seconds) if seconds > u32::MAX - 3 => u32::MAX - 3,
            Self::Seconds(seconds) => seconds,
            Self::NamespaceDefault => 0,
        }
    }
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WritePolicy {
    /// What happens when the record exists, or does not.
    pub exists: Exists,
    /// Only where the stored generation is lower than the written one. The server counts on its own: the written generation
    /// is compared, not stored.
    pub only_newer_generation: bool,
}

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// Which record.
    pub name: RecordName<'a>,
    /// The user key to be stored with it: particle type, then the value.
    pub key: Option<(u8, &'a [u8])>,
    /// Its generation, for [`WritePolicy::only_newer_generation`].
    pub generation: u32,
    /// How long it lives.
    pub expiry: Expiry,
    /// Its bins.
    pub bins: &'a [Bin<'a>],
}

/// `GeoJSON` as it is read has cells before the text; it is written without any.
const NO_CELLS: [u8; 3] = [0; 3];
const GEO: u8 = 23;

/// The text of a `GeoJSON` particle as a server sends it: flags, the number of cells, eight bytes each, then the text.
/// `None`: it is not of that form.
#[must_use]
pub fn geo_json_text(particle: &[u8]) -> Option<&[u8]> {
    let ([_, high, low], rest) = particle.split_first_chunk::<3>()?;
    rest.get(usize::from(u16::from_be_bytes([*high, *low])) * 8..)
}

impl Write<'_> {
    pub(crate) const fn flags(policy: WritePolicy) -> (u8, u8) {
        let (mut second, mut third) = (info2::WRITE, 0);
        match policy.exists {
            Exists::Update => {}
            Exists::Replace => third |= info3::CREATE_OR_REPLACE,
            Exists::ReplaceOnly => third |= info3::REPLACE_ONLY,
            Exists::CreateOnly => second |= info2::CREATE_ONLY,
        }
        if policy.only_newer_generation {
            second |= info2::GENERATION_GT;
        }
        (second, third)
    }

    /// How many operations [`Write::put_ops`] writes.
    pub(crate) fn count_ops(&self) -> Result<u16, TooLong> {
        count(self.bins.len(), "a list of bins")
    }

    pub(crate) fn put_ops(&self, buffer: &mut BytesMut) -> Result<(), TooLong> {
        for bin in self.bins {
            if bin.particle == GEO {
                put_op(buffer, operation::WRITE, GEO, bin.name, &[&NO_CELLS, bin.value])?;
            } else {
                put_op(buffer, operation::WRITE, bin.particle, bin.name, &[bin.value])?;
            }
        }
        Ok(())
    }

    pub(crate) fn put_key(&self, buffer: &mut BytesMut) -> Result<u16, TooLong> {
        let Some((kind, value)) = self.key else { return Ok(0) };
        put_field(buffer, field::KEY, &[&[kind], value])?;
        Ok(1)
    }

    /// The request that writes this record alone. The value of a `GeoJSON` bin is its text: see [`geo_json_text`].
    ///
    /// # Errors
    /// When a name or value is longer than the protocol can say.
    pub fn encode(&self, policy: WritePolicy, timeout_millis: u32) -> Result<Bytes, TooLong> {
        let (second, third) = Self::flags(policy);
        let head = Head { info2: second, info3: third, generation: self.generation, ..Head::default() };
        let size = self.bins.iter().map(|bin| bin.value.len() + bin.name.len() + 11).sum::<usize>();
        let mut request = Request::new(&Start { head, ttl: self.expiry.ttl(), timeout_millis }, size + 128);
        put_name(&mut request, &self.name)?;
        let keys = self.put_key(request.buffer())?;
        request.fields(keys);
        self.put_ops(request.buffer())?;
        request.ops(self.count_ops()?);
        Ok(request.finish())
    }
}

fn put_name(request: &mut Request, name: &RecordName<'_>) -> Result<(), TooLong> {
    request.field(field::NAMESPACE, name.namespace)?;
    if let Some(set) = name.set {
        request.field(field::SET, set)?;
    }
    request.field(field::DIGEST, name.digest)
}

/// The request that deletes a record. `durable` leaves a tombstone, which only the enterprise edition does.
///
/// # Errors
/// When a name is longer than the protocol can say.
pub fn delete(name: &RecordName<'_>, durable: bool, timeout_millis: u32) -> Result<Bytes, TooLong> {
    let durable = if durable { info2::DURABLE_DELETE } else { 0 };
    let head = Head { info2: info2::WRITE | info2::DELETE | durable, ..Head::default() };
    let mut request = Request::new(&Start { head, timeout_millis, ..Start::default() }, 128);
    put_name(&mut request, name)?;
    Ok(request.finish())
}

/// The request that reads a record with all its bins.
///
/// # Errors
/// When a name is longer than the protocol can say.
pub fn read(name: &RecordName<'_>, timeout_millis: u32) -> Result<Bytes, TooLong> {
    let head = Head { info1: crate::message::info1::READ | crate::message::info1::GET_ALL, ..Head::default() };
    let mut request = Request::new(&Start { head, timeout_millis, ..Start::default() }, 128);
    put_name(&mut request, name)?;
    Ok(request.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_never_means_something_else() {
        assert_eq!(Expiry::Never.ttl(), u32::MAX);
        assert_eq!(Expiry::Seconds(0).ttl(), 1);
        assert_eq!(Expiry::Seconds(u32::MAX).ttl(), u32::MAX - 3);
        assert_eq!(Expiry::Seconds(7).ttl(), 7);
        assert_eq!(Expiry::NamespaceDefault.ttl(), 0);
    }

    #[test]
    fn the_text_of_geojson_follows_its_cells() {
        assert_eq!(geo_json_text(b"\0\0\0{}"), Some(&b"{}"[..]));
        assert_eq!(geo_json_text(b"\x01\0\x01cellcell{}"), Some(&b"{}"[..]));
        assert_eq!(geo_json_text(b"\0\0\x02short"), None);
        assert_eq!(geo_json_text(b"\0"), None);
    }
}
