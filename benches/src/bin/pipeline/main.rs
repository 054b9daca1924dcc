//! The data path against its own stages: `cargo run --release -p strongroom-benches --bin pipeline [MIB] [ROUNDS] [DATA]`.
//!
//! For each kind of data and each stack of codecs, in every round: each stage alone on all cores (read the files, each
//! codec, CRC, hash, write the objects), then the whole backup of the same files to local storage; likewise the way
//! back, into nothing. MIB is for each of four kinds of data: 512 makes 2 GiB.
//!
//! The **ceiling** is what the stages give together if nothing is lost between them: the processor time of all stages
//! spread over the cores, or the slowest stage's own time if that is longer. Two shares of it are printed. By
//! *processor time*: the stages' sum against what the whole path used; other work on the machine hardly moves it. By
//! *the wall*: the ceiling's time against the path's, both best of all rounds; on a machine that is busy with other
//! things it says little.

mod path;
mod stages;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use strongroom_benches::data::Kind;
use strongroom_benches::folder::BenchFolder;
use strongroom_benches::known::sealed;
use strongroom_benches::measure::{Spent, best, median, ratio};
use strongroom_core::Storage;
use strongroom_core::codec::CodecId;
use strongroom_core::id::RepositoryId;
use strongroom_core::pipeline::{Settings, Stack, Workroom};
use strongroom_storage::LocalStorage;

use path::{back_up, restore};
use stages::{crc, decode, each, encode, encoded, hash, read_all, read_file, write_all};

type Failure = Box<dyn Error + Send + Sync>;

const FRAME: usize = 1 << 20;
/// Pieces of each kind of data, all at work at once.
const PIECES: usize = 8;
const REPOSITORY: RepositoryId = RepositoryId::from_u128(1);

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let size: usize = arguments.next().map_or(Ok(512), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    let cores = std::thread::available_parallelism()?.get();
    println!("{size} MiB of each kind in {PIECES} files, {cores} cores, parallel {PIECES}, {rounds} rounds");
    println!("speeds in MB of plain bytes a second; share of the ceiling by processor time / by the wall\n");
    println!("| data | codecs | ratio | backup | ceiling | share | restore | ceiling | share |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let runtime = tokio::runtime::Runtime::new()?;
    let mut details = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.name().contains(&wanted)) {
        let folder = BenchFolder::new("pipeline")?;
        let files = make(folder.path(), kind, size)?;
        for name in STACKS {
            let (stack, _) = sealed(name)?;
            let bench = Bench { folder: folder.path(), files: &files, stack, cores, bytes: size * FRAME };
            let mut backups: BTreeMap<&str, Vec<Spent>> = BTreeMap::new();
            let mut restores: BTreeMap<&str, Vec<Spent>> = BTreeMap::new();
            let mut stored = 0;
            for _ in 0..rounds {
                stored = bench.round(&runtime, &mut backups, &mut restores)?;
            }
            let (there, back) = (bench.judge(&backups), bench.judge(&restores));
            println!("| {} | {name} | {:.3} | {there} | {back} |", kind.name(), ratio(stored, bench.bytes as u64));
            details.push((kind.name(), name, backups, restores));
        }
    }
    println!("\nThe stages alone, median wall / processor time in ms:\n");
    for (kind, name, backups, restores) in details {
        for (way, all) in [("backup", backups), ("restore", restores)] {
            let each: Vec<String> =
                all.iter().map(|(stage, all)| format!("{stage} {}", median(all).millis())).collect();
            println!("- {kind}, {name}, {way}: {}", each.join("; "));
        }
    }
    Ok(())
}

/// The stacks to be compared. All seal.
const STACKS: [&str; 4] = ["none", "lz4", "zstd:1", "zstd:3"];

fn make(folder: &Path, kind: Kind, size: usize) -> Result<Vec<PathBuf>, Failure> {
    let sources = folder.join("source");
    std::fs::create_dir_all(&sources)?;
    let mut files = Vec::new();
    for number in 0..PIECES {
        let path = sources.join(number.to_string());
        let mut file = File::create(&path)?;
        // A few megabytes at a time, each of its own seed: data does not repeat.
        let (each, mut made) = (size / PIECES, 0);
        while made < each {
            let step = (each - made).min(8);
            file.write_all(&kind.bytes((number * 1000 + made) as u64, step * FRAME))?;
            made += step;
        }
        file.sync_all()?;
        files.push(path);
    }
    Ok(files)
}

struct Bench<'a> {
    folder: &'a Path,
    files: &'a [PathBuf],
    stack: Stack,
    cores: usize,
    bytes: usize,
}

const WHOLE: &str = "whole path";

