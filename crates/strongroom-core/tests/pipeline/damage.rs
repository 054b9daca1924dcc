//! A table of damage to parts: whatever happens to an object, reading names it and hands out no whole wrong piece.

use bytes::Bytes;
use strongroom_core::id::{BackupId, RepositoryId};
use strongroom_core::manifest::{Blake3, StoredPiece};
use strongroom_core::pipeline::Origin;
use strongroom_core::{ErrorKind, Key};
use strongroom_testkit::{Contents, MemoryStorage};

use crate::support::{bytes, collect, read, reader, small, write, writer};

struct Stored {
    storage: MemoryStorage,
    pieces: Vec<StoredPiece>,
    whole: Contents,
}

const STACKS: [&[&str]; 2] = [&[], &["xor:5"]];

async fn stored(codecs: &[&str], lengths: &[usize]) -> Stored {
    let storage = MemoryStorage::new();
    let bodies: Vec<Bytes> = (0..).zip(lengths).map(|(seed, length)| bytes(seed, *length)).collect();
    let written = write(&writer(storage.clone(), small(), codecs), &bodies).await.unwrap();
    Stored { whole: storage.contents(), storage, pieces: written.pieces }
}

impl Stored {
    /// Reading the first piece must fail as `Corrupt` and name the object.
    async fn is_noticed(&self, codecs: &[&str], what: &str) {
        let key = &self.pieces[0].parts[0].object.key;
        let error = collect(reader(self.storage.clone(), small(), codecs).piece(&self.pieces[0])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}");
        assert!(error.message().contains(key.as_str()), "{what}: {error}");
        let object = &self.pieces[0].parts[0].object;
        let error = reader(self.storage.clone(), small(), codecs).prove(object).await.unwrap_err();
        let kind = if what == "deleted" { ErrorKind::NotFound } else { ErrorKind::Corrupt };
        assert_eq!(error.kind(), kind, "{what}: {error:?}");
        assert!(error.message().contains(key.as_str()), "{what}: {error}");
    }

    fn key(&self) -> Key {
        self.pieces[0].parts[0].object.key.clone()
    }

    fn body(&self) -> Vec<u8> {
        self.whole[&self.key()].to_vec()
    }
}

#[tokio::test]
async fn a_missing_object_is_named() {
    for codecs in STACKS {
        let stored = stored(codecs, &[2500]).await;
        let _ = stored.storage.take(&stored.key());
        stored.is_noticed(codecs, "deleted").await;
    }
}

