//! `key new`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use strongroom::codec::keys::new_key_text;
use strongroom::{Error, Result};

use crate::context::Context;
use crate::output::DONE;

/// Make a new key file, readable by its owner only
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file, which must not exist
    file: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self, context: &Context) -> Result<u8> {
        let text = new_key_text(&*context.strongroom()?.environment().entropy)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = || {
            let mut file = options.open(&self.file)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| Error::from(error).within(self.file.display()))?;
        context.output.result(&json!({ "file": self.file }), || {
            format!(
                "key written to {}\nkeep a copy of it elsewhere: what it seals cannot be read without it",
                self.file.display()
            )
        })?;
        Ok(DONE)
    }
}