impl Bench<'_> {
    /// Every stage once, then the whole path, there and back. Gives the bytes on storage.
    fn round(
        &self,
        runtime: &tokio::runtime::Runtime,
        backups: &mut BTreeMap<&'static str, Vec<Spent>>,
        restores: &mut BTreeMap<&'static str, Vec<Spent>>,
    ) -> Result<u64, Failure> {
        let (spent, plain) = Spent::by(|| each(self.cores, self.files, read_file));
        let plain: Vec<Vec<Bytes>> = plain?;
        backups.entry("read").or_default().push(spent);
        let ids = self.stack.ids();
        let mut forms = vec![plain];
        for id in &ids {
            let codec = self.stack.get(id).ok_or("no such codec")?;
            let input = forms.last().ok_or("no input")?;
            let (spent, _) = Spent::by(|| each(self.cores, input, |frames| encode(&*codec, frames)));
            backups.entry(stage(id, true)).or_default().push(spent);
            forms.push(each(self.cores, input, |frames| encoded(&*codec, frames))?);
        }
        let stored = forms.last().ok_or("no output")?;
        for all in [&mut *backups, &mut *restores] {
            all.entry("crc").or_default().push(Spent::by(|| each(self.cores, stored, |frames| Ok(crc(frames)))).0);
            all.entry("hash").or_default().push(Spent::by(|| each(self.cores, stored, |frames| Ok(hash(frames)))).0);
        }
        let alone = self.folder.join("alone");
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(&alone)?);
        let (spent, written) = Spent::by(|| runtime.block_on(write_all(&storage, stored)));
        written?;
        backups.entry("write").or_default().push(spent);
        let (spent, read) = Spent::by(|| runtime.block_on(read_all(&storage, PIECES)));
        read?;
        restores.entry("read").or_default().push(spent);
        std::fs::remove_dir_all(&alone)?;
        for (at, id) in ids.iter().enumerate() {
            let codec = self.stack.get(id).ok_or("no such codec")?;
            let together: Vec<(&Vec<Bytes>, &Vec<Bytes>)> = forms[at + 1].iter().zip(&forms[at]).collect();
            let work = |pair: &(&Vec<Bytes>, &Vec<Bytes>)| decode(&*codec, pair.0, pair.1);
            restores.entry(stage(id, false)).or_default().push(Spent::by(|| each(self.cores, &together, work)).0);
        }
        drop(forms);

        let target = self.folder.join("target");
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(&target)?);
        let room = Workroom::new(Settings { parallel: PIECES, ..Settings::default() })?;
        let (spent, pieces) = Spent::by(|| runtime.block_on(back_up(self.files, &self.stack, &room, &storage)));
        let pieces = pieces?;
        backups.entry(WHOLE).or_default().push(spent);
        let (spent, back) = Spent::by(|| runtime.block_on(restore(&self.stack, &room, &storage, &pieces)));
        if back? != self.bytes {
            return Err("other bytes came back".into());
        }
        restores.entry(WHOLE).or_default().push(spent);
        std::fs::remove_dir_all(&target)?;
        let parts = pieces.iter().flat_map(|piece| &piece.parts);
        Ok(parts.map(|part| part.object.size).sum())
    }

    /// Speed, ceiling and shares, as cells.
    fn judge(&self, all: &BTreeMap<&str, Vec<Spent>>) -> String {
        let stages = || all.iter().filter(|(name, _)| **name != WHOLE).map(|(_, rounds)| rounds);
        let cpu: f64 = stages().map(|rounds| median(rounds).cpu.as_secs_f64()).sum();
        let least: f64 = stages().map(|rounds| best(rounds).cpu.as_secs_f64()).sum();
        let slowest = stages().map(|rounds| best(rounds).wall.as_secs_f64()).fold(0.0, f64::max);
        let whole = all.get(WHOLE).map_or(&[][..], Vec::as_slice);
        let ceiling = (least / ratio(self.cores as u64, 1)).max(slowest);
        let megabytes = ratio(self.bytes as u64, 1_000_000);
        format!(
            "{:.0} | {:.0} | {:.0} % / {:.0} %",
            megabytes / best(whole).wall.as_secs_f64(),
            megabytes / ceiling,
            100.0 * cpu / median(whole).cpu.as_secs_f64(),
            100.0 * ceiling / best(whole).wall.as_secs_f64(),
        )
    }
}

fn stage(id: &CodecId, there: bool) -> &'static str {
    match (id.as_str().split(':').next(), there) {
        (Some("seal"), true) => "seal",
        (Some("seal"), false) => "open",
        (_, true) => "compress",
        (_, false) => "decompress",
    }
}
