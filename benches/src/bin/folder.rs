//! A folder of files, backed up and restored by the example adapter and by other backup tools:
//! `cargo run --release -p strongroom-benches --bin folder [MIB] [ROUNDS]`.
//!
//! The others are `restic` and `borg`, as the system has them (Debian: `apt-get install restic borgbackup`); one that is
//! missing is named and left out. Each job is a process of its own; the times are its own, wall and processor. All
//! encrypt, and compress by zstd at its fastest or the tool's default. The others also cut content into chunks and look
//! each up, so that a second backup is small; the example adapter does not: only a first backup is compared.

#[path = "../../../crates/strongroom/examples/folder_cluster/cluster.rs"]
mod cluster;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::FolderCluster;
use strongroom::system_environment;
use strongroom_benches::data::Kind;
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::known::sealed;
use strongroom_benches::measure::{Spent, children_time, median, ratio};
use strongroom_core::engine::{BackupRequest, RestoreRequest, backup, restore};
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_storage::LocalStorage;

type Failure = Box<dyn Error>;

/// A tool: its name, and the commands that make a repository, back up and restore, with `{}` for the folders.
struct Tool {
    name: String,
    program: PathBuf,
    init: Vec<&'static str>,
    backup: Vec<&'static str>,
    restore: Vec<&'static str>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [job, repository, folder, codecs] = arguments.as_slice() {
        let (repository, folder) = (Path::new(repository), Path::new(folder));
        return tokio::runtime::Runtime::new()?.block_on(own(job, repository, folder, codecs));
    }
    let mib: usize = arguments.first().map_or(Ok(1024), |text| text.parse())?;
    let rounds: usize = arguments.get(1).map_or(Ok(3), |text| text.parse())?;
    let folder = BenchFolder::new("folder")?;
    let source = folder.path().join("source");
    let files = make(&source, mib)?;
    println!("{mib} MiB in {files} files: text, json, rows, random; {rounds} rounds; wall / processor time in ms\n");
    println!("| tool | backup | : ours | restore | : ours | stored |");
    println!("|---|---|---|---|---|---|");
    let mut ours = None;
    for tool in tools()? {
        let (mut there, mut back, mut stored) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds.max(1) {
            let (repository, target) = (folder.path().join("repository"), folder.path().join("target"));
            std::fs::create_dir_all(&target)?;
            run(&tool, &tool.init, &repository, &source, &target)?;
            there.push(run(&tool, &tool.backup, &repository, &source, &target)?);
            back.push(run(&tool, &tool.restore, &repository, &source, &target)?);
            stored = bytes_in(&repository)?;
            if bytes_in(&target)? != bytes_in(&source)? {
                return Err(format!("{} did not bring all back", tool.name).into());
            }
            std::fs::remove_dir_all(&repository)?;
            std::fs::remove_dir_all(&target)?;
        }
        let (there, back) = (median(&there), median(&back));
        let (our_there, our_back) = *ours.get_or_insert((there, back));
        let against = |spent: Spent, ours: Spent| {
            format!(
                "{:.2} / {:.2}",
                spent.wall.as_secs_f64() / ours.wall.as_secs_f64(),
                spent.cpu.as_secs_f64() / ours.cpu.as_secs_f64()
            )
        };
        println!(
            "| {} | {} | {} | {} | {} | {:.3} |",
            tool.name,
            there.millis(),
            against(there, our_there),
            back.millis(),
            against(back, our_back),
            ratio(stored, (mib as u64) << 20),
        );
    }
    Ok(())
}

