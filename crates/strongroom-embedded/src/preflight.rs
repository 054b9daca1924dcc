//! What can be known before a restore begins.

use strongroom_core::Result;
use strongroom_core::cluster::{Conflict, Preflight, RestoreOptions, RestoreOutline};

use crate::EmbeddedCluster;
use crate::session::objections;

impl EmbeddedCluster {
    pub(crate) fn preflight(&self, outline: &RestoreOutline, options: &RestoreOptions) -> Result<Preflight> {
        let mut found = Preflight::default();
        found.refusals.extend(objections(outline, options).iter().map(ToString::to_string));
        if self.inner.read_only {
            found.refusals.push(format!("{} is open for reading only", self.place()));
        }
        let there = self.namespaces()?;
        for part in outline.parts.keys() {
            let target = options.target_of(part);
            let records = there.get(target).map_or(0, |info| info.count.records);
            if records > 0 && !options.truncate && !options.no_data {
                let fate = match options.conflict {
                    Conflict::Replace => "those that come again are replaced, the others stay",
                    Conflict::Keep => "they stay as they are",
                    Conflict::Newer => "those with a lower generation are replaced, the others stay",
                };
                found.warnings.push(format!("namespace '{target}' already holds {records} records: {fate}"));
            }
        }
        if !options.no_data {
            self.check_space(outline.parts.values().map(|part| part.bytes).sum(), &mut found);
        }
        Ok(found)
    }

    /// The file takes about as much as the plain text; while pages wait to be used again, up to twice that.
    fn check_space(&self, bytes: u64, found: &mut Preflight) {
        let Some(path) = self.path() else { return };
        match free_bytes(path) {
            Some(free) if free < bytes => found.refusals.push(format!(
                "about {bytes} bytes are needed, but only {free} are free where {} is; free space, or choose another place",
                path.display()
            )),
            Some(free) if free < bytes.saturating_mul(2) => found.warnings.push(format!(
                "about {bytes} bytes come, and {free} are free where {} is: that may be too little",
                path.display()
            )),
            Some(_) => {}
            None => found.warnings.push(format!("the free space where {} is can't be told", path.display())),
        }
    }
}

#[cfg(unix)]
fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
const fn free_bytes(_: &std::path::Path) -> Option<u64> {
    None
}
