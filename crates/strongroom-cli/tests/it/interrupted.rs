//! Ctrl-C, SIGTERM and SIGKILL in the middle of a job, and going on.
//!
//! The jobs are limited to 1 MiB a second and have 18 MiB to move: once the first of it rests where it belongs, there are
//! many seconds left for the signal.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cloud::server::Server;
use crate::proxy::Proxy;
use crate::world::{World, files, text};

const BACKUP: &str = "backup embedded:big.redb file:backups --codecs none --parallel 1 --limit-rate 1MiB";
const RESTORE: &str =
    "restore file:backups --into embedded:drill.redb --journal journal --limit-rate 1MiB --parallel 1";

/// Sends `signal` as soon as a file below `folder` is one that is waited for, and waits for the end.
fn signalled(mut child: Child, signal: Signal, folder: &Path, awaited: impl Fn(&Path) -> bool) -> Output {
    while !files(folder).iter().any(|path| awaited(path)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before: {:?}", child.wait_with_output());
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    child.wait_with_output().unwrap()
}

/// A receipt of stored pieces: only then a resume need not send them again.
fn receipt(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("receipts")) && !path.ends_with("begun")
}

fn begun(path: &Path) -> bool {
    path.ends_with("begun.json")
}

/// The command that an error says to go on with.
fn advised(errors: &str) -> &str {
    let line = errors.lines().find_map(|line| line.trim().strip_prefix("next: go on where it ended: strongroom "));
    line.unwrap_or_else(|| panic!("no command in\n{errors}"))
}

