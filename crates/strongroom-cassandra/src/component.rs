//! The names of an SSTable's files: `nb-1-big-Data.db` is the component `Data.db` of the SSTable `nb-1-big`.
//!
//! `org.apache.cassandra.io.sstable.Descriptor` and `Component` of Cassandra 5.0: version, id, format and component, joined by
//! `-`; the id is a number, or text without `-` (4.1 and later, `uuid_sstable_identifiers_enabled`). Components of
//! storage-attached indexes begin with `SAI+`.

/// A file's name in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Component<'a> {
    /// Version, id and format.
    pub(crate) sstable: &'a str,
    /// What of it.
    pub(crate) component: &'a str,
}

/// What a node may write anew while the SSTable lives: levels and repair state, samples of its index, the list of its
/// files when an index is added. All others never change.
const MUTABLE: [&str; 3] = ["Statistics.db", "Summary.db", "TOC.txt"];

impl<'a> Component<'a> {
    /// The parts of a file's name; `None` if it is no file of an SSTable, or could lead anywhere else.
    pub(crate) fn of(name: &'a str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+');
        if name.len() > 255 || !name.bytes().all(plain) {
            return None;
        }
        let mut parts = name.splitn(4, '-');
        let (version, id, format, component) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version_is = version.len() == 2 && version.bytes().all(|byte| byte.is_ascii_lowercase());
        let format_is = !format.is_empty() && format.bytes().all(|byte| byte.is_ascii_lowercase());
        if !version_is || id.is_empty() || !format_is || !component.contains('.') || component.starts_with('.') {
            return None;
        }
        let sstable = name.get(..name.len() - component.len() - 1)?;
        Some(Self { sstable, component })
    }

    /// Whether a node makes it by itself when it takes the SSTable in: indexes, which it would leave behind, and the list of
    /// files, which may name them. Seen of 5.0.9.
    pub(crate) fn is_made_anew(&self) -> bool {
        self.component.starts_with("SAI+") || self.component == "TOC.txt"
    }

    /// Whether a node may write it anew.
    pub(crate) fn is_mutable(&self) -> bool {
        MUTABLE.contains(&self.component)
    }
}

/// Whether this can be the name of a keyspace or table: letters, digits and `_`, as Cassandra's own check has it.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=222).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether this can be the folder of a secondary index: a dot, and its name.
pub(crate) fn is_index(name: &str) -> bool {
    name.strip_prefix('.').is_some_and(is_name)
}

/// Whether this is a table's id as folders have it: 32 hexadecimal digits.
pub(crate) fn is_table_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_format_are_taken_apart() {
        for (name, sstable, component) in [
            ("nb-1-big-Data.db", "nb-1-big", "Data.db"),
            ("oa-3gx0_0p2q_4k2dc2bvs0-big-Digest.crc32", "oa-3gx0_0p2q_4k2dc2bvs0-big", "Digest.crc32"),
            ("da-12-bti-Partitions.db", "da-12-bti", "Partitions.db"),
            ("nb-1-big-SAI+aa+by_t+TermsData.db", "nb-1-big", "SAI+aa+by_t+TermsData.db"),
        ] {
            assert_eq!(Component::of(name), Some(Component { sstable, component }), "{name}");
        }
        assert!(Component::of("nb-1-big-TOC.txt").unwrap().is_mutable());
        assert!(!Component::of("nb-1-big-Data.db").unwrap().is_mutable());
    }

    #[test]
    fn what_is_no_component_or_leads_elsewhere_is_none() {
        for name in [
            "manifest.json",
            "schema.cql",
            "",
            "nb-1-big-",
            "nb-1-big-Data",
            "nb-1-big-../Data.db",
            "nb-1-big-Data.db/..",
            "../nb-1-big-Data.db",
            "nb-1-big-.hidden",
            "nb--big-Data.db",
            "nb-1-big-D\0a.db",
        ] {
            assert_eq!(Component::of(name), None, "{name:?}");
        }
        assert!(is_name("Users_1") && !is_name("a-b") && !is_name("..") && !is_name(""));
        assert!(is_index(".by_name") && !is_index("..") && !is_index("by_name"));
        assert!(is_table_id("34551da0e96811f1bbb34dcd0ea53151") && !is_table_id("34551DA0E96811f1bbb34dcd0ea53151"));
    }
}
