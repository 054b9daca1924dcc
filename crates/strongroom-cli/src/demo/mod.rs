//! `strongroom demo`: a chain of backups restored to a moment in between, on real data, and proven.
//!
//! Every number that it prints is computed in that run; a proof that fails is an error.

mod clock;
mod data;
mod explain;
mod history;
mod proof;
mod service;

use std::path::{Path, PathBuf};

use strongroom::{Error, Result};

/// Where the demo tells what it does.
#[derive(Debug, Clone, Copy)]
struct Story {
    quiet: bool,
}

impl Story {
    fn say(self, text: impl AsRef<str>) {
        if !self.quiet {
            println!("{}", text.as_ref());
        }
    }
}

/// Runs the demo in `keep`, which must not exist, or in a temporary folder.
///
/// # Errors
/// `AlreadyExists` for `keep`; `Corrupt` when a proof fails; as the jobs.
pub(crate) async fn run(keep: Option<PathBuf>) -> Result<()> {
    let story = Story { quiet: false };
    let Some(folder) = keep else {
        let folder = tempfile::tempdir().map_err(|error| Error::from(error).within("a temporary folder"))?;
        return show(story, folder.path()).await;
    };
    std::fs::create_dir(&folder).map_err(|error| Error::from(error).within(folder.display()))?;
    show(story, &folder).await?;
    story.say(format!("\nAll of it is kept in {}.", folder.display()));
    Ok(())
}

async fn show(story: Story, folder: &Path) -> Result<()> {
    let input = folder.join("input");
    data::unpack(&input)?;
    service::show(story, &input, folder)?;
    story.say("");
    history::show(story, &input, folder).await
}
