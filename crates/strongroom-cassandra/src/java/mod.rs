//! Java object serialization, as far as a management interface needs it: every answer is read, a few kinds of arguments are
//! written. The grammar is chapter 6 of the *Java Object Serialization Specification*, version 6.0 (stream protocol 2), which
//! every Java since 1.2 speaks.

mod answer;
mod argument;
mod read;
mod text;
mod write;

pub(crate) use answer::{Answer, Object, Value};
pub(crate) use argument::{Argument, Credentials};
pub(crate) use read::{Item, Reader};
pub(crate) use write::Writer;

/// How every stream begins: magic number and version.
pub(crate) const HEADER: [u8; 4] = [0xAC, 0xED, 0x00, 0x05];

/// The bytes that say what comes next in a stream.
pub(crate) mod tag {
    pub(crate) const NULL: u8 = 0x70;
    pub(crate) const REFERENCE: u8 = 0x71;
    pub(crate) const CLASS_DESCRIPTION: u8 = 0x72;
    pub(crate) const OBJECT: u8 = 0x73;
    pub(crate) const STRING: u8 = 0x74;
    pub(crate) const ARRAY: u8 = 0x75;
    pub(crate) const CLASS: u8 = 0x76;
    pub(crate) const BLOCK: u8 = 0x77;
    pub(crate) const END_OF_BLOCK: u8 = 0x78;
    pub(crate) const RESET: u8 = 0x79;
    pub(crate) const LONG_BLOCK: u8 = 0x7A;
    pub(crate) const EXCEPTION: u8 = 0x7B;
    pub(crate) const LONG_STRING: u8 = 0x7C;
    pub(crate) const PROXY_DESCRIPTION: u8 = 0x7D;
    pub(crate) const ENUM: u8 = 0x7E;
}

/// The first handle of a stream.
pub(crate) const FIRST_HANDLE: u32 = 0x007E_0000;

/// What the flags of a class say.
pub(crate) mod flag {
    /// Writes something of its own after its fields.
    pub(crate) const WRITES: u8 = 1;
    /// Its fields are in the stream.
    pub(crate) const SERIALIZABLE: u8 = 2;
    /// Writes everything itself.
    pub(crate) const EXTERNALIZABLE: u8 = 4;
    /// What it writes itself is in blocks, so that it can be passed over.
    pub(crate) const BLOCKS: u8 = 8;
}
