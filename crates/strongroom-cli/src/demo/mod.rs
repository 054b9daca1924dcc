//! `strongroom demo`: a chain of backups restored to a moment in between, on real data, and proven.
//!
//! Every number that it prints is computed in that run; a proof that fails is an error.

mod clock;
mod data;
mod history;
mod proof;
mod service;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::json;
use strongroom::{Error, Result};

use crate::output::Output;

/// Where the demo tells what it does, and keeps what it has proven.
#[derive(Debug, Default)]
struct Story {
    quiet: bool,
    proofs: Mutex<Vec<Proof>>,
}

/// Two states that were found equal, record by record.
#[derive(Debug, Serialize)]
struct Proof {
    equal: [String; 2],
    records: u64,
    blake3: String,
}

impl Story {
    fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            println!("{}", text.as_ref());
        }
    }

    fn proven(&self, proof: Proof) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).push(proof);
        self.say("    PROVEN: equal, record by record");
    }
}

/// Runs the demo in `keep`, which must not exist, or in a temporary folder. As JSON it tells what was proven.
///
/// # Errors
/// `AlreadyExists` for `keep`; `Corrupt` when a proof fails; as the jobs.
pub(crate) async fn run(keep: Option<PathBuf>, output: Output) -> Result<()> {
    let story = Story { quiet: output.is_json(), ..Story::default() };
    if let Some(folder) = &keep {
        std::fs::create_dir(folder).map_err(|error| Error::from(error).within(folder.display()))?;
        show(&story, folder).await?;
        story.say(format!("\nAll of it is kept in {}.", folder.display()));
    } else {
        let folder = tempfile::tempdir().map_err(|error| Error::from(error).within("a temporary folder"))?;
        show(&story, folder.path()).await?;
    }
    if output.is_json() {
        let proofs = story.proofs.into_inner().unwrap_or_else(PoisonError::into_inner);
        output.result(&json!({ "proofs": proofs, "kept": keep }), String::new)?;
    }
    Ok(())
}

async fn show(story: &Story, folder: &Path) -> Result<()> {
    let input = folder.join("input");
    data::unpack(&input)?;
    service::show(story, &input, folder)?;
    story.say("");
    history::show(story, &input, folder).await?;
    story.say(YOUR_OWN);
    Ok(())
}

/// Part 3.
const YOUR_OWN: &str = "
3. With your own data
  strongroom import FOLDER --into embedded:app.redb      # .asb files, or a backup service's storage
  strongroom init file:backups --codecs zstd:1
  strongroom backup embedded:app.redb file:backups       # again after changes: an incremental
  strongroom list file:backups
  strongroom plan file:backups --at TIME
  strongroom restore file:backups --at TIME --into embedded:drill.redb
  strongroom verify file:backups --depth decode";