fn resumed_pieces(report: &Value) -> u64 {
    report["parts"][0]["outcome"]["committed"]["resumed_pieces"].as_u64().unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn a_cancelled_backup_says_how_to_go_on_and_sends_nothing_twice() {
    let world = World::with_two_pieces();
    world.ends(0, "init file:backups");
    for signal in [Signal::INT, Signal::TERM] {
        let output = signalled(world.spawn(BACKUP), signal, &world.path().join("backups"), receipt);
        let errors = text(output.stderr);
        assert_eq!(output.status.code(), Some(130), "{errors}");
        assert!(errors.contains("putting things in order") && errors.contains("backup: ended after"), "{errors}");
        let listed = world.json("list file:backups");
        assert_eq!(listed["unfinished"].as_array().unwrap().len(), 1, "{listed}");
        // Not --take-over: the lease was given back, so nothing is waited for.
        let report = world.json(advised(&errors));
        assert_eq!(resumed_pieces(&report), 1, "{report}");
        assert_eq!(world.json("list file:backups")["unfinished"], Value::Array(vec![]));
        assert!(world.ends(0, "verify file:backups --depth decode").contains("whole"));
        std::fs::remove_dir_all(world.path().join("backups")).unwrap();
        world.ends(0, "init file:backups");
    }
}

#[test]
fn a_killed_backup_is_listed_and_gone_on_with() {
    let world = World::with_two_pieces();
    world.ends(0, "init file:backups");
    let output = signalled(world.spawn(BACKUP), Signal::KILL, &world.path().join("backups"), receipt);
    let errors = text(output.stderr);
    let run = errors.lines().find_map(|line| line.strip_prefix("run ")).unwrap();
    let listed = world.json("list file:backups");
    assert_eq!(listed["unfinished"][0]["run"].as_str().unwrap(), run, "{listed}");
    assert_eq!(listed["backups"], Value::Array(vec![]), "nothing looks complete");
    let resume = format!("resume embedded:big.redb file:backups --run {run} --codecs none --take-over");
    let report = world.json(&resume);
    assert_eq!(resumed_pieces(&report), 1, "{report}");
    assert_eq!(report["parts"][0]["outcome"]["committed"]["totals"]["records"], 72);
    assert!(world.ends(0, "verify file:backups --depth decode").contains("whole"));
}

#[test]
fn a_resume_with_other_codecs_is_refused_and_a_run_that_is_unknown_too() {
    let world = World::with_two_pieces();
    world.ends(0, "init file:backups");
    let output = signalled(world.spawn(BACKUP), Signal::INT, &world.path().join("backups"), receipt);
    let errors = text(output.stderr);
    let line = advised(&errors).replace("--codecs none", "--codecs zstd");
    assert!(world.ends(4, &line).contains("name the same codecs"));
    let unknown = format!("resume embedded:big.redb file:backups --run {}", "0".repeat(32));
    assert!(world.ends(5, &unknown).contains("nothing is left of run"));
}

#[test]
fn a_restore_with_a_journal_goes_on_after_a_cancel_and_after_a_kill() {
    let world = World::with_two_pieces();
    world.ends(0, "init file:backups --codecs none");
    world.ends(0, "backup embedded:big.redb file:backups");
    let journal = world.path().join("journal");
    for signal in [Signal::INT, Signal::KILL] {
        let output = signalled(world.spawn(RESTORE), signal, &journal, begun);
        let errors = text(output.stderr);
        // What was backed up since does not change what goes on.
        world.ends(0, "backup embedded:big.redb file:backups --kind base");
        let line = if signal == Signal::INT {
            assert_eq!(output.status.code(), Some(130), "{errors}");
            advised(&errors).to_owned()
        } else {
            "restore file:backups --into embedded:drill.redb --journal journal --resume --take-over".to_owned()
        };
        let summary = world.json(&line);
        assert_eq!(summary["applied"]["written"], 72, "{summary}");
        let none_left = "restore file:backups --into embedded:drill.redb --journal journal --resume";
        assert!(world.ends(5, none_left).contains("no unfinished restore"));
        std::fs::remove_dir_all(&journal).unwrap();
        std::fs::remove_file(world.path().join("drill.redb")).unwrap();
    }
}

#[test]
fn a_restore_without_a_journal_says_that_one_is_needed_and_one_with_a_journal_can_be_given_up() {
    let world = World::with_two_pieces();
    world.ends(0, "init file:backups --codecs none");
    world.ends(0, "backup embedded:big.redb file:backups");
    let journal = world.path().join("journal");
    signalled(world.spawn(RESTORE), Signal::KILL, &journal, begun);
    let give_up = "restore file:backups --into embedded:drill.redb --journal journal --abort";
    assert!(world.json(give_up)["aborted"].is_string());
    assert!(world.ends(5, give_up).contains("no unfinished restore"));
    assert!(world.ends(2, "restore file:backups --into embedded:x.redb --resume").contains("--journal"));
    let at = "restore file:backups --into embedded:x.redb --journal journal --resume --truncate";
    assert!(world.ends(2, at).contains("--truncate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_when_putting_things_in_order_takes_too_long() {
    let world = World::with_two_pieces();
    let server = Server::start("s3", &[], &[]);
    let proxy = Proxy::start(server.port).await;
    let url = format!(
        "s3://test/app?region=us-east-1&endpoint=http://127.0.0.1:{}&access_key_id=testkey&secret_access_key_env=SECRET",
        proxy.port
    );
    let command = |line: &str| {
        let mut command = world.command(line);
        command.env("SECRET", "testsecret123");
        command
    };
    assert!(command(&format!("init {url} --codecs none")).output().unwrap().status.success());
    let mut backup = command(&format!("backup embedded:big.redb {url} --parallel 1 --limit-rate 1MiB"));
    let mut child = backup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let run = errors.find_map(|line| line.strip_prefix("run ").map(str::to_owned)).unwrap();
    assert!(errors.any(|line| line.contains("moving:")));
    // The storage answers nothing from now on: the lease cannot be given back.
    proxy.hold(0, usize::MAX / 2);
    kill_process(pid, Signal::INT).unwrap();
    assert!(errors.any(|line| line.contains("putting things in order")));
    assert!(child.try_wait().unwrap().is_none(), "one signal does not end it while it waits for the storage");
    kill_process(pid, Signal::INT).unwrap();
    let rest: Vec<String> = errors.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("ended after")), "{rest:?}");
    // What was begun is still there to go on with.
    proxy.hold(0, 0);
    let listed = command(&format!("list {url} --json")).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["unfinished"][0]["run"], *run, "{listed}");
    let resume = format!("resume embedded:big.redb {url} --run {run} --codecs none --take-over");
    let resumed = command(&resume).output().unwrap();
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(command(&format!("verify {url} --depth decode")).output().unwrap().status.success());
}
