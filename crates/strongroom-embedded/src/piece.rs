//! What a piece is: a range of a namespace's partitions, from a frozen state.

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{PieceKind, PieceSpec};
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::model::PARTITIONS;

/// About how many bytes of the file go into one piece.
const PIECE_BYTES: u64 = 16 << 20;
/// About how many changed or deleted records go into one piece of an incremental.
const PIECE_CHANGES: u64 = 1 << 18;
/// What the text adds to a record: field marks, namespace, digest in base64.
const TEXT_BYTES: u64 = 70;

/// All that is needed to read a piece, in any process that opens the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PieceDetail {
    /// The namespace.
    pub(crate) part: String,
    /// Its first and last partition.
    pub(crate) partitions: (u16, u16),
    /// What of the records.
    #[serde(default, skip_serializing_if = "Filter::is_everything")]
    pub(crate) filter: Filter,
    /// Only what changed after this moment of the file's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
    /// The file's clock in the frozen state, which is also its name.
    pub(crate) until: i64,
}

impl PieceDetail {
    pub(crate) fn of(piece: &PieceSpec) -> Result<Self> {
        let detail: Self = serde_json::from_value(piece.detail.clone()).map_err(|error| {
            Error::invalid(format!("piece '{}' was not frozen by an embedded cluster", piece.name)).because(error)
        })?;
        if detail.partitions.0 > detail.partitions.1 || detail.partitions.1 >= PARTITIONS {
            return Err(Error::invalid(format!("piece '{}' has no such partitions", piece.name)));
        }
        Ok(detail)
    }

    fn spec(&self, kind: PieceKind, bytes: u64) -> Result<PieceSpec> {
        let (first, last) = self.partitions;
        let name = match kind {
            PieceKind::Schema => "schema".to_owned(),
            PieceKind::Deletes => format!("deletes-{first:04}-{last:04}"),
            PieceKind::Data | PieceKind::Log => format!("records-{first:04}-{last:04}"),
        };
        let detail =
            serde_json::to_value(self).map_err(|error| Error::internal("a piece can't be described").because(error))?;
        Ok(PieceSpec { name, kind, place: None, group: None, bytes: Some(bytes), content: None, detail })
    }

    /// The piece with the indexes and functions.
    pub(crate) fn schema(&self) -> Result<PieceSpec> {
        self.spec(PieceKind::Schema, 0)
    }

    /// The records as pieces, each a range of partitions; together they are all of them, in the order of their names.
    pub(crate) fn records(&self, records: u64, bytes: u64) -> Result<Vec<PieceSpec>> {
        let text = bytes.saturating_add(records.saturating_mul(TEXT_BYTES));
        let pieces = bytes.div_ceil(PIECE_BYTES).max(records.div_ceil(PIECE_CHANGES * 4));
        self.cut(PieceKind::Data, pieces, text)
    }

    /// What changed, as pieces.
    pub(crate) fn changes(&self, changes: u64, bytes_each: u64) -> Result<Vec<PieceSpec>> {
        let text = changes.saturating_mul(bytes_each.saturating_add(TEXT_BYTES));
        self.cut(PieceKind::Data, changes.div_ceil(PIECE_CHANGES), text)
    }

    /// What was deleted, as pieces.
    pub(crate) fn deletes(&self, deletes: u64) -> Result<Vec<PieceSpec>> {
        self.cut(PieceKind::Deletes, deletes.div_ceil(PIECE_CHANGES), deletes.saturating_mul(40))
    }

    fn cut(&self, kind: PieceKind, pieces: u64, bytes: u64) -> Result<Vec<PieceSpec>> {
        let pieces = pieces.clamp(1, u64::from(PARTITIONS)).next_power_of_two();
        let width = PARTITIONS / u16::try_from(pieces).unwrap_or(PARTITIONS);
        (0..PARTITIONS)
            .step_by(usize::from(width))
            .map(|first| Self { partitions: (first, first + (width - 1)), ..self.clone() }.spec(kind, bytes / pieces))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> PieceDetail {
        PieceDetail {
            part: "test".into(),
            partitions: (0, PARTITIONS - 1),
            filter: Filter::default(),
            since: None,
            until: 7,
        }
    }

    #[test]
    fn pieces_hold_every_partition_once_in_the_order_of_their_names() {
        for (records, bytes) in [(0, 0), (10, 1000), (1 << 20, 100 << 20), (1 << 40, u64::MAX)] {
            let pieces = detail().records(records, bytes).unwrap();
            let mut next = 0;
            let mut last_name = String::new();
            for piece in &pieces {
                let (first, last) = PieceDetail::of(piece).unwrap().partitions;
                assert_eq!(first, next);
                next = last + 1;
                assert!(piece.name > last_name);
                last_name.clone_from(&piece.name);
            }
            assert_eq!(next, PARTITIONS, "{records} records, {bytes} bytes");
        }
        assert_eq!(detail().records(10, 1000).unwrap().len(), 1);
        assert_eq!(detail().records(1 << 20, 100 << 20).unwrap().len(), 8);
    }

    #[test]
    fn a_foreign_or_senseless_detail_is_refused() {
        let mut piece = detail().schema().unwrap();
        piece.detail["partitions"] = serde_json::json!([5, 4]);
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("no such partitions"));
        piece.detail["partitions"] = serde_json::json!([0, 4096]);
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("no such partitions"));
        piece.detail = serde_json::json!({"file": "x"});
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("not frozen by an embedded cluster"));
    }
}
