//! Recorded answers of a node, whole and damaged. `testdata/jmx/README.md` says where they come from.

use proptest::prelude::*;
use strongroom_core::{Error, ErrorKind};

use super::connection::read_return;
use super::reference::Reference;
use crate::java::{Answer, Argument, Reader, Value, Writer};

/// Every recorded answer by its name.
macro_rules! recorded {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../testdata/jmx/", $name, ".bin")) as &[u8])),*]
    };
}
static RECORDED: [(&str, &[u8]); 13] = recorded![
    "registry",
    "session",
    "wrong-password",
    "version",
    "keyspaces",
    "ring",
    "boolean",
    "nothing",
    "tag-taken",
    "no-keyspace",
    "snapshots",
    "no-operation",
    "no-bean",
];

fn bytes(name: &str) -> &'static [u8] {
    RECORDED.iter().find(|(other, _)| *other == name).unwrap().1
}

fn answer(name: &str) -> Answer {
    read_return(bytes(name), true).unwrap().unwrap()
}

fn refusal(name: &str) -> Error {
    read_return(bytes(name), true).unwrap_err()
}

#[test]
fn values_of_every_form_are_read() {
    let version = answer("version");
    assert_eq!(version.text(version.root), Some("5.0.9"));
    let keyspaces = answer("keyspaces");
    let found = keyspaces.texts(keyspaces.root).unwrap();
    assert_eq!(found, ["system_traces", "system_distributed", "system_auth", "system_schema", "system"]);
    let ring = answer("ring");
    let entries = ring.map(ring.root).unwrap();
    assert_eq!(entries.len(), 8);
    assert!(entries.iter().all(|(token, owner)| ring.text(*token).unwrap().parse::<i64>().is_ok()
        && ring.text(*owner) == Some("127.0.0.1:17000")));
    let on = answer("boolean");
    assert_eq!(on.unboxed(on.root), Value::Bool(false));
    let nothing = answer("nothing");
    assert_eq!(nothing.root, Value::Null);
}

#[test]
fn snapshots_are_rows_in_maps_of_maps() {
    let found = crate::jmx_node::snapshots_of(&answer("snapshots")).unwrap();
    assert_eq!(found.len(), 11);
    assert!(found.iter().all(|snapshot| snapshot.tag == "t1" && snapshot.keyspace == "system_schema"));
    assert!(found.iter().any(|snapshot| snapshot.table == "keyspaces" && snapshot.created.is_some()));
}

#[test]
fn stubs_tell_where_objects_are() {
    let registry = Reference::of(&answer("registry")).unwrap();
    let session = Reference::of(&answer("session")).unwrap();
    assert_ne!(registry.id, session.id);
    assert!(registry.port > 0 && session.port > 0);
    let error = Reference::of(&answer("version")).unwrap_err();
    assert!(error.message().contains("no reference"), "{error}");
}

#[test]
fn exceptions_keep_their_own_text() {
    for (name, kind, told) in [
        ("wrong-password", ErrorKind::Denied, "Authentication failed! Invalid username or password"),
        ("tag-taken", ErrorKind::AlreadyExists, "java.io.IOException: Snapshot t1 already exists."),
        ("no-keyspace", ErrorKind::NotFound, "java.lang.IllegalArgumentException: Keyspace nope does not exist"),
        ("no-operation", ErrorKind::Unsupported, "java.lang.NoSuchMethodException: noSuch()"),
        ("no-bean", ErrorKind::NotFound, "org.apache.cassandra.db:type=Nope"),
    ] {
        let error = refusal(name);
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains(told) && !error.message().contains('\n'), "{error:?}");
        assert_eq!(error.message().matches(told).count(), 1, "said once: {error}");
    }
    assert!(refusal("wrong-password").advice().unwrap().contains("jmxremote.password"));
}

/// Long answers are mostly stack traces: of those every third byte will do.
fn stride(bytes: &[u8]) -> usize {
    if bytes.len() < 1000 { 1 } else { 3 }
}

#[test]
fn an_answer_that_is_cut_anywhere_says_so() {
    for (name, bytes) in RECORDED {
        for length in (0..bytes.len()).step_by(stride(bytes)) {
            let cut = read_return(&bytes[..length], true);
            let error = cut.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name} cut to {length}: {error:?}");
            assert!(error.message().contains("ends in the middle"), "{name} cut to {length}: {error}");
        }
    }
}

