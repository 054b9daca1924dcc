//! Dropping a future in the middle, at a chosen await point.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs `future` for at most `polls` polls, then drops it there; see [`poll_at_most`].
#[derive(Debug)]
#[must_use = "a future does nothing unless awaited"]
pub struct Polls<F> {
    future: Pin<Box<F>>,
    left: usize,
}

/// Runs `future` for at most `polls` polls. `None`: it was still under way and was dropped at that await point.
/// With `polls` = 0 it is dropped without having been started.
pub const fn poll_at_most<F: Future>(polls: usize, future: Pin<Box<F>>) -> Polls<F> {
    Polls { future, left: polls }
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_stops_where_it_is_told() {
        let steps = async || {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(poll_at_most(0, Box::pin(steps())).await, None);
        assert_eq!(poll_at_most(2, Box::pin(steps())).await, None);
        assert_eq!(poll_at_most(3, Box::pin(steps())).await, Some(7));
    }
}
