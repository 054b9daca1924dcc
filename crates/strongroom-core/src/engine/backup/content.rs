//! How shared content is named. Pure; written down in `docs/format.md`, "Shared content".

use crate::codec::CodecId;
use crate::id::ClusterId;
use crate::manifest::Blake3;

/// The name of content with this `identity`, as its cluster tells it, coded by `codecs`. With a `key` nobody can tell
/// from the name what the content is.
///
/// Cluster and codecs are in it: identities of two clusters may be alike without meaning the same, and what was stored
/// with other codecs can't be used.
pub(super) fn content_name(key: Option<&[u8; 32]>, cluster: ClusterId, codecs: &[CodecId], identity: &str) -> Blake3 {
    let codecs = codecs.iter().map(CodecId::as_str).collect::<Vec<_>>().join(",");
    // None of the fields before the last one can hold a line feed.
    let text = format!("strongroom content\n{cluster}\n{codecs}\n{identity}");
    match key {
        Some(key) => blake3::keyed_hash(key, text.as_bytes()).into(),
        None => blake3::hash(text.as_bytes()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_gives_another_name() {
        let lz4 = [CodecId::lz4()];
        let name = |key: Option<&[u8; 32]>, cluster, codecs: &[CodecId], identity: &str| {
            content_name(key, ClusterId::from_u128(cluster), codecs, identity)
        };
        let names = [
            name(None, 1, &lz4, "x"),
            name(None, 2, &lz4, "x"),
            name(None, 1, &[], "x"),
            name(None, 1, &lz4, "y"),
            name(Some(&[1; 32]), 1, &lz4, "x"),
            name(Some(&[2; 32]), 1, &lz4, "x"),
        ];
        for (at, one) in names.iter().enumerate() {
            assert!(names[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(names[0], name(None, 1, &lz4, "x"));
    }
}
