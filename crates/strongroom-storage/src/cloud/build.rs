//! From configuration to operators.

use base64::Engine as _;
use opendal::layers::{ConcurrentLimitLayer, RetryEvent, RetryLayer, TimeoutLayer};
use opendal::services::{Azblob, Gcs, S3};
use opendal::{Builder, Operator};
use strongroom_core::{Error, Key, Result};
use zeroize::Zeroizing;

use super::errors::{Place, Provider};
use super::{Cloud, CloudStorage, Pin, transport};
use crate::ByteSize;
use crate::config::{AzBlobConfig, GcsConfig, Limits, Network, S3Config};

/// The smallest part that S3 and GCS take, the last one apart.
const MIN_PART: ByteSize = ByteSize::mib(5);
/// The largest part that is still held in memory a few times over.
const MAX_PART: ByteSize = ByteSize::mib(1024);

impl CloudStorage {
    /// The storage in a bucket of S3 or a compatible service.
    ///
    /// # Errors
    /// `Invalid` when the configuration makes no sense; `Denied` when a secret that it refers to isn't there.
    pub fn s3(config: &S3Config) -> Result<Self> {
        let mut builder = S3::default().bucket(&config.bucket).root(&config.prefix).region(&s3_region(config)?);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if config.virtual_host_style {
            builder = builder.enable_virtual_host_style();
        }
        builder = s3_credentials(builder, config)?;
        if let Some(class) = &config.storage_class {
            builder = builder.default_storage_class(class);
        }
        builder = s3_encryption(builder, config)?;
        builder = match config.checksum.as_deref() {
            None | Some("crc32c") => builder.checksum_algorithm("crc32c"),
            Some("none") => builder,
            Some(other) => return Err(unknown("checksum", other, "crc32c or none")),
        };
        let place = Place::new(Provider::S3, &config.bucket, &config.prefix);
        Self::build(builder, place, &config.network, config.limits)
    }

    /// The storage in a container of Azure Blob Storage.
    ///
    /// # Errors
    /// `Invalid` when the configuration makes no sense; `Denied` when a secret that it refers to isn't there.
    pub fn azblob(config: &AzBlobConfig) -> Result<Self> {
        let endpoint = match (&config.endpoint, &config.account) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(account)) => format!("https://{account}.blob.core.windows.net"),
            (None, None) => {
                return Err(Error::invalid(format!("azblob://{}: no account is given", config.container))
                    .hint("add account=NAME, or endpoint=ADDRESS"));
            }
        };
        let mut builder = Azblob::default().container(&config.container).root(&config.prefix).endpoint(&endpoint);
        if let Some(account) = &config.account {
            builder = builder.account_name(account);
        }
        if config.anonymous {
            builder = builder.skip_signature();
        }
        if let Some(key) = &config.account_key {
            let key = key.reveal("account_key")?;
            if base64::engine::general_purpose::STANDARD.decode(key.as_bytes()).map(Zeroizing::new).is_err() {
                return Err(Error::denied("account_key is not base64").hint("copy the key as the portal shows it"));
            }
            builder = builder.account_key(&key);
        }
        if let Some(token) = &config.sas_token {
            builder = builder.sas_token(token.reveal("sas_token")?.trim_start_matches('?'));
        }
        let place = Place::new(Provider::AzBlob, &config.container, &config.prefix);
        Self::build(builder, place, &config.network, config.limits)
    }

    /// The storage in a bucket of Google Cloud Storage.
    ///
    /// # Errors
    /// `Invalid` when the configuration makes no sense; `Denied` when a secret that it refers to isn't there.
    pub fn gcs(config: &GcsConfig) -> Result<Self> {
        let mut builder = Gcs::default().bucket(&config.bucket).root(&config.prefix);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if config.anonymous {
            builder = builder.skip_signature();
        }
        if let Some(token) = &config.token {
            builder = builder.token(token.reveal("token")?.to_string());
        }
        if let Some(credential) = &config.credential {
            builder = builder.credential(&credential.reveal("credential")?);
        }
        if let Some(path) = &config.credential_file {
            let path = path.to_str().ok_or_else(|| Error::invalid("credential_file is not UTF-8"))?;
            builder = builder.credential_path(path);
        }
        if config.instance_metadata == Some(false) {
            builder = builder.disable_vm_metadata();
        }
        if let Some(class) = &config.storage_class {
            builder = builder.default_storage_class(class);
        }
        let place = Place::new(Provider::Gcs, &config.bucket, &config.prefix);
        Self::build(builder, place, &config.network, config.limits)
    }

    fn build(builder: impl Builder, place: Place, network: &Network, limits: Limits) -> Result<Self> {
        check_prefix(&place)?;
        check_network(network)?;
        let operator = Operator::new(builder).map_err(|error| super::errors::misconfigured(&error, &place))?;
        let context = operator.base_context().with_http_transport(transport::transport(network)?);
        // Requests are limited, not operations: an upload that waits for its data must not keep others from working.
        let limit = ConcurrentLimitLayer::new(1 << 20).with_http_concurrent_limit(network.requests);
        let timeout = TimeoutLayer::new().with_timeout(network.timeout.0).with_io_timeout(network.part_timeout.0);
        // The layer's own notice of a retry would print whole answers, signed addresses included.
        let quiet = |_: RetryEvent<'_>| {};
        let retry = RetryLayer::new()
            .with_max_times(network.retries)
            .with_min_delay(network.retry_delay.0)
            .with_max_delay(std::time::Duration::from_secs(20).max(network.retry_delay.0))
            .with_jitter()
            .with_notify(quiet);
        // In this order: a try is timed out, then retried (the reverse loses the upload's state).
        let operator = operator.with_context(context).layer(limit).layer(timeout).layer(retry);
        let (part_size, concurrency) = paced(network, limits);
        let capability = operator.info().capability();
        let pin = match (capability.read_with_if_version_match, capability.read_with_if_match) {
            (true, _) => Pin::Version,
            (false, true) => Pin::Etag,
            (false, false) => Pin::Nothing,
        };
        let cloud = Cloud { operator, place, part_size, concurrency, pin, bucket_seen: false.into() };
        Ok(Self { cloud: cloud.into() })
    }
}

