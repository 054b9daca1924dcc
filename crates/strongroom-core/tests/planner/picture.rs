//! Catalogues as pictures, read and drawn. One word is one backup or one timeline, moments are in seconds:
//!
//! ```text
//!   1:-10            a base until 10                        1:s-10         a synthetic backup
//!   2:10-20          a cover incremental                    2:10-20~22     settled at 22
//!   3:2@20-30        an exact one, whose parent is 2        3:@20-30       an exact one that names no parent
//!   9:a.1.5<1.4@10-20   segment 5 of epoch 1 of node a's log, which follows 1.4; its changes are of 10 to 20
//!
//!   and then, in any number and order:
//!   #q part (default p; of log segments: all)   /2 timeline (default 1)   %2 cluster (default 1)   >7 run (default: its id)
//!   *100x3 bytes stored and objects (default 10x2)   =far.cool.gone+5,home copies: tier, state and further cost
//!   !corrupt !partial !deleted !missing status   ? never verified   ^ deletes unseen   &a,b nodes   (t,u tables
//!   $1,2 keys   |zstd,lz4 codecs
//!
//!   /2<1@50>60#q     timeline 2 of part q was restored from timeline 1 as of 50, and is live since 60
//!   /1               timeline 1 of part p is known, and the first one
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use strongroom_core::codec::CodecId;
use strongroom_core::id::{BackupId, ClusterId, DataKeyId, RunId, TimelineId};
use strongroom_core::model::{Applies, BackupKind, Deletes, Depth, Filter, Status, Window};
use strongroom_core::planner::{Catalogue, Entry, Held, HeldState, LogPlace, LogSeq, Size, Tier, Timeline, Verified};
use strongroom_core::{Key, Timestamp};

const SIGNS: [char; 14] = ['#', '/', '%', '>', '*', '=', '!', '?', '^', '&', '(', '$', '|', ' '];

/// What a catalogue is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) entries: Vec<Entry>,
    pub(crate) timelines: Vec<Timeline>,
    /// Not drawn: `false` in a picture that begins with `…`.
    pub(crate) incomplete: bool,
}

