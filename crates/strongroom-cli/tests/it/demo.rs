//! The demo, as a person runs it.

use std::process::{Command, Output};

fn demo(arguments: &[&std::ffi::OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom")).arg("demo").args(arguments).output().unwrap()
}

#[test]
fn it_proves_what_it_restores_and_says_why_deleted_records_are_back() {
    let output = demo(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.matches("PROVEN").count(), 3, "{text}");
    for told in [
        "What was deleted in the window of such a step",
        "100 records are back that had been deleted",
        "Restored 5206 records; the server held 5106",
        "209 records put, 58 deleted",
        "AFTER_TARGET",
        "DELETES_UNSEEN",
        "What one lost backup would cost",
        "5138 records",
    ] {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
}

#[test]
fn as_json_it_tells_what_it_has_proven_and_nothing_else() {
    let output = demo(&["--json".as_ref()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let proofs = told["proofs"].as_array().unwrap();
    assert_eq!(proofs.iter().map(|proof| proof["records"].as_u64().unwrap()).collect::<Vec<_>>(), [5106; 3], "{told}");
    assert_eq!(proofs[1]["equal"], serde_json::json!(["restored", "cluster then"]));
    assert!(proofs.iter().all(|proof| proof["blake3"].as_str().is_some_and(|hash| hash.len() == 64)), "{told}");
}

#[test]
fn a_folder_that_exists_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&["--keep".as_ref(), folder.path().as_os_str()]);
    assert!(!output.status.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
