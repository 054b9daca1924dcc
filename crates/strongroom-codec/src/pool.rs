//! Things that are costly to make and are used for a moment: compression contexts and scratch buffers.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Keeps what was used, so that it holds as many as were ever in use at once.
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Runs `work` with a kept or a new `T` and keeps it afterwards. The lock is not held meanwhile.
    /// After an error, or a panic, the `T` is dropped: its state is not trusted.
    pub(crate) fn with<R, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut item = kept.map_or_else(make, Ok)?;
        let done = work(&mut item)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
        Ok(done)
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_after_success_and_dropped_after_an_error() {
        let pool = Pool::new();
        let mut count = 0;
        for fails in [false, false, true, false] {
            let make = || {
                count += 1;
                Ok(())
            };
            let _: Result<(), ()> = pool.with(make, |()| if fails { Err(()) } else { Ok(()) });
        }
        assert_eq!(count, 2, "one for the first three uses, one after the error");
    }
}