/// Ours with two stacks first, then the others that the system has.
fn tools() -> Result<Vec<Tool>, Failure> {
    let program = std::env::current_exe()?;
    let own = |name: &str, backup, restore| Tool {
        name: format!("strongroom {name}"),
        program: program.clone(),
        init: vec![],
        backup,
        restore,
    };
    let mut tools = vec![
        own("zstd:1,seal", vec!["backup", "REPO", "SOURCE", "zstd:1"], vec!["restore", "REPO", "TARGET", "zstd:1"]),
        own("lz4,seal", vec!["backup", "REPO", "SOURCE", "lz4"], vec!["restore", "REPO", "TARGET", "lz4"]),
    ];
    let restic = |name: &str, compression: &'static str| Tool {
        name: name.to_owned(),
        program: "restic".into(),
        init: vec!["-q", "-r", "REPO", "--no-cache", "init"],
        backup: vec!["-q", "-r", "REPO", "--no-cache", "--compression", compression, "backup", "SOURCE"],
        restore: vec!["-q", "-r", "REPO", "--no-cache", "restore", "latest", "--target", "TARGET"],
    };
    let borg = |name: &str, compression: &'static str| Tool {
        name: name.to_owned(),
        program: "borg".into(),
        init: vec!["init", "--encryption=repokey-blake2", "REPO"],
        backup: vec!["create", "--compression", compression, "REPO::one", "SOURCE"],
        restore: vec!["extract", "REPO::one"],
    };
    let others = [restic("restic auto", "auto"), borg("borg zstd,1", "zstd,1"), borg("borg lz4", "lz4")];
    for tool in others {
        match Command::new(&tool.program).arg("--version").arg("-q").output() {
            Ok(_) => tools.push(tool),
            Err(_) => eprintln!("{} is not installed: left out", tool.name),
        }
    }
    Ok(tools)
}

/// Runs one command of a tool, and tells what it took.
fn run(tool: &Tool, words: &[&str], repository: &Path, source: &Path, target: &Path) -> Result<Spent, Failure> {
    if words.is_empty() {
        return Ok(Spent::default());
    }
    let words = words.iter().map(|word| match *word {
        "SOURCE" => source.to_string_lossy().into_owned(),
        "TARGET" => target.to_string_lossy().into_owned(),
        word => word.replace("REPO", &repository.to_string_lossy()),
    });
    let home = repository.with_file_name("home");
    std::fs::create_dir_all(&home)?;
    let (wall, cpu) = (Instant::now(), children_time()?);
    let output = Command::new(&tool.program)
        .args(words)
        .current_dir(target)
        .env("HOME", home)
        .env("RESTIC_PASSWORD", "bench")
        .env("BORG_PASSPHRASE", "bench")
        .output()?;
    let spent = Spent { wall: wall.elapsed(), cpu: children_time()?.saturating_sub(cpu) };
    if output.status.success() {
        Ok(Spent { cpu: spent.cpu.max(Duration::from_millis(1)), ..spent })
    } else {
        Err(format!("{}: {}", tool.name, String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Our own jobs, in a process of their own.
async fn own(job: &str, repository: &Path, folder: &Path, codec: &str) -> Result<(), Failure> {
    let storage = Arc::new(LocalStorage::new(repository)?);
    let (stack, registry) = sealed(codec)?;
    let cluster = Arc::new(FolderCluster(folder.into()));
    if job == "backup" {
        let repository = Repository::init(storage, system_environment(), InitOptions::default()).await?;
        let request = BackupRequest { stack, ..BackupRequest::default() };
        backup(repository, registry, cluster, request).await?.into_result()?;
    } else {
        let repository = Repository::open(storage, system_environment()).await?;
        let plan = repository.load().await?.catalogue().plan(&Request::at(Target::Latest))?;
        restore(repository, registry, plan, cluster, RestoreRequest::default()).await?;
    }
    Ok(())
}

/// Files of 8 MiB, and a tenth of the bytes in files of 64 KiB, of all kinds of data. Gives their count.
fn make(folder: &Path, mib: usize) -> Result<usize, Failure> {
    const SMALL: usize = 64 << 10;
    let mut count = 0;
    for (number, kind) in (0..mib.div_ceil(8)).zip(Kind::ALL.into_iter().cycle()) {
        let folder = folder.join(format!("{}/{number}", kind.name()));
        std::fs::create_dir_all(&folder)?;
        let bytes = kind.bytes(number as u64, (mib - number * 8).min(8) << 20);
        let pieces = if number % 10 == 9 { bytes.chunks(SMALL) } else { bytes.chunks(8 << 20) };
        for (at, piece) in pieces.enumerate() {
            std::fs::write(folder.join(at.to_string()), piece)?;
            count += 1;
        }
    }
    Ok(count)
}

fn bytes_in(folder: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { bytes_in(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}
