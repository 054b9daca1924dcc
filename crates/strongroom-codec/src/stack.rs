//! Stacks as people write them: `zstd:3,seal`.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_core::codec::{CodecId, CodecRegistry};
use strongroom_core::pipeline::coder::Stack;
use strongroom_core::pipeline::part::MAX_CODECS;
use strongroom_core::{Codec, Error, Result};

use crate::PlainRegistry;

/// Reads a stack: at most one compressor, then codecs of the program that embeds this one, each once, then at most one
/// seal. `seal` gives the codec that seals.
pub(crate) fn parse(text: &str, plain: &PlainRegistry, seal: impl FnOnce() -> Result<Arc<dyn Codec>>) -> Result<Stack> {
    let invalid = |why: &str| {
        Err(Error::invalid(format!("codecs '{}': {why}", text.escape_debug()))
            .hint("write none, lz4, zstd or zstd:<level>, with ',seal' behind it to encrypt; codecs of your own stand before the seal"))
    };
    if text.trim() == "none" {
        return Ok(Stack::default());
    }
    let mut stack = Vec::new();
    let mut names = text.split(',').map(str::trim).peekable();
    if let Some(compressor) = names.next_if(|name| *name != "seal" && !plain.is_own(name)) {
        stack.push(self::compressor(compressor, plain)?);
    }
    let mut own = BTreeSet::new();
    while let Some(name) = names.next_if(|name| plain.is_own(name)) {
        if !own.insert(name) {
            return invalid("a codec is named twice");
        }
        stack.push(plain.resolve(&CodecId::new(name)?)?);
    }
    let sealed = names.next_if_eq(&"seal").is_some();
    if stack.len() + usize::from(sealed) > MAX_CODECS {
        return invalid("eight codecs at most");
    }
    if sealed {
        stack.push(seal()?);
    }
    match names.next() {
        None => Ok(Stack::new(stack)),
        Some("seal") => invalid("sealed twice"),
        Some(_) if sealed => invalid("nothing may follow the seal"),
        Some(name) => compressor(name, plain).and_then(|_| invalid("one compressor at most, and the seal last")),
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
    use strongroom_core::codec::{FrameCoder, PartHeader};

    use super::*;

    #[test]
    #[cfg(all(feature = "lz4", feature = "zstd"))]
    fn what_people_write() {
        let plain = PlainRegistry::new();
        // With a stand-in for the seal.
        let names = |text: &str| {
            let stack = parse(text, &plain, || plain.resolve(&CodecId::zstd())).map_err(|error| error.kind())?;
            let ids = stack.ids();
            Ok(ids.iter().map(CodecId::as_str).collect::<Vec<_>>().join(","))
        };
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
            assert_eq!(names(text), expected.map(str::to_owned), "{text:?}");
        }
    }

    /// Leaves bytes as they are, under a name of its own.
    #[derive(Debug)]
    struct Plainly(&'static str);

    impl Codec for Plainly {
        fn id(&self) -> CodecId {
            CodecId::new(self.0).unwrap()
        }
        fn begin(&self, _: &PartHeader) -> Result<Box<dyn FrameCoder>> {
            Err(Error::internal("nothing is coded here"))
        }
    }

    #[test]
    fn codecs_of_ones_own_stand_between_the_compressor_and_the_seal() {
        let own = ["mine", "a:1", "b", "c", "d", "e", "f", "g"];
        let knows = |plain: PlainRegistry, name| plain.with_codec(Arc::new(Plainly(name)));
        let plain = own.into_iter().try_fold(PlainRegistry::new(), knows).unwrap();
        let names = |text: &str| {
            let sealed = parse(text, &plain, || Ok(Arc::new(Plainly("seal")))).map_err(|error| error.kind())?;
            Ok(sealed.ids().iter().map(CodecId::as_str).collect::<Vec<_>>().join(","))
        };
        for (text, expected) in [
            ("mine", Ok("mine")),
            ("mine, a:1 ,seal", Ok("mine,a:1,seal")),
            #[cfg(feature = "zstd")]
            ("zstd:3,mine,seal", Ok("zstd,mine,seal")),
            ("mine,a:1,b,c,d,e,f,seal", Ok("mine,a:1,b,c,d,e,f,seal")),
            ("mine,a:1,b,c,d,e,f,g", Ok("mine,a:1,b,c,d,e,f,g")),
            ("mine,a:1,b,c,d,e,f,g,seal", Err(ErrorKind::Invalid)),
            ("mine,mine", Err(ErrorKind::Invalid)),
            ("mine,lz4", Err(ErrorKind::Invalid)),
            ("seal,mine", Err(ErrorKind::Invalid)),
            ("none,mine", Err(ErrorKind::Unsupported)),
            ("a", Err(ErrorKind::Unsupported)),
            ("a:2", Err(ErrorKind::Unsupported)),
        ] {
            assert_eq!(names(text), expected.map(str::to_owned), "{text:?}");
        }
        for (name, kind) in [
            ("zstd", ErrorKind::Invalid),
            ("lz4:2", ErrorKind::Invalid),
            ("none", ErrorKind::Invalid),
            ("seal:000000000000000000000000000000ab", ErrorKind::Invalid),
            ("mine", ErrorKind::AlreadyExists),
        ] {
            assert_eq!(knows(plain.clone(), name).unwrap_err().kind(), kind, "{name}");
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
    fn a_level_reaches_those_who_ask_by_name() {
        use strongroom_core::codec::FrameId;
        use strongroom_core::id::RepositoryId;

        let size = |level: i32| {
            let registry = PlainRegistry::new().with_zstd_level(level).unwrap();
            let header = PartHeader { repository: RepositoryId::from_u128(1), part: "p".to_owned(), salt: [0; 32] };
            let coder = registry.resolve(&CodecId::zstd()).unwrap().begin(&header).unwrap();
            let words = ["strong", "room", "keeps", "what", "it", "is", "given", "and", "gives", "it", "back"];
            let mut random = 1_u32;
            let mut word = |_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                words[(random >> 16) as usize % words.len()].bytes()
            };
            let plain: Vec<u8> = (0..20_000).flat_map(&mut word).collect();
            let mut out = Vec::new();
            coder.encode(FrameId { index: 0, last: true }, &plain, &mut out).unwrap();
            out.len()
        };
        assert!(size(19) < size(1) && size(1) < size(-7));
        assert!(PlainRegistry::new().with_zstd_level(0).is_err());
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn the_default_is_zstd() {
        let stack = PlainRegistry::new().default_stack();
        assert_eq!(stack.ids(), [CodecId::zstd()]);
    }
}
