//! Clauses on describing, freezing, reading and releasing.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::cluster::{FreezeRequest, FrozenPart};
use strongroom_core::model::{Filter, Scope, Window};
use strongroom_core::{ErrorKind, Timestamp};

use super::copy::{Copy, collect, read_all, through_json};
use super::{Check, default_options, granted, refused, same_contents};

impl Check<'_> {
    pub(super) async fn empty_cluster(&self) {
        let (source, target) = (self.fixture.fresh_target().await, self.fixture.fresh_target().await);
        let before = source.contents().await;
        assert!(before.is_empty(), "cluster contract: a fresh target of the fixture holds nothing");
        let check = Check { fixture: &*source, cluster: source.cluster(), sessions: 1000.into() };
        let copy = check.take(&FreezeRequest::default()).await;
        self.restore(&*target, &[&copy], &default_options()).await;
        same_contents("an empty cluster is backed up and restored", &target.contents().await, &before);
    }

    pub(super) async fn describes(&self) {
        let topology = through_json("a Topology", &granted("describe", self.cluster.describe().await));
        let again = granted("describe", self.cluster.describe().await);
        assert_eq!(topology.identity, again.identity, "cluster contract: an identity does not change");
        assert!(!topology.nodes.is_empty(), "cluster contract: a cluster has a node, if only itself");
        assert!(!topology.parts.is_empty(), "cluster contract: a cluster that holds something has a part");
    }

    pub(super) async fn freezes(&self) {
        let topology = granted("describe", self.cluster.describe().await);
        let nodes: BTreeSet<_> = topology.nodes.iter().map(|node| node.id.as_str()).collect();
        let frozen = self.freeze(&FreezeRequest::default()).await;
        let names: Vec<_> = frozen.parts.iter().map(|part| part.part.as_str()).collect();
        let wanted: Vec<_> = topology.parts.keys().map(String::as_str).collect();
        assert_eq!(
            names.iter().copied().collect::<BTreeSet<_>>(),
            wanted.iter().copied().collect(),
            "cluster contract: an empty scope freezes every part"
        );
        assert_eq!(names.len(), wanted.len(), "cluster contract: each part is frozen once");
        for part in &frozen.parts {
            let name = &part.part;
            Self::window_is_sound(part, None);
            assert!(part.filter.is_everything(), "cluster contract: without a filter, '{name}' is taken whole");
            let mut seen = BTreeSet::new();
            for piece in &part.pieces {
                assert!(
                    seen.insert(&piece.name),
                    "cluster contract: two pieces of '{name}' are named '{}'",
                    piece.name
                );
                assert!((1..=512).contains(&piece.name.len()), "cluster contract: the length of name '{}'", piece.name);
                if let Some(place) = &piece.place {
                    assert!(nodes.contains(place.as_str()), "cluster contract: piece at '{place}', which is no node");
                }
            }
        }
        let again = self.freeze(&FreezeRequest::default()).await;
        for (one, two) in frozen.parts.iter().zip(&again.parts) {
            let by_name = |part: &FrozenPart| -> BTreeMap<_, _> {
                part.pieces.iter().map(|piece| (piece.name.clone(), piece.content.clone())).collect()
            };
            assert_eq!(
                by_name(one),
                by_name(two),
                "cluster contract: what did not change is frozen under the same names"
            );
            assert!(two.window.until >= one.window.until, "cluster contract: a later freeze is not earlier");
        }
        granted("release", self.cluster.release(&again).await);
        for part in &frozen.parts {
            granted("releasing one freeze leaves another readable", read_all(&*self.cluster, part).await);
        }
        granted("release", self.cluster.release(&frozen).await);
    }

    /// What it remembers of freezes is true: its own, no others, and none from before a restore.
    pub(super) async fn remembers(&self) {
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        target.change(3).await;
        let check = Check { fixture: &*target, cluster: target.cluster(), sessions: 2000.into() };
        let earlier = check.take(&FreezeRequest::default()).await;
        for part in &copy.parts {
            let (name, until) = (&part.frozen.part, part.frozen.window.until);
            let told = granted("remembers", self.cluster.remembers(name, until).await);
            assert_ne!(told, Some(false), "cluster contract: it remembers that it froze '{name}' at {until}");
            let never = Timestamp::from_secs(1_000_000_007);
            let told = granted("remembers", self.cluster.remembers(name, never).await);
            assert_ne!(told, Some(true), "cluster contract: it does not remember what it never froze");
        }
        self.restore(&*target, &[&copy], &default_options()).await;
        let restored = |name: &str| copy.parts.iter().any(|part| part.frozen.part == name);
        for part in earlier.parts.iter().filter(|part| restored(&part.frozen.part)) {
            let (name, until) = (&part.frozen.part, part.frozen.window.until);
            let told = granted("remembers", check.cluster.remembers(name, until).await);
            assert_ne!(told, Some(true), "cluster contract: a restore of '{name}' ends the history before it");
        }
    }

    pub(super) fn window_is_sound(part: &FrozenPart, since: Option<Timestamp>) {
        let (name, window) = (&part.part, part.window);
        granted("a sound window", Window::new(window.from, window.until, window.settled));
        match since {
            None => {
                assert!(window.from.is_none(), "cluster contract: a base of '{name}' has no from");
            }
            Some(since) => assert!(
                window.from.is_some_and(|from| from <= since),
                "cluster contract: an incremental of '{name}' since {since} starts there or before, not at {:?}",
                window.from
            ),
        }
    }

    pub(super) async fn scopes_and_filters(&self) {
        let topology = granted("describe", self.cluster.describe().await);
        let missing = FreezeRequest { scope: Scope::of_parts(["no-such-part"]), ..FreezeRequest::default() };
        refused("freeze of a part that does not exist", &[ErrorKind::NotFound], self.cluster.freeze(&missing).await);
        for (part, description) in &topology.parts {
            let only = self.take(&FreezeRequest { scope: Scope::of_parts([part]), ..FreezeRequest::default() }).await;
            let names: Vec<_> = only.parts.iter().map(|copied| &copied.frozen.part).collect();
            assert_eq!(names, [part], "cluster contract: a scope of one part freezes that one");
            let some = description.tables.keys().next().cloned();
            let filters = [
                Filter { tables: some.map(|table| [table].into()), ..Filter::default() },
                Filter { bins: Some(["no-such-bin".to_owned()].into()), ..Filter::default() },
                Filter { partitions: Some([0, 1].into()), ..Filter::default() },
                Filter { expression: Some("no such ( expression".to_owned()), ..Filter::default() },
            ];
            for filter in filters {
                self.one_filter(part, filter).await;
            }
        }
    }

    /// Filters must be applied and recorded, or refused; never ignored.
    async fn one_filter(&self, part: &str, filter: Filter) {
        let scope = Scope { parts: Some([(part.to_owned(), filter.clone())].into()) };
        let request = FreezeRequest { scope, ..FreezeRequest::default() };
        let frozen = match self.cluster.freeze(&request).await {
            Ok(frozen) => frozen,
            Err(error) => {
                let clause = format!("a filter that can't be applied ({filter:?})");
                return refused::<()>(&clause, &[ErrorKind::Unsupported, ErrorKind::Invalid], Err(error));
            }
        };
        let mut parts = Vec::new();
        for frozen in &frozen.parts {
            assert_eq!(frozen.filter, filter, "cluster contract: what was filtered says so");
            parts.push(granted("read what is filtered", read_all(&*self.cluster, frozen).await));
        }
        granted("release", self.cluster.release(&frozen).await);
        let (target, copy) = (self.fixture.fresh_target().await, self.copy(parts).await);
        self.restore(&*target, &[&copy], &default_options()).await;
        let all = self.fixture.contents().await;
        let found = target.contents().await;
        if filter.bins.is_none() {
            let other = found.iter().find(|(name, value)| all.get(*name) != Some(*value));
            assert_eq!(other, None, "cluster contract: {filter:?} gives a subset of the cluster");
        }
    }

    pub(super) async fn reads_repeat(&self) {
        let frozen = self.freeze(&FreezeRequest::default()).await;
        for part in &frozen.parts {
            let one = granted("read", read_all(&*self.cluster, part).await);
            let two = granted("read again", read_all(&*self.cluster, part).await);
            for ((spec, first, _), (_, second, summary)) in one.pieces.iter().zip(&two.pieces) {
                let name = &spec.name;
                assert!(
                    first == second,
                    "cluster contract: piece '{name}' read twice without a change gives the same bytes"
                );
                assert!(
                    summary.settled.is_none_or(|settled| settled >= part.window.until),
                    "cluster contract: piece '{name}' is settled before its window's until"
                );
            }
        }
        granted("release", self.cluster.release(&frozen).await);
        let (one, two) = (self.take(&FreezeRequest::default()).await, self.take(&FreezeRequest::default()).await);
        assert!(one.bytes() == two.bytes(), "cluster contract: an unchanged cluster frozen twice gives the same bytes");
    }

    pub(super) async fn releases(&self) {
        let frozen = self.freeze(&FreezeRequest::default()).await;
        let mut before = Vec::new();
        for part in &frozen.parts {
            before.push(granted("read", read_all(&*self.cluster, part).await));
        }
        granted("release", self.cluster.release(&frozen).await);
        granted("release twice is no error", self.cluster.release(&frozen).await);
        for part in &before {
            for (spec, bytes, _) in &part.pieces {
                let read = async { collect(self.cluster.read(spec).await?).await };
                match read.await {
                    Ok((after, _)) => {
                        assert!(after == *bytes, "cluster contract: '{}' read after release is other bytes", spec.name);
                    }
                    Err(error) => refused::<()>("read after release", &[ErrorKind::NotFound], Err(error)),
                }
            }
        }
    }

    /// A change after the freeze is not in it, unless the pieces say at their end that they settled later; a cluster
    /// that can do neither fails the read.
    pub(super) async fn changes_after_the_freeze(&self) {
        let before = self.fixture.contents().await;
        let content = |frozen: &strongroom_core::cluster::Frozen| -> BTreeSet<String> {
            frozen.parts.iter().flat_map(|part| &part.pieces).filter_map(|piece| piece.content.clone()).collect()
        };
        let earlier = self.take(&FreezeRequest::default()).await;
        let frozen = self.freeze(&FreezeRequest::default()).await;
        self.fixture.change(2).await;
        assert!(
            self.fixture.contents().await != before,
            "cluster contract: the fixture's change must change something"
        );
        let (mut parts, mut moved) = (Vec::new(), false);
        for part in &frozen.parts {
            match read_all(&*self.cluster, part).await {
                Ok(copied) => {
                    let later = |settled: Timestamp| settled > part.window.settled;
                    moved |= copied.pieces.iter().any(|(_, _, summary)| summary.settled.is_some_and(later));
                    parts.push(copied);
                }
                Err(error) => {
                    moved = true;
                    let clause = "read of what changed since the freeze, when it can't be held";
                    refused::<()>(clause, &[ErrorKind::NotFound, ErrorKind::Unavailable], Err(error));
                }
            }
        }
        granted("release", self.cluster.release(&frozen).await);
        if !moved {
            let (target, copy) = (self.fixture.fresh_target().await, self.copy(parts).await);
            self.restore(&*target, &[&copy], &default_options()).await;
            same_contents("a change after the freeze is not in it", &target.contents().await, &before);
        }
        let after = self.freeze(&FreezeRequest::default()).await;
        let shared: BTreeSet<_> = content(&frozen).intersection(&content(&after)).cloned().collect();
        granted("release", self.cluster.release(&after).await);
        let later = self.take(&FreezeRequest::default()).await;
        let bytes = |copy: &Copy| -> BTreeMap<String, bytes::Bytes> {
            let pieces = copy.parts.iter().flat_map(|part| &part.pieces);
            pieces.filter_map(|(spec, bytes, _)| Some((spec.content.clone()?, bytes.clone()))).collect()
        };
        let (one, two) = (bytes(&earlier), bytes(&later));
        for content in shared {
            assert!(
                one.get(&content) == two.get(&content),
                "cluster contract: content '{content}' has two kinds of bytes"
            );
        }
    }
}
