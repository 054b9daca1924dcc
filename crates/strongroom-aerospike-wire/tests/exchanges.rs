//! Recorded conversations of real tools with a real server: our decoders read all of them, our encoders say the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that is wrong shall stop the test")]

use std::path::Path;

use strongroom_aerospike_wire::expression::Expression;
use strongroom_aerospike_wire::frame::{self, FrameHead, FrameKind};
use strongroom_aerospike_wire::info::{self, Answers};
use strongroom_aerospike_wire::message::{Bin, Message, Messages};
use strongroom_aerospike_wire::query::Query;
use strongroom_aerospike_wire::write::{Exists, Expiry, RecordName, Write, WritePolicy, geo_json_text};
use strongroom_aerospike_wire::{Digest, PARTITIONS, ResultCode, batch::Batch};

#[derive(Debug)]
struct Frame {
    to_server: bool,
    kind: FrameKind,
    body: Vec<u8>,
}

impl Frame {
    /// The whole frame, head included.
    fn bytes(&self) -> Vec<u8> {
        let head = FrameHead { kind: self.kind, length: self.body.len() as u64 }.encode();
        [&head[..], &self.body].concat()
    }
}

/// All whole frames of one connection, in the order of their ends.
fn conversation(name: &str) -> Vec<Frame> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let recorded = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut rest, mut open, mut frames) = (recorded.as_slice(), [Vec::new(), Vec::new()], Vec::new());
    while let Some((head, tail)) = rest.split_first_chunk::<13>() {
        let length = u32::from_be_bytes(*head[9..].first_chunk().unwrap()) as usize;
        let bytes = &mut open[usize::from(head[0])];
        bytes.extend_from_slice(&tail[..length]);
        rest = &tail[length..];
        while let Some(frame) = bytes.first_chunk::<{ frame::HEAD }>() {
            let FrameHead { kind, length } = FrameHead::decode(*frame).unwrap();
            let end = frame::HEAD + usize::try_from(length).unwrap();
            if bytes.len() < end {
                break;
            }
            let body = bytes[frame::HEAD..end].to_vec();
            bytes.drain(..end);
            frames.push(Frame { to_server: head[0] == 0, kind, body });
        }
    }
    assert!(!frames.is_empty(), "{name} is empty");
    frames
}

fn messages(frame: &Frame) -> Vec<Message<'_>> {
    Messages::of(&frame.body).map(Result::unwrap).collect()
}

const ALL: [&str; 14] = [
    "backup-plain/002.rec",
    "backup-plain/003.rec",
    "backup-plain/004.rec",
    "backup-incremental/002.rec",
    "backup-incremental/003.rec",
    "backup-incremental/004.rec",
    "backup-incremental/005.rec",
    "restore/002.rec",
    "restore/003.rec",
    "restore/004.rec",
    "restore/005.rec",
    "restore/006.rec",
    "python-client/002.rec",
    "python-client/003.rec",
];