impl World {
    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::from_entries(self.entries.iter().cloned(), self.timelines.iter().cloned(), 7, !self.incomplete)
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

pub(crate) fn id(number: u128) -> BackupId {
    BackupId::from_u128(number)
}

/// The world of a picture.
pub(crate) fn world(picture: &str) -> World {
    let mut world = World::default();
    for word in picture.split_whitespace() {
        if word == "…" {
            world.incomplete = true;
        } else if word.starts_with('/') {
            world.timelines.push(timeline(word));
        } else {
            world.entries.push(entry(word));
        }
    }
    world
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

fn list<T>(text: Option<&&str>, each: impl Fn(&str) -> T) -> Vec<T> {
    text.map_or_else(Vec::new, |text| text.split(',').map(each).collect())
}

fn timeline(word: &str) -> Timeline {
    let (head, rest) = word[1..].split_at(word[1..].find(['#', '%']).unwrap_or(word.len() - 1));
    let marks = marks_of(rest);
    let (head, began) = head.split_once('>').map_or((head, None), |(head, began)| (head, Some(at(number(began)))));
    let (id, parent) = head.split_once('<').map_or((head, None), |(id, parent)| (id, Some(parent)));
    Timeline {
        id: TimelineId::from_u128(number(id)),
        part: marks.get(&'#').map_or("p", |part| part).to_owned(),
        cluster: ClusterId::from_u128(marks.get(&'%').map_or(1, |text| number(text))),
        parent: parent.map(|parent| {
            let (id, fork) = parent.split_once('@').expect("a parent and the point that was restored");
            (TimelineId::from_u128(number(id)), at(number(fork)))
        }),
        began,
    }
}

fn entry(word: &str) -> Entry {
    let (own, rest) = word.split_once(':').expect("a word begins with its number");
    let (span, marks) = rest.split_at(rest.find(SIGNS).unwrap_or(rest.len()));
    // `>` also stands in no span, so what is left of it are marks.
    let marks = marks_of(marks);
    let (parent, span) = span.split_once('@').map_or((None, span), |(parent, span)| (Some(parent), span));
    let (from, end) = span.split_once('-').expect("a span has a '-'");
    let (until, settled) = end.split_once('~').unwrap_or((end, end));
    let own: u128 = number(own);
    let log = parent.filter(|parent| parent.contains('.')).map(place);
    let kind = match (&log, from) {
        (Some(_), _) => BackupKind::LogSegment,
        (None, "") => BackupKind::Base,
        (None, "s") => BackupKind::Synthetic,
        (None, _) => BackupKind::Incremental,
    };
    let from = (!matches!(from, "" | "s")).then(|| at(number(from)));
    let (status, missing) = match marks.get(&'!').copied() {
        None => (Status::Complete, 0),
        Some("missing") => (Status::Complete, 1),
        Some("partial") => (Status::Partial, 1),
        Some("corrupt") => (Status::Corrupt, 0),
        Some("deleted") => (Status::Deleted, 0),
        Some(other) => panic!("no status '{other}'"),
    };
    let (bytes, objects) = marks.get(&'*').map_or(("10", "2"), |text| text.split_once('x').unwrap_or((text, "2")));
    let bytes: u64 = number(bytes);
    Entry {
        id: id(own),
        run: RunId::from_u128(marks.get(&'>').map_or(own, |text| number(text))),
        kind,
        parent: parent.filter(|parent| log.is_none() && !parent.is_empty()).map(|parent| id(number(parent))),
        cluster: ClusterId::from_u128(marks.get(&'%').map_or(1, |text| number(text))),
        part: marks.get(&'#').map_or(if log.is_some() { "" } else { "p" }, |part| part).to_owned(),
        timeline: TimelineId::from_u128(marks.get(&'/').map_or(1, |text| number(text))),
        window: Window { from, until: at(number(until)), settled: at(number(settled)) },
        applies: if parent.is_some() && log.is_none() { Applies::Exact } else { Applies::Cover },
        deletes: if marks.contains_key(&'^') { Deletes::Unseen } else { Deletes::Seen },
        filter: tables(&list(marks.get(&'('), str::to_owned)),
        missing,
        status,
        verified: (!marks.contains_key(&'?')).then_some(Verified { when: at(1000), depth: Depth::Hash }),
        size: Size {
            records: bytes / 5,
            deletes: 0,
            objects: number(objects),
            plain_bytes: bytes * 2,
            stored_bytes: bytes,
        },
        codecs: list(marks.get(&'|'), |name| CodecId::new(name).expect("a codec's name")),
        keys: list(marks.get(&'$'), |key| DataKeyId::from_u128(number(key))),
        nodes: list(marks.get(&'&'), str::to_owned),
        manifest: Key::new(format!("backups/c/{}/manifest.json", id(own))).expect("a key"),
        copies: list(marks.get(&'='), copy),
        pins: Vec::new(),
        created: at(900),
        log,
    }
}

/// A filter of some tables; of none: everything.
pub(crate) fn tables(names: &[impl ToString]) -> Filter {
    let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    Filter { tables: (!names.is_empty()).then_some(names), ..Filter::default() }
}

fn copy(text: &str) -> Held {
    let (text, cost) = text.split_once('+').map_or((text, 0), |(text, cost)| (text, number(cost)));
    let mut words = text.split('.');
    let mut held = Held { cost, ..Held::in_storage(words.next().unwrap_or_default()) };
    for word in words {
        match word {
            "cool" => held.tier = Tier::Cool,
            "archive" => held.tier = Tier::Archive,
            "away" => held.state = HeldState::Unreachable,
            "corrupt" => held.state = HeldState::Corrupt,
            "gone" => held.state = HeldState::Deleted,
            other => panic!("no tier or state '{other}'"),
        }
    }
    held
}

fn marks_of(mut text: &str) -> BTreeMap<char, &str> {
    let mut marks = BTreeMap::new();
    while let Some(sign) = text.chars().next() {
        let rest = &text[1..];
        let (mark, others) = rest.split_at(rest.find(SIGNS).unwrap_or(rest.len()));
        assert!(marks.insert(sign, mark).is_none(), "'{sign}' twice");
        text = others;
    }
    marks
}

/// `a.1.5<1.4`
fn place(text: &str) -> LogPlace {
    let seq = |text: &str| {
        let (epoch, seq) = text.split_once('.').expect("an epoch and a number");
        LogSeq { epoch: number(epoch), seq: number(seq) }
    };
    let (here, previous) = text.split_once('<').map_or((text, None), |(here, previous)| (here, Some(previous)));
    let (node, here) = here.split_once('.').expect("a node and its segment");
    let here = seq(here);
    LogPlace { node: node.to_owned(), epoch: here.epoch, seq: here.seq, previous: previous.map(seq) }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.incomplete.then(|| "…".to_owned());
        let entries = self.entries.iter().map(word);
        let words: Vec<String> = head.into_iter().chain(self.timelines.iter().map(drawn)).chain(entries).collect();
        f.write_str(&words.join(" "))
    }
}

fn secs(moment: Timestamp) -> i64 {
    assert_eq!(moment.micros() % 1_000_000, 0, "pictures have whole seconds");
    moment.micros() / 1_000_000
}

fn plain(id: impl fmt::Display) -> u128 {
    u128::from_str_radix(&id.to_string().replace('-', ""), 16).expect("an id")
}

fn drawn(timeline: &Timeline) -> String {
    let mut out = format!("/{}", plain(timeline.id));
    if let Some((parent, fork)) = timeline.parent {
        write!(out, "<{}@{}", plain(parent), secs(fork)).unwrap();
    }
    if let Some(began) = timeline.began {
        write!(out, ">{}", secs(began)).unwrap();
    }
    mark(&mut out, '#', (timeline.part != "p").then_some(&timeline.part));
    mark(&mut out, '%', Some(plain(timeline.cluster)).filter(|cluster| *cluster != 1));
    out
}

fn mark(out: &mut String, sign: char, text: Option<impl fmt::Display>) {
    if let Some(text) = text {
        write!(out, "{sign}{text}").unwrap();
    }
}

fn joined<T: ToString>(list: impl IntoIterator<Item = T>) -> Option<String> {
    let texts: Vec<String> = list.into_iter().map(|item| item.to_string()).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// The word of an entry.
pub(crate) fn word(entry: &Entry) -> String {
    let mut out = format!("{}:", plain(entry.id));
    let seq = |place: LogSeq| format!("{}.{}", place.epoch, place.seq);
    if let Some(log) = &entry.log {
        write!(out, "{}.{}.{}", log.node, log.epoch, log.seq).unwrap();
        mark(&mut out, '<', log.previous.map(seq));
        out.push('@');
    } else if entry.kind == BackupKind::Incremental && entry.applies == Applies::Exact {
        write!(out, "{}@", entry.parent.map(plain).map_or_else(String::new, |parent| parent.to_string())).unwrap();
    }
    let begin = if entry.kind == BackupKind::Synthetic { "s" } else { "" };
    let from = entry.window.from.map_or_else(|| begin.to_owned(), |from| secs(from).to_string());
    write!(out, "{from}-{}", secs(entry.window.until)).unwrap();
    mark(&mut out, '~', (entry.window.settled != entry.window.until).then(|| secs(entry.window.settled)));
    let usual = if entry.log.is_some() { "" } else { "p" };
    mark(&mut out, '#', (entry.part != usual).then_some(&entry.part));
    mark(&mut out, '/', Some(plain(entry.timeline)).filter(|timeline| *timeline != 1));
    mark(&mut out, '%', Some(plain(entry.cluster)).filter(|cluster| *cluster != 1));
    mark(&mut out, '>', Some(plain(entry.run)).filter(|run| *run != plain(entry.id)));
    let size = entry.size;
    mark(
        &mut out,
        '*',
        ((size.stored_bytes, size.objects) != (10, 2)).then(|| format!("{}x{}", size.stored_bytes, size.objects)),
    );
    mark(&mut out, '=', joined(entry.copies.iter().map(copy_word)));
    let status = match (entry.status, entry.missing) {
        (Status::Complete, 0) => None,
        (Status::Complete, _) => Some("missing"),
        (Status::Partial, _) => Some("partial"),
        (Status::Corrupt, _) => Some("corrupt"),
        (Status::Deleted, _) => Some("deleted"),
    };
    mark(&mut out, '!', status);
    mark(&mut out, '?', entry.verified.is_none().then_some(""));
    mark(&mut out, '^', (entry.deletes == Deletes::Unseen).then_some(""));
    mark(&mut out, '&', joined(&entry.nodes));
    mark(&mut out, '(', joined(entry.filter.tables.iter().flatten()));
    mark(&mut out, '$', joined(entry.keys.iter().map(plain)));
    mark(&mut out, '|', joined(entry.codecs.iter().map(CodecId::as_str)));
    out
}

fn copy_word(held: &Held) -> String {
    let tier = match held.tier {
        Tier::Hot => "",
        Tier::Cool => ".cool",
        Tier::Archive => ".archive",
    };
    let state = match held.state {
        HeldState::Present => "",
        HeldState::Unreachable => ".away",
        HeldState::Corrupt => ".corrupt",
        HeldState::Deleted => ".gone",
    };
    let cost = if held.cost > 0 { format!("+{}", held.cost) } else { String::new() };
    format!("{}{tier}{state}{cost}", held.storage)
}

#[test]
fn a_picture_is_drawn_as_it_was_read() {
    let picture = "… /1 /2<1@15>25 /3>4#q%2 1:-10~12*100x3=far.cool.gone+5,home 2:10-20?^&a,b 3:2@20-30#q/2%2>9 \
                   4:@1-2!missing 5:s-7!corrupt(t,u$1,2|zstd,lz4 6:a.1.5<1.4@10-20 7:b.2.1@3-3#p";
    let drawn = world(picture).to_string();
    assert_eq!(drawn.split(' ').collect::<Vec<_>>(), picture.split_whitespace().collect::<Vec<_>>());
    assert_eq!(world(&drawn), world(picture));
}
