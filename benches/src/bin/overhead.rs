//! What the bindings cost: the same backup from Rust and through each binding, in turns:
//! `cargo run --release -p strongroom-benches --bin overhead [RECORDS] [ROUNDS] [PROGRAM...]`.
//!
//! Each PROGRAM is a command that takes the file of a cluster and the folder of a repository that it makes, backs up once, and
//! prints the nanoseconds on the wall and of processor time that this took, such as
//! `"python bindings/python/benches/one_backup.py"`. Every backup is made by a process of its own, into a fresh repository.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use strongroom::embedded::PutOptions;
use strongroom::record::model::{Bin, BinName, Name, Record};
use strongroom::record::{Digest, Particle, UserKey};
use strongroom::{Access, BackupRequest, Strongroom};
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::measure::{Spent, best, median, process_time};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [job, file, repository] = arguments.as_slice()
        && job == "one-backup"
    {
        return tokio::runtime::Runtime::new()?.block_on(one_backup(file, repository));
    }
    let records: u32 = arguments.first().map_or(Ok(500_000), |text| text.parse())?;
    let rounds: usize = arguments.get(1).map_or(Ok(9), |text| text.parse())?;
    let folder = BenchFolder::new("overhead")?;
    let file = folder.path().join("source.redb");
    fill(&file, records)?;
    let ourselves = format!("{} one-backup", std::env::current_exe()?.display());
    let programs: Vec<&str> =
        std::iter::once(ourselves.as_str()).chain(arguments.iter().skip(2).map(String::as_str)).collect();
    let mut taken: Vec<Vec<Spent>> = vec![Vec::new(); programs.len()];
    for _ in 0..rounds.max(1) {
        for (program, taken) in programs.iter().zip(&mut taken) {
            let repository = folder.path().join("repository");
            taken.push(run(program, &file, &repository)?);
            std::fs::remove_dir_all(&repository)?;
        }
    }
    println!("a backup of {records} records, {rounds} rounds in turns; wall / processor time in ms\n");
    println!("| from | best | median | best : Rust's |");
    println!("|---|---|---|---|");
    let rust = taken.first().map(|taken| best(taken)).unwrap_or_default();
    for (number, (program, taken)) in programs.iter().zip(&taken).enumerate() {
        let name = if number == 0 { "Rust" } else { program };
        let least = best(taken);
        println!(
            "| {name} | {} | {} | {:.3} / {:.3} |",
            least.millis(),
            median(taken).millis(),
            least.wall.as_secs_f64() / rust.wall.as_secs_f64(),
            least.cpu.as_secs_f64() / rust.cpu.as_secs_f64()
        );
    }
    Ok(())
}

/// A cluster of records of two bins.
fn fill(file: &Path, records: u32) -> Result<(), Failure> {
    let cluster = Strongroom::new().embedded(&format!("embedded:{}", file.display()), Access::Create)?;
    let (namespace, users) = (Name::namespace("app")?, Name::set("users")?);
    let (age, name) = (BinName::new("age")?, BinName::new("name")?);
    cluster.write_batch(|batch| {
        for number in 0..i64::from(records) {
            let key = UserKey::Integer(number);
            let text = Particle::String(format!("user number {number}").into_bytes().into());
            let record = Record {
                namespace: namespace.clone(),
                set: Some(users.clone()),
                digest: Digest::of_key(Some(b"users"), &key),
                key: Some(key),
                generation: 0,
                void_time: 0,
                bins: vec![Bin { name: age, value: Particle::Integer(number % 90) }, Bin { name, value: text }],
            };
            batch.put(record, PutOptions::default())?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Opens both, and tells what the backup alone took.
async fn one_backup(file: &str, repository: &str) -> Result<(), Failure> {
    let strongroom = Strongroom::new();
    let cluster = strongroom.cluster(&format!("embedded:{file}"))?;
    let repository = strongroom.init(repository, None, &[]).await?;
    let (wall, cpu) = (std::time::Instant::now(), process_time());
    repository.backup(cluster, BackupRequest::default())?.await?.into_result()?;
    println!("{} {}", wall.elapsed().as_nanos(), process_time().saturating_sub(cpu).as_nanos());
    Ok(())
}

/// Runs a program, which tells what it took.
fn run(program: &str, file: &Path, repository: &Path) -> Result<Spent, Failure> {
    let mut words = program.split_whitespace();
    let mut command = Command::new(words.next().ok_or("a program without a name")?);
    let output = command.args(words).arg(file).arg(repository).output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(wall)), Some(Ok(cpu))) => {
            Ok(Spent { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu) })
        }
        _ => Err(format!("{program} printed '{text}' instead of two numbers").into()),
    }
}
