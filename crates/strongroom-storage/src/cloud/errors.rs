//! One meaning of errors over all providers, in one line without headers, signed addresses or request dumps.

use std::error::Error as _;
use std::fmt;

use opendal::ErrorKind as Cause;
use strongroom_core::{Error, ErrorKind};

use super::transport::is_untrusted;

/// Who serves the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    S3,
    AzBlob,
    Gcs,
}

/// A folder of a bucket, for messages.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl Place {
    pub(super) fn new(provider: Provider, bucket: &str, prefix: &str) -> Self {
        Self { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    fn noun(&self) -> &'static str {
        if self.provider == Provider::AzBlob { "container" } else { "bucket" }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.provider {
            Provider::S3 => "s3",
            Provider::AzBlob => "azblob",
            Provider::Gcs => "gcs",
        };
        write!(f, "{scheme}://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// What an answer says, gathered from the text that the provider's module made of it.
struct Answer {
    status: Option<u16>,
    /// The provider's own code (`SignatureDoesNotMatch`), if any.
    code: String,
    /// The provider's own sentence.
    message: String,
    /// What happened below HTTP, innermost last.
    causes: String,
    /// Whether the server's certificate was refused.
    untrusted: bool,
}

impl Answer {
    fn of(error: &opendal::Error) -> Self {
        let text = error.to_string();
        // `response: Parts { status: 403, version: …`
        let status =
            text.split("Parts { status: ").nth(1).and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let message = error.message();
        let code = field(message, "code: ").unwrap_or_default();
        let code = if code.is_empty() { tag(message, "Code") } else { code };
        let said = field(message, "message: ").unwrap_or_default();
        let said = if said.is_empty() { tag(message, "Message") } else { said };
        // Neither a dump of a structure nor a page of markup is fit for a message.
        let plain = !message.contains(['{', '<']);
        let said = if said.is_empty() && plain { message.to_owned() } else { said };
        Self {
            status,
            code: one_line(&code),
            message: one_line(&said),
            causes: causes(error),
            untrusted: is_untrusted(error),
        }
    }

    fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|word| self.code.contains(word) || self.message.contains(word))
    }
}

/// The quoted text after `name` in a printed structure.
fn field(text: &str, name: &str) -> Option<String> {
    let rest = text.split(name).nth(1)?;
    let mut characters = rest.strip_prefix('"')?.chars();
    let mut value = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' | 'r' | 't' => value.push(' '),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// The text of an XML element, without its markup.
fn tag(text: &str, name: &str) -> String {
    let inner = text.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split("</").next());
    inner.unwrap_or_default().to_owned()
}

/// Cuts to one line of at most 200 characters, and drops the query of any address in it: it may be signed.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.split_once("://") {
        Some((_, rest)) => match rest.find('?') {
            Some(at) => &word[..word.len() - rest.len() + at],
            None => word,
        },
        None => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn causes(error: &opendal::Error) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = one_line(&error.to_string());
        if !found.iter().any(|known| known.contains(&text)) {
            found.push(text);
        }
        cause = error.source();
    }
    found.join(": ")
}

const NO_BUCKET: [&str; 5] = [
    "NoSuchBucket",
    "ContainerNotFound",
    "The specified bucket does not exist",
    "bucket does not exist",
    "bucket not found",
];
const NO_CREDENTIALS: [&str; 5] = [
    "no valid credential",
    "credential is empty",
    "no credential",
    "credential not found",
    "failed to load signing credential",
];
const CLOCK: [&str; 2] = ["RequestTimeTooSkewed", "RequestExpired"];
const BUSY: [&str; 6] =
    ["SlowDown", "RequestTimeout", "ServerBusy", "OperationTimedOut", "InternalError", "ServiceUnavailable"];
const DAMAGED: [&str; 5] = ["BadDigest", "ChecksumMismatch", "InvalidDigest", "Md5Mismatch", "Crc64Mismatch"];
const FULL: [&str; 5] =
    ["EntityTooLarge", "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageQuotaExceeded"];