#[test]
fn a_damaged_byte_gives_a_value_or_a_clear_error() {
    let (mut values, mut errors) = (0, 0);
    for (name, bytes) in RECORDED {
        for at in (0..bytes.len()).step_by(stride(bytes)) {
            let mut damaged = bytes.to_vec();
            // Each bit of each kind of byte comes about: tags, lengths and handles are everywhere.
            damaged[at] ^= 1 << (at % 8);
            match read_return(&damaged[..], true) {
                Ok(Some(answer)) => {
                    // What is read can be looked at, too: it ends, whatever refers to whatever.
                    let _ = (Reference::of(&answer), crate::jmx_node::snapshots_of(&answer), answer.texts(answer.root));
                    values += 1;
                }
                Ok(None) => panic!("{name}: a value was asked for"),
                Err(error) => {
                    assert!(!error.message().is_empty() && !error.message().contains('\n'), "{name} at {at}: {error}");
                    errors += 1;
                }
            }
        }
    }
    assert!(values > 500 && errors > 500, "{values} values, {errors} errors");
}

#[test]
fn what_would_take_all_memory_or_the_stack_is_refused() {
    let head = [0xAC, 0xED, 0x00, 0x05];
    let read = |bytes: &[u8]| Reader::new(&[&head[..], bytes].concat()[..]).unwrap().answer().unwrap_err();
    // An array of two billion bytes, of which none comes.
    let array = [&[0x75, 0x72, 0, 2][..], b"[B", &[0; 8], &[2, 0, 0, 0x78, 0x70, 0x7F, 0xFF, 0xFF, 0xFF]].concat();
    assert_eq!(read(&array).kind(), ErrorKind::Unavailable);
    let endless = [&[0x7C][..], &u64::MAX.to_be_bytes()].concat();
    assert!(matches!(read(&endless).kind(), ErrorKind::Invalid | ErrorKind::Unavailable));
    // Arrays within arrays within arrays.
    let deep = [&[0x75, 0x72, 0, 2][..], b"[L", &[0; 8], &[2, 0, 0, 0x78, 0x70, 0, 0, 0, 1]].concat();
    let again = [0x75, 0x71, 0, 0x7E, 0, 0, 0, 0, 0, 1];
    let error = read(&[deep, again.repeat(1000)].concat());
    assert!(error.message().contains("too deep"), "{error}");
    // A class that would be its own parent.
    let own_parent = [&[0x72, 0, 1][..], b"A", &[0; 8], &[2, 0, 0, 0x78, 0x71, 0, 0x7E, 0, 0]].concat();
    assert!(read(&own_parent).message().contains("something else"));
    let long = [&[0x7A, 0x7F, 0xFF, 0xFF, 0xFF][..], &vec![0; 17 << 20]].concat();
    assert!(read(&long).message().contains("16 MiB"));
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_return(&[&[0xAC, 0xED, 0, 5, 0x77, 1, 1][..], &bytes].concat()[..], true);
    }

    #[test]
    fn what_is_written_is_read(
        texts in prop::collection::vec(".{0,40}", 0..20),
        map in prop::collection::btree_map("[a-z]{1,8}", ".{0,20}", 0..20),
    ) {
        let set: std::collections::BTreeSet<String> = texts.iter().cloned().collect();
        let mut writer = Writer::new();
        writer.value(&Argument::List(vec![
            Argument::Texts(texts.clone()),
            Argument::Map(map.clone()),
            Argument::Set(set.clone()),
            Argument::Null,
            Argument::Map(map.clone()),
            Argument::Bool(true),
            Argument::ObjectName("a:type=b".to_owned()),
            Argument::Marshalled(Box::new(Argument::Texts(texts.clone()))),
            Argument::Attribute("on".to_owned(), Box::new(Argument::Null)),
            Argument::Text("end".to_owned()),
        ]));
        let answer = Reader::new(&writer.finish()[..]).unwrap().answer().unwrap();
        let list = answer.list(answer.root).unwrap();
        prop_assert_eq!(answer.texts(list[0]).unwrap(), texts);
        for at in [1, 4] {
            let entries = answer.map(list[at]).unwrap();
            let back: std::collections::BTreeMap<String, String> = entries
                .into_iter()
                .map(|(key, value)| (answer.text(key).unwrap().to_owned(), answer.text(value).unwrap().to_owned()))
                .collect();
            prop_assert_eq!(&back, &map);
        }
        prop_assert_eq!(answer.texts(list[2]).unwrap().into_iter().collect::<std::collections::BTreeSet<_>>(), set);
        prop_assert_eq!(list[3], Value::Null);
        prop_assert_eq!(answer.unboxed(list[5]), Value::Bool(true));
        prop_assert_eq!(answer.text(list[9]), Some("end"));
    }
}
