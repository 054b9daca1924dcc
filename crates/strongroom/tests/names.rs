//! The library against `docs/names.md`: operations, options, errors, words and the fields of what is told.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strongroom::core::cluster::Conflict;
use strongroom::core::model::{BackupKind, Depth};
use strongroom::core::pipeline::Phase;
use strongroom::core::planner::{Catalogue, PinKind};
use strongroom::core::repository::Repository;
use strongroom::embedded::PutOptions;
use strongroom::record::{Bin, BinName, Digest, Name, Particle, Record, UserKey};
use strongroom::{
    Access, BackupKindWish, BackupRequest, CopyRequest, ErrorKind, Listing, OpenRepository, Proof, PruneRequest,
    Request, RestoreRequest, Strongroom, Target, VerifyRequest, options,
};
use strongroom_testkit::document::table;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/names.md")).unwrap()
}

/// The names of functions, which must exist for this to compile.
macro_rules! functions {
    ($($owner:ident::$name:ident),* $(,)?) => {{
        $(let _ = $owner::$name;)*
        BTreeSet::from([$(concat!(stringify!($owner), "::", stringify!($name)).to_owned()),*])
    }};
}

#[test]
fn the_names_of_the_library_are_those_of_the_table() {
    let known = functions![
        Strongroom::init,
        Strongroom::repository,
        OpenRepository::load,
        Repository::clusters,
        OpenRepository::plan,
        Catalogue::explain,
        Catalogue::check,
        Catalogue::windows,
        Repository::pin,
        Repository::unpin,
        OpenRepository::backup,
        OpenRepository::resume,
        OpenRepository::restore,
        OpenRepository::inspect,
        OpenRepository::verify,
        OpenRepository::copy,
        OpenRepository::prune,
        OpenRepository::synthesize,
    ];
    let told: BTreeSet<String> = table(&page(), "operations").into_iter().flat_map(|row| row[1].clone()).collect();
    assert_eq!(told, known);
}

#[test]
fn errors_are_those_of_the_table() {
    let rows = table(&page(), "errors");
    let told: Vec<_> = rows.iter().map(|row| (row[0][0].clone(), row[1][0].clone())).collect();
    assert_eq!(told, ErrorKind::ALL.map(|kind| (format!("{kind:?}"), kind.code().to_owned())));
}

