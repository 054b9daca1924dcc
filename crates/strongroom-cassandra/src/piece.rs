//! What a piece of a backup is: some files of one SSTable, one after the other, or a schema.

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{PieceKind, PieceSpec};
use strongroom_core::{Error, Result};

use crate::component::{Component, is_index, is_name, is_table_id};
use crate::files::Found;

/// Files up to this size are joined to one piece for each SSTable: objects of a few bytes would cost more than they hold.
const SMALL: u64 = 64 << 10;

/// What is needed to read or write a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PieceDetail {
    /// Statements that make a keyspace and all in it: the whole body, so that it stays what it was.
    Schema(String),
    /// What the node is, likewise: for people, and not restored.
    Node(String),
    /// Files of an SSTable.
    Files(FilesDetail),
}

/// Some files of one SSTable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilesDetail {
    pub(crate) keyspace: String,
    pub(crate) table: String,
    /// The table's id: 32 hexadecimal digits.
    pub(crate) id: String,
    /// The node's own id.
    pub(crate) node: String,
    /// The folder of a secondary index within the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// Which of the node's data folders.
    pub(crate) folder: usize,
    /// The snapshot that holds them.
    pub(crate) tag: String,
    /// The files, whose bytes follow each other in the piece.
    pub(crate) files: Vec<FileDetail>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileDetail {
    /// Its name.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its BLAKE3, in hexadecimal digits.
    pub(crate) blake3: String,
}

impl PieceDetail {
    /// The detail of a piece, if it is one of ours and names nothing that leads elsewhere: it comes out of a backup.
    pub(crate) fn of(piece: &PieceSpec) -> Result<Self> {
        let detail: Self = serde_json::from_value(piece.detail.clone()).map_err(|error| {
            Error::corrupt(format!("'{}' is no piece of a Cassandra backup", piece.name.escape_debug())).because(error)
        })?;
        if let Self::Files(files) = &detail
            && !files.is_safe()
        {
            return Err(Error::corrupt(format!("'{}' names files that no table has", piece.name.escape_debug())));
        }
        Ok(detail)
    }

    fn spec(&self, name: String, kind: PieceKind) -> Result<PieceSpec> {
        let detail =
            serde_json::to_value(self).map_err(|error| Error::internal("a piece can't be described").because(error))?;
        Ok(PieceSpec { detail, ..PieceSpec::new(name, kind) })
    }

    /// The piece with the schema of a keyspace.
    pub(crate) fn schema(body: String) -> Result<PieceSpec> {
        Self::Schema(body).spec("schema".to_owned(), PieceKind::Schema)
    }

    /// The piece with what a node is.
    pub(crate) fn node(host: &str, body: String) -> Result<PieceSpec> {
        Self::Node(body).spec(format!("node/{host}"), PieceKind::Schema)
    }
}

impl FilesDetail {
    fn is_safe(&self) -> bool {
        is_name(&self.keyspace)
            && is_name(&self.table)
            && is_table_id(&self.id)
            && self.node.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && !self.node.is_empty()
            && self.index.as_deref().is_none_or(is_index)
            && is_tag(&self.tag)
            && self.files.iter().all(|file| Component::of(&file.name).is_some())
    }

