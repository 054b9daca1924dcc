//! Clauses on who wins: `CreateNew`, `Overwrite`, and both under way at once.

use std::sync::Arc;

use super::{Check, granted, pattern, refused};
use bytes::Bytes;
use futures::future::join_all;
use strongroom_core::{ErrorKind, PutMode};

impl Check {
    pub(super) async fn modes(&self) {
        let (one, two) = (pattern(100, 1), pattern(50, 2));
        let key = self.key("modes/object");
        granted("CreateNew of a free name", self.put_whole(&key, PutMode::CreateNew, &one).await);
        for body in [&two, &one, &Bytes::new()] {
            let again = self.put_whole(&key, PutMode::CreateNew, body).await;
            refused("CreateNew of a name that exists", ErrorKind::AlreadyExists, again);
            self.expect_body("a failed CreateNew leaves what is there", &key, &one).await;
        }
        granted("Overwrite of a name that exists", self.put_whole(&key, PutMode::Overwrite, &two).await);
        self.expect_body("Overwrite replaces", &key, &two).await;
        granted("Overwrite with nothing", self.put(&key, PutMode::Overwrite, &[]).await);
        self.expect_body("Overwrite with nothing makes it empty", &key, &Bytes::new()).await;
        let again = self.put(&key, PutMode::CreateNew, &[one]).await;
        refused("CreateNew over an empty object", ErrorKind::AlreadyExists, again);
    }

    /// Two uploads of one key that are open at once: nothing shows before `finish`, and the first to finish wins.
    pub(super) async fn uploads_in_turn(&self) {
        let key = self.key("turn/object");
        let (one, two) = (pattern(5000, 1), pattern(6000, 2));
        let mut first = granted("create", self.storage.create(&key, PutMode::CreateNew).await);
        let mut second = granted("a second upload of one key", self.storage.create(&key, PutMode::CreateNew).await);
        granted("write", first.write(one.clone()).await);
        granted("write", second.write(two.clone()).await);
        self.expect_missing("nothing is visible before finish", &key).await;
        granted("the first to finish wins", second.finish().await);
        self.expect_body("the first to finish wins", &key, &two).await;
        refused("the second to finish", ErrorKind::AlreadyExists, first.finish().await);
        self.expect_body("the loser changes nothing", &key, &two).await;
        let mut upload = granted("create", self.storage.create(&key, PutMode::Overwrite).await);
        granted("write", upload.write(one.clone()).await);
        self.expect_body("an Overwrite shows nothing before finish", &key, &two).await;
        granted("finish", upload.finish().await);
        self.expect_body("Overwrite replaces at finish", &key, &one).await;
    }

    /// Eight tasks create one key at once: exactly one wins, and its object is whole.
    pub(super) async fn races(&self) {
        for (round, length) in (0_u8..).zip([0, 1, 1000, 1000, 200_000, 1000]) {
            let key = self.key(&format!("race/{round}"));
            let start = Arc::new(tokio::sync::Barrier::new(8));
            let racers = (0_u8..8).map(|racer| {
                let (storage, key, start) = (Arc::clone(&self.storage), key.clone(), Arc::clone(&start));
                // Each has another length too, so that a mixed object is noticed.
                let body = pattern(length + usize::from(racer), racer);
                tokio::spawn(async move {
                    start.wait().await;
                    let result = async {
                        let mut upload = storage.create(&key, PutMode::CreateNew).await?;
                        upload.write(body.clone()).await?;
                        upload.finish().await
                    };
                    (result.await, body)
                })
            });
            let mut winners = Vec::new();
            for outcome in join_all(racers).await {
                match outcome {
                    Ok((Ok(_), body)) => winners.push(body),
                    Ok((Err(error), _)) => refused::<()>("a loser of a race", ErrorKind::AlreadyExists, Err(error)),
                    Err(panic) => panic!("storage contract: a racer panicked: {panic}"),
                }
            }
            assert_eq!(winners.len(), 1, "storage contract: of 8 racers that create {key} exactly one wins");
            self.expect_body("the winner's object is whole", &key, &winners[0]).await;
        }
    }

    /// Whoever reads while an object is replaced gets the old or the new one, never a mixture and never nothing.
    pub(super) async fn overwrites_are_whole(&self) {
        const SIZE: usize = 64 * 1024;
        let key = self.write("whole/object", &Bytes::from(vec![0; SIZE])).await;
        let (storage, target) = (Arc::clone(&self.storage), key.clone());
        let writer = tokio::spawn(async move {
            for value in 1_u8..=20 {
                let mut upload = storage.create(&target, PutMode::Overwrite).await?;
                upload.write(Bytes::from(vec![value; SIZE / 2])).await?;
                upload.write(Bytes::from(vec![value; SIZE / 2])).await?;
                upload.finish().await?;
            }
            strongroom_core::Result::Ok(())
        });
        let mut seen = 0;
        while seen < 20 {
            let over = writer.is_finished();
            let body = granted("read while an object is replaced", self.read(&key, None).await);
            let value = body.first().copied().unwrap_or_default();
            assert!(
                body.len() == SIZE && body.iter().all(|byte| *byte == value),
                "storage contract: an object being replaced is read old or new, never mixed ({} bytes)",
                body.len()
            );
            assert!(value >= seen, "storage contract: a replaced object does not come back");
            seen = value;
            assert!(!over || seen == 20, "storage contract: after Overwrite finished, reads give the new object");
            tokio::task::yield_now().await;
        }
        match writer.await {
            Ok(result) => granted("Overwrite while others read", result),
            Err(panic) => panic!("storage contract: the writer panicked: {panic}"),
        }
    }
}
