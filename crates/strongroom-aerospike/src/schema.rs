//! Secondary indexes and functions: out of the cluster and into it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use strongroom_aerospike_wire::info;
use strongroom_core::cluster::Applied;
use strongroom_core::{Error, Result};
use strongroom_record::asb::{Encoder, GlobalsVersion};
use strongroom_record::model::{IndexCollection, IndexType};
use strongroom_record::{Function, Name, SecondaryIndex, Sieve};

use crate::AerospikeCluster;
use crate::fault::nonsense;
use crate::piece::PieceDetail;

impl AerospikeCluster {
    /// The text of a schema piece, and how many definitions are in it.
    pub(crate) async fn schema_text(&self, detail: &PieceDetail) -> Result<(Vec<u8>, u64)> {
        let sieve = Sieve::beside_expression(&detail.filter)?;
        let mut indexes = if detail.omitted.indexes { Vec::new() } else { self.indexes(&detail.part).await? };
        indexes.retain(|index| sieve.takes_set(index.set.as_ref().map_or(&[], Name::as_bytes)));
        let functions = if detail.omitted.functions { Vec::new() } else { self.functions().await? };
        let encoder = Encoder { compact: true, version: GlobalsVersion::needed(&indexes) };
        let mut text = Vec::new();
        encoder.header(&mut text, &Name::namespace(detail.part.clone())?, false);
        indexes.iter().try_for_each(|index| encoder.index(&mut text, index))?;
        functions.iter().try_for_each(|function| encoder.function(&mut text, function))?;
        Ok((text, (indexes.len() + functions.len()) as u64))
    }

    /// The indexes of a namespace, by name.
    pub(crate) async fn indexes(&self, namespace: &str) -> Result<Vec<SecondaryIndex>> {
        let answer = self.ask(&format!("sindex-list:namespace={namespace};b64=true")).await?;
        told(&answer, "the list of indexes")?;
        let found =
            info::indexes(&answer).map_err(|error| nonsense("that was asked", "the list of indexes", &error))?;
        let mut indexes = found.into_iter().map(definition).collect::<Result<Vec<_>>>()?;
        indexes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(indexes)
    }

    /// The functions of the cluster, by name.
    pub(crate) async fn functions(&self) -> Result<Vec<Function>> {
        let answer = self.ask("udf-list").await?;
        told(&answer, "the list of functions")?;
        let found =
            info::functions(&answer).map_err(|error| nonsense("that was asked", "the list of functions", &error))?;
        let mut functions = Vec::with_capacity(found.len());
        for listed in found {
            let answer = self.ask(&format!("udf-get:filename={}", listed.name)).await?;
            if info::refusal(&answer).is_some_and(|why| why.contains("not_found")) {
                // Removed since it was listed.
                continue;
            }
            told(&answer, &format!("function '{}'", listed.name))?;
            let body =
                info::FunctionBody::of(&answer).map_err(|error| nonsense("that was asked", "a function", &error))?;
            functions.push(Function { name: Name::function(listed.name)?, body: body.content.into() });
        }
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(functions)
    }

    /// Creates an index, or leaves the one that has its name.
    pub(crate) async fn define_index(
        &self,
        index: &SecondaryIndex,
        replace: bool,
        applied: &mut Applied,
    ) -> Result<()> {
        let namespace = text(&index.namespace)?;
        let there = self.indexes(namespace).await?.into_iter().find(|there| there.name == index.name);
        match there {
            Some(there) if there == *index || !replace => {
                return Ok(());
            }
            Some(_) => {
                let name = text(&index.name)?;
                let answer = self.ask(&format!("sindex-delete:namespace={namespace};indexname={name}")).await?;
                told(&answer, &format!("the deletion of index '{name}'"))?;
            }
            None => {}
        }
        let answer = self.ask(&creation(index)?).await?;
        told(&answer, &format!("index '{}'", index.name))?;
        applied.definitions += 1;
        Ok(())
    }

    /// Waits until all indexes of a namespace are built, as long as they go on being built.
    pub(crate) async fn wait_for_indexes(&self, namespace: &str) -> Result<Vec<String>> {
        let mut patience = self.patience();
        let mut before = None;
        loop {
            let mut unready = BTreeMap::new();
            for index in self.indexes(namespace).await? {
                let name = text(&index.name)?;
                let answers = self.ask_all(&[&format!("sindex-stat:namespace={namespace};indexname={name}")]).await?;
                for (_, answer) in answers {
                    let told = answer.get(&format!("sindex-stat:namespace={namespace};indexname={name}")).to_owned();
                    let percent = told.split(';').find_map(|word| word.strip_prefix("load_pct="));
                    let percent = percent.and_then(|percent| percent.parse::<u8>().ok()).unwrap_or(100);
                    if percent < 100 {
                        let least = unready.entry(name.to_owned()).or_insert(percent);
                        *least = percent.min(*least);
                    }
                }
            }
            if unready.is_empty() {
                return Ok(Vec::new());
            }
            if before.as_ref() != Some(&unready) {
                patience.renew();
            }
            let waiting: Vec<String> =
                unready.iter().map(|(name, percent)| format!("'{name}' at {percent} %")).collect();
            let note = format!("indexes of namespace '{namespace}' are still being built: {}", waiting.join(", "));
            before = Some(unready);
            if patience.wait(Error::unavailable(note.clone())).await.is_err() {
                return Ok(vec![note]);
            }
        }
    }

