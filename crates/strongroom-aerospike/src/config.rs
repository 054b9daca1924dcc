//! How a cluster is reached, read and written.

use serde::{Deserialize, Serialize};
use strongroom_aerospike_wire::client::ClientOptions;
use strongroom_core::id::ClusterId;
use strongroom_core::units::{ByteSize, Span};
use strongroom_core::{Error, Result, Timestamp};

use crate::login::{LoginConfig, TlsConfig};
use crate::selection::after;

/// How a cluster is reached, read and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AerospikeConfig {
    /// Where to ask first: `host` or `host:port`; the port is 3000 if it is not said.
    pub seeds: Vec<String>,
    /// What people call the cluster. Absent: its own `cluster-name`, or the seeds.
    pub name: Option<String>,
    /// Our own id of it. Absent: made of its name, so that it is the same each time.
    pub id: Option<ClusterId>,
    /// Who asks. Absent: the cluster has no security.
    pub login: Option<LoginConfig>,
    /// TLS. Absent: plain.
    pub tls: Option<TlsConfig>,
    /// Use the alternate addresses that nodes tell of.
    pub alternate_addresses: bool,
    /// How long making a connection may take, login included.
    pub connect_timeout: Span,
    /// How long a server may be silent in the middle of an exchange.
    pub silence_timeout: Span,
    /// How often something is tried again without any success in between.
    pub retries: u32,
    /// The wait before the first repetition; each further one waits twice as long, up to [`AerospikeConfig::backoff_most`].
    pub backoff: Span,
    /// The longest wait between two attempts.
    pub backoff_most: Span,
    /// How it is backed up.
    pub backup: BackupConfig,
    /// How it is restored into.
    pub restore: RestoreConfig,
}

/// How a cluster is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent options")]
pub struct BackupConfig {
    /// What is taken off the slowest clock and added to the fastest: for writes that were under way.
    pub clock_margin: Span,
    /// About how large a piece becomes.
    pub piece_bytes: ByteSize,
    /// About how much of several partitions is gathered at once: that many are asked for in one query.
    pub gathered_bytes: ByteSize,
    /// How many pieces are read or written at once; a job's settings may say fewer.
    pub parallelism: u16,
    /// Leave out records: only definitions. The backup is partial.
    pub no_records: bool,
    /// Leave out secondary indexes.
    pub no_indexes: bool,
    /// Leave out functions.
    pub no_functions: bool,
    /// Only records that never expire. The backup is partial.
    pub only_without_expiry: bool,
    /// At most so many records of each namespace; 0 = all. The backup is partial.
    pub max_records: u64,
    /// Only partitions whose master is one of these nodes, by id or `host:port`. The backup is partial.
    pub nodes: Vec<String>,
    /// Only partitions whose master is in one of these racks, by id. The backup is partial.
    pub racks: Vec<String>,
    /// Only what comes after these digests in the order of a server, each in its own partition: 40 hexadecimal digits or base64. The
    /// backup is partial.
    pub after_digests: Vec<String>,
    /// Only records last written at or after this moment, by the server's clock to the millisecond. The backup is partial, unless
    /// it is an incremental that begins later anyway.
    #[serde(with = "strongroom_core::time::written", skip_serializing_if = "Option::is_none")]
    pub modified_after: Option<Timestamp>,
    /// Only records last written before this moment. The backup is partial.
    #[serde(with = "strongroom_core::time::written", skip_serializing_if = "Option::is_none")]
    pub modified_before: Option<Timestamp>,
    /// Ask the servers to send records compressed; only the enterprise edition does.
    pub compressed: bool,
    /// Leave out what is written after the window's end, as the reference service does. **A record that changes again before
    /// it is read is then in no backup**; only for those who need the old behaviour.
    pub sealed: bool,
    /// Store the digests of all records with each incremental, 20 bytes each, so that a restored chain brings no deleted record
    /// back.
    pub digest_census: bool,
}

/// How a cluster is restored into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent options")]
pub struct RestoreConfig {
    /// Most records of one batch; 1: every record is written alone.
    pub batch_records: u32,
    /// About the most bytes of one batch. A larger record is written alone. What one piece has under way is bounded by this times
    /// [`RestoreConfig::batches_in_flight`].
    pub batch_bytes: ByteSize,
    /// How many batches of one piece are under way at once.
    pub batches_in_flight: u16,
    /// How long a server may take for a write.
    pub write_timeout: Span,
    /// How far the nodes' clocks may be apart for a truncate: what it cuts off is told by time.
    pub most_clock_skew: Span,
    /// Keep bins of existing records that the backup does not have, instead of replacing whole records.
    pub merge_bins: bool,
    /// Let every record that expires live longer by this.
    pub extra_ttl: Span,
    /// Leave out records that the server will not take (too big, a bin's name too long), count and list them, and go on.
    pub ignore_record_errors: bool,
    /// List records that are not written since what is there stays or they have expired, too.
    pub list_skipped: bool,
    /// How many records are listed by name at most. All are counted.
    pub most_listed: u32,
    /// Delete with tombstones; only the enterprise edition does.
    pub durable_deletes: bool,
    /// Wait at the end until all restored indexes are built.
    pub wait_for_indexes: bool,
}

