//! Loading a catalogue from local storage:
//! `cargo run --release -p strongroom-benches --bin catalogue [BACKUPS] [ROUNDS] [SEGMENTS]`.
//!
//! Makes a repository whose catalogue holds so many backups in a snapshot and so many segments after it, then loads it:
//! by name (what [`Repository::load`] does), and plans. What came before the snapshot is not deleted, as in a repository
//! that is never pruned. For comparison: reading the snapshot's bytes, and hashing them, in the same rounds.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use strongroom::system_environment;
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::loading;
use strongroom_benches::measure::{Spent, median, peak_memory, ratio};
use strongroom_benches::shapes::{CLUSTER, Shape};
use strongroom_core::model::{Filter, Scope};
use strongroom_core::planner::{Request, Target};
use strongroom_core::repository::Repository;
use strongroom_storage::LocalStorage;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "1000000".to_owned());
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let shape = Shape::Calendar;
    if first == "load" {
        let folder = arguments.next().ok_or("which folder?")?;
        return load(Path::new(&folder), shape, rounds);
    }
    let total: u64 = first.parse()?;
    let segments: u64 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let folder = BenchFolder::new("catalogue")?;
    tokio::runtime::Runtime::new()?.block_on(loading::make(&folder, shape, total, segments))?;
    println!(
        "{total} backups ({}), {segments} further segments, {rounds} rounds; wall / processor time in ms\n",
        shape.name()
    );
    // In a process of its own, whose memory holds nothing else.
    let own = std::env::current_exe()?;
    let status = Command::new(own).args(["load", &rounds.to_string()]).arg(folder.path()).status()?;
    if status.success() { Ok(()) } else { Err("loading failed".into()) }
}

/// Loads the catalogue in `folder`, and tells what it takes.
fn load(folder: &Path, shape: Shape, rounds: usize) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let storage = Arc::new(LocalStorage::new(folder)?);
    let repository = runtime.block_on(Repository::open(storage, system_environment()))?;
    let snapshots = std::fs::read_dir(folder.join("catalogue"))?.filter_map(Result::ok);
    let snapshot = snapshots.map(|entry| entry.path()).filter(|path| path.extension().is_some()).max();
    let snapshot = snapshot.ok_or("no snapshot was written")?;
    let (mut read, mut hash, mut load, mut plan) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut total, mut memory) = (0, (0, 0));
    for _ in 0..rounds {
        let (spent, loaded) = loading::load(&runtime, &repository)?;
        load.push(spent);
        let catalogue = loaded.catalogue();
        (total, memory) = (catalogue.len() as u64, catalogue.memory());
        let part = Scope { parts: Some([(shape.part(7), Filter::default())].into()) };
        let request = Request { cluster: Some(CLUSTER), ..Request::at(Target::Latest).of(part) };
        let (spent, planned) = Spent::by(|| catalogue.plan(&request));
        planned?;
        plan.push(spent);
        drop(loaded);
        let (spent, bytes) = Spent::by(|| std::fs::read(&snapshot));
        read.push(spent);
        let bytes = bytes?;
        hash.push(Spent::by(|| black_box(blake3::hash(&bytes))).0);
    }
    let size = std::fs::metadata(&snapshot)?.len();
    println!("| what | median | |\n|---|---|---|");
    println!("| read the snapshot's file | {} | {:.1} bytes a backup |", median(&read).millis(), ratio(size, total));
    println!("| hash it | {} | |", median(&hash).millis());
    let loaded = median(&load);
    let of = loaded.wall.as_secs_f64() / (median(&read).wall + median(&hash).wall).as_secs_f64();
    println!("| load the catalogue | {} | {of:.1} x reading and hashing |", loaded.millis());
    println!("| first plan, one part | {} | |", median(&plan).millis());
    let (columns, beside) = (ratio(memory.0 as u64, total), ratio(memory.1 as u64, total));
    println!("\n{total} backups: {columns:.1} bytes each in columns, {beside:.1} beside them");
    println!("peak memory of the process that loads: {} MiB", peak_memory()? >> 20);
    Ok(())
}
