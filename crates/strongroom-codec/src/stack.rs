//! Stacks as people write them: `zstd:3,seal`.

use std::sync::Arc;

use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::{Codec, Error, Result};

use crate::{PlainRegistry, Stack};

/// Reads a stack: at most one compressor, then at most one seal. `seal` gives the codec that seals.
pub(crate) fn parse(text: &str, plain: &PlainRegistry, seal: impl FnOnce() -> Result<Arc<dyn Codec>>) -> Result<Stack> {
    let invalid = |why: &str| {
        Err(Error::invalid(format!("codecs '{}': {why}", text.escape_debug()))
            .hint("write none, lz4, zstd or zstd:<level>, with ',seal' behind it to encrypt"))
    };
    if text.trim() == "none" {
        return Ok(Stack::new());
    }
    let mut stack = Stack::new();
    let mut names = text.split(',').map(str::trim).peekable();
    if let Some(compressor) = names.next_if(|name| *name != "seal") {
        stack.push(self::compressor(compressor, plain)?);
    }
    if names.next_if_eq(&"seal").is_some() {
        stack.push(seal()?);
    }
    match names.next() {
        None => Ok(stack),
        Some("seal") => invalid("sealed twice"),
        Some(_) if stack.len() == 1 => invalid("one compressor at most, and the seal last"),
        Some(_) => invalid("nothing may follow the seal"),
    }
}

fn compressor(name: &str, plain: &PlainRegistry) -> Result<Arc<dyn Codec>> {
    #[cfg(feature = "zstd")]
    if let Some(level) = name.strip_prefix("zstd:") {
        let level =
            level.parse().map_err(|_| Error::invalid(format!("zstd level '{}' is no number", level.escape_debug())))?;
        return Ok(Arc::new(crate::Zstd::new(level)?));
    }
    plain.resolve(&CodecId::new(name)?)
}

#[cfg(test)]
mod tests {
    use strongroom_core::ErrorKind;

    use super::*;

    /// The names of the stack that `text` gives, with a stand-in for the seal.
    fn names(text: &str) -> Result<String, ErrorKind> {
        let plain = PlainRegistry::new();
        let stack = parse(text, &plain, || plain.resolve(&CodecId::zstd())).map_err(|error| error.kind())?;
        Ok(stack.iter().map(|codec| codec.id().to_string()).collect::<Vec<_>>().join(","))
    }

    #[test]
    #[cfg(all(feature = "lz4", feature = "zstd"))]
    fn what_people_write() {
        for (text, expected) in [
            ("none", Ok("")),
            ("lz4", Ok("lz4")),
            ("zstd", Ok("zstd")),
            ("zstd:-3", Ok("zstd")),
            ("seal", Ok("zstd")),
            (" lz4 , seal ", Ok("lz4,zstd")),
            ("", Err(ErrorKind::Invalid)),
            (",", Err(ErrorKind::Invalid)),
            ("lz4,", Err(ErrorKind::Invalid)),
            ("lz4,zstd", Err(ErrorKind::Invalid)),
            ("seal,lz4", Err(ErrorKind::Invalid)),
            ("seal,seal", Err(ErrorKind::Invalid)),
            ("none,seal", Err(ErrorKind::Unsupported)),
            ("zstd:0", Err(ErrorKind::Invalid)),
            ("zstd:23", Err(ErrorKind::Invalid)),
            ("zstd:fast", Err(ErrorKind::Invalid)),
            ("lz4:3", Err(ErrorKind::Unsupported)),
            ("gzip", Err(ErrorKind::Unsupported)),
            ("lz 4", Err(ErrorKind::Invalid)),
        ] {
            assert_eq!(names(text).as_deref(), expected.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn a_repository_without_keys_tells_what_is_missing() {
        let plain = PlainRegistry::new();
        let kind = |id: &str| plain.resolve(&CodecId::new(id).unwrap()).map(drop).map_err(|error| error.kind());
        assert_eq!(kind("seal:000000000000000000000000000000ab"), Err(ErrorKind::Denied));
        assert_eq!(kind("seal:ab"), Err(ErrorKind::Unsupported));
        assert_eq!(kind("xz"), Err(ErrorKind::Unsupported));
        assert_eq!(plain.stack("seal").map(drop).map_err(|error| error.kind()), Err(ErrorKind::Denied));
        assert!(plain.content_naming_key().is_none());
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn the_default_is_zstd() {
        let stack = PlainRegistry::new().default_stack();
        assert_eq!(stack.iter().map(|codec| codec.id()).collect::<Vec<_>>(), [CodecId::zstd()]);
    }
}
