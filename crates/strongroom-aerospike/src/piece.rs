//! What a piece is: a range of a namespace's partitions, and what of their records.

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{PieceKind, PieceSpec};
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::model::PARTITIONS;

/// What the text adds to a record: field marks, namespace, digest in base64.
const TEXT_BYTES: u64 = 70;

/// All that is needed to read a piece, in any process that reaches the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PieceDetail {
    /// The namespace.
    pub(crate) part: String,
    /// Its first and last partition.
    pub(crate) partitions: (u16, u16),
    /// What of the records.
    #[serde(default, skip_serializing_if = "Filter::is_everything")]
    pub(crate) filter: Filter,
    /// Only what was last written at or after this moment, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
    /// How many neighbouring partitions are asked for in one query.
    pub(crate) gathered: u16,
}

impl PieceDetail {
    pub(crate) fn of(piece: &PieceSpec) -> Result<Self> {
        let detail: Self = serde_json::from_value(piece.detail.clone()).map_err(|error| {
            Error::invalid(format!("piece '{}' was not frozen by an Aerospike cluster", piece.name)).because(error)
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
        Ok(PieceSpec { bytes: Some(bytes), detail, ..PieceSpec::new(name, kind) })
    }

    /// The piece with the indexes and functions.
    pub(crate) fn schema(&self) -> Result<PieceSpec> {
        self.spec(PieceKind::Schema, 0)
    }

    /// The records as pieces, each a range of partitions; together they are all of them, in the order of their names.
    pub(crate) fn records(&self, sizes: &Sizes) -> Result<Vec<PieceSpec>> {
        let text = sizes.bytes.saturating_add(sizes.records.saturating_mul(TEXT_BYTES));
        let pieces = text.div_ceil(sizes.piece_bytes.max(1)).max(u64::from(sizes.least_pieces));
        let pieces = pieces.clamp(1, u64::from(PARTITIONS)).next_power_of_two();
        let width = PARTITIONS / u16::try_from(pieces).unwrap_or(PARTITIONS);
        let fitting = sizes.gathered_bytes / (text / u64::from(PARTITIONS)).max(1);
        let gathered = u16::try_from(fitting).unwrap_or(PARTITIONS).clamp(1, width);
        (0..PARTITIONS)
            .step_by(usize::from(width))
            .map(|first| {
                let partitions = (first, first + (width - 1));
                Self { partitions, gathered, ..self.clone() }.spec(PieceKind::Data, text / pieces)
            })
            .collect()
    }
}

/// How large a namespace is, and how large its pieces shall be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) piece_bytes: u64,
    pub(crate) gathered_bytes: u64,
    pub(crate) least_pieces: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> PieceDetail {
        let (partitions, filter) = ((0, PARTITIONS - 1), Filter::default());
        PieceDetail { part: "test".into(), partitions, filter, since: None, gathered: 1 }
    }

    #[test]
    fn pieces_hold_every_partition_once_in_the_order_of_their_names() {
        for (records, bytes) in [(0, 0), (10, 1000), (1 << 20, 100 << 20), (1 << 40, u64::MAX)] {
            let sizes = Sizes { records, bytes, piece_bytes: 32 << 20, gathered_bytes: 4 << 20, least_pieces: 8 };
            let pieces = detail().records(&sizes).unwrap();
            assert!(pieces.len() >= 8);
            let (mut next, mut last_name) = (0, String::new());
            for piece in &pieces {
                let detail = PieceDetail::of(piece).unwrap();
                let (first, last) = detail.partitions;
                assert_eq!(first, next);
                assert!(detail.gathered >= 1 && detail.gathered <= last - first + 1);
                next = last + 1;
                assert!(piece.name > last_name);
                last_name.clone_from(&piece.name);
            }
            assert_eq!(next, PARTITIONS, "{records} records, {bytes} bytes");
        }
    }

    #[test]
    fn a_foreign_or_senseless_detail_is_refused() {
        let mut piece = detail().schema().unwrap();
        piece.detail["partitions"] = serde_json::json!([5, 4]);
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("no such partitions"));
        piece.detail["partitions"] = serde_json::json!([0, 4096]);
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("no such partitions"));
        piece.detail = serde_json::json!({"file": "x"});
        assert!(PieceDetail::of(&piece).unwrap_err().to_string().contains("not frozen by an Aerospike cluster"));
    }
}
