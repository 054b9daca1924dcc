//! Looking over the repository's own small objects, which no check of backups reads.

use super::catalogue::Broken;
use super::document::{self, Kind};
use super::objects::{SMALL, found, list_all};
use super::{Repository, layout};
use crate::{ErrorKind, Result, StorageExt as _};

impl Repository {
    /// Reads the registrations of clusters, the epochs of leases and the condemned lists, and gives those that can't be
    /// used. Each of them hurts little: a lease that can't be read is honoured until it is dead, a list condemns
    /// nothing.
    ///
    /// # Errors
    /// As the storage.
    pub async fn survey(&self) -> Result<Vec<Broken>> {
        let mut broken = Vec::new();
        for (folder, kind) in
            [(layout::CLUSTERS, Kind::Cluster), (layout::LEASES, Kind::Lease), (layout::CONDEMNED, Kind::Condemned)]
        {
            for meta in list_all(&*self.storage, folder).await? {
                let kind = match layout::number_of(&meta.key) {
                    Some((_, "")) => kind,
                    Some((_, ".done")) => Kind::Done,
                    _ => continue,
                };
                // Gone: it was superseded and cleaned away since it was listed.
                let body = match found(self.storage.get(&meta.key, SMALL).await) {
                    Ok(Some(body)) => Ok(body),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                let opened =
                    body.and_then(|body| document::open(&meta.key, &body, &[kind], Some(self.id())).map(|_| ()));
                match opened {
                    Ok(()) => {}
                    Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
                        broken.push(Broken { key: meta.key, kind: error.kind(), why: error.to_string() });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(broken)
    }
}
