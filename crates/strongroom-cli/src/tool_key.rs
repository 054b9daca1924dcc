//! The key that the reference tools encrypt their files with.

use std::path::PathBuf;

use clap::Args;
use strongroom::record::wrap::FileKey;
use strongroom::{Error, Result};

/// Where the key of encrypted files comes from.
#[derive(Debug, Args)]
pub(crate) struct ToolKey {
    /// The key of encrypted files: a PEM file with an RSA private key, as the reference tools take it
    #[arg(long, value_name = "FILE", conflicts_with = "key_env")]
    key_file: Option<PathBuf>,
    /// The variable that holds the key of encrypted files: the base64 of such a PEM file or of its DER
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,
}

impl ToolKey {
    /// The key, if one was named.
    ///
    /// # Errors
    /// `NotFound` for a file or a variable that is not there; `Invalid` for what is no such key.
    pub(crate) fn read(&self) -> Result<Option<FileKey>> {
        if let Some(file) = &self.key_file {
            let pem = std::fs::read(file).map_err(|error| Error::from(error).within(file.display()))?;
            return FileKey::from_pem(&pem).map_err(|error| error.within(file.display())).map(Some);
        }
        let Some(name) = &self.key_env else { return Ok(None) };
        let value = std::env::var(name).map_err(|_| Error::not_found(format!("the variable {name} is not set")))?;
        FileKey::from_base64(&value).map_err(|error| error.within(format!("variable {name}"))).map(Some)
    }
}