    /// All bytes of the piece.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Whether this is the name of a snapshot that we take.
pub(crate) fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The pieces of one SSTable, out of its files with their hashes. All files but those that may change are known by their
/// content: the large ones each by itself, the small ones together.
pub(crate) fn pieces_of(
    keyspace: &str,
    node: &str,
    tag: &str,
    found: &Found,
    files: Vec<FileDetail>,
) -> Result<Vec<PieceSpec>> {
    let (mut state, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        match Component::of(&file.name) {
            Some(component) if component.is_mutable() => state.push(file),
            _ if file.size <= SMALL => small.push(file),
            _ => large.push(file),
        }
    }
    let index = found.index.as_deref().unwrap_or_default();
    let sstable = format!("{node}/{}-{}/{index}/{}", found.table, found.id, found.sstable);
    let piece = |what: &str, files: Vec<FileDetail>, content: Option<String>| -> Result<PieceSpec> {
        let detail = FilesDetail {
            keyspace: keyspace.to_owned(),
            table: found.table.clone(),
            id: found.id.clone(),
            node: node.to_owned(),
            index: found.index.clone(),
            folder: found.folder,
            tag: tag.to_owned(),
            files,
        };
        let bytes = Some(detail.bytes());
        let spec = PieceDetail::Files(detail).spec(format!("{sstable}/{what}"), PieceKind::Data)?;
        Ok(PieceSpec { bytes, content, group: Some(sstable.clone()), ..spec })
    };
    let mut pieces = Vec::new();
    for file in large {
        let content = content_of(std::slice::from_ref(&file));
        let component = Component::of(&file.name).map_or(file.name.clone(), |name| name.component.to_owned());
        pieces.push(piece(&component, vec![file], Some(content))?);
    }
    if !small.is_empty() {
        let content = content_of(&small);
        pieces.push(piece("small", small, Some(content))?);
    }
    if !state.is_empty() {
        pieces.push(piece("state", state, None)?);
    }
    Ok(pieces)
}

/// What some files are known by: their bytes alone. The number of an SSTable is not in it, since a node counts anew when
/// files are taken in again.
fn content_of(files: &[FileDetail]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(b"strongroom cassandra files\n");
    for file in files {
        hash.update(format!("{} {}\n", file.size, file.blake3).as_bytes());
    }
    hash.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            folder: 0,
            table: "users".to_owned(),
            id: "0".repeat(32),
            index: None,
            sstable: "nb-1-big".to_owned(),
            files: Vec::new(),
        }
    }

    fn file(component: &str, size: u64) -> FileDetail {
        FileDetail {
            name: format!("nb-1-big-{component}"),
            size,
            blake3: blake3::hash(component.as_bytes()).to_string(),
        }
    }

    #[test]
    fn what_may_change_is_apart_and_what_is_small_together() {
        let files =
            || vec![file("Data.db", 1 << 20), file("Filter.db", 10), file("Digest.crc32", 9), file("TOC.txt", 80)];
        let pieces = pieces_of("app", "ab-12", "tag", &found(), files()).unwrap();
        let names: Vec<_> = pieces.iter().map(|piece| piece.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["Data.db", "small", "state"]);
        assert!(pieces[0].content.is_some() && pieces[1].content.is_some() && pieces[2].content.is_none());
        assert_eq!(pieces.iter().filter_map(|piece| piece.bytes).sum::<u64>(), (1 << 20) + 99);
        assert!(pieces.iter().all(|piece| PieceDetail::of(piece).is_ok() && piece.group == pieces[0].group));
        // Another number of the SSTable and another snapshot are the same content.
        let mut other = found();
        other.sstable = "nb-7-big".to_owned();
        let again = pieces_of("app", "ab-12", "later", &other, files()).unwrap();
        assert_eq!(
            again.iter().map(|piece| &piece.content).collect::<Vec<_>>(),
            pieces.iter().map(|piece| &piece.content).collect::<Vec<_>>()
        );
        let changed = pieces_of("app", "ab-12", "tag", &found(), vec![file("Data.db", 2 << 20)]).unwrap();
        assert_ne!(changed[0].content, pieces[0].content);
    }

    #[test]
    fn pieces_that_lead_elsewhere_are_refused() {
        let good = pieces_of("app", "ab", "tag", &found(), vec![file("Data.db", 1)]).unwrap().remove(0);
        for (field, value) in
            [("keyspace", "../app"), ("table", "a/b"), ("id", "0"), ("node", "../.."), ("index", ".."), ("tag", "../x")]
        {
            let mut piece = good.clone();
            piece.detail["files"][field] = value.into();
            let error = PieceDetail::of(&piece).unwrap_err();
            assert_eq!(error.kind(), strongroom_core::ErrorKind::Corrupt, "{field}: {error:?}");
        }
        let mut piece = good;
        piece.detail["files"]["files"][0]["name"] = "../../etc/passwd".into();
        assert!(PieceDetail::of(&piece).is_err());
        piece.detail = "x".into();
        assert!(PieceDetail::of(&piece).is_err());
    }
}
