//! Answers about records, written on the server's side.

use crate::record::{Bin, Digest, Record};

pub(crate) const OK: u8 = 0;
pub(crate) const NOT_FOUND: u8 = 2;
pub(crate) const GENERATION: u8 = 3;
pub(crate) const PARAMETER: u8 = 4;
pub(crate) const EXISTS: u8 = 5;
pub(crate) const NO_SPACE: u8 = 8;
pub(crate) const NOT_HERE: u8 = 11;
pub(crate) const TOO_BIG: u8 = 13;
pub(crate) const UNSUPPORTED: u8 = 16;
pub(crate) const NO_NAMESPACE: u8 = 20;
pub(crate) const BIN_NAME: u8 = 21;
pub(crate) const FORBIDDEN: u8 = 22;
const LAST: u8 = 1;
const PARTITION_DONE: u8 = 4;
const GEO: u8 = 23;

/// A frame of messages being written.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    body: Vec<u8>,
}

/// A message's fixed part.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    info3: u8,
    result: u8,
    generation: u32,
    void_time: u32,
    index: u32,
    fields: u16,
    ops: u16,
}

impl Answer {
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    fn start(&mut self, start: Start) {
        self.body.extend([22, 0, 0, start.info3, 0, start.result]);
        for word in [start.generation, start.void_time, start.index] {
            self.body.extend(word.to_be_bytes());
        }
        self.body.extend(start.fields.to_be_bytes());
        self.body.extend(start.ops.to_be_bytes());
    }

    fn field(&mut self, kind: u8, value: &[u8]) {
        self.body.extend(u32::try_from(value.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
        self.body.push(kind);
        self.body.extend_from_slice(value);
    }

    fn bin(&mut self, op: u8, bin: &Bin) {
        // A server indexes where a shape lies, and sends the cells before the text.
        let cells: &[u8] = if bin.particle == GEO { &[0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8] } else { &[] };
        let value = if bin.particle == GEO { bin.value.get(3..).unwrap_or_default() } else { &bin.value };
        let length = 4 + bin.name.len() + cells.len() + value.len();
        self.body.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        self.body.extend([op, bin.particle, 0, u8::try_from(bin.name.len()).unwrap_or(u8::MAX)]);
        self.body.extend_from_slice(&bin.name);
        self.body.extend_from_slice(cells);
        self.body.extend_from_slice(value);
    }

    /// A record of a query. `wanted`: only these bins; `None`: none at all.
    pub(crate) fn record(&mut self, namespace: &str, digest: &Digest, record: &Record, wanted: Option<&[&[u8]]>) {
        let is_wanted =
            |bin: &&Bin| wanted.is_some_and(|wanted| wanted.is_empty() || wanted.contains(&bin.name.as_slice()));
        let bins: Vec<&Bin> = record.bins.iter().filter(is_wanted).collect();
        self.start(Start {
            generation: u32::from(record.generation),
            void_time: record.void_time,
            fields: 2 + u16::from(!record.set.is_empty()) + u16::from(record.key.is_some()),
            ops: u16::try_from(bins.len()).unwrap_or(u16::MAX),
            ..Start::default()
        });
        self.field(0, namespace.as_bytes());
        self.field(4, digest);
        if !record.set.is_empty() {
            self.field(1, &record.set);
        }
        if let Some(key) = &record.key {
            self.field(2, key);
        }
        for bin in bins {
            self.bin(1, bin);
        }
    }

    /// The answer to a read.
    pub(crate) fn read(&mut self, record: &Record, wanted: &[&[u8]]) {
        let bins: Vec<&Bin> =
            record.bins.iter().filter(|bin| wanted.is_empty() || wanted.contains(&bin.name.as_slice())).collect();
        let ops = u16::try_from(bins.len()).unwrap_or(u16::MAX);
        let generation = u32::from(record.generation);
        self.start(Start { generation, void_time: record.void_time, ops, ..Start::default() });
        for bin in bins {
            self.bin(1, bin);
        }
    }

    /// The answer to a write, a delete, or what failed.
    pub(crate) fn result(&mut self, result: u8, record: Option<&Record>) {
        let generation = record.map_or(0, |record| u32::from(record.generation));
        let void_time = record.map_or(0, |record| record.void_time);
        self.start(Start { result, generation, void_time, ..Start::default() });
    }

    /// The answer to a row of a batch.
    pub(crate) fn row(&mut self, index: u32, result: u8, record: Option<&Record>) {
        let generation = record.map_or(0, |record| u32::from(record.generation));
        let void_time = record.map_or(0, |record| record.void_time);
        self.start(Start { result, generation, void_time, index, ..Start::default() });
    }

    /// A partition that this node can't serve.
    pub(crate) fn not_here(&mut self, partition: u16) {
        let generation = u32::from(partition);
        self.start(Start { info3: PARTITION_DONE, result: NOT_HERE, generation, ..Start::default() });
    }

    /// The end of a query or batch.
    pub(crate) fn last(&mut self, result: u8) {
        self.start(Start { info3: LAST, result, ..Start::default() });
    }

    /// Takes the frame, head included.
    pub(crate) fn take_frame(&mut self) -> Vec<u8> {
        frame(3, &std::mem::take(&mut self.body))
    }
}

/// A frame of a kind.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u64).to_be_bytes().to_vec();
    frame[0] = 2;
    frame[1] = kind;
    frame.extend_from_slice(body);
    frame
}
