//! What a namespace has: sets, secondary indexes, functions, statistics.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{number, pairs};
use crate::Malformed;

/// A secondary index, as `sindex-list:namespace=…;b64=true` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its namespace.
    pub namespace: String,
    /// Its set; `None`: any.
    pub set: Option<String>,
    /// Its name.
    pub name: String,
    /// Its bin; `None` for an index on an expression.
    pub bin: Option<String>,
    /// The type of what is indexed, in the server's words: `numeric`, `string`, `geo2dsphere`, `blob`.
    pub data_type: String,
    /// What of the bin is indexed, in the server's words: `default`, `list`, `mapkeys`, `mapvalues`.
    pub index_type: String,
    /// The path into the bin, in base64.
    pub context: Option<String>,
    /// The expression, in base64.
    pub expression: Option<String>,
    /// Its state: `RW` when it is ready.
    pub state: String,
}

/// Reads the answer of `sindex-list`: entries between `;`, each of `name=value` between `:`.
///
/// # Errors
/// When an index has no name, namespace or type.
pub fn indexes(value: &str) -> Result<Vec<Index>, Malformed> {
    value.split(';').filter(|entry| !entry.trim().is_empty()).map(index).collect()
}

fn index(entry: &str) -> Result<Index, Malformed> {
    let known: BTreeMap<&str, &str> = pairs(entry, ':').collect();
    let some = |name: &str| known.get(name).filter(|value| !matches!(**value, "" | "null" | "NULL"));
    let owned = |name: &str| some(name).map(|value| (*value).to_owned());
    let needed = |name: &str| owned(name).ok_or(Malformed::new("a secondary index without name, namespace or type", 0));
    Ok(Index {
        namespace: needed("ns")?,
        set: owned("set"),
        name: needed("indexname")?,
        bin: owned("bin"),
        data_type: needed("type")?.to_ascii_lowercase(),
        index_type: owned("indextype").unwrap_or_else(|| "default".to_owned()).to_ascii_lowercase(),
        context: owned("context"),
        expression: owned("exp"),
        state: owned("state").unwrap_or_default(),
    })
}

/// A registered function, as `udf-list` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The file's name.
    pub name: String,
    /// The hash of its body, in the server's words.
    pub hash: String,
    /// Its language: `LUA`.
    pub language: String,
}

/// Reads the answer of `udf-list`: entries between `;`, each of `name=value` between `,`.
///
/// # Errors
/// When a function has no name.
pub fn functions(value: &str) -> Result<Vec<Function>, Malformed> {
    let entries = value.split(';').filter(|entry| !entry.trim().is_empty());
    entries
        .map(|entry| {
            let known: BTreeMap<&str, &str> = pairs(entry, ',').collect();
            let owned = |name: &str| known.get(name).map_or_else(String::new, |value| (*value).to_owned());
            let name = owned("filename");
            if name.is_empty() {
                return Err(Malformed::new("a function without a name", 0));
            }
            Ok(Function { name, hash: owned("hash"), language: owned("type") })
        })
        .collect()
}

/// The body of a function, as `udf-get` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionBody {
    /// Its language.
    pub language: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl FunctionBody {
    /// Reads the answer of `udf-get`.
    ///
    /// # Errors
    /// When it has no content in base64.
    pub fn of(value: &str) -> Result<Self, Malformed> {
        let known: BTreeMap<&str, &str> = pairs(value, ';').collect();
        let content = known.get("content").ok_or(Malformed::new("a function without a body", 0))?;
        let content =
            STANDARD.decode(content).map_err(|_| Malformed::new("a function's body that is not base64", 0))?;
        Ok(Self { language: known.get("type").map_or_else(String::new, |language| (*language).to_owned()), content })
    }
}

/// A set, as `sets/namespace` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetStatistics {
    /// Its name.
    pub name: String,
    /// Its records on this node, replicas among them.
    pub objects: u64,
    /// Its bytes on this node.
    pub bytes: u64,
}

/// Reads the answer of `sets/namespace`: entries between `;`, each of `name=value` between `:`.
///
/// # Errors
/// When a set has no name or a senseless number.
pub fn sets(value: &str) -> Result<Vec<SetStatistics>, Malformed> {
    let entries = value.split(';').filter(|entry| !entry.trim().is_empty());
    entries
        .map(|entry| {
            let mut set = SetStatistics::default();
            for (name, value) in pairs(entry, ':') {
                match name {
                    "set" => value.clone_into(&mut set.name),
                    "objects" => set.objects = number(value, "a set with a senseless count")?,
                    "data_used_bytes" => set.bytes = number(value, "a set with a senseless size")?,
                    _ => {}
                }
            }
            if set.name.is_empty() { Err(Malformed::new("a set without a name", 0)) } else { Ok(set) }
        })
        .collect()
}

/// What `namespace/NAME` tells of a namespace on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespace(BTreeMap<String, String>);

impl Namespace {
    /// Reads the answer: `name=value` between `;`. `None`: there is no such namespace.
    #[must_use]
    pub fn of(value: &str) -> Option<Self> {
        if super::refusal(value).is_some() || value.starts_with("type=unknown") {
            return None;
        }
        let known: BTreeMap<String, String> =
            pairs(value, ';').map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (!known.is_empty()).then_some(Self(known))
    }

    /// A value by its name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number by its name; `None` where the server does not tell it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A yes or no by its name; `None` where the server does not tell it.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.text(name)?.parse().ok()
    }
}
