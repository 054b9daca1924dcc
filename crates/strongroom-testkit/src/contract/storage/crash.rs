//! Clauses on what is left of work that was dropped.

use super::{Check, granted, pattern};
use crate::contract::polls::poll_at_most;
use bytes::Bytes;
use futures::StreamExt as _;
use strongroom_core::{Key, PutMode};

impl Check {
    /// An upload that is dropped before `finish` never existed.
    pub(super) async fn dropped_uploads(&self) {
        let kept = self.write("dropped/kept", &pattern(10, 9)).await;
        for (name, chunks) in [("created", 0), ("started", 1), ("far", 3)] {
            for (mode, key) in [
                (PutMode::CreateNew, self.key(&format!("dropped/{name}"))),
                (PutMode::Overwrite, self.key(&format!("dropped/{name}"))),
                (PutMode::Overwrite, kept.clone()),
            ] {
                let mut upload = granted("create", self.storage.create(&key, mode).await);
                for number in 0..chunks {
                    granted("write", upload.write(pattern(3_000_000, number)).await);
                }
                drop(upload);
                if key == kept {
                    self.expect_body("a dropped Overwrite leaves what is there", &kept, &pattern(10, 9)).await;
                } else {
                    self.expect_missing("a dropped upload never existed", &key).await;
                }
            }
        }
        let found: Vec<Key> = self.list("dropped/").await.into_keys().collect();
        assert_eq!(found, [kept], "storage contract: a dropped upload leaves no object of any name");
        let body = pattern(100, 1);
        let key = self.key("dropped/started");
        granted("CreateNew after a dropped upload", self.put_whole(&key, PutMode::CreateNew, &body).await);
        self.expect_body("CreateNew after a dropped upload", &key, &body).await;
    }

    /// Each call dropped after 1, 2, 3 … polls: the object is there whole, or as it was before.
    pub(super) async fn dropped_at_every_await_point(&self) {
        let (old, new) = (pattern(2000, 1), pattern(300_000, 2));
        for polls in 0..12 {
            let fresh = self.key(&format!("polls/fresh-{polls}"));
            let done = self.put_for(polls, &fresh, PutMode::CreateNew, &new).await;
            let body = self.body_of(&fresh).await;
            assert!(
                body.as_ref().is_none_or(|body| *body == new) && (!done || body.is_some()),
                "storage contract: an upload dropped after {polls} polls must leave all or nothing ({:?} bytes)",
                body.map(|body| body.len())
            );
            let there = self.write(&format!("polls/there-{polls}"), &old).await;
            let done = self.put_for(polls, &there, PutMode::Overwrite, &new).await;
            let body = self.body_of(&there).await.unwrap_or_default();
            assert!(
                body == new || (body == old && !done),
                "storage contract: an Overwrite dropped after {polls} polls must leave the old or the new object \
                 ({} bytes)",
                body.len()
            );
            // A request that was under way may still be carried out after its caller was dropped.
            let expected = |length: usize| length == body.len() || (length == new.len() && !done);
            let read = async { self.read(&there, None).await.map(|read| read.len()) };
            if let Some(read) = poll_at_most(polls, Box::pin(read)).await {
                assert!(expected(granted("read", read)), "storage contract: read after dropped reads");
            }
            poll_at_most(polls, Box::pin(self.storage.stat(&there))).await;
            poll_at_most(polls, Box::pin(self.storage.list(&self.prefix).count())).await;
            let gone = poll_at_most(polls, Box::pin(self.storage.delete(&there))).await.is_some();
            let left = self.body_of(&there).await;
            assert!(
                left.as_ref().is_none_or(|left| (*left == body && !gone) || (*left == new && !done)),
                "storage contract: a delete dropped after {polls} polls must leave all or nothing"
            );
            let listed = self.list("polls/").await;
            let odd = listed
                .keys()
                .find(|key| !key.as_str().contains("polls/fresh-") && !key.as_str().contains("polls/there-"));
            assert_eq!(odd, None, "storage contract: dropped calls leave no object of another name");
        }
    }

    /// Writes, but for at most `polls` polls; whether it came to its end.
    async fn put_for(&self, polls: usize, key: &Key, mode: PutMode, body: &Bytes) -> bool {
        let half = body.len() / 2;
        let chunks = [body.slice(..half), body.slice(half..)];
        let put = poll_at_most(polls, Box::pin(self.put(key, mode, &chunks))).await;
        put.map(|put| granted("an upload between dropped ones", put)).is_some()
    }

    /// The bytes of an object, if it is there.
    async fn body_of(&self, key: &Key) -> Option<Bytes> {
        match self.read(key, None).await {
            Ok(body) => Some(body),
            Err(error) if error.kind() == strongroom_core::ErrorKind::NotFound => None,
            Err(error) => panic!("storage contract: read after dropped calls: {error:?}"),
        }
    }
}
