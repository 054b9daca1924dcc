//! Java's exceptions as our errors, with their own text.

use strongroom_core::{Error, ErrorKind};

use crate::java::{Answer, Object, Value};

/// How many causes are looked at.
const CAUSES: usize = 12;

/// What management and RMI wrap exceptions in; each says in which field.
const WRAPPERS: [(&str, &str); 8] = [
    ("javax.management.MBeanException", "exception"),
    ("javax.management.ReflectionException", "exception"),
    ("javax.management.RuntimeMBeanException", "runtimeException"),
    ("javax.management.RuntimeOperationsException", "runtimeException"),
    ("javax.management.RuntimeErrorException", "error"),
    ("java.rmi.ServerException", "detail"),
    ("java.rmi.ServerError", "detail"),
    ("java.lang.reflect.UndeclaredThrowableException", "undeclaredThrowable"),
];

/// One link of a chain of exceptions.
struct Link<'a> {
    class: &'a str,
    message: Option<&'a str>,
}

/// The error for an exception that the node answered with.
pub(crate) fn error(answer: &Answer) -> Error {
    let chain = chain(answer);
    let Some(first) = chain.first() else {
        return Error::invalid("the node answered with an exception that can't be read");
    };
    // The cause tells most: what is around it often only repeats it.
    let shown: Vec<String> = chain.iter().map(Link::shown).collect();
    let (kind, hint) = judge(&chain);
    let mut text = shown.first().cloned().unwrap_or_else(|| first.class.to_owned());
    for cause in shown.iter().skip(1).filter(|cause| !shown[0].ends_with(cause.as_str())) {
        text = format!("{text}, because {cause}");
    }
    let error = Error::new(kind, format!("the node refused: {text}"));
    if hint.is_empty() { error } else { error.hint(hint) }
}

impl Link<'_> {
    fn shown(&self) -> String {
        let class = self.class;
        // One line, whatever the node puts into it.
        self.message
            .map_or_else(|| class.to_owned(), |message| format!("{class}: {}", message.replace(['\n', '\r'], " ")))
    }
}

/// The exception within the wrappers, then its causes.
fn chain(answer: &Answer) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut value = Some(answer.root);
    let mut seen: Vec<Value> = Vec::new();
    while let Some((here, exception)) = value.and_then(|value| answer.object(value).map(|object| (value, object))) {
        // A throwable that has no cause is its own.
        if seen.contains(&here) || seen.len() >= CAUSES {
            break;
        }
        seen.push(here);
        let inner = wrapped(answer, exception);
        if inner.is_none() {
            let message = exception.field("detailMessage").and_then(|message| answer.text(message));
            links.push(Link { class: &exception.class.name, message });
        }
        value = inner.or_else(|| exception.field("cause"));
    }
    links
}

fn wrapped(answer: &Answer, exception: &Object) -> Option<Value> {
    let (_, field) = WRAPPERS.iter().find(|(class, _)| *class == &*exception.class.name)?;
    exception.field(field).or_else(|| exception.field("cause")).filter(|inner| answer.object(*inner).is_some())
}

/// What a caller should do about it.
fn judge(chain: &[Link<'_>]) -> (ErrorKind, &'static str) {
    let told = |text: &str| chain.iter().any(|link| link.message.is_some_and(|message| message.contains(text)));
    let is = |class: &str| chain.iter().any(|link| link.class == class);
    match () {
        () if is("java.lang.SecurityException") => {
            (ErrorKind::Denied, "check user and password of JMX: jmxremote.password and jmxremote.access on the node")
        }
        () if is("javax.management.InstanceNotFoundException") || is("java.rmi.NotBoundException") => {
            (ErrorKind::NotFound, "")
        }
        () if is("java.lang.NoSuchMethodException") || told("Signature mismatch") => {
            (ErrorKind::Unsupported, "this version of Cassandra is not known: 4.0 to 5.0 are")
        }
        () if told("already exists") => (ErrorKind::AlreadyExists, ""),
        () if told("No space left on device") => (ErrorKind::NoSpace, ""),
        () if chain.iter().any(|link| link.class.starts_with("java.io.") || link.class.ends_with("Error"))
            || is("java.util.concurrent.TimeoutException") =>
        {
            (ErrorKind::Unavailable, "")
        }
        () if told("does not exist") || told("Unknown keyspace") => (ErrorKind::NotFound, ""),
        () => (ErrorKind::Invalid, ""),
    }
}
