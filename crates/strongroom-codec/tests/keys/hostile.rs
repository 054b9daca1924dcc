//! Objects below `keys/` that nobody of ours wrote: an error or a warning, never a panic, never a key.
#![expect(clippy::unwrap_used, reason = "a test that can't go on shall stop")]

use proptest::prelude::*;
use strongroom_core::ErrorKind;

use crate::fixtures::{Vault, reader};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Noise, and the sound object with some bytes changed, cut or doubled.
fn damaged(sound: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let mutated = changes.prop_map({
        let sound = sound.clone();
        move |changes| {
            let mut body = sound.clone();
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body
        }
    });
    let spliced = (any::<prop::sample::Index>(), any::<prop::sample::Index>())
        .prop_map(move |(end, start)| [&sound[..end.index(sound.len())], &sound[start.index(sound.len())..]].concat());
    prop_oneof![noise, mutated, spliced]
}

fn vault() -> Vault {
    block_on(Vault::with(&[]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_object_may_be_anything(
        (at, body) in (0_usize..3).prop_flat_map(|at| {
            (Just(at), damaged(vault().memory.contents().into_values().nth(at).unwrap().to_vec()))
        }),
    ) {
        // The same chance makes the same repository every time.
        let vault = vault();
        let key = block_on(vault.open(&[reader("a", 1)])).unwrap();
        let object = vault.memory.keys().swap_remove(at);
        vault.memory.put(object.clone(), body);
        match block_on(vault.open(&[reader("a", 1)])) {
            Ok(ring) => {
                use strongroom_core::codec::CodecRegistry as _;
                prop_assert_eq!(ring.content_naming_key(), key.content_naming_key(), "{}", &object);
                if let Ok(current) = ring.current_data_key() {
                    prop_assert_eq!(current, key.current_data_key().unwrap());
                }
            }
            Err(error) => {
                prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{object}: {error:?}");
            }
        }
    }
}
