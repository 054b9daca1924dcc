//! Walking the folder.

use std::io;
use std::path::{Path, PathBuf};

use futures::stream::{self, BoxStream, StreamExt as _};
use strongroom_core::storage::ObjectMeta;
use strongroom_core::{Error, Key, Result};
use tokio::sync::mpsc;

use super::{TEMP_FOLDER, describe, is_absent};

/// Entries that wait for the consumer.
const AHEAD: usize = 256;

type Item = Result<ObjectMeta>;

/// Every object below `root/prefix`, which may be missing.
pub(super) fn walk(root: PathBuf, prefix: String) -> BoxStream<'static, Item> {
    stream::once(async move {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || visit(&root, prefix, &sender));
        stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) })
    })
    .flatten()
    .boxed()
}

/// Sends what is below `prefix`, until done or until nobody listens any more.
fn visit(root: &Path, prefix: String, items: &mpsc::Sender<Item>) {
    let mut folders = vec![prefix];
    while let Some(prefix) = folders.pop() {
        let folder = root.join(&prefix);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Not there yet, or deleted by now.
            Err(error) if is_absent(&error) => continue,
            Err(error) => {
                if items.blocking_send(Err(Error::from(error).within(folder.display()))).is_err() {
                    return;
                }
                continue;
            }
        };
        for entry in entries {
            let item = match entry.and_then(|entry| look(&entry, &prefix)) {
                Ok(Found::Folder(name)) => {
                    folders.push(name);
                    continue;
                }
                Ok(Found::Nothing) => continue,
                Ok(Found::Item(item)) => item,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(Error::from(error).within(folder.display())),
            };
            if items.blocking_send(item).is_err() {
                return;
            }
        }
    }
}

enum Found {
    Folder(String),
    Item(Item),
    Nothing,
}

fn look(entry: &std::fs::DirEntry, prefix: &str) -> io::Result<Found> {
    let name = entry.file_name();
    if prefix.is_empty() && name == TEMP_FOLDER {
        return Ok(Found::Nothing);
    }
    let kind = entry.file_type()?;
    if !kind.is_file() && !kind.is_dir() {
        return Ok(Found::Nothing);
    }
    let Some(key) = name.to_str().and_then(|name| Key::new(format!("{prefix}{name}")).ok()) else {
        let what = if kind.is_dir() { "the folder" } else { "the file" };
        let path = entry.path();
        return Ok(Found::Item(Err(Error::invalid(format!(
            "{what} '{}' has a name that no object has",
            path.to_string_lossy().escape_debug()
        ))
        .hint("it was not put there by strongroom: move it elsewhere"))));
    };
    Ok(if kind.is_dir() {
        Found::Folder(format!("{key}/"))
    } else {
        Found::Item(Ok(describe(key, &entry.metadata()?)))
    })
}