/// What `error`, met at `what`, means to a caller.
pub(super) fn explain(error: &opendal::Error, place: &Place, what: impl fmt::Display) -> Error {
    let answer = Answer::of(error);
    let kind = classify(error.kind(), &answer);
    let mut said = answer.message.clone();
    if !answer.code.is_empty() && !said.contains(&answer.code) {
        said = if said.is_empty() { answer.code.clone() } else { format!("{}: {said}", answer.code) };
    }
    if !answer.causes.is_empty() && !said.contains(&answer.causes) {
        said = if said.is_empty() { answer.causes.clone() } else { format!("{said}: {}", answer.causes) };
    }
    if let Some(status) = answer.status {
        said = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {said}") };
    }
    if answer.says(&NO_BUCKET) {
        return missing_bucket(place);
    }
    let error = match kind {
        ErrorKind::NotFound => Error::not_found(format!("{place}: {what} does not exist")),
        ErrorKind::AlreadyExists => Error::already_exists(format!("{place}: {what} exists")),
        _ => Error::new(kind, format!("{place}: {what}: {said}")),
    };
    match kind {
        ErrorKind::Denied => error.hint(denied_hint(place, &answer)),
        ErrorKind::Corrupt => {
            error.hint("the bytes changed on their way: try again, and look at the network if it comes back")
        }
        ErrorKind::Unavailable => error.hint("check the network and the endpoint, then try again"),
        _ => error,
    }
}

/// The error for a bucket that isn't there.
pub(super) fn missing_bucket(place: &Place) -> Error {
    let (noun, bucket) = (place.noun(), &place.bucket);
    Error::new(ErrorKind::NotFound, format!("{place}: the {noun} '{bucket}' does not exist"))
        .hint(format!("create it, or check the name and the region; strongroom never creates a {noun}"))
}

/// Whether this is the error of [`missing_bucket`]: a missing object comes without advice.
pub(super) fn is_missing_bucket(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.advice().is_some()
}

/// The table. The providers' modules leave much as `Unexpected`: a 401, missing credentials, a range past the end.
fn classify(cause: Cause, answer: &Answer) -> ErrorKind {
    match cause {
        // The object may be there, but not the key to encrypt it with.
        Cause::NotFound if answer.code.to_ascii_lowercase().contains("kms") => return ErrorKind::Invalid,
        Cause::NotFound => return ErrorKind::NotFound,
        Cause::PermissionDenied => return ErrorKind::Denied,
        Cause::ConditionNotMatch | Cause::AlreadyExists => return ErrorKind::AlreadyExists,
        Cause::RangeNotSatisfied => return ErrorKind::Invalid,
        Cause::Unsupported => return ErrorKind::Unsupported,
        Cause::RateLimited => return ErrorKind::Unavailable,
        _ => {}
    }
    if answer.says(&FULL) {
        return ErrorKind::NoSpace;
    }
    if answer.says(&DAMAGED) {
        return ErrorKind::Corrupt;
    }
    if answer.says(&BUSY) {
        return ErrorKind::Unavailable;
    }
    match answer.status {
        Some(401 | 403) => ErrorKind::Denied,
        Some(404) => ErrorKind::NotFound,
        Some(409 | 412) if cause != Cause::Conflict => ErrorKind::AlreadyExists,
        Some(416) => ErrorKind::Invalid,
        Some(507) => ErrorKind::NoSpace,
        Some(501) => ErrorKind::Unsupported,
        Some(408 | 425 | 429 | 499 | 500..=599) => ErrorKind::Unavailable,
        Some(_) if cause == Cause::Conflict => ErrorKind::Unavailable,
        Some(_) => ErrorKind::Invalid,
        None if cause == Cause::ConfigInvalid => ErrorKind::Invalid,
        None if no_credentials(answer) || answer.untrusted => ErrorKind::Denied,
        // No answer at all: the connection failed, was cut, or took too long.
        None => ErrorKind::Unavailable,
    }
}

fn no_credentials(answer: &Answer) -> bool {
    let text = format!("{} {}", answer.message, answer.causes).to_ascii_lowercase();
    NO_CREDENTIALS.iter().any(|words| text.contains(words))
}

fn denied_hint(place: &Place, answer: &Answer) -> String {
    if answer.says(&CLOCK) {
        return "this machine's clock is wrong: set it".to_owned();
    }
    if answer.untrusted {
        return "the server's certificate is not trusted: give its authority's as ca_file, or check the address"
            .to_owned();
    }
    if no_credentials(answer) {
        let how = match place.provider {
            Provider::S3 => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            Provider::AzBlob => "set account_key or sas_token, or AZURE_STORAGE_ACCOUNT_KEY",
            Provider::Gcs => "set GOOGLE_APPLICATION_CREDENTIALS or credential_file",
        };
        return format!("no credentials were found: {how}, or say anonymous");
    }
    "check the credentials and what they are allowed to do there".to_owned()
}

