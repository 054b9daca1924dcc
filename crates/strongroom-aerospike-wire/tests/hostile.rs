//! Bytes that no server sends: every decoder answers with an error, and none panics or loops.

use proptest::prelude::*;
use strongroom_aerospike_wire::frame::FrameHead;
use strongroom_aerospike_wire::info::{self, Answers, FunctionBody, Namespace};
use strongroom_aerospike_wire::message::Messages;
use strongroom_aerospike_wire::write::geo_json_text;

/// A head that promises `fields` and `ops`.
fn head(fields: u16, ops: u16) -> Vec<u8> {
    let mut bytes = vec![22, 0, 0, 0, 0, 0];
    bytes.extend([0; 12]);
    bytes.extend(fields.to_be_bytes());
    bytes.extend(ops.to_be_bytes());
    bytes
}

fn error(body: &[u8]) -> String {
    Messages::of(body).find_map(Result::err).map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn each_damage_has_its_own_words() {
    let with = |fields, ops, tail: &[u8]| [&head(fields, ops)[..], tail].concat();
    let cases: [(Vec<u8>, &str); 10] = [
        (vec![22; 21], "the head of a message is cut off, at byte 0"),
        (vec![23; 22], "the head of a message has another size than 22, at byte 0"),
        (with(1, 0, &[0, 0]), "the length of a field is cut off, at byte 22"),
        (with(1, 0, &[0, 0, 0, 9, 4]), "a field goes beyond its frame, at byte 26"),
        (with(1, 0, &[0, 0, 0, 0]), "a field without a type, at byte 26"),
        (with(1, 0, &[0, 0, 0, 3, 4, 1, 2]), "a digest that is not 20 bytes, at byte 26"),
        (with(1, 0, &[0, 0, 0, 1, 2]), "a user key without a type, at byte 26"),
        (with(0, 1, &[0xff, 0xff, 0xff, 0xff]), "a bin goes beyond its frame, at byte 26"),
        (with(0, 1, &[0, 0, 0, 2, 1, 1]), "a bin without a head, at byte 26"),
        (with(0, 1, &[0, 0, 0, 5, 1, 1, 0, 9, b'x']), "a bin's name goes beyond the bin, at byte 26"),
    ];
    for (body, expected) in cases {
        assert_eq!(error(&body), format!("the server's answer makes no sense: {expected}"));
    }
}

#[test]
fn nothing_follows_an_error() {
    let mut messages = Messages::of(&[1, 2, 3]);
    assert!(messages.next().unwrap().is_err());
    assert!(messages.next().is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for message in Messages::of(&bytes).flatten() {
            prop_assert!(message.bins().count() <= bytes.len());
        }
        if let Some(head) = bytes.first_chunk() {
            let _ = FrameHead::decode(*head);
        }
        let _ = geo_json_text(&bytes);
        if let Ok(answers) = Answers::of(&bytes) {
            let _ = answers.get("x");
        }
    }

    #[test]
    fn a_flipped_byte_is_read_without_a_panic(at in 0_usize..60, value in any::<u8>()) {
        let mut body = head(2, 1);
        body.extend(b"\0\0\0\x05\0test\0\0\0\x02\x01s\0\0\0\x06\x01\x01\0\x01bv");
        let at = at % body.len();
        body[at] = value;
        for message in Messages::of(&body).flatten() {
            let _ = message.bins().count();
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[a-z0-9:;,=\\[\\]\\t/+]{0,80}") {
        let _ = info::peers(&text);
        let _ = info::replicas(&text);
        let _ = info::indexes(&text);
        let _ = info::functions(&text);
        let _ = info::sets(&text);
        let _ = FunctionBody::of(&text);
        let _ = Namespace::of(&text);
        let _ = info::refusal(&text);
    }
}