impl Default for AerospikeConfig {
    fn default() -> Self {
        Self {
            seeds: Vec::new(),
            name: None,
            id: None,
            login: None,
            tls: None,
            alternate_addresses: false,
            connect_timeout: Span::secs(5),
            silence_timeout: Span::secs(30),
            retries: 10,
            backoff: Span(std::time::Duration::from_millis(100)),
            backoff_most: Span::secs(5),
            backup: BackupConfig::default(),
            restore: RestoreConfig::default(),
        }
    }
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            clock_margin: Span::secs(1),
            piece_bytes: ByteSize::mib(32),
            gathered_bytes: ByteSize::mib(1),
            parallelism: 6,
            no_records: false,
            no_indexes: false,
            no_functions: false,
            only_without_expiry: false,
            max_records: 0,
            nodes: Vec::new(),
            racks: Vec::new(),
            after_digests: Vec::new(),
            modified_after: None,
            modified_before: None,
            compressed: false,
            sealed: false,
            digest_census: false,
        }
    }
}

impl Default for RestoreConfig {
    fn default() -> Self {
        Self {
            batch_records: 512,
            batch_bytes: ByteSize(256 << 10),
            batches_in_flight: 3,
            write_timeout: Span::secs(10),
            most_clock_skew: Span::secs(15),
            merge_bins: false,
            extra_ttl: Span::secs(0),
            ignore_record_errors: false,
            list_skipped: false,
            most_listed: 100,
            durable_deletes: false,
            wait_for_indexes: true,
        }
    }
}

impl AerospikeConfig {
    /// The cluster behind some seeds, everything else as it is by default.
    pub fn of_seeds<S: Into<String>>(seeds: impl IntoIterator<Item = S>) -> Self {
        Self { seeds: seeds.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Checks what can be checked without a network or files.
    ///
    /// # Errors
    /// `Invalid`, with what to change.
    pub fn check(&self) -> Result<()> {
        self.seeds()?;
        let backup = &self.backup;
        let by_master = !backup.nodes.is_empty() || !backup.racks.is_empty();
        let narrow = backup.max_records > 0
            || backup.only_without_expiry
            || backup.no_records
            || by_master
            || !backup.after_digests.is_empty();
        if backup.digest_census && narrow {
            return Err(Error::invalid(
                "a digest census needs all records: what an option leaves out would count as deleted",
            )
            .hint(
                "take out max-records, only-without-expiry, no-records, nodes, racks and after-digests, or the census",
            ));
        }
        if by_master && !backup.after_digests.is_empty() {
            return Err(Error::invalid("digests name their partitions, and nodes and racks name others")
                .hint("take out after-digests, or nodes and racks"));
        }
        after(&backup.after_digests)?;
        if let (Some(after), Some(before)) = (backup.modified_after, backup.modified_before)
            && after >= before
        {
            return Err(Error::invalid(format!("nothing is written at or after {after} and before {before}"))
                .hint("let modified-after lie before modified-before"));
        }
        Ok(())
    }

    fn seeds(&self) -> Result<Vec<(String, u16)>> {
        if self.seeds.is_empty() {
            return Err(Error::invalid("no address of the Aerospike cluster was given")
                .hint("name at least one node, such as aerospike://host:3000"));
        }
        self.seeds.iter().map(|seed| address(seed)).collect()
    }

    /// How the client connects. Reads the secrets and certificates that are referred to.
    pub(crate) fn client(&self) -> Result<ClientOptions> {
        let tls = self.tls.as_ref().map(TlsConfig::options).transpose()?;
        let credentials = self.login.as_ref().map(|login| login.credentials(tls.is_some())).transpose()?;
        Ok(ClientOptions {
            credentials,
            tls,
            alternate_addresses: self.alternate_addresses,
            connect_timeout: self.connect_timeout.0,
            silence_timeout: self.silence_timeout.0,
            ..ClientOptions::new(self.seeds()?)
        })
    }
}

/// The port of servers, if none is said.
const PORT: u16 = 3000;

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
fn address(text: &str) -> Result<(String, u16)> {
    let wrong = || {
        Error::invalid(format!("'{text}' is no address of a node")).hint("write host, host:port or [IPv6 address]:port")
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':'))).ok_or_else(wrong)?,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(PORT), str::parse).map_err(|_| wrong())?;
    if host.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_form() {
        assert_eq!(address("db1").unwrap(), ("db1".to_owned(), 3000));
        assert_eq!(address("db1:3100").unwrap(), ("db1".to_owned(), 3100));
        assert_eq!(address("[::1]").unwrap(), ("::1".to_owned(), 3000));
        assert_eq!(address("[fe80::1]:4").unwrap(), ("fe80::1".to_owned(), 4));
        for wrong in ["", ":3000", "db1:", "db1:x", "db1:0", "db1:70000", "[::1", "[]:3"] {
            assert!(address(wrong).unwrap_err().advice().is_some(), "{wrong}");
        }
        let none = AerospikeConfig::default().check().unwrap_err();
        assert!(none.message().contains("no address"), "{none}");
    }

    #[test]
    fn a_census_of_some_records_is_refused() {
        let mut config = AerospikeConfig::of_seeds(["a"]);
        config.backup.digest_census = true;
        config.check().unwrap();
        config.backup.max_records = 5;
        assert!(config.check().unwrap_err().message().contains("would count as deleted"));
    }

    #[test]
    fn a_configuration_reads_back_as_it_was_written() {
        let mut config = AerospikeConfig::of_seeds(["a:1", "b"]);
        config.restore.extra_ttl = Span::days(2);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<AerospikeConfig>(&text).unwrap(), config);
        assert!(serde_json::from_str::<AerospikeConfig>(r#"{"seeds": ["a"], "no-such": 1}"#).is_err());
    }
}