    /// Registers a function, or leaves the one that has its name.
    pub(crate) async fn define_function(
        &self,
        function: &Function,
        replace: bool,
        applied: &mut Applied,
    ) -> Result<()> {
        let there = self.functions().await?.into_iter().find(|there| there.name == function.name);
        if there.is_some_and(|there| there == *function || !replace) {
            return Ok(());
        }
        let (name, content) = (text(&function.name)?, STANDARD.encode(&function.body));
        let size = content.len();
        let command = format!("udf-put:filename={name};content={content};content-len={size};udf-type=LUA;");
        told(&self.ask(&command).await?, &format!("function '{name}'"))?;
        applied.definitions += 1;
        Ok(())
    }
}

/// Whether the server did what it was told.
pub(crate) fn told(answer: &str, what: &str) -> Result<()> {
    match info::refusal(answer) {
        None => Ok(()),
        Some(why) => Err(Error::invalid(format!("the server refused {what}: {why}"))
            .hint("look for the privilege (data-admin, sindex-admin, udf-admin) and at the server's log")),
    }
}

/// A name as a word of an info command. What ends a word can't be in it: no server has such names, so they are damage.
fn text(name: &Name) -> Result<&str> {
    let text = name.as_str().filter(|text| !text.contains([';', ':', '=', ',', '\n', '\t']));
    text.ok_or_else(|| Error::corrupt(format!("no server has the name '{name}'")).hint("verify the backup"))
}

fn definition(index: info::Index) -> Result<SecondaryIndex> {
    let strange = |what: &str| {
        Error::unsupported(format!("index '{}': {what} is not known", index.name)).hint("use a newer strongroom")
    };
    let collection = match index.index_type.as_str() {
        "default" | "none" => IndexCollection::Scalar,
        "list" => IndexCollection::List,
        "mapkeys" => IndexCollection::MapKeys,
        "mapvalues" => IndexCollection::MapValues,
        other => return Err(strange(&format!("the kind '{other}'"))),
    };
    let data_type = match index.data_type.as_str() {
        "numeric" | "int signed" => IndexType::Numeric,
        "string" | "text" => IndexType::String,
        "geo2dsphere" | "geojson" => IndexType::Geo,
        "blob" => IndexType::Blob,
        other => return Err(strange(&format!("the type '{other}'"))),
    };
    let packed = |text: &Option<String>| -> Result<Option<Bytes>> {
        let bytes = text.as_ref().map(|text| STANDARD.decode(text)).transpose();
        Ok(bytes.map_err(|_| strange("what is not base64"))?.map(Bytes::from))
    };
    let (context, expression) = (packed(&index.context)?, packed(&index.expression)?);
    Ok(SecondaryIndex {
        namespace: Name::namespace(index.namespace)?,
        set: index.set.map(Name::set).transpose()?,
        name: Name::index(index.name)?,
        collection,
        path: index.bin.unwrap_or_default().into(),
        data_type,
        context,
        expression,
    })
}

fn creation(index: &SecondaryIndex) -> Result<String> {
    let mut words = vec![format!("namespace={}", text(&index.namespace)?)];
    if let Some(set) = &index.set {
        words.push(format!("set={}", text(set)?));
    }
    words.push(format!("indexname={}", text(&index.name)?));
    words.extend(index.context.as_ref().map(|context| format!("context={}", STANDARD.encode(context))));
    let kind = match index.collection {
        IndexCollection::Scalar => None,
        IndexCollection::List => Some("LIST"),
        IndexCollection::MapKeys => Some("MAPKEYS"),
        IndexCollection::MapValues => Some("MAPVALUES"),
        IndexCollection::Invalid => {
            let what = format!("index '{}' is of no kind: the tool that backed it up did not know it", index.name);
            return Err(Error::unsupported(what).hint("restore without definitions, and create it by hand"));
        }
    };
    words.extend(kind.map(|kind| format!("indextype={kind}")));
    if let Some(expression) = &index.expression {
        words.push(format!("exp={}", STANDARD.encode(expression)));
    } else {
        words.push(format!("bin={}", text(&Name::index(index.path.clone())?)?));
    }
    words.push(format!(
        "type={}",
        match index.data_type {
            IndexType::Numeric => "NUMERIC",
            IndexType::String => "STRING",
            IndexType::Geo => "GEO2DSPHERE",
            IndexType::Blob => "BLOB",
        }
    ));
    Ok(format!("sindex-create:{}", words.join(";")))
}