/// An operator that could not even be made.
pub(super) fn misconfigured(error: &opendal::Error, place: &Place) -> Error {
    Error::invalid(format!("{place}: {}", one_line(error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new(Provider::S3, "b", "p")
    }

    fn answered(cause: Cause, status: u16, message: &str) -> opendal::Error {
        let parts = format!("Parts {{ status: {status}, version: HTTP/1.1, headers: {{\"x-amz-id-2\": \"noise\"}} }}");
        opendal::Error::new(cause, message)
            .with_context("uri", "https://host/b/k?X-Amz-Signature=hunter2")
            .with_context("response", parts)
    }

    /// What each provider's answers mean, as its servers were seen to give them.
    #[test]
    fn the_table_of_kinds() {
        let s3 = |code: &str| format!("S3Error {{ code: \"{code}\", message: \"said\", resource: \"\" }}");
        let gcs = r#"GcsErrorResponse { error: GcsError { code: 401, message: "Invalid Credentials", errors: [] } }"#;
        let cases = [
            (Cause::Unexpected, 401, gcs.to_owned(), ErrorKind::Denied),
            (Cause::PermissionDenied, 403, s3("SignatureDoesNotMatch"), ErrorKind::Denied),
            (Cause::NotFound, 404, s3("NoSuchKey"), ErrorKind::NotFound),
            (Cause::NotFound, 404, s3("kms:KeyNotFoundException"), ErrorKind::Invalid),
            (Cause::ConfigInvalid, 404, s3("NoSuchBucket"), ErrorKind::NotFound),
            (Cause::ConditionNotMatch, 412, s3("PreconditionFailed"), ErrorKind::AlreadyExists),
            (Cause::AlreadyExists, 409, s3("BlobAlreadyExists"), ErrorKind::AlreadyExists),
            (Cause::Conflict, 409, s3("ConditionalRequestConflict"), ErrorKind::Unavailable),
            (Cause::RangeNotSatisfied, 416, s3("InvalidRange"), ErrorKind::Invalid),
            (Cause::Unexpected, 416, String::new(), ErrorKind::Invalid),
            (Cause::RateLimited, 503, s3("SlowDown"), ErrorKind::Unavailable),
            (Cause::Unexpected, 500, s3("InternalError"), ErrorKind::Unavailable),
            (Cause::Unexpected, 400, s3("RequestTimeout"), ErrorKind::Unavailable),
            (Cause::Unexpected, 400, s3("BadDigest"), ErrorKind::Corrupt),
            (Cause::Unexpected, 507, s3("XMinioStorageFull"), ErrorKind::NoSpace),
            (Cause::Unexpected, 400, s3("InvalidStorageClass"), ErrorKind::Invalid),
            (Cause::Unexpected, 501, s3("NotImplemented"), ErrorKind::Unsupported),
        ];
        for (cause, status, message, kind) in cases {
            let error = explain(&answered(cause, status, &message), &place(), "k");
            assert_eq!(error.kind(), kind, "{cause} {status} {message}: {error:?}");
        }
    }

    #[test]
    fn no_answer_is_unavailable_and_no_credentials_are_denied() {
        let cut =
            opendal::Error::new(Cause::Unexpected, "send http request").set_source(std::io::Error::other("reset"));
        let error = explain(&cut, &place(), "k");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "s3://b/p: k: send http request: reset"));
        let none = opendal::Error::new(Cause::Unexpected, "failed to load signing credential");
        assert_eq!(explain(&none, &place(), "k").kind(), ErrorKind::Denied);
    }

    #[test]
    fn a_message_is_one_short_line_without_what_is_secret() {
        let page = format!("<html>\n<body>{}</body></html>", "x".repeat(5000));
        let said = "S3Error { code: \"AccessDenied\", message: \"see\\nhttps://host/x?sig=hunter2 \\\"now\\\"\" }";
        for message in [said, &page, ""] {
            let error = explain(&answered(Cause::PermissionDenied, 403, message), &place(), "k");
            let shown = format!("{error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("noise") && !shown.contains("<html"), "{shown}");
            assert!(shown.lines().count() == 1 && shown.len() < 400, "{shown}");
        }
        let error = explain(&answered(Cause::PermissionDenied, 403, said), &place(), "k");
        assert_eq!(error.message(), "s3://b/p: k: HTTP 403, AccessDenied: see https://host/x \"now\"");
    }

    #[test]
    fn a_wrong_clock_is_told_as_such() {
        let message = "S3Error { code: \"RequestTimeTooSkewed\", message: \"too large\" }";
        let error = explain(&answered(Cause::PermissionDenied, 403, message), &place(), "k");
        assert!(error.advice().is_some_and(|advice| advice.contains("clock")), "{error:?}");
    }
}
