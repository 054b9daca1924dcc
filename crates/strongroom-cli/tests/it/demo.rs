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
fn a_folder_that_exists_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&["--keep".as_ref(), folder.path().as_os_str()]);
    assert!(!output.status.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
