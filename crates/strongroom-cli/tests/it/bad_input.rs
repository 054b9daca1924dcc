//! What the system under the program does to it: unreadable files, full disks, paths that are no text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::world::{World, data, files, text};

/// A mounted tmpfs, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf, size: &str) -> Self {
        std::fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&folder).status();
        assert!(status.unwrap().success(), "this test mounts a tmpfs and so must run as root");
        Self(folder)
    }

    /// Takes what room there is.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let copied = std::io::copy(&mut std::io::repeat(1), &mut file);
        assert_eq!(copied.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for path in files(from) {
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_cluster_keeps_what_it_had() {
    let world = World::with_base();
    let before = world.json("inspect embedded:app.redb");
    // Root may read any file, but nobody can read what is no file.
    for folder in ["folder", "pipe"] {
        copy_folder(&data("forms/plain"), &world.path().join(folder));
    }
    std::fs::create_dir(world.path().join("folder/1.asb")).unwrap();
    assert!(Command::new("mkfifo").arg(world.path().join("pipe/1.asb")).status().unwrap().success());
    for folder in ["folder", "pipe"] {
        let errors = world.ends(4, &format!("import {folder} --into embedded:app.redb"));
        assert!(errors.contains(&format!("{folder}/1.asb: this is no regular file")), "{errors}");
        assert!(errors.contains("nothing was imported") && errors.contains("next: "), "{errors}");
    }
    let errors = world.ends(5, "import nowhere --into embedded:app.redb");
    assert!(errors.contains("nowhere: No such file or directory"), "{errors}");
    assert_eq!(world.json("inspect embedded:app.redb"), before);
    // A cluster that is not there yet is made for nothing that cannot be read.
    std::fs::create_dir(world.path().join("empty")).unwrap();
    world.write("notes.txt", "buy milk");
    for (code, folder) in [(5, "nowhere"), (5, "empty"), (4, "pipe"), (4, "notes.txt")] {
        let errors = world.ends(code, &format!("import {folder} --into embedded:new.redb"));
        assert!(errors.contains("next: "), "{errors}");
        assert!(!world.path().join("new.redb").exists(), "{folder}");
    }
}

/// Who may do nothing that the rights of a file do not allow. The tests run as root, who may read everything.
fn as_nobody(command: &mut Command) -> Output {
    command.uid(65534).gid(65534).output().unwrap()
}

#[test]
fn what_may_not_be_read_or_written_is_denied_and_said() {
    let world = World::with_base();
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    copy_folder(&data("forms/plain"), &world.path().join("plain"));
    let file = files(&world.path().join("plain")).remove(0);
    world.ends(0, "init file:backups");
    open(world.path(), 0o777);
    open(&file, 0o600);
    open(&world.path().join("backups"), 0o700);
    // The program too must be in reach of whom it runs as.
    let program = world.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_strongroom"), &program).unwrap();
    for (line, what) in [
        ("import plain --into embedded:new.redb", file.file_name().unwrap().to_str().unwrap()),
        ("backup embedded:app.redb file:backups", "app.redb"),
        ("inspect embedded:app.redb", "app.redb"),
        ("list file:backups", "backups"),
        ("restore file:backups --into embedded:new.redb", "backups"),
    ] {
        let mut command = Command::new(&program);
        let output = as_nobody(command.args(line.split(' ')).current_dir(world.path()).env_remove("STRONGROOM_CONFIG"));
        let errors = text(output.stderr);
        assert_eq!(output.status.code(), Some(7), "{line}\n{errors}");
        assert!(errors.contains(what) && errors.contains("Permission denied") && errors.contains("next: "), "{errors}");
        assert!(!world.path().join("new.redb").exists(), "{line}");
    }
    world.ends(0, "backup embedded:app.redb file:backups");
    world.ends(0, "verify file:backups --depth decode");
}

#[test]
fn a_full_disk_ends_an_import_and_the_cluster_keeps_what_it_had() {
    let world = World::new();
    let disk = SmallDisk::mount(world.path().join("disk"), "8m");
    world.ends(0, &format!("import {} --into embedded:disk/app.redb", data("forms/plain").display()));
    let before = world.json("inspect embedded:disk/app.redb --records --limit 100000");
    let filler = disk.fill();
    let import = format!("import {} --into embedded:disk/app.redb", data("t0-base").display());
    let errors = world.ends(9, &import);
    assert!(errors.contains("No space left on device") && errors.contains("next: "), "{errors}");
    std::fs::remove_file(filler).unwrap();
    assert_eq!(world.json("inspect embedded:disk/app.redb --records --limit 100000"), before);
    world.ends(0, &import);
}

#[test]
fn a_full_disk_ends_a_backup_and_earlier_backups_stay_whole() {
    let world = World::with_base();
    let disk = SmallDisk::mount(world.path().join("disk"), "8m");
    world.ends(0, "init file:disk/backups");
    world.ends(0, "backup embedded:app.redb file:disk/backups");
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    let filler = disk.fill();
    let errors = world.ends(9, "backup embedded:app.redb file:disk/backups");
    assert!(errors.contains("No space left on device") && errors.contains("next: "), "{errors}");
    std::fs::remove_file(filler).unwrap();
    let listed = world.json("list file:disk/backups");
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1, "{listed}");
    world.ends(0, "verify file:disk/backups --depth decode");
    // Nothing but room was missing.
    world.ends(0, "backup embedded:app.redb file:disk/backups");
    world.ends(0, "verify file:disk/backups --depth decode");
}

#[test]
fn paths_that_are_not_utf_8_work_wherever_they_can_be_given() {
    let world = World::new();
    let odd = OsStr::from_bytes(b"od\xffd");
    copy_folder(&data("forms/plain"), &world.path().join(odd));
    let mut import = world.command("import");
    let output = import.arg(odd).args(["--into", "embedded:app.redb"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // A URL is text: any other byte is written as %XX.
    world.ends(0, "init file:back%FFups");
    assert!(world.path().join(OsStr::from_bytes(b"back\xffups")).is_dir());
    world.ends(0, "backup embedded:app.redb file:back%FFups");
    world.ends(0, "verify file:back%FFups --depth decode");
    world.ends(0, "restore file:back%FFups --into embedded:od%FFd.redb");
    assert!(world.path().join(OsStr::from_bytes(b"od\xffd.redb")).is_file());
    assert_eq!(world.json("inspect embedded:od%FFd.redb"), world.json("inspect embedded:app.redb"));
    for name in [&b"embedded:od\xffd.redb"[..], b"file:od\xffd"] {
        let output = world.command("inspect").arg(OsStr::from_bytes(name)).output().unwrap();
        let errors = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("invalid UTF-8"), "{errors}");
    }
}

/// What the program writes to standard error, on a terminal or into a pipe.
fn shown(world: &World, terminal: bool) -> String {
    let backup = "backup embedded:app.redb file:backups";
    if !terminal {
        return text(world.run(backup).stderr);
    }
    let program = env!("CARGO_BIN_EXE_strongroom");
    let mut script = Command::new("script");
    let line = format!("stty cols 120; {program} {backup}");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(world.path());
    let output = script.env("TERM", "xterm").env_remove("STRONGROOM_CONFIG").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    text(output.stdout)
}

#[test]
fn a_terminal_gets_a_bar_and_a_pipe_plain_lines() {
    let world = World::with_base();
    world.ends(0, "init file:backups");
    let (terminal, pipe) = (shown(&world, true), shown(&world, false));
    assert!(terminal.contains("backup [") && terminal.contains('\u{1b}'), "{terminal:?}");
    assert!(pipe.contains("backup: done after") && !pipe.contains("backup ["), "{pipe:?}");
    assert!(!pipe.contains('\u{1b}') && !pipe.contains('\r'), "{pipe:?}");
}
