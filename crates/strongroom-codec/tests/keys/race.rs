//! Changes at once, in every order that chance finds: no data key ever loses its last wrap.
#![expect(clippy::unwrap_used, reason = "a test that can't go on shall stop")]

use std::pin::Pin;
use std::task::{Context, Waker};

use proptest::prelude::*;
use strongroom_codec::{KeyRing, ReaderKey};
use strongroom_core::codec::{CodecId, CodecRegistry as _};
use strongroom_core::{ErrorKind, Result};

use crate::fixtures::{Vault, reader};

#[derive(Debug, Clone, Copy)]
enum Change {
    Rotate(&'static str, u8),
    Remove(&'static str),
    Add(&'static str),
    RotateDataKey,
}
use Change::{Add, Remove, Rotate, RotateDataKey};

type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

async fn run(mut ring: KeyRing, change: Change, vault: &Vault) -> Result<()> {
    match change {
        Rotate(name, version) => ring.rotate(&reader(name, version), &vault.entropy).await,
        Remove(name) => ring.remove_reader(name, &vault.entropy).await,
        Add(name) => ring.add_reader(&reader(name, 1), &vault.entropy).await,
        RotateDataKey => ring.rotate_data_key(&[], &vault.entropy).await.map(drop),
    }
}

/// Polls the changes in the order of `schedule`, then either drops what is left or runs it to its end.
fn interleave(mut running: Vec<Option<Running<'_>>>, schedule: &[usize], crash: bool) -> Vec<Option<Result<()>>> {
    let mut results: Vec<_> = running.iter().map(|_| None).collect();
    let mut context = Context::from_waker(Waker::noop());
    let count = running.len();
    let rest = (0..if crash { 0 } else { 100_000 }).map(|turn| turn % count);
    for turn in schedule.iter().map(|turn| turn % count).chain(rest) {
        if let Some(change) = &mut running[turn]
            && let std::task::Poll::Ready(result) = change.as_mut().poll(&mut context)
        {
            results[turn] = Some(result);
            running[turn] = None;
        }
    }
    results
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn change() -> impl Strategy<Value = Change> {
    prop::sample::select(vec![
        Rotate("a", 2),
        Rotate("a", 3),
        Rotate("a", 1),
        Rotate("b", 2),
        Remove("a"),
        Remove("b"),
        Add("c"),
        RotateDataKey,
    ])
}

fn everyone() -> Vec<ReaderKey> {
    let readers = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("c", 1)];
    readers.into_iter().map(|(name, version)| reader(name, version)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn changes_at_once_never_lose_a_data_key(
        changes in prop::collection::vec(change(), 2..5),
        schedule in prop::collection::vec(0_usize..60, 0..300),
        crash: bool,
    ) {
        let vault = block_on(Vault::with(&[reader("b", 1)]));
        let ring = block_on(vault.open(&[reader("a", 1), reader("b", 1)])).unwrap();
        let before = ring.current_data_key().unwrap();
        let running = changes.iter().map(|change| Some(Box::pin(run(ring.clone(), *change, &vault)) as Running<'_>));
        let results = interleave(running.collect(), &schedule, crash);
        for (change, result) in changes.iter().zip(&results) {
            match result {
                Some(Ok(())) => {}
                Some(Err(error)) => prop_assert!(
                    // Refused because of the others, and said so.
                    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::NotFound
                        | ErrorKind::AlreadyExists | ErrorKind::Unavailable), "{change:?}: {error:?}"),
                None => prop_assert!(crash, "{change:?} did not end"),
            }
        }
        let after = block_on(vault.open(&everyone())).unwrap();
        prop_assert_eq!(after.content_naming_key(), ring.content_naming_key());
        prop_assert!(after.resolve(&CodecId::seal(before)).is_ok());
        prop_assert!(after.current_data_key().is_ok());
    }

    #[test]
    fn of_many_that_give_keys_one_wins(schedule in prop::collection::vec(0_usize..3, 0..60)) {
        let vault = Vault::new();
        let names = ["a", "b", "c"];
        let vault_ref = &vault;
        let running = names.map(|name| {
            Some(Box::pin(async move { vault_ref.init(&reader(name, 1)).await.map(drop) }) as Running<'_>)
        });
        let results = interleave(running.into(), &schedule, false);
        let won: Vec<&str> = names.into_iter().zip(&results)
            .filter(|(_, result)| matches!(result, Some(Ok(())))).map(|(name, _)| name).collect();
        prop_assert_eq!(won.len(), 1, "{:?}", results);
        prop_assert_eq!(vault.wraps().len(), 2, "the losers left something behind");
        prop_assert!(block_on(vault.open(&[reader(won[0], 1)])).is_ok());
    }
}
