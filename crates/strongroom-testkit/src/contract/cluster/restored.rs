//! Clauses on restoring one backup.

use bytes::Bytes;
use strongroom_core::cluster::{Applied, Conflict, FreezeRequest, RestoreOptions};
use strongroom_core::{Error, ErrorKind};

use super::copy::{Copy, body_of, failing_body, through_json};
use super::{Check, default_options, granted, refused, same_contents};
use crate::ClusterFixture;

impl Check<'_> {
    pub(super) async fn restores(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        let answer = target.cluster().check_restore(&copy.outline(), &default_options()).await;
        let preflight = granted("check_restore", answer);
        assert!(
            preflight.refusals.is_empty(),
            "cluster contract: a fresh target takes a restore: {:?}",
            preflight.refusals
        );
        assert!(target.contents().await.is_empty(), "cluster contract: check_restore changes nothing");
        self.restore(&*target, &[&copy], &default_options()).await;
        same_contents("a restored base equals its source", &target.contents().await, &wanted);
        same_contents("a backup leaves its source as it is", &self.fixture.contents().await, &wanted);
        let truncate = RestoreOptions { truncate: true, ..default_options() };
        granted("check_restore", target.cluster().check_restore(&copy.outline(), &truncate).await);
        same_contents("check_restore changes nothing", &target.contents().await, &wanted);
        self.restore(&*target, &[&copy], &default_options()).await;
        same_contents("restoring again changes nothing", &target.contents().await, &wanted);
    }

    /// The same id is the same session; every piece, barrier and the end twice are the same as once.
    pub(super) async fn begins_once(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        let (cluster, id) = (target.cluster(), self.session());
        let options = RestoreOptions { truncate: cluster.capabilities().truncate, ..default_options() };
        let session = granted("begin_restore", cluster.begin_restore(id, &copy.outline(), &options).await);
        assert_eq!((session.id, &session.options), (id, &options), "cluster contract: a session keeps id and options");
        let half = Copy { parts: copy.parts[..copy.parts.len().div_ceil(2)].to_vec(), ..copy.clone() };
        granted("write", Self::write_copy(&*cluster, &session, 0, &half).await);
        let written = target.contents().await;
        let again = granted("begin_restore again", cluster.begin_restore(id, &copy.outline(), &options).await);
        assert!(again == session, "cluster contract: begin_restore by the same id gives the same session");
        same_contents("begin_restore by the same id empties nothing", &target.contents().await, &written);
        let resumed = through_json("a RestoreSession", &again);
        for (step, part) in (0..).zip(&copy.parts) {
            for pieces in Self::in_order(part) {
                // Twice each, and backwards the second time.
                for (spec, bytes, _) in pieces.iter().chain(pieces.iter().rev()) {
                    let body = body_of(bytes, 100);
                    granted("write twice", cluster.write(&resumed, step, &part.frozen.part, spec, body).await);
                }
            }
            granted("seal_step", cluster.seal_step(&resumed, step).await);
            granted("seal_step twice is once", cluster.seal_step(&resumed, step).await);
        }
        granted("finish_restore", cluster.finish_restore(resumed.clone()).await);
        same_contents("writing twice is the same as once", &target.contents().await, &wanted);
        granted("finish_restore again, after a lost reply", cluster.finish_restore(resumed).await);
        same_contents("finishing twice is the same as once", &target.contents().await, &wanted);
    }

    /// The error of a body comes back unchanged, wherever it comes; the piece can be written again.
    pub(super) async fn failed_and_odd_bodies(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        let cluster = target.cluster();
        let begun = cluster.begin_restore(self.session(), &copy.outline(), &default_options()).await;
        let session = granted("begin_restore", begun);
        for (step, part) in (0..).zip(&copy.parts) {
            let name = &part.frozen.part;
            for (spec, bytes, _) in Self::in_order(part).concat() {
                for (at, kind) in [
                    (0, ErrorKind::Cancelled),
                    (bytes.len() / 2, ErrorKind::Unavailable),
                    (bytes.len(), ErrorKind::Corrupt),
                ] {
                    let body = failing_body(&bytes.slice(..at), Error::new(kind, "a body that fails 4711"));
                    match cluster.write(&session, step, name, spec, body).await {
                        Ok(_) => panic!(
                            "cluster contract: write of '{}' must fail, since its body fails after {at} of {} bytes",
                            spec.name,
                            bytes.len()
                        ),
                        Err(error) => assert!(
                            error.kind() == kind && error.message() == "a body that fails 4711",
                            "cluster contract: the error of a body comes back unchanged, not as {error:?}"
                        ),
                    }
                }
                let whole = cluster.write(&session, step, name, spec, body_of(bytes, 1)).await;
                granted("write byte by byte, after it failed", whole);
            }
            granted("seal_step", cluster.seal_step(&session, step).await);
        }
        granted("finish_restore", cluster.finish_restore(session).await);
        same_contents("pieces are written again after bodies failed", &target.contents().await, &wanted);
    }

    /// Bytes that are no such piece: `Corrupt` where that can be told, never a panic.
    pub(super) async fn hostile_bodies(&self) {
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        let cluster = target.cluster();
        let begun = cluster.begin_restore(self.session(), &copy.outline(), &default_options()).await;
        let session = granted("begin_restore", begun);
        let mut rng = fastrand::Rng::with_seed(1);
        for part in &copy.parts {
            for (spec, bytes, _) in part.pieces.iter().take(5) {
                let mut noise = vec![0; 3000];
                rng.fill(&mut noise);
                let mut hostile =
                    vec![Bytes::new(), noise.into(), Bytes::from(vec![0xff; 100]), Bytes::from(vec![0; 100])];
                for _ in 0..20 {
                    let at = rng.usize(..=bytes.len());
                    let mut changed = bytes.to_vec();
                    changed.insert(at, rng.u8(..));
                    hostile.extend([bytes.slice(..at), changed.into()]);
                }
                for body in hostile {
                    if let Err(error) = cluster.write(&session, 0, &part.frozen.part, spec, body_of(&body, 700)).await {
                        refused::<()>("bytes that are no such piece", &[ErrorKind::Corrupt], Err(error));
                    }
                }
            }
        }
        granted("abort_restore", cluster.abort_restore(session).await);
    }

    pub(super) async fn options(&self) {
        let source = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let no_data = RestoreOptions { no_data: true, ..default_options() };
        if let Some((applied, target)) = self.restore_if_able(&copy, &no_data, None).await {
            assert_eq!((applied.written, applied.deleted), (0, 0), "cluster contract: no_data writes no data");
            let found = target.contents().await;
            assert!(found.keys().all(|name| source.contains_key(name)), "cluster contract: no_data writes no data");
        }
        let names = copy.parts.iter().map(|part| part.frozen.part.clone());
        let rename = RestoreOptions {
            rename: names.map(|name| (name.clone(), format!("{name}2"))).collect(),
            ..default_options()
        };
        if let Some((_, target)) = self.restore_if_able(&copy, &rename, None).await {
            let renamed = source.iter().map(|(name, value)| {
                let (part, rest) = name.split_once('/').unwrap_or((name, ""));
                (format!("{part}2/{rest}"), value.clone())
            });
            same_contents("a renamed restore", &target.contents().await, &renamed.collect());
        }
        for conflict in [Conflict::Replace, Conflict::Keep] {
            let options = RestoreOptions { conflict, ..default_options() };
            let Some((_, target)) = self.restore_if_able(&copy, &options, Some(77)).await else { continue };
            let other = self.fixture.fresh_target().await;
            other.change(77).await;
            let there = other.contents().await;
            let merged = match conflict {
                Conflict::Keep => source.clone().into_iter().chain(there).collect(),
                _ => there.into_iter().chain(source.clone()).collect(),
            };
            same_contents(&format!("conflict policy {conflict:?}"), &target.contents().await, &merged);
        }
    }

    /// Restores with `options` into a target that was changed by `seed` before, unless the target says it can't.
    async fn restore_if_able(
        &self,
        copy: &Copy,
        options: &RestoreOptions,
        seed: Option<u64>,
    ) -> Option<(Applied, Box<dyn ClusterFixture>)> {
        let target = self.fixture.fresh_target().await;
        if let Some(seed) = seed {
            target.change(seed).await;
        }
        let preflight = granted("check_restore", target.cluster().check_restore(&copy.outline(), options).await);
        if !preflight.refusals.is_empty() {
            return None;
        }
        let applied = self.restore(&*target, &[copy], options).await;
        Some((applied, target))
    }

    pub(super) async fn truncates(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        target.change(55).await;
        let before = target.contents().await;
        let options = RestoreOptions { truncate: true, ..default_options() };
        if target.cluster().capabilities().truncate {
            self.restore(&*target, &[&copy], &options).await;
            same_contents("truncate leaves only what is restored", &target.contents().await, &wanted);
            return;
        }
        let begun = target.cluster().begin_restore(self.session(), &copy.outline(), &options).await;
        refused("truncate without that capability", &[ErrorKind::Unsupported, ErrorKind::Invalid], begun);
        same_contents("a refused restore changes nothing", &target.contents().await, &before);
    }

    /// After an abort, at any point, another restore works.
    pub(super) async fn aborts(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        let target = self.fixture.fresh_target().await;
        let cluster = target.cluster();
        for pieces in [0, 1, usize::MAX] {
            let begun = cluster.begin_restore(self.session(), &copy.outline(), &default_options()).await;
            let session = granted("begin_restore", begun);
            let all =
                copy.parts.iter().flat_map(|part| part.pieces.iter().map(move |piece| (&part.frozen.part, piece)));
            for (part, (spec, bytes, _)) in all.take(pieces) {
                granted("write", cluster.write(&session, 0, part, spec, body_of(bytes, 3000)).await);
            }
            granted("abort_restore", cluster.abort_restore(session).await);
        }
        self.restore(&*target, &[&copy], &default_options()).await;
        same_contents("a restore after aborted ones", &target.contents().await, &wanted);
    }
}
