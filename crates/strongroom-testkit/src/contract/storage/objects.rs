//! Clauses on single objects: reading, writing, names, listing, deleting.

use super::{Check, granted, pattern, refused};
use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::{ErrorKind, Key, PutMode};

const MIB: usize = 1 << 20;

impl Check {
    pub(super) async fn missing_objects(&self) {
        let key = self.key("missing/object");
        self.expect_missing("what was never written does not exist", &key).await;
        refused("a range of a missing object", ErrorKind::NotFound, self.read(&key, Some(0..1)).await);
        granted("delete of a missing object is no error", self.storage.delete(&key).await);
        assert!(self.list("missing/").await.is_empty(), "storage contract: a missing folder is empty");
    }

    pub(super) async fn small_objects(&self) {
        for (name, length) in [("empty", 0), ("one", 1), ("small", 1000), ("chunk", MIB + 1)] {
            let body = pattern(length, 1);
            let key = self.write(&format!("small/{name}"), &body).await;
            self.expect_body("an object holds what was written", &key, &body).await;
        }
        let key = self.key("small/chunked");
        let chunks = [pattern(10, 1), Bytes::new(), pattern(7, 2), pattern(70_000, 3), Bytes::new()];
        let meta = granted("several chunks", self.put(&key, PutMode::CreateNew, &chunks).await);
        assert_eq!(meta.size, 70_017, "storage contract: the size is that of all chunks together");
        self.expect_body("chunks are joined in their order", &key, &chunks.concat().into()).await;
        let key = self.key("small/unwritten");
        granted("an object without a write", self.put(&key, PutMode::CreateNew, &[]).await);
        self.expect_body("an object without a write is empty", &key, &Bytes::new()).await;
    }

    pub(super) async fn ranges(&self) {
        let body = pattern(300_000, 4);
        let key = self.write("ranges/object", &body).await;
        for (start, end) in [(0, 300_000), (0, 1), (299_999, 300_000), (1, 299_999), (100_000, 200_003)] {
            let part = granted("a range inside the object", self.read(&key, Some(start..end)).await);
            let (from, to) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
            assert!(part == body[from..to], "storage contract: range {start}..{end} gave other bytes");
        }
        for at in [0, 1, 150_000, 300_000] {
            let part = granted("an empty range inside the object", self.read(&key, Some(at..at)).await);
            assert!(part.is_empty(), "storage contract: the empty range {at}..{at} must give nothing");
        }
        let empty = self.write("ranges/empty", &Bytes::new()).await;
        let part = granted("the empty range of an empty object", self.read(&empty, Some(0..0)).await);
        assert!(part.is_empty(), "storage contract: an empty object has no bytes");
        let reversed = std::ops::Range { start: 5, end: 4 };
        for range in [0..300_001, 299_999..300_001, 300_000..300_001, 400_000..400_001, 300_001..300_001, reversed] {
            let clause = format!("range {range:?} of 300 000 bytes reaches past the end or back");
            refused(&clause, ErrorKind::Invalid, self.read(&key, Some(range)).await);
        }
        refused("a byte of an empty object", ErrorKind::Invalid, self.read(&empty, Some(0..1)).await);
    }

    pub(super) async fn keys(&self) {
        let letters: String = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
        let mut names = vec![
            letters,
            "-_.%=+@~,".to_owned(),
            "%41".to_owned(),
            "%2F".to_owned(),
            "%".to_owned(),
            "a+b".to_owned(),
            "...".to_owned(),
            ".hidden/.x".to_owned(),
            "~".to_owned(),
            "-rf".to_owned(),
            "x.tmp".to_owned(),
            "deep/1/2/3/4/5/6/7/8/9/10".to_owned(),
            "s".repeat(255),
        ];
        // The longest name of all: 900 bytes with the test's prefix.
        let room = 900 - self.key("keys/x").as_str().len() + 1;
        let long = "0123456789".repeat(90)[..room].to_owned();
        names.push(
            long.as_bytes().chunks(200).map(String::from_utf8_lossy).collect::<Vec<_>>().join("/")[..room].to_owned(),
        );
        for (number, name) in (0..).zip(&names) {
            self.write(&format!("keys/{name}"), &pattern(20, number)).await;
        }
        let mut wanted: Vec<Key> = names.iter().map(|name| self.key(&format!("keys/{name}"))).collect();
        for (number, key) in (0..).zip(&wanted) {
            self.expect_body("every allowed name keeps its own object", key, &pattern(20, number)).await;
        }
        wanted.sort_unstable();
        let found: Vec<Key> = self.list("keys/").await.into_keys().collect();
        assert_eq!(found, wanted, "storage contract: list gives every allowed name as it was written");
        for key in &wanted {
            granted("delete of an allowed name", self.storage.delete(key).await);
        }
        assert!(self.list("keys/").await.is_empty(), "storage contract: deleted names must not be listed");
    }