/// Why JSON is not read as a `T`, if it is not.
fn refusal<T: DeserializeOwned>(json: &Value) -> String {
    serde_json::from_value::<T>(json.clone()).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn every_option_is_a_field_of_its_operation() {
    type Read = fn(&Value) -> String;
    let reads: BTreeMap<&str, Read> = BTreeMap::from([
        ("catalogue", refusal::<options::Subject> as Read),
        ("plan", refusal::<options::Choice>),
        ("explain", refusal::<options::Choice>),
        ("check", refusal::<options::Choice>),
        ("windows", refusal::<options::Subject>),
        ("pin", refusal::<options::Pinning>),
        ("hold", refusal::<options::Pinning>),
        ("backup", refusal::<options::Backup>),
        ("resume", refusal::<options::Resume>),
        ("restore", refusal::<options::Restore>),
        ("inspect", |json| {
            // Which state, and how fast.
            let (choice, pace) = (refusal::<options::Choice>(json), refusal::<options::Pace>(json));
            if choice.contains("unknown field `") && !choice.contains("unknown field `?`") { pace } else { choice }
        }),
        ("verify", refusal::<options::Verify>),
        ("copy", refusal::<options::Copy>),
        ("prune", refusal::<options::Prune>),
        ("delete", refusal::<options::Delete>),
        ("synthesize", refusal::<options::Synthesize>),
    ]);
    let mut looked_at = BTreeSet::new();
    for row in table(&page(), "options") {
        for (operation, path) in row[3].iter().flat_map(|operation| row[1].iter().map(move |path| (operation, path))) {
            let read = reads.get(operation.as_str()).unwrap_or_else(|| panic!("'{operation}' has no options"));
            // An object that is no value of any of them: refused, but not as unknown.
            let at = |name: &str| name.split('.').rev().fold(json!({ "?": 0 }), |inner, name| json!({ name: inner }));
            let told = read(&at(path));
            assert!(
                !told.contains("unknown field `") || told.contains("unknown field `?`"),
                "{operation} {path}: {told}"
            );
            let other = read(&at(&format!("{path}x")));
            assert!(other.contains("unknown field `") && !other.contains("unknown field `?`"), "{operation}: {other}");
            looked_at.insert(operation.clone());
        }
    }
    assert_eq!(looked_at, reads.keys().map(|name| (*name).to_owned()).collect());
}

/// The words that a type is written in: those which reading another one names.
fn words<T: DeserializeOwned>() -> BTreeSet<String> {
    refusal::<T>(&json!("?")).split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn words_are_those_of_the_table() {
    let known = BTreeMap::from([
        ("kind of a backup", words::<BackupKind>()),
        ("kind asked for", words::<BackupKindWish>()),
        ("depth of a check", words::<Depth>()),
        ("conflict", words::<Conflict>()),
        ("proof", words::<Proof>()),
        ("kind of a pin", words::<PinKind>()),
        ("phase of a job", {
            let every = [Phase::Preparing, Phase::Moving, Phase::Finishing, Phase::Over];
            every.iter().map(|phase| json!(phase).as_str().unwrap().to_owned()).collect()
        }),
    ]);
    let rows = table(&page(), "words");
    let told: BTreeMap<_, _> = rows.iter().map(|row| (row[0][0].as_str(), row[1].iter().cloned().collect())).collect();
    assert_eq!(told, known);
}

/// Holds the fields of a value to those of the table.
struct Fields(BTreeMap<String, Vec<String>>, BTreeSet<String>);

impl Fields {
    fn hold(&mut self, object: &str, value: &impl Serialize) -> Value {
        let value = serde_json::to_value(value).unwrap();
        let fields = self.0.get(object).unwrap_or_else(|| panic!("'{object}' is not in the table"));
        let told: BTreeSet<&str> = fields.iter().map(|field| field.trim_end_matches('?')).collect();
        let there: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(there.is_subset(&told), "{object}: {:?}", there.difference(&told));
        let always = fields.iter().filter(|field| !field.ends_with('?'));
        always.for_each(|field| assert!(there.contains(field.as_str()), "{object}: {field}"));
        self.1.insert(object.to_owned());
        value
    }
}

fn put(strongroom: &Strongroom, url: &str, number: i64) {
    let key = UserKey::Integer(number);
    let record = Record {
        namespace: Name::namespace("test").unwrap(),
        set: None,
        digest: Digest::of_key(None, &key),
        key: Some(key),
        generation: 0,
        void_time: 0,
        bins: vec![Bin { name: BinName::new("n").unwrap(), value: Particle::Integer(number) }],
    };
    let cluster = strongroom.embedded(url, Access::Create).unwrap();
    cluster.write_batch(|batch| batch.put(record.clone(), PutOptions::default()).map(drop)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_has_the_fields_of_the_table() {
    let rows = table(&page(), "fields");
    let mut fields = Fields(rows.iter().map(|row| (row[0][0].clone(), row[1].clone())).collect(), BTreeSet::new());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    let (strongroom, app) = (Strongroom::new(), format!("embedded:{}", at("app.redb")));
    let repository = strongroom.init(&at("backups"), None, &[]).await.unwrap();
    let mut backups = Vec::new();
    for number in 0..2 {
        put(&strongroom, &app, number);
        let job = repository.backup(strongroom.cluster(&app).unwrap(), BackupRequest::default()).unwrap();
        let counters = job.counters();
        let report = fields.hold("BackupReport", &job.await.unwrap());
        fields.hold("Progress", &counters.snapshot());
        let part = fields.hold("PartReport", &report["parts"][0]);
        let made = fields.hold("Committed", &part["outcome"]["committed"]);
        fields.hold("Window", &made["window"]);
        fields.hold("Totals", &made["totals"]);
        fields.hold("Reached", &made["restorable"]);
        backups.push(made);
    }
    let plan = repository.plan(&Request::at(Target::Latest)).await.unwrap();
    let told = fields.hold("Plan", &plan);
    fields.hold("PlanTotals", &told["totals"]);
    let part = fields.hold("PartPlan", &told["parts"]["test"]);
    for step in part["steps"].as_array().unwrap() {
        fields.hold("Step", step);
    }
    let target = strongroom.target(&format!("embedded:{}", at("new.redb"))).unwrap();
    let restored = repository.restore(plan, target, RestoreRequest::default()).await.unwrap();
    let restored = fields.hold("RestoreReport", &restored);
    fields.hold("Applied", &restored["applied"]);
    let copied = repository.copy(strongroom.storage(&at("copy")).unwrap(), CopyRequest::default()).await.unwrap();
    fields.hold("CopyReport", &copied);

    let choice: options::Synthesize = options::read(r#"{ "choice": { "of": { "parts": ["test"] } } }"#).unwrap();
    let request = choice.request(&repository).await.unwrap();
    fields.hold("SynthesizeReport", &repository.synthesize(request).await.unwrap());
    let pinning = json!({ "backups": [backups[0]["backup"]], "kind": "pin", "by": "tests" }).to_string();
    let pin = options::read::<options::Pinning>(&pinning).unwrap().pin(strongroom.environment().now()).unwrap();
    fields.hold("Pin", &pin);
    let pruned = repository.prune(PruneRequest { dry_run: true, ..PruneRequest::default() }).await.unwrap();
    let pruned = fields.hold("PruneReport", &pruned);
    fields.hold("Condemned", &pruned["condemned"]);
    fields.hold("Swept", &pruned["deleted"]);
    let known = repository.core().clusters().await.unwrap();
    fields.hold("ClusterIdentity", &known[0].cluster);

    let data = Path::new(&at("backups")).join(backups[0]["manifest"].as_str().unwrap());
    for object in std::fs::read_dir(data.parent().unwrap().join("data")).unwrap() {
        std::fs::write(object.unwrap().path(), b"damaged").unwrap();
    }
    let verified = fields.hold("VerifyReport", &repository.verify(VerifyRequest::default()).await.unwrap());
    let backups = verified["backups"].as_array().unwrap();
    let findings =
        backups.iter().flat_map(|one| fields.hold("VerifiedBackup", one)["findings"].as_array().unwrap().clone());
    let findings: Vec<Value> = findings.collect();
    assert!(!findings.is_empty());
    for finding in &findings {
        fields.hold("Finding", finding);
    }
    let listed = fields.hold("Catalogue", &Listing::of(&repository.load().await.unwrap(), |_| true));
    for backup in listed["backups"].as_array().unwrap() {
        fields.hold("Backup", backup);
        fields.hold("Size", &backup["size"]);
    }
    let held = fields.1.iter().map(String::as_str).chain(["RepositoryInfo"]).collect::<BTreeSet<_>>();
    assert_eq!(held, fields.0.keys().map(String::as_str).collect(), "each object of the table is held to it");
}