#[tokio::test]
async fn a_cut_object_is_named_wherever_it_is_cut() {
    for codecs in STACKS {
        let stored = stored(codecs, &[2500]).await;
        for length in 0..stored.body().len() {
            stored.storage.put(stored.key(), stored.body()[..length].to_vec());
            stored.is_noticed(codecs, &format!("cut to {length}")).await;
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_named_wherever_it_is() {
    for codecs in STACKS {
        let stored = stored(codecs, &[1300]).await;
        for at in 0..stored.body().len() {
            let mut body = stored.body();
            body[at] ^= 1 << (at % 8);
            stored.storage.put(stored.key(), body);
            stored.is_noticed(codecs, &format!("bit in byte {at}")).await;
        }
    }
}

#[tokio::test]
async fn bytes_behind_the_last_frame_are_noticed() {
    let stored = stored(&[], &[500]).await;
    stored.storage.put(stored.key(), [stored.body(), vec![0]].concat());
    stored.is_noticed(&[], "a byte too many").await;
    // Also when the list of pieces agrees on the length.
    let mut pieces = stored.pieces.clone();
    let longer = [stored.body(), vec![0]].concat();
    pieces[0].parts[0].object.size = longer.len() as u64;
    pieces[0].parts[0].object.blake3 = Blake3::of(&longer);
    let error = collect(reader(stored.storage.clone(), small(), &[]).piece(&pieces[0])).await.unwrap_err();
    assert!(error.message().contains("bytes follow the last frame"), "{error}");
}

#[tokio::test]
async fn two_swapped_objects_of_one_length_are_told_by_their_heads() {
    for codecs in STACKS {
        // Two parts of one piece, equally long.
        let stored = stored(codecs, &[20_000]).await;
        let parts = &stored.pieces[0].parts;
        let (one, other) = (&parts[0].object, &parts[1].object);
        assert_eq!(one.size, other.size);
        stored.storage.put(one.key.clone(), stored.whole[&other.key].clone());
        stored.storage.put(other.key.clone(), stored.whole[&one.key].clone());
        let error =
            collect(reader(stored.storage.clone(), small(), codecs).piece(&stored.pieces[0])).await.unwrap_err();
        assert!(error.message().contains(one.key.as_str()) && error.message().contains("the part is"), "{error}");
        assert!(error.advice().unwrap().contains("swapped"));
    }
}

#[tokio::test]
async fn an_older_object_of_the_same_place_is_told_by_its_head() {
    for codecs in STACKS {
        let stored = stored(codecs, &[2000]).await;
        // The same piece of the same backup, written again: another nonce and salt.
        let storage = MemoryStorage::new();
        let mut again = writer(storage.clone(), small(), codecs);
        again.environment.random::<8>().unwrap();
        again.origin = Origin::Backup(BackupId::from_u128(0xB));
        write(&again, &[bytes(0, 2000)]).await.unwrap();
        let (_, old) = storage.contents().into_iter().next().unwrap();
        assert_eq!(old.len(), stored.body().len());
        stored.storage.put(stored.key(), old);
        let error =
            collect(reader(stored.storage.clone(), small(), codecs).piece(&stored.pieces[0])).await.unwrap_err();
        assert!(error.message().contains("the part is"), "{error}");
    }
}

#[tokio::test]
async fn swapped_frames_are_noticed() {
    let stored = stored(&[], &[2000]).await;
    let mut body = stored.body();
    let head = body.len() - 2 * 1020;
    let (one, other) = body[head..].split_at_mut(1020);
    one.swap_with_slice(other);
    stored.storage.put(stored.key(), body);
    stored.is_noticed(&[], "swapped frames").await;
}

#[tokio::test]
async fn a_part_of_another_repository_or_stack_is_refused() {
    let stored = stored(&["xor:5"], &[100]).await;
    let mut other = reader(stored.storage.clone(), small(), &["xor:5"]);
    other.repository = RepositoryId::from_u128(0xDEAD);
    let error = collect(other.piece(&stored.pieces[0])).await.unwrap_err();
    assert!(error.message().contains("the repository is"), "{error}");
    // A list that names no codec must not make a reader take sealed bytes, nor a head that names none.
    let error = collect(reader(stored.storage.clone(), small(), &[]).piece(&stored.pieces[0])).await.unwrap_err();
    assert!(error.message().contains("the list of codecs is"), "{error}");
}

#[tokio::test]
async fn a_newer_part_is_refused_clearly() {
    let stored = stored(&[], &[100]).await;
    let mut body = stored.body();
    body[8] = 2;
    let head = usize::from(u16::from_le_bytes([body[10], body[11]])) - 4;
    let crc = crc32c::crc32c(&body[..head]).to_le_bytes();
    body[head..head + 4].copy_from_slice(&crc);
    stored.storage.put(stored.key(), body);
    let error = collect(reader(stored.storage.clone(), small(), &[]).piece(&stored.pieces[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("has format 2"), "{error}");
}

#[tokio::test]
async fn damage_in_a_pack_hurts_the_damaged_piece_alone() {
    let stored = stored(&["xor:5"], &[300, 300, 300]).await;
    let slice = stored.pieces[1].parts[0].slice.unwrap();
    let mut body = stored.body();
    body[usize::try_from(slice.offset + slice.length).unwrap() - 1] ^= 1;
    stored.storage.put(stored.key(), body);
    let reader = reader(stored.storage.clone(), small(), &["xor:5"]);
    assert!(collect(reader.piece(&stored.pieces[1])).await.is_err());
    for good in [0, 2] {
        assert_eq!(collect(reader.piece(&stored.pieces[good])).await.unwrap(), bytes(good as u64, 300));
    }
    assert!(read(&reader, &stored.pieces).await.is_err());
}

#[tokio::test]
async fn a_list_that_points_beyond_its_object_is_refused() {
    let stored = stored(&[], &[300, 300]).await;
    for (offset, length) in [(u64::MAX, 1), (1, u64::MAX), (0, 0), (5, 3), (100_000, 10)] {
        let mut piece = stored.pieces[0].clone();
        let slice = piece.parts[0].slice.as_mut().unwrap();
        (slice.offset, slice.length) = (offset, length);
        let error = collect(reader(stored.storage.clone(), small(), &[]).piece(&piece)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{offset} {length}: {error}");
    }
}