    pub(super) async fn lists(&self) {
        let mut wanted = Vec::new();
        for number in 0_u8..40 {
            let body = pattern(usize::from(number), number);
            wanted.push((self.write(&format!("list/in/{}/{number}", number % 3), &body).await, u64::from(number)));
        }
        wanted.sort_unstable();
        let beside = self.write("list/in-beside", &pattern(1, 1)).await;
        let longer = self.write("list/inner/object", &pattern(1, 1)).await;
        let found: Vec<_> = self.list("list/in/").await.into_iter().collect();
        assert_eq!(
            found, wanted,
            "storage contract: list gives all below the folder, at any depth, and nothing beside"
        );
        let all = self.list("").await;
        for key in wanted.iter().map(|(key, _)| key).chain([&beside, &longer]) {
            assert!(all.contains_key(key), "storage contract: list of the upper folder must give {key}");
        }
        assert_eq!(self.list("list/in/1/").await.len(), 13, "storage contract: list of a deeper folder");
        assert!(self.list("list/i/").await.is_empty(), "storage contract: a prefix is a whole folder name");
        let mut left = self.storage.list(&format!("{}list/", self.prefix));
        let first = left.next().await;
        assert!(first.is_some_and(|item| item.is_ok()), "storage contract: list gives objects");
        drop(left);
    }

    /// A folder's name is not an object, although some storages have something there.
    pub(super) async fn deletes(&self) {
        let body = pattern(10, 1);
        let key = self.write("delete/folder/object", &body).await;
        let other = self.write("delete/folder/other", &body).await;
        let folder = self.key("delete/folder");
        refused("a folder's name is no object: stat", ErrorKind::NotFound, self.storage.stat(&folder).await);
        refused("a folder's name is no object: read", ErrorKind::NotFound, self.read(&folder, None).await);
        granted("a folder's name is no object: delete", self.storage.delete(&folder).await);
        self.expect_body("delete of a folder's name takes nothing", &key, &body).await;
        granted("delete", self.storage.delete(&key).await);
        self.expect_missing("a deleted object is gone", &key).await;
        granted("delete twice is no error", self.storage.delete(&key).await);
        self.expect_body("delete takes one object alone", &other, &body).await;
        granted("delete", self.storage.delete(&other).await);
        assert!(self.list("delete/").await.is_empty(), "storage contract: a folder without objects is empty");
        let again = pattern(12, 2);
        granted("a deleted name is free", self.put_whole(&key, PutMode::CreateNew, &again).await);
        self.expect_body("a deleted name is free", &key, &again).await;
    }

    /// 20 MiB in uneven chunks, so that no part limit fits them, read back as a stream and in ranges at once.
    pub(super) async fn big_object(&self) {
        const SIZE: usize = 20 * MIB;
        let body = pattern(SIZE, 5);
        let key = self.key("big/object");
        let mut chunks = Vec::new();
        let mut rest = body.clone();
        while !rest.is_empty() {
            chunks.push(rest.split_to(rest.len().min(777_777)));
        }
        let meta = granted("an object of 20 MiB", self.put(&key, PutMode::CreateNew, &chunks).await);
        assert_eq!(meta.size, SIZE as u64, "storage contract: the size of a big object");
        self.expect_body("an object of 20 MiB", &key, &body).await;
        let step = SIZE as u64 / 4;
        let parts = (0..4).map(|at| self.read(&key, Some(at * step..(at + 1) * step)));
        let mut joined = Vec::with_capacity(SIZE);
        for part in futures::future::join_all(parts).await {
            joined.extend_from_slice(&granted("four ranges at once", part));
        }
        assert!(joined == body, "storage contract: ranges read at once give the object's bytes");
        let again = self.put(&key, PutMode::CreateNew, &chunks).await;
        refused("CreateNew of a big object that exists", ErrorKind::AlreadyExists, again);
        let mut half = granted("read", self.storage.read(&key, None).await);
        assert!(half.next().await.is_some(), "storage contract: a big object has a first chunk");
        drop(half);
        let smaller = pattern(3, 6);
        granted("Overwrite", self.put_whole(&key, PutMode::Overwrite, &smaller).await);
        self.expect_body("a shorter object replaces a longer one whole", &key, &smaller).await;
    }
}