/// A limited storage asks for less ahead, else the first second would carry many seconds' worth.
fn paced(network: &Network, limits: Limits) -> (usize, usize) {
    let part_size = usize::try_from(network.part_size.0).unwrap_or(usize::MAX);
    let slow = [limits.read, limits.write].into_iter().flatten().any(|limit| limit.0 < 4 * network.part_size.0);
    (part_size, if slow { 1 } else { network.concurrency })
}

fn check_prefix(place: &Place) -> Result<()> {
    if place.bucket.is_empty() {
        return Err(Error::invalid(format!("{place}: no bucket is given")));
    }
    if !place.prefix.is_empty() {
        Key::new(&*place.prefix).map_err(|error| error.within(format!("the prefix of {place}")))?;
    }
    Ok(())
}

fn check_network(network: &Network) -> Result<()> {
    if network.part_size < MIN_PART || network.part_size > MAX_PART {
        return Err(Error::invalid(format!(
            "part_size is {}, it must lie between {MIN_PART} and {MAX_PART}",
            network.part_size
        )));
    }
    for (name, count) in [("concurrency", network.concurrency), ("requests", network.requests)] {
        if !(1..=1024).contains(&count) {
            return Err(Error::invalid(format!("{name} is {count}, it must lie between 1 and 1024")));
        }
    }
    let spans = [
        ("connect_timeout", network.connect_timeout),
        ("timeout", network.timeout),
        ("part_timeout", network.part_timeout),
    ];
    for (name, span) in spans {
        if span.0.is_zero() {
            return Err(Error::invalid(format!("{name} is zero")));
        }
    }
    Ok(())
}

fn s3_region(config: &S3Config) -> Result<String> {
    let given = config.region.clone().filter(|region| !region.is_empty());
    given.or_else(|| std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION")).ok()).ok_or_else(
        || {
            Error::invalid(format!("s3://{}: no region is given", config.bucket))
                .hint("add region=NAME or set AWS_REGION; for a service that has none use us-east-1")
        },
    )
}

fn s3_credentials(mut builder: S3, config: &S3Config) -> Result<S3> {
    if config.anonymous {
        return Ok(builder.skip_signature());
    }
    match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(secret)) => {
            builder = builder.access_key_id(id).secret_access_key(&secret.reveal("secret_access_key")?);
            if let Some(token) = &config.session_token {
                builder = builder.session_token(&token.reveal("session_token")?);
            }
        }
        (None, None) => {}
        _ => {
            return Err(Error::invalid(format!(
                "s3://{}: access_key_id and secret_access_key go together",
                config.bucket
            )));
        }
    }
    if let Some(profile) = &config.profile {
        builder = builder.profile(profile);
    }
    if let Some(role) = &config.role_arn {
        builder = builder.role_arn(role);
    }
    if let Some(id) = &config.external_id {
        builder = builder.external_id(id);
    }
    if config.instance_metadata == Some(false) {
        builder = builder.disable_ec2_metadata();
    }
    Ok(builder)
}

fn s3_encryption(mut builder: S3, config: &S3Config) -> Result<S3> {
    if let Some(key) = &config.customer_key {
        if config.server_side_encryption.is_some() {
            return Err(Error::invalid("customer_key and server_side_encryption exclude each other"));
        }
        if config.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:")) {
            return Err(Error::invalid("customer_key would be sent over plain http").hint("use an https endpoint"));
        }
        let text = key.reveal("customer_key")?;
        let key = base64::engine::general_purpose::STANDARD.decode(text.trim()).map(Zeroizing::new);
        let key = key.ok().filter(|key| key.len() == 32).ok_or_else(|| {
            Error::invalid("customer_key is not 32 bytes in base64")
                .hint("make one with: head -c 32 /dev/urandom | base64")
        })?;
        return Ok(builder.server_side_encryption_with_customer_key("AES256", &key));
    }
    match (config.server_side_encryption.as_deref(), &config.kms_key_id) {
        (None, None) => {}
        (Some("AES256"), None) => builder = builder.server_side_encryption_with_s3_key(),
        (Some("aws:kms"), None) => builder = builder.server_side_encryption_with_aws_managed_kms_key(),
        (Some("aws:kms"), Some(id)) => builder = builder.server_side_encryption_with_customer_managed_kms_key(id),
        (_, Some(_)) => return Err(Error::invalid("kms_key_id needs server_side_encryption = aws:kms")),
        (Some(other), None) => return Err(unknown("server_side_encryption", other, "AES256 or aws:kms")),
    }
    Ok(builder)
}

fn unknown(name: &str, value: &str, known: &str) -> Error {
    Error::invalid(format!("{name} is '{}', it must be {known}", value.escape_debug()))
}
