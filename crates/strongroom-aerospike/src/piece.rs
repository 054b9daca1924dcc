//! What a piece is: a range of a namespace's partitions, and what of their records.

use serde::{Deserialize, Serialize};
use strongroom_core::cluster::{PieceKind, PieceSpec};
use strongroom_core::model::Filter;
use strongroom_core::{Error, Result};
use strongroom_record::Sieve;
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
    /// Only what was last written before this moment, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<i64>,
    /// Only these partitions, as ranges; empty: all. The rest is left to other nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) chosen: Vec<(u16, u16)>,
    /// Only what comes after these digests, each in its own partition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) after: Vec<String>,
    /// Whether the servers are asked to compress.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) compressed: bool,
    /// How many neighbouring partitions are asked for in one query.
    pub(crate) gathered: u16,
    /// What an option leaves out.
    #[serde(default, skip_serializing_if = "Omitted::is_nothing")]
    pub(crate) omitted: Omitted,
}

/// What an option leaves out of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Omitted {
    pub(crate) indexes: bool,
    pub(crate) functions: bool,
    pub(crate) expiring: bool,
    /// At most so many records; 0: all.
    pub(crate) max_records: u64,
}

impl Omitted {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl PieceDetail {
    /// All of a namespace, before it is cut.
    pub(crate) fn whole(part: &str, filter: Filter, since: Option<i64>) -> Self {
        Self {
            part: part.to_owned(),
            partitions: (0, PARTITIONS - 1),
            filter,
            since,
            before: None,
            chosen: Vec::new(),
            after: Vec::new(),
            compressed: false,
            gathered: 1,
            omitted: Omitted::default(),
        }
    }

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
            PieceKind::Deletes => format!("census-{first:04}-{last:04}"),
            PieceKind::Data | PieceKind::Log => format!("records-{first:04}-{last:04}"),
        };
        let detail =
            serde_json::to_value(self).map_err(|error| Error::internal("a piece can't be described").because(error))?;
        Ok(PieceSpec { bytes: Some(bytes), detail, ..PieceSpec::new(name, kind) })
    }

    fn chosen_within(&self, (first, last): (u16, u16)) -> Vec<(u16, u16)> {
        let within = self.chosen.iter().filter(|(from, to)| *from <= last && *to >= first);
        within.map(|(from, to)| ((*from).max(first), (*to).min(last))).collect()
    }

    /// The partitions that are meant, in ascending order.
    pub(crate) fn wanted(&self) -> Result<Vec<u16>> {
        let sieve = Sieve::beside_expression(&self.filter)?;
        let ranges = sieve.ranges(self.partitions);
        let all = ranges.into_iter().flat_map(|(first, last)| first..=last);
        let chosen = |partition: &u16| self.chosen.iter().any(|(from, to)| (*from..=*to).contains(partition));
        Ok(all.filter(|partition| self.chosen.is_empty() || chosen(partition)).collect())
    }

    /// The piece with the indexes and functions.
    pub(crate) fn schema(&self) -> Result<PieceSpec> {
        self.spec(PieceKind::Schema, 0)
    }

    /// The records as pieces, each a range of partitions; together they are all of them, in the order of their names.
    pub(crate) fn records(&self, sizes: &Sizes) -> Result<Vec<PieceSpec>> {
        self.cut(PieceKind::Data, sizes)
    }

    /// The digests of all records as pieces.
    pub(crate) fn census(&self, sizes: &Sizes) -> Result<Vec<PieceSpec>> {
        self.cut(PieceKind::Deletes, &Sizes { bytes: 0, ..*sizes })
    }

    fn cut(&self, kind: PieceKind, sizes: &Sizes) -> Result<Vec<PieceSpec>> {
        let text = sizes.bytes.saturating_add(sizes.records.saturating_mul(TEXT_BYTES));
        let pieces = text.div_ceil(sizes.piece_bytes.max(1)).max(u64::from(sizes.least_pieces));
        // So many records and no more are only counted within one piece.
        let most = if self.omitted.max_records > 0 { 1 } else { u64::from(PARTITIONS) };
        let pieces = pieces.clamp(1, most).next_power_of_two();
        let width = PARTITIONS / u16::try_from(pieces).unwrap_or(PARTITIONS);
        let fitting = sizes.gathered_bytes / (text / u64::from(PARTITIONS)).max(1);
        let widest = if self.omitted.max_records > 0 { 1 } else { width };
        let gathered = u16::try_from(fitting).unwrap_or(PARTITIONS).clamp(1, widest);
        (0..PARTITIONS)
            .step_by(usize::from(width))
            // A piece of which nothing is chosen is none.
            .filter(|first| self.chosen.is_empty() || !self.chosen_within((*first, *first + (width - 1))).is_empty())
            .map(|first| {
                let partitions = (first, first + (width - 1));
                let chosen = self.chosen_within(partitions);
                Self { partitions, chosen, gathered, ..self.clone() }.spec(kind, text / pieces)
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
        PieceDetail::whole("test", Filter::default(), None)
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
