//! Cuts a stream of chunks of any size into runs of a wished length, without copying large chunks.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use crate::{ByteStream, Result};

/// Chunks below this many bytes are copied together: many tiny ones cost more to carry than to copy.
const SMALL: usize = 8 << 10;

/// A byte stream with a position, read in runs.
pub(crate) struct Cut {
    body: ByteStream,
    ahead: Bytes,
    ended: bool,
    at: u64,
}

impl Cut {
    /// Starts at position `at`, which only serves messages.
    pub(crate) fn new(body: ByteStream, at: u64) -> Self {
        Self { body, ahead: Bytes::new(), ended: false, at }
    }

    /// How many bytes were taken, counted from the start position.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// Whether at least one more byte comes.
    pub(crate) async fn more(&mut self) -> Result<bool> {
        while self.ahead.is_empty() && !self.ended {
            match self.body.next().await {
                Some(chunk) => self.ahead = chunk?,
                None => self.ended = true,
            }
        }
        Ok(!self.ahead.is_empty())
    }

    /// The next `most` bytes, or what is left of them at the end.
    pub(crate) async fn take(&mut self, most: usize) -> Result<Vec<Bytes>> {
        let mut run = Vec::new();
        let mut small = BytesMut::new();
        let mut left = most;
        while left > 0 && self.more().await? {
            let chunk = self.ahead.split_to(left.min(self.ahead.len()));
            left -= chunk.len();
            self.at += chunk.len() as u64;
            if chunk.len() < SMALL && chunk.len() < most {
                small.extend_from_slice(&chunk);
            } else {
                if !small.is_empty() {
                    run.push(small.split().freeze());
                }
                run.push(chunk);
            }
        }
        if !small.is_empty() {
            run.push(small.freeze());
        }
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use proptest::prelude::*;

    use super::*;
    use crate::Error;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    proptest! {
        #[test]
        fn runs_have_the_wished_length_and_add_up(
            chunks in proptest::collection::vec(0..20_000_usize, 0..20),
            most in 1..30_000_usize,
        ) {
            let total: usize = chunks.iter().sum();
            let bytes: Vec<u8> = (0..total).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
            let mut rest = Bytes::from(bytes.clone());
            let chunks: Vec<_> = chunks.into_iter().map(|length| Ok(rest.split_to(length))).collect();
            let mut cut = Cut::new(stream::iter(chunks).boxed(), 0);
            let mut back = Vec::new();
            run(async {
                while cut.more().await.unwrap() {
                    let run = cut.take(most).await.unwrap().concat();
                    assert!(run.len() == most || back.len() + run.len() == total);
                    back.extend(run);
                    assert_eq!(cut.at(), back.len() as u64);
                }
                assert!(cut.take(most).await.unwrap().is_empty());
            });
            prop_assert_eq!(back, bytes);
        }
    }

    #[test]
    fn an_error_comes_through() {
        let chunks = vec![Ok(Bytes::from_static(b"ab")), Err(Error::unavailable("gone"))];
        let mut cut = Cut::new(stream::iter(chunks).boxed(), 0);
        let error = run(cut.take(3)).unwrap_err();
        assert_eq!(error.message(), "gone");
    }
}
