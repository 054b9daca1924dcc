//! Packed parts that follow each other in an object are read with one request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::cut::Cut;
use super::reader::gone;
use crate::manifest::{ObjectRef, StoredPart};
use crate::{Key, Result, Storage};

/// An open object at some position.
pub(crate) struct Cursor {
    pub(crate) cut: Cut,
    /// Up to where bytes come.
    end: u64,
}

/// Which slices are wanted one after the other, and the object that stands open between two of them.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    /// For the first byte of each wanted slice: where the run it belongs to ends.
    ends: Arc<HashMap<(Key, u64), u64>>,
    open: Arc<Mutex<Option<(Key, Cursor)>>>,
}

impl Runs {
    /// The runs of `parts`, which will be read in this order.
    pub(crate) fn of<'a>(parts: impl DoubleEndedIterator<Item = &'a StoredPart>) -> Self {
        let mut ends = HashMap::new();
        let mut after: Option<(&Key, u64, u64)> = None;
        for part in parts.rev() {
            let Some(slice) = part.slice else {
                after = None;
                continue;
            };
            let key = &part.object.key;
            let own = slice.offset.saturating_add(slice.length);
            let end = after.filter(|(next, begin, _)| *next == key && *begin == own).map_or(own, |(_, _, end)| end);
            ends.insert((key.clone(), slice.offset), end);
            after = Some((key, slice.offset, end));
        }
        Self { ends: Arc::new(ends), open: Arc::default() }
    }

    /// A cursor at the beginning of `part`.
    pub(crate) async fn open(&self, storage: &Arc<dyn Storage>, part: &StoredPart) -> Result<Cursor> {
        let object = &part.object;
        let opened = |error| gone(object, error);
        let Some(slice) = part.slice else {
            let body = storage.read(&object.key, None).await.map_err(opened)?;
            return Ok(Cursor { cut: Cut::new(body, 0), end: object.size });
        };
        let own = slice.offset.saturating_add(slice.length).min(object.size);
        if let Some((key, cursor)) = self.lock().take()
            && key == object.key
            && cursor.cut.at() == slice.offset
            && cursor.end >= own
        {
            return Ok(cursor);
        }
        let end = self.ends.get(&(object.key.clone(), slice.offset)).map_or(own, |end| (*end).min(object.size));
        let range = slice.offset.min(end)..end;
        let body = storage.read(&object.key, Some(range)).await.map_err(opened)?;
        Ok(Cursor { cut: Cut::new(body, slice.offset), end })
    }

    /// Leaves an object open for the next slice, if it has more to give.
    pub(crate) fn give_back(&self, object: &ObjectRef, cursor: &mut Cursor) {
        if cursor.cut.at() < cursor.end {
            let empty = Cut::new(Box::pin(futures::stream::empty()), cursor.end);
            let cut = std::mem::replace(&mut cursor.cut, empty);
            *self.lock() = Some((object.key.clone(), Cursor { cut, end: cursor.end }));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Key, Cursor)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
