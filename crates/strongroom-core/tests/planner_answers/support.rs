//! Catalogues as pictures. One word draws one backup, moments in seconds:
//!
//! ```text
//!   1:-10            a base until 10                     2:10-20        a cover incremental
//!   3:2@20-30        an exact one, whose parent is 2     2:10-20~22     settled at 22
//!   9:a.1.5<1.4@10-20   segment 5 of epoch 1 of node a's log, which follows 1.4
//!   and then, in any number:  #p part (default p)   /2 timeline (default 1)   =s3,home copies   *100 bytes stored
//!                             !corrupt !partial !deleted   ? never verified   ^ deletes unseen   &a,b nodes
//! ```

use std::collections::BTreeMap;

use strongroom_core::id::{BackupId, ClusterId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Depth, Filter, Status, Window};
use strongroom_core::planner::{
    Catalogue, Entry, Held, LogPlace, LogSeq, Reached, Request, Size, Target, Timeline, Verified,
};
use strongroom_core::{Key, Timestamp};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

pub(crate) fn id(number: u128) -> BackupId {
    BackupId::from_u128(number)
}

pub(crate) fn latest() -> Request {
    Request::at(Target::Latest)
}

pub(crate) fn by(seconds: i64) -> Request {
    Request::at(Target::AtOrBefore(at(seconds)))
}

/// The catalogue of a picture.
pub(crate) fn draw(picture: &str) -> Catalogue {
    draw_with(picture, &[])
}

/// The same with timelines: `(number, part, moment at which it began)`, the first one without a moment.
pub(crate) fn draw_with(picture: &str, timelines: &[(u128, &str, Option<i64>)]) -> Catalogue {
    let timelines = timelines.iter().map(|(number, part, began)| Timeline {
        id: TimelineId::from_u128(*number),
        part: (*part).to_owned(),
        cluster: ClusterId::from_u128(1),
        parent: began.map(|began| (TimelineId::from_u128(number - 1), at(began))),
        began: began.map(at),
    });
    Catalogue::from_entries(entries(picture), timelines, 7, true)
}

pub(crate) fn entries(picture: &str) -> Vec<Entry> {
    picture.split_whitespace().map(entry).collect()
}

fn entry(word: &str) -> Entry {
    let (number, rest) = word.split_once(':').expect("a word begins with its number");
    let signs = ['#', '/', '=', '*', '!', '?', '^', '&'];
    let (span, marks) = rest.split_at(rest.find(signs).unwrap_or(rest.len()));
    let marks = marks_of(marks, &signs);
    let (parent, span) = span.split_once('@').map_or((None, span), |(parent, span)| (Some(parent), span));
    let (from, end) = span.split_once('-').expect("a span has a '-'");
    let (until, settled) = end.split_once('~').unwrap_or((end, end));
    let second = |text: &str| at(text.parse().expect("a moment in seconds"));
    let number: u128 = number.parse().expect("a number");
    let log = parent.filter(|parent| parent.contains('.')).map(place);
    let until = second(until);
    Entry {
        id: id(number),
        run: RunId::from_u128(number),
        kind: match (&log, from) {
            (Some(_), _) => BackupKind::LogSegment,
            (None, "") => BackupKind::Base,
            (None, _) => BackupKind::Incremental,
        },
        parent: parent.filter(|_| log.is_none()).map(|parent| id(parent.parse().expect("a parent's number"))),
        cluster: ClusterId::from_u128(1),
        part: match (&log, marks.get(&'#')) {
            (_, Some(part)) => (*part).to_owned(),
            (Some(_), None) => String::new(),
            (None, None) => "p".to_owned(),
        },
        timeline: TimelineId::from_u128(marks.get(&'/').map_or(1, |number| number.parse().expect("a timeline"))),
        window: Window { from: (!from.is_empty()).then(|| second(from)), until, settled: second(settled) },
        applies: if parent.is_some() && log.is_none() { Applies::Exact } else { Applies::Cover },
        deletes: if marks.contains_key(&'^') { Deletes::Unseen } else { Deletes::Seen },
        filter: Filter::default(),
        missing: 0,
        status: match marks.get(&'!') {
            None => Status::Complete,
            Some(&"corrupt") => Status::Corrupt,
            Some(&"partial") => Status::Partial,
            Some(&"deleted") => Status::Deleted,
            Some(other) => panic!("no status {other}"),
        },
        verified: (!marks.contains_key(&'?')).then_some(Verified { when: until, depth: Depth::Hash }),
        size: {
            let bytes = marks.get(&'*').map_or(10, |bytes| bytes.parse().expect("bytes"));
            Size { records: bytes / 5, objects: 3, plain_bytes: bytes * 2, stored_bytes: bytes, deletes: 0 }
        },
        codecs: Vec::new(),
        keys: Vec::new(),
        nodes: marks.get(&'&').map_or_else(Vec::new, |nodes| nodes.split(',').map(str::to_owned).collect()),
        manifest: Key::new(format!("backups/c/{}/manifest.json", id(number))).expect("a key"),
        copies: marks.get(&'=').map_or_else(Vec::new, |names| names.split(',').map(Held::in_storage).collect()),
        pins: Vec::new(),
        created: until,
        log,
    }
}

/// The text after each sign.
fn marks_of<'a>(mut text: &'a str, signs: &[char]) -> BTreeMap<char, &'a str> {
    let mut marks = BTreeMap::new();
    while let Some(sign) = text.chars().next() {
        let rest = &text[1..];
        let (mark, others) = rest.split_at(rest.find(signs).unwrap_or(rest.len()));
        marks.insert(sign, mark);
        text = others;
    }
    marks
}

/// `a.1.5<1.4`
fn place(text: &str) -> LogPlace {
    let seq = |text: &str| {
        let (epoch, seq) = text.split_once('.').expect("an epoch and a number");
        LogSeq { epoch: epoch.parse().expect("an epoch"), seq: seq.parse().expect("a number") }
    };
    let (here, previous) = text.split_once('<').map_or((text, None), |(here, previous)| (here, Some(previous)));
    let (node, here) = here.split_once('.').expect("a node and its segment");
    let LogSeq { epoch, seq: number } = seq(here);
    LogPlace { node: node.to_owned(), epoch, seq: number, previous: previous.map(seq) }
}

pub(crate) fn point(until: i64, settled: i64) -> Reached {
    Reached { until: at(until), settled: at(settled) }
}
