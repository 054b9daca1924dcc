//! `key`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use strongroom::codec::keys::new_key_text;
use strongroom::{Error, Result, Strongroom};

use crate::output::Output;

pub(super) fn new(strongroom: &Strongroom, output: Output, file: &Path) -> Result<()> {
    let text = new_key_text(&*strongroom.environment().entropy)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Error::from(error).within(file.display()))?;
    output.result(&json!({ "file": file }), || {
        format!(
            "key written to {}\nkeep a copy of it elsewhere: what it seals cannot be read without it",
            file.display()
        )
    })
}