#[test]
fn every_message_of_every_recorded_conversation_is_read() {
    for name in ALL {
        for frame in conversation(name) {
            match frame.kind {
                FrameKind::Message => assert!(!messages(&frame).is_empty(), "{name}"),
                FrameKind::Info => drop(Answers::of(&frame.body).unwrap()),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_scan_gives_the_records_of_a_partition_from_the_highest_digest_down() {
    let frames = conversation("backup-plain/004.rec");
    let answers: Vec<&Frame> = frames.iter().filter(|frame| !frame.to_server).collect();
    let all: Vec<Message<'_>> = answers.iter().flat_map(|frame| messages(frame)).collect();
    let (records, ends): (Vec<&Message<'_>>, Vec<&Message<'_>>) = all.iter().partition(|message| !message.is_last());
    assert_eq!(records.len(), 306);
    assert!(ends.iter().all(|end| end.head.result == ResultCode::OK && end.partition().is_none()));
    let mut last: std::collections::BTreeMap<u16, Digest> = std::collections::BTreeMap::new();
    for record in records {
        let digest = *record.digest.unwrap();
        let partition = u16::from_le_bytes([digest[0], digest[1]]) % PARTITIONS;
        assert!(last.insert(partition, digest).is_none_or(|before| before > digest), "partition {partition}");
        assert_eq!(record.namespace, Some(&b"test"[..]));
        assert!(record.bins().len() > 0);
        for bin in record.bins().filter(|bin| bin.particle == 23) {
            assert!(geo_json_text(bin.value).unwrap().starts_with(b"{"));
        }
    }
}

#[test]
fn a_query_is_asked_as_the_reference_tool_asks_it() {
    let frames = conversation("backup-plain/004.rec");
    let partitions: Vec<u16> = (0..PARTITIONS).collect();
    let body = &frames[0].body;
    let id = u64::from_be_bytes(*body.last_chunk().unwrap());
    let filter = Expression::not_in_set("<ERO~MRT");
    let query = Query {
        namespace: b"test",
        // The tool sends an empty set where it means every set.
        set: Some(b""),
        partitions: &partitions,
        filter: Some(&filter),
        socket_timeout_millis: 10_000,
        id,
        ..Query::default()
    };
    assert_eq!(query.encode().unwrap(), frames[0].bytes());
}

#[test]
fn an_incremental_is_asked_as_the_reference_tool_asks_it() {
    let frames = conversation("backup-incremental/005.rec");
    let partitions: Vec<u16> = (0..PARTITIONS).collect();
    let (from, until) = (0x18ea_34ee_6745_0000, 0x18ea_8382_f894_0000);
    let window = Expression::all(vec![Expression::updated_since(from), Expression::updated_before(until)]);
    let filter = Expression::all([Some(Expression::not_in_set("<ERO~MRT")), window].into_iter().flatten().collect());
    let sets: Vec<(&Frame, &[u8])> =
        frames.iter().filter(|frame| frame.to_server).zip([&b"special"[..], b"users"]).collect();
    assert_eq!(sets.len(), 2);
    for (frame, set) in sets {
        let query = Query {
            namespace: b"test",
            set: Some(set),
            partitions: &partitions,
            filter: filter.as_ref(),
            socket_timeout_millis: 10_000,
            id: u64::from_be_bytes(*frame.body.last_chunk().unwrap()),
            ..Query::default()
        };
        assert_eq!(query.encode().unwrap(), frame.bytes());
    }
}

/// The rows of a recorded batch of writes, read by a reader of this test's own.
struct Row {
    digest: Digest,
    generation: u32,
    ttl: u32,
    set: Vec<u8>,
    key: Option<(u8, Vec<u8>)>,
    bins: Vec<(u8, Vec<u8>, Vec<u8>)>,
}

fn rows(body: &[u8]) -> Vec<Row> {
    let mut rest = &body[22 + 5..];
    let take = |rest: &mut &[u8], count: usize| -> Vec<u8> {
        let (taken, left) = rest.split_at(count);
        *rest = left;
        taken.to_vec()
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let count = number(&take(&mut rest, 4));
    assert_eq!(take(&mut rest, 1), [5], "inline, answer for all");
    let mut rows = Vec::new();
    for index in 0..count {
        assert_eq!(number(&take(&mut rest, 4)), index);
        let digest = take(&mut rest, 20).try_into().unwrap();
        assert_eq!(take(&mut rest, 4), [0x0e, 0, 0x89, 0]);
        let generation = number(&take(&mut rest, 2));
        let ttl = number(&take(&mut rest, 4));
        let (fields, ops) = (number(&take(&mut rest, 2)), number(&take(&mut rest, 2)));
        let mut row = Row { digest, generation, ttl, set: Vec::new(), key: None, bins: Vec::new() };
        for _ in 0..fields {
            let length = number(&take(&mut rest, 4)) as usize;
            let field = take(&mut rest, length);
            match field[0] {
                1 => row.set = field[1..].to_vec(),
                2 => row.key = Some((field[1], field[2..].to_vec())),
                _ => {}
            }
        }
        for _ in 0..ops {
            let length = number(&take(&mut rest, 4)) as usize;
            let op = take(&mut rest, length);
            let name = usize::from(op[3]);
            row.bins.push((op[1], op[4..4 + name].to_vec(), op[4 + name..].to_vec()));
        }
        rows.push(row);
    }
    assert!(rest.is_empty());
    rows
}

#[test]
fn a_batch_of_writes_is_what_the_reference_tool_sends() {
    let frames = conversation("restore/004.rec");
    let policy = WritePolicy { exists: Exists::Update, only_newer_generation: true };
    for frame in frames.iter().filter(|frame| frame.to_server) {
        let mut batch = Batch::new(policy);
        for row in rows(&frame.body) {
            let bins: Vec<Bin<'_>> = row
                .bins
                .iter()
                .map(|(particle, name, value)| {
                    let value = if *particle == 23 { geo_json_text(value).unwrap() } else { value };
                    Bin { name, particle: *particle, value }
                })
                .collect();
            let write = Write {
                name: RecordName { namespace: b"restored", set: Some(&row.set), digest: &row.digest },
                key: row.key.as_ref().map(|(kind, value)| (*kind, value.as_slice())),
                generation: row.generation,
                expiry: if row.ttl == u32::MAX { Expiry::Never } else { Expiry::Seconds(row.ttl) },
                bins: &bins,
            };
            batch.push(&write).unwrap();
        }
        assert_eq!(batch.encode(true, 9999).unwrap(), frame.bytes());
    }
}

#[test]
fn a_batch_is_answered_row_by_row_and_then_ends() {
    for frame in conversation("restore/004.rec").iter().filter(|frame| !frame.to_server) {
        let mut expected = 0;
        for message in messages(frame) {
            assert_eq!(message.head.result, ResultCode::OK);
            if !message.is_last() {
                assert_eq!(message.head.index, expected);
                expected += 1;
            }
        }
    }
}

#[test]
fn info_answers_are_read() {
    let frames = conversation("backup-plain/003.rec");
    let answers: Vec<Answers<'_>> =
        frames.iter().filter(|frame| !frame.to_server).map(|frame| Answers::of(&frame.body).unwrap()).collect();
    let get = |command: &str| answers.iter().find_map(|answer| answer.get(command)).unwrap();
    assert_eq!(get("build"), "8.1.2.0");
    assert_eq!(info::peers(get("peers-clear-std")).unwrap(), info::Peers::default());
    let replicas = info::replicas(get("replicas")).unwrap();
    assert_eq!(replicas["test"].masters().count(), usize::from(PARTITIONS));
    assert_eq!(replicas["test"].count(), 1);
    let indexes = info::indexes(get("sindex-list:namespace=test;b64=true")).unwrap();
    let names: Vec<&str> = indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(names, ["idx_id", "idx_name", "idx_loc", "idx_blob", "idx_attrs_k", "idx_ctx"]);
    assert_eq!(indexes[5].context.as_deref(), Some("lCKnA25lc3RlZCKiA3g="));
    assert!(indexes.iter().all(|index| index.state == "RW" && index.expression.is_none()));
    let functions = info::functions(get("udf-list")).unwrap();
    assert_eq!((functions[0].name.as_str(), functions[0].language.as_str()), ("hello.lua", "LUA"));
    let body = info::FunctionBody::of(get("udf-get:filename=hello.lua")).unwrap();
    assert!(body.content.starts_with(b"function hello(rec, a)"));
    let namespace = info::Namespace::of(get("namespace/test")).unwrap();
    assert_eq!(namespace.number("objects"), Some(306));
    assert_eq!(info::request(["build"]), frames.iter().find(|frame| frame.body == b"build\n").unwrap().bytes());
}
