//! Uploads that are finished or aborted, never left behind.
//!
//! The writer lives in a task of its own, because it must not be dropped in the middle of a call: a multipart upload whose
//! id is lost stays in the bucket, unseen and paid for. When the [`CloudUpload`] is dropped, the task ends the call in
//! progress and aborts.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use opendal::Writer;
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{Error, ErrorKind, Key, PutMode, Result, Upload};
use tokio::sync::{mpsc, oneshot};

use super::Cloud;

/// The parts that S3, and with it this crate, allows an object to have.
const MAX_PARTS: u64 = 10_000;

enum Order {
    Write(Bytes),
    Finish(oneshot::Sender<Result<ObjectMeta>>),
}

/// An object being uploaded.
pub(super) struct CloudUpload {
    orders: mpsc::Sender<Order>,
    /// Why the task gave up.
    failure: oneshot::Receiver<Error>,
    key: Key,
    /// How many bytes may still come.
    room: u64,
}

impl CloudUpload {
    pub(super) async fn start(cloud: Arc<Cloud>, key: Key, mode: PutMode) -> Result<Self> {
        let room = MAX_PARTS * cloud.part_size as u64;
        let writer = cloud
            .operator
            .writer_with(key.as_str())
            .chunk(cloud.part_size)
            .concurrent(cloud.concurrency)
            .if_not_exists(mode == PutMode::CreateNew)
            .await
            .map_err(|error| cloud.error(&error, &key))?;
        let (orders, inbox) = mpsc::channel(1);
        let (report, failure) = oneshot::channel();
        let task = Task { cloud, key: key.clone(), mode, writer, size: 0 };
        tokio::spawn(task.run(inbox, report));
        Ok(Self { orders, failure, key, room })
    }

    async fn send(&mut self, order: Order) -> Result<()> {
        if self.orders.send(order).await.is_ok() {
            return Ok(());
        }
        let given_up = || Error::invalid(format!("the upload of {} was given up after an error", self.key));
        Err(self.failure.try_recv().unwrap_or_else(|_| given_up()))
    }
}

#[async_trait]
impl Upload for CloudUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.room = self.room.checked_sub(chunk.len() as u64).ok_or_else(|| {
            Error::invalid(format!("{} is larger than {MAX_PARTS} parts", self.key)).hint("set a larger part_size")
        })?;
        self.send(Order::Write(chunk)).await
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let (reply, answer) = oneshot::channel();
        self.send(Order::Finish(reply)).await?;
        match answer.await {
            Ok(result) => result,
            // The write before this one failed.
            Err(_) => Err(self.failure.await.unwrap_or_else(|_| Error::internal("an upload task died"))),
        }
    }
}

struct Task {
    cloud: Arc<Cloud>,
    key: Key,
    mode: PutMode,
    writer: Writer,
    size: u64,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>, report: oneshot::Sender<Error>) {
        while let Some(order) = inbox.recv().await {
            match order {
                Order::Write(chunk) => {
                    self.size += chunk.len() as u64;
                    if let Err(error) = self.writer.write(chunk).await {
                        let error = self.interpret(self.cloud.error(&error, &self.key)).await;
                        // Told before the abort, which may take long. Nobody hears it if the upload was dropped.
                        let _ = report.send(error);
                        drop(inbox);
                        return self.abort().await;
                    }
                }
                Order::Finish(mut reply) => {
                    // A single request may be dropped with its caller; a multipart upload must come to an end.
                    let single = self.size <= self.cloud.part_size as u64;
                    let result = tokio::select! {
                        biased;
                        () = reply.closed(), if single => return,
                        result = self.finish() => result,
                    };
                    let failed = result.is_err();
                    let _ = reply.send(result);
                    if failed {
                        self.abort().await;
                    }
                    return;
                }
            }
        }
        self.abort().await;
    }

    async fn finish(&mut self) -> Result<ObjectMeta> {
        match self.writer.close().await {
            Ok(meta) => {
                let told = super::describe(self.key.clone(), &meta);
                Ok(ObjectMeta { size: self.size, ..told })
            }
            Err(error) => {
                let error = self.cloud.error(&error, &self.key);
                Err(self.interpret(error).await)
            }
        }
    }

    /// After a lost reply the repeated completion finds no upload any more. Then either it took place, or somebody
    /// aborted it: only reading back can tell, which the caller does after `AlreadyExists`.
    async fn interpret(&self, error: Error) -> Error {
        let error = self.cloud.missing(error).await;
        if error.kind() != ErrorKind::NotFound || super::errors::is_missing_bucket(&error) {
            return error;
        }
        let there = self.cloud.operator.stat(self.key.as_str()).await;
        if self.mode == PutMode::CreateNew && there.is_ok_and(|meta| meta.content_length() == self.size) {
            return Error::already_exists(format!("{}: {} exists", self.cloud.place, self.key));
        }
        Error::unavailable(format!("{}: the upload of {} vanished before its end", self.cloud.place, self.key))
            .hint("upload it again")
    }

    /// Best effort: what can't be aborted is left to the bucket's lifecycle rule.
    async fn abort(mut self) {
        let _ = self.writer.abort().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_the_parts_can_hold_is_refused_before_it_is_sent() {
        let (orders, mut inbox) = mpsc::channel(10);
        let (_report, failure) = oneshot::channel();
        let mut upload = CloudUpload { orders, failure, key: Key::new("k").unwrap(), room: 10 };
        upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
        let error = upload.write(Bytes::from_static(b"0")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.advice().is_some_and(|advice| advice.contains("part_size")), "{error}");
        assert!(matches!(inbox.try_recv(), Ok(Order::Write(_))));
        assert!(inbox.try_recv().is_err());
    }
}
