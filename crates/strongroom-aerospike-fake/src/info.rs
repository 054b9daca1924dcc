//! Info commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::PARTITIONS;
use crate::node::{Layout, NodeState};
use crate::store::{Index, Store};

/// Answers all commands of a frame.
pub(crate) fn answer(body: &[u8], node: &NodeState, layout: &Layout, store: &mut Store) -> Vec<u8> {
    let asked = String::from_utf8_lossy(body);
    let mut text = String::new();
    for command in asked.lines().filter(|line| !line.is_empty()) {
        let value = value(command, node, layout, store);
        let _ = writeln!(text, "{command}\t{value}");
    }
    text.into_bytes()
}

fn value(command: &str, node: &NodeState, layout: &Layout, store: &mut Store) -> String {
    let (name, argument) = command.split_once([':', '/']).unwrap_or((command, ""));
    let words: BTreeMap<&str, &str> = argument.split(';').filter_map(|word| word.split_once('=')).collect();
    match name {
        "build" => store.builds.get(&node.id).cloned().unwrap_or_else(|| "8.1.2.0".to_owned()),
        "version" => "Aerospike Community Edition build 8.1.2.0".to_owned(),
        "edition" => "Aerospike Community Edition".to_owned(),
        "node" => node.id.clone(),
        "features" => "pscans;batch-any;query-show;udf;blob-bits;cdt-list;cdt-map;pipelining;peers;replicas".to_owned(),
        "cluster-name" => "fake".to_owned(),
        "partition-generation" | "peers-generation" => layout.generation.to_string(),
        "cluster-stable" => "FA4E".to_owned(),
        "statistics" => statistics(layout),
        "namespaces" => store.namespaces.keys().cloned().collect::<Vec<_>>().join(";"),
        "peers-clear-std" | "peers-clear-alt" | "peers-tls-std" | "peers-tls-alt" => peers(node, layout),
        "service" | "service-clear-std" => format!("127.0.0.1:{}", node.port),
        "replicas" => replicas(node, layout, store),
        "namespace" => namespace(argument, node, layout, store),
        "sets" => sets(argument, node, layout, store),
        "user-agent-set" => "ok".to_owned(),
        "sindex-list" => index_list(&words, store),
        "sindex-create" => index_create(&words, store),
        "sindex-delete" => index_delete(&words, store),
        "sindex-stat" => index_state(&words, store),
        "udf-list" => functions(store),
        "udf-get" => function(&words, store),
        "udf-put" => put_function(&words, store),
        "udf-remove" => words.get("filename").map_or_else(bad, |name| {
            store.functions.remove(*name);
            "ok".to_owned()
        }),
        "racks" => racks(layout, store),
        "truncate" if !words.contains_key("set") => bad(),
        "truncate" | "truncate-namespace" => truncate(&words, store),
        _ => "ERROR:4:unrecognized command".to_owned(),
    }
}

/// Each node is a rack of its own.
fn racks(layout: &Layout, store: &Store) -> String {
    let racks: Vec<String> = (1..).zip(layout.alive.keys()).map(|(rack, node)| format!("rack_{rack}={node}")).collect();
    store.namespaces.keys().map(|name| format!("ns={name}:{}", racks.join(":"))).collect::<Vec<_>>().join(";")
}

fn statistics(layout: &Layout) -> String {
    format!("cluster_size={};cluster_key=FA4E;uptime=1", layout.alive.len())
}

fn bad() -> String {
    "ERROR:4:bad parameter".to_owned()
}

fn peers(node: &NodeState, layout: &Layout) -> String {
    let others = layout.alive.iter().filter(|(id, _)| **id != node.id);
    let others: Vec<String> = others.map(|(id, port)| format!("[{id},,[127.0.0.1:{port}]]")).collect();
    format!("{},3000,[{}]", layout.generation, others.join(","))
}

fn replicas(node: &NodeState, layout: &Layout, store: &Store) -> String {
    let bitmap = |replica: usize, namespace: &str| {
        let mut bits = vec![0_u8; usize::from(PARTITIONS) / 8];
        for partition in (0..PARTITIONS).filter(|at| layout.owner(namespace, *at, replica) == Some(&*node.id)) {
            bits[usize::from(partition) / 8] |= 0x80 >> (partition % 8);
        }
        STANDARD.encode(bits)
    };
    let entry = |name: &String| {
        let maps: Vec<String> = (0..layout.replicas).map(|replica| bitmap(replica, name)).collect();
        format!("{name}:{},{},{}", layout.regime, layout.replicas, maps.join(","))
    };
    store.namespaces.keys().map(entry).collect::<Vec<_>>().join(";")
}

/// Whoever asks lets the clock go on, if it is set to: its time is told here alone, as a server does.
fn namespace(name: &str, node: &NodeState, layout: &Layout, store: &mut Store) -> String {
    store.now_millis += store.tick_millis;
    let now = i64::from(store.now_2010()) + store.skew_seconds.get(&node.id).copied().unwrap_or(0);
    let Some(namespace) = store.namespaces.get(name) else { return "type=unknown".to_owned() };
    let settings = namespace.settings;
    let mine = |replica: usize| {
        namespace.records.keys().filter(|(at, _)| layout.owner(name, *at, replica) == Some(&*node.id)).count()
    };
    let (master, all) = (mine(0), (0..layout.replicas).map(mine).sum::<usize>());
    format!(
        "ns_cluster_size={};effective_replication_factor={};objects={all};master_objects={master};tombstones=0;\
         stop_writes={};migrate_tx_partitions_remaining=0;migrate_rx_partitions_remaining=0;nsup-period={};default-ttl={};\
         strong-consistency=false;max-record-size={};data_avail_pct=90;data_used_bytes={};\
         current_time={now}",
        layout.alive.len(),
        layout.replicas,
        settings.stop_writes,
        if settings.expires { 120 } else { 0 },
        settings.default_ttl,
        settings.write_block,
        all * 128,
    )
}

