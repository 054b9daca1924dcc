//! Work for the processor, off the async threads and on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Error, Result};

/// Work on fewer bytes than this is done at once: handing it over would cost as much.
const AT_ONCE: usize = 8 << 10;

/// As many works at once as there are turns; each has its own codec state in memory.
#[derive(Debug, Clone)]
pub(crate) struct Cpu(Arc<Semaphore>);

/// Work that was started. It ends even when nobody waits for it.
#[derive(Debug)]
pub(crate) enum Started<T> {
    /// On another thread.
    Running(JoinHandle<T>),
    /// Done already.
    Done(Result<T>),
}

impl Cpu {
    /// At least one turn.
    pub(crate) fn new(turns: usize) -> Self {
        Self(Arc::new(Semaphore::new(turns.max(1))))
    }

    /// Waits for a turn and starts `work`, which concerns `bytes` bytes.
    pub(crate) async fn start<T, F>(&self, bytes: usize, work: F) -> Started<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if bytes < AT_ONCE {
            return Started::Done(catch_unwind(AssertUnwindSafe(work)).map_err(|_| panicked()));
        }
        match Arc::clone(&self.0).acquire_owned().await {
            Ok(turn) => Started::Running(spawn_blocking(move || {
                let _turn = turn;
                work()
            })),
            Err(_) => Started::Done(Err(Error::internal("the pipeline's turns are closed"))),
        }
    }

    /// Runs `work` and waits for it.
    pub(crate) async fn run<T, F>(&self, bytes: usize, work: F) -> Result<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.start(bytes, work).await.finish().await
    }
}

impl<T> Started<T> {
    /// The result. A panic becomes an `Internal` error.
    pub(crate) async fn finish(self) -> Result<T> {
        match self {
            Self::Done(result) => result,
            Self::Running(handle) => handle.await.map_err(|error| {
                if error.is_panic() { panicked() } else { Error::cancelled("the runtime is shutting down") }
            }),
        }
    }
}

fn panicked() -> Error {
    Error::internal("coding a frame panicked").hint("the panic's message is on standard error: please report it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_gives_its_turn_back() {
        let cpu = Cpu::new(1);
        for bytes in [0, 1 << 20] {
            let result: Result<()> = cpu.run(bytes, || panic!("on purpose")).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(cpu.run(1 << 20, || 5).await.unwrap(), 5);
    }
}
