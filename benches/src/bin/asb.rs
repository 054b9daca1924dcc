//! The `.asb` text format: `cargo run --release -p strongroom-benches --bin asb [MIB] [ROUNDS]`.
//!
//! Decodes and writing what the reference tools wrote of a real server (every type of value), and plain rows of three
//! bins, both again and again up to MIB, on one thread. `: copy` is the speed as a part of copying the same bytes in
//! the same run; the best of some rounds.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use strongroom_benches::measure::{Spent, best, ratio};
use strongroom_record::asb::{Decoder, Encoder, Limits};
use strongroom_record::folder::FolderReader;
use strongroom_record::{Bin, BinName, Digest, Double, Entity, Name, Particle, Record};

/// What a reader of files hands out at once.
const CHUNK: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let size = arguments.next().map_or(Ok(64), |text| text.parse::<usize>())? << 20;
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    println!("{} MiB a row, best of {rounds} rounds by processor time, one thread\n", size >> 20);
    println!(
        "| records | form | bytes a record | copy MB/s | encode MB/s | : copy | records/s | decode MB/s | : copy | records/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/strongroom-record/testdata/aerospike");
    let real = records_of(&testdata.join("t0-base"))?;
    for (name, records) in [("of a real server", real), ("rows of three bins", rows(5000)?)] {
        for (form, encoder) in [("plain", Encoder::default()), ("compact", Encoder::COMPACT)] {
            measure(name, form, encoder, &records, size, rounds)?;
        }
    }
    Ok(())
}

/// Measures one row of the table.
fn measure(
    name: &str,
    form: &str,
    encoder: Encoder,
    records: &[Record],
    size: usize,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let namespace = Name::namespace("test")?;
    let mut text = Vec::with_capacity(size + (1 << 20));
    encoder.header(&mut text, &namespace, true);
    let mut count = 0;
    for record in records.iter().cycle() {
        if text.len() >= size {
            break;
        }
        encoder.record(&mut text, record)?;
        count += 1;
    }
    let text = Bytes::from(text);
    let (mut copying, mut writing, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    let mut out = Vec::with_capacity(text.len());
    for _ in 0..rounds.max(1) {
        out.clear();
        copying.push(Spent::by(|| out.extend_from_slice(black_box(&text))).0);
        out.clear();
        let (spent, written) = Spent::by(|| {
            encoder.header(&mut out, &namespace, true);
            records.iter().cycle().take(count).try_for_each(|record| encoder.record(&mut out, record))
        });
        written?;
        writing.push(spent);
        let (spent, back) = Spent::by(|| decode(&text));
        if back? != count || out != text {
            return Err("other records came back".into());
        }
        reading.push(spent);
    }
    let speed = |spent: &[Spent], of: usize| ratio(of as u64, 1) / best(spent).cpu.as_secs_f64();
    let copy = speed(&copying, text.len()) / 1e6;
    let (encode, decode) = (speed(&writing, text.len()) / 1e6, speed(&reading, text.len()) / 1e6);
    println!(
        "| {name} | {form} | {:.0} | {copy:.0} | {encode:.0} | {:.2} | {:.0} | {decode:.0} | {:.2} | {:.0} |",
        ratio(text.len() as u64, count as u64),
        encode / copy,
        speed(&writing, count),
        decode / copy,
        speed(&reading, count),
    );
    Ok(())
}

/// Counts the records of a file that comes in chunks.
fn decode(text: &Bytes) -> Result<usize, Box<dyn Error>> {
    let mut decoder = Decoder::default();
    let mut count = 0;
    for start in (0..text.len()).step_by(CHUNK) {
        decoder.push(text.slice(start..text.len().min(start + CHUNK)));
        while let Some(entity) = decoder.next_entity()? {
            count += usize::from(black_box(entity).as_record().is_some());
        }
    }
    decoder.finish()?;
    Ok(count)
}

/// All records of a folder of the reference tools.
fn records_of(folder: &Path) -> Result<Vec<Record>, Box<dyn Error>> {
    let entities = FolderReader::open(folder, None, Limits::default())?;
    let records = entities.filter_map(|entity| match entity {
        Ok(Entity::Record(record)) => Some(Ok(record)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    Ok(records.collect::<Result<_, _>>()?)
}

/// Records with an integer, a double and a string of 40 bytes.
fn rows(count: u32) -> Result<Vec<Record>, Box<dyn Error>> {
    let (namespace, set) = (Name::namespace("test")?, Name::set("rows")?);
    (0..count)
        .map(|number| {
            let mut digest = [0; 20];
            digest.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..20]);
            let bin = |name: &str, value| Ok::<_, Box<dyn Error>>(Bin { name: BinName::new(name)?, value });
            Ok(Record {
                namespace: namespace.clone(),
                set: Some(set.clone()),
                digest: Digest(digest),
                key: None,
                generation: 1,
                void_time: 0,
                bins: vec![
                    bin("count", Particle::Integer(i64::from(number) * 1_000_003))?,
                    bin("share", Particle::Double(Double::from(f64::from(number) / 7.0)))?,
                    bin("words", Particle::String(format!("{number:040}").into_bytes().into()))?,
                ],
            })
        })
        .collect()
}
