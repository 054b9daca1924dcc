//! The window of a backup, and its cut into pieces.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use strongroom_aerospike_wire::expression::Expression;
use strongroom_core::cluster::{FreezeRequest, Frozen, FrozenPart};
use strongroom_core::model::{Applies, Deletes, Filter, Window};
use strongroom_core::{Error, Result, Timestamp};
use strongroom_record::Sieve;

use crate::AerospikeCluster;
use crate::clocks::Clocks;
use crate::describe::{NamespaceInfo, missing};
use crate::piece::{Omitted, PieceDetail, Sizes};

/// How much later than the last backup a moment may be waited for, in seconds.
const PATIENCE: i64 = 30;
/// Clocks that are further apart than this are worth a note, in seconds.
const SKEW: i64 = 5;

impl AerospikeCluster {
    pub(crate) async fn freeze_now(&self, request: &FreezeRequest) -> Result<Frozen> {
        let there = self.namespace_names().await?;
        let wanted = match &request.scope.parts {
            Some(parts) => parts.clone(),
            None => there.iter().map(|name| (name.clone(), Filter::default())).collect(),
        };
        for (part, filter) in &wanted {
            let within = |error: Error| error.within(format_args!("part '{part}'"));
            if !there.contains(part) {
                return Err(missing(part));
            }
            Sieve::beside_expression(filter).map_err(within)?;
            expression_of(filter).map_err(within)?;
        }
        let since = request.since.iter().filter(|(part, _)| wanted.contains_key(*part)).map(|(_, since)| *since).max();
        let clocks = self.clocks_after(since).await?;
        let sizes = self.namespaces(wanted.keys()).await?;
        let mut parts = Vec::with_capacity(wanted.len());
        for (part, filter) in wanted {
            let info = sizes.get(&part).ok_or_else(|| missing(&part))?;
            let since = request.since.get(&part).copied();
            let frozen = self.freeze_part(&part, filter, since, clocks, info).await;
            parts.push(frozen.map_err(|error| error.within(format_args!("part '{part}'")))?);
        }
        Ok(Frozen { parts, failed: BTreeMap::new(), token: Value::Null })
    }

    async fn freeze_part(
        &self,
        part: &str,
        filter: Filter,
        since: Option<Timestamp>,
        clocks: Clocks,
        info: &NamespaceInfo,
    ) -> Result<FrozenPart> {
        let config = &self.config().backup;
        let since = since.map(Timestamp::millis);
        let (until, mut settled) = (self.until(clocks), self.settled(clocks));
        let mut left_out = self.choose(part).await?;
        let mut notes = Vec::new();
        let mut whole = PieceDetail::whole(part, filter.clone(), since);
        whole.chosen = left_out.chosen;
        whole.after.clone_from(&config.after_digests);
        whole.compressed = config.compressed;
        whole.omitted = Omitted {
            indexes: config.no_indexes,
            functions: config.no_functions,
            expiring: config.only_without_expiry,
            max_records: config.max_records,
        };
        if config.sealed {
            settled = until;
            whole.before = Some(until.millis());
            notes.push(
                "sealed: a record that changed again before it was read is in no backup, until the next base"
                    .to_owned(),
            );
        }
        if let Some(after) = config.modified_after.filter(|after| since.is_none_or(|since| since < after.millis())) {
            whole.since = Some(after.millis());
            left_out.missing.push(format!("records last written before {after}: an option leaves them out"));
        }
        if let Some(before) = config.modified_before {
            whole.before = Some(whole.before.map_or(before.millis(), |sealed| sealed.min(before.millis())));
            left_out.missing.push(format!("records last written at or after {before}: an option leaves them out"));
        }
        let what = [(config.no_indexes, "indexes are left out"), (config.no_functions, "functions are left out")];
        notes.extend(what.iter().filter(|(omitted, _)| *omitted).map(|(_, note)| (*note).to_owned()));
        let what = [
            (config.no_records, "records: an option leaves them out".to_owned()),
            (config.only_without_expiry, "records that expire: an option leaves them out".to_owned()),
            (config.max_records > 0, format!("records beyond the first {}", config.max_records)),
        ];
        left_out.missing.extend(what.into_iter().filter(|(omitted, _)| *omitted).map(|(_, missing)| missing));
        let sizes = Sizes {
            records: info.records,
            bytes: info.bytes,
            piece_bytes: config.piece_bytes.0,
            gathered_bytes: config.gathered_bytes.0,
            least_pieces: config.parallelism.max(1),
        };
        let mut pieces = Vec::new();
        if !(config.no_indexes && config.no_functions) {
            pieces.push(whole.schema()?);
        }
        if !config.no_records {
            pieces.extend(whole.records(&sizes)?);
            // A base needs none: what it does not hold is not there.
            if config.digest_census && since.is_some() {
                pieces.extend(whole.census(&sizes)?);
            }
        }
        let skew = clocks.fastest - clocks.slowest;
        if skew > SKEW {
            notes.push(format!("the nodes' clocks are {skew} s apart: the window is wider by that"));
        }
        Ok(FrozenPart {
            part: part.to_owned(),
            filter,
            window: Window::new(since.map(Timestamp::from_millis), until, settled)?,
            applies: Applies::Cover,
            deletes: if config.digest_census { Deletes::Seen } else { Deletes::Unseen },
            pieces,
            missing: left_out.missing,
            notes,
        })
    }

    /// Everything written before this moment can be read: by the slowest clock, less what may be under way.
    fn until(&self, clocks: Clocks) -> Timestamp {
        Timestamp::from_secs(clocks.slowest).plus_micros(-self.config().backup.clock_margin.micros())
    }

    /// Nothing that was read by now is written after this moment: by the fastest clock, which told whole seconds.
    pub(crate) fn settled(&self, clocks: Clocks) -> Timestamp {
        Timestamp::from_secs(clocks.fastest + 1).plus_micros(self.config().backup.clock_margin.micros())
    }

    /// The clocks, once a window that begins at `since` has a length. Servers tell their time in whole seconds, so an
    /// incremental right after another backup has to wait for the next one.
    async fn clocks_after(&self, since: Option<Timestamp>) -> Result<Clocks> {
        let mut patience = self.patience();
        loop {
            let clocks = self.clocks().await?;
            let Some(since) = since.filter(|since| self.until(clocks) <= *since) else { return Ok(clocks) };
            let until = self.until(clocks);
            let error = Error::broken_chain(format!(
                "changes are wanted since {since}, but the nodes' clocks only came to {until}: a clock was set back, or this \
                 is another cluster"
            ))
            .hint("take a base");
            if since.since(until) > PATIENCE * 1_000_000 {
                return Err(error);
            }
            patience.wait(error).await?;
        }
    }
}

/// The filter's own expression: in base64, as every client prints it.
pub(crate) fn expression_of(filter: &Filter) -> Result<Option<Expression>> {
    let Some(text) = &filter.expression else { return Ok(None) };
    let packed = STANDARD.decode(text).ok().filter(|packed| !packed.is_empty()).ok_or_else(|| {
        Error::invalid(format!("the filter expression '{text}' is not base64"))
            .hint("give it packed and in base64, as the clients' Expression.to_base64 and asadm print it")
    })?;
    Ok(Some(Expression::packed(packed)))
}