fn sets(name: &str, node: &NodeState, layout: &Layout, store: &Store) -> String {
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    for ((partition, _), record) in store.namespaces.get(name).into_iter().flat_map(|namespace| &namespace.records) {
        // A node counts what it keeps, replicas among it.
        let copies = (0..layout.replicas).filter(|at| layout.owner(name, *partition, *at) == Some(&*node.id)).count();
        if !record.set.is_empty() && copies > 0 {
            *counts.entry(&record.set).or_default() += copies as u64;
        }
    }
    let entry = |(set, objects): (&[u8], u64)| {
        let set = String::from_utf8_lossy(set);
        format!("ns={name}:set={set}:objects={objects}:tombstones=0:data_used_bytes={}", objects * 128)
    };
    counts.into_iter().map(entry).collect::<Vec<_>>().join(";")
}

fn index_list(words: &BTreeMap<&str, &str>, store: &Store) -> String {
    let wanted = words.get("namespace").copied();
    let mut entries = Vec::new();
    for (namespace, known) in store.namespaces.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)) {
        for (name, index) in &known.indexes {
            let or_null = |value: &str| if value.is_empty() { "null".to_owned() } else { value.to_owned() };
            entries.push(format!(
                "ns={namespace}:indexname={name}:set={}:bin={}:type={}:indextype={}:context={}:exp={}:state=RW",
                or_null(&index.set),
                or_null(&index.bin),
                index.data_type,
                index.index_type,
                index.context.as_deref().unwrap_or("null"),
                index.expression.as_deref().unwrap_or("null"),
            ));
        }
    }
    entries.join(";")
}

fn index_create(words: &BTreeMap<&str, &str>, store: &mut Store) -> String {
    let word = |name: &str| words.get(name).map(|value| (*value).to_owned());
    let (Some(namespace), Some(name)) = (word("namespace").or_else(|| word("ns")), word("indexname")) else {
        return bad();
    };
    let Some(known) = store.namespaces.get_mut(&namespace) else { return "ERROR:4:unknown namespace".to_owned() };
    let (bin, expression) = (word("bin").unwrap_or_default(), word("exp"));
    if bin.is_empty() && expression.is_none() {
        return bad();
    }
    let index = Index {
        set: word("set").unwrap_or_default(),
        bin,
        data_type: word("type").unwrap_or_default().to_ascii_lowercase(),
        index_type: word("indextype").unwrap_or_else(|| "default".to_owned()).to_ascii_lowercase(),
        context: word("context"),
        expression,
    };
    match known.indexes.get(&name) {
        Some(same) if *same == index => "ok".to_owned(),
        Some(_) => "ERROR:200:index already exists with a different definition".to_owned(),
        None => {
            known.indexes.insert(name, index);
            "ok".to_owned()
        }
    }
}

fn index_delete(words: &BTreeMap<&str, &str>, store: &mut Store) -> String {
    let namespace = words.get("namespace").or_else(|| words.get("ns")).and_then(|name| store.namespaces.get_mut(*name));
    let removed = namespace.zip(words.get("indexname")).and_then(|(known, name)| known.indexes.remove(*name));
    removed.map_or_else(|| "ERROR:201:no index".to_owned(), |_| "ok".to_owned())
}

fn index_state(words: &BTreeMap<&str, &str>, store: &Store) -> String {
    let namespace = words.get("namespace").or_else(|| words.get("ns")).and_then(|name| store.namespaces.get(*name));
    match namespace.zip(words.get("indexname")).and_then(|(known, name)| known.indexes.get(*name)) {
        Some(_) => {
            "entries=0;used_bytes=16777216;entries_per_bval=0;entries_per_rec=0;load_pct=100;load_time=0".to_owned()
        }
        None => "ERROR:201:no index".to_owned(),
    }
}

fn functions(store: &Store) -> String {
    store.functions.keys().fold(String::new(), |mut list, name| {
        let _ = write!(list, "filename={name},hash=0,type=LUA;");
        list
    })
}

fn function(words: &BTreeMap<&str, &str>, store: &Store) -> String {
    match words.get("filename").and_then(|name| store.functions.get(*name)) {
        Some(body) => format!("type=LUA;content={};", STANDARD.encode(body)),
        None => "error=not_found".to_owned(),
    }
}

fn put_function(words: &BTreeMap<&str, &str>, store: &mut Store) -> String {
    let body = words.get("content").and_then(|content| STANDARD.decode(content).ok());
    let (Some(name), Some(body)) = (words.get("filename"), body) else { return bad() };
    store.functions.insert((*name).to_owned(), body);
    "ok".to_owned()
}

/// Takes away what was last written before `lut` (nanoseconds since 1970), or everything.
fn truncate(words: &BTreeMap<&str, &str>, store: &mut Store) -> String {
    let before = words.get("lut").map(|lut| lut.parse::<i64>());
    let before = match before {
        Some(Err(_)) => return bad(),
        // A server does not promise to delete what is yet to be written.
        Some(Ok(nanos)) if nanos / 1_000_000 > store.now_millis => {
            return "ERROR:4:would truncate in the future".to_owned();
        }
        Some(Ok(nanos)) => nanos / 1_000_000,
        None => i64::MAX,
    };
    let Some(namespace) = words.get("namespace").and_then(|name| store.namespaces.get_mut(*name)) else { return bad() };
    let set = words.get("set").map(|set| set.as_bytes());
    namespace
        .records
        .retain(|_, record| set.is_some_and(|set| record.set != set) || record.last_update_millis >= before);
    "ok".to_owned()
}
