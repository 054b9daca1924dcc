//! Random pictures: small enough to try every moment, mixed enough to meet every rule.

use std::collections::BTreeSet;

use proptest::prelude::*;
use strongroom_core::Timestamp;
use strongroom_core::planner::{Catalogue, Request};

use crate::support::{at, draw_with};

/// Moments of a picture lie in `0..END` seconds.
pub(crate) const END: i64 = 30;

/// As many cases as `PROPTEST_CASES` says, or `usual`.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(usual), ..ProptestConfig::default() }
}

/// Seconds, and one microsecond after each: everything that can differ in a picture does so there.
pub(crate) fn moments() -> impl Iterator<Item = Timestamp> {
    (-1..END + 12).flat_map(|second| [at(second), at(second).plus_micros(1)])
}

/// A picture with its timelines, and a request to look at it with.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) picture: String,
    pub(crate) began: Vec<(u128, &'static str, Option<i64>)>,
    pub(crate) request: Request,
}

impl World {
    pub(crate) fn catalogue(&self) -> Catalogue {
        draw_with(&self.picture, &self.began)
    }

    /// The same with some backups deleted, by their numbers.
    pub(crate) fn deleted(&self, numbers: &BTreeSet<u128>) -> Self {
        let delete = |word: &str| {
            let number = word.split(':').next().and_then(|number| number.parse().ok());
            if number.is_some_and(|number| numbers.contains(&number)) {
                format!("{word}!deleted")
            } else {
                word.to_owned()
            }
        };
        let picture: Vec<String> = self.picture.split_whitespace().map(delete).collect();
        Self { picture: picture.join(" "), ..self.clone() }
    }

    /// The numbers of its backups.
    pub(crate) fn numbers(&self) -> Vec<u128> {
        self.picture.split_whitespace().filter_map(|word| word.split(':').next()?.parse().ok()).collect()
    }
}

/// A second now and then, none at all mostly.
fn fuzz() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0_i64), 1 => 1..4_i64]
}

fn marks() -> impl Strategy<Value = String> {
    let part = prop_oneof![4 => Just(""), 1 => Just("#q")];
    let timeline = prop_oneof![3 => Just(""), 1 => Just("/2"), 1 => Just("/3")];
    let copies = prop_oneof![3 => Just(""), 1 => Just("=s3"), 1 => Just("=home,s3")];
    let status = prop_oneof![8 => Just(""), 1 => Just("!corrupt"), 1 => Just("!partial"), 1 => Just("!deleted")];
    let risk = prop_oneof![3 => Just(""), 1 => Just("?"), 1 => Just("^")];
    let nodes = prop_oneof![4 => Just("&a"), 1 => Just("&a,b"), 1 => Just("")];
    (part, timeline, copies, status, risk, nodes, 1..200_u64).prop_map(
        |(part, timeline, copies, status, risk, nodes, bytes)| {
            format!("{part}{timeline}{copies}{status}{risk}{nodes}*{bytes}")
        },
    )
}

/// One backup's word but for its number.
fn backup() -> impl Strategy<Value = String> {
    let span = prop_oneof![
        2 => (1..END).prop_map(|until| (String::new(), until)),
        5 => (0..END - 1, 1..12_i64, prop_oneof![3 => Just(None), 1 => (1..9_u32).prop_map(Some)]).prop_map(
            |(from, length, parent)| {
                let parent = parent.map_or_else(String::new, |parent| format!("{parent}@"));
                (format!("{parent}{from}"), (from + length).min(END))
            }
        ),
    ];
    (span, fuzz(), marks()).prop_map(|((from, until), fuzz, marks)| format!("{from}-{until}~{}{marks}", until + fuzz))
}

/// A chain whose links fit, so that not all is random.
fn chain() -> impl Strategy<Value = Vec<String>> {
    (1..6_i64, prop::collection::vec((1..5_i64, fuzz(), -1..2_i64, any::<bool>()), 0..6), 0..10_u32).prop_map(
        |(base, links, odd)| {
            let mut until = base;
            let mut words = vec![format!("-{base}~{base}&a")];
            for (at, (length, fuzz, bridge, exact)) in links.into_iter().enumerate() {
                let from = until;
                until += length;
                let number = at + 1;
                words.push(match (exact, bridge) {
                    (true, _) => format!("{number}@{from}-{until}~{}&a", until + fuzz),
                    (false, -1) => format!("{}-{until}~{}&a", (from - 1).max(0), until + fuzz),
                    (false, _) => format!("{from}-{until}~{}&a", until + fuzz),
                });
            }
            if odd < 3 {
                words.remove(odd as usize % words.len());
            }
            words
        },
    )
}

/// The segments of a node's log, with holes and late arrivals.
fn log(node: &'static str) -> impl Strategy<Value = Vec<String>> {
    (0..15_i64, prop::collection::vec((1..6_i64, 0..2_i64, 0..8_u32), 0..5)).prop_map(move |(start, segments)| {
        let mut at = start;
        let mut words = Vec::new();
        for (number, (length, overlap, hole)) in segments.into_iter().enumerate() {
            let previous = if number == 0 || hole == 0 { String::new() } else { format!("<1.{}", number - 1) };
            let from = (at - overlap).max(0);
            at += length;
            if hole != 1 {
                words.push(format!("{node}.1.{number}{previous}@{from}-{at}"));
            }
        }
        words
    })
}

/// Worlds of one cluster, at most two parts and three timelines.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let logs = prop_oneof![
        2 => Just(Vec::new()),
        2 => log("a"),
        1 => (log("a"), log("b")).prop_map(|(a, b)| [a, b].concat()),
    ];
    let words = (chain(), prop::collection::vec(backup(), 0..7), logs);
    let began = prop_oneof![
        2 => Just(Vec::new()),
        1 => (5..END).prop_map(|began| vec![(1, "p", None), (2, "p", Some(began))]),
        1 => (5..END, 0..8_i64).prop_map(|(began, more)| {
            vec![(1, "p", None), (2, "p", Some(began)), (3, "p", Some(began + more))]
        }),
    ];
    let request = (0..6_u32, prop_oneof![3 => Just(0_i64), 1 => 0..3_000_000_i64]).prop_map(|(rule, margin)| Request {
        allow_partial: rule == 1,
        verified_only: rule == 2,
        storages: (rule == 3).then(|| ["home".to_owned()].into()),
        no_logs: rule == 4,
        log_margin_micros: margin,
        ..Request::default()
    });
    (words, began, request).prop_map(|((chain, others, logs), began, request)| {
        let words = chain.into_iter().chain(others).chain(logs);
        let words: Vec<String> =
            words.zip(1..).map(|(word, number): (String, u32)| format!("{number}:{word}")).collect();
        World { picture: words.join(" "), began, request }
    })
}
