//! `what-if`.

use clap::Args;
use strongroom::core::planner::Loss;
use strongroom::{Key, Result, Target};

use crate::choice::{Subject, id};
use crate::context::Context;
use crate::output::DONE;

/// Say what could not be restored any more if something got lost; nothing is changed
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    repository: String,
    #[command(flatten)]
    losses: Losses,
    #[command(flatten)]
    subject: Subject,
}

/// What gets lost.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Losses {
    /// This backup, with all its copies (repeatable)
    #[arg(long = "lose-backup", value_name = "ID")]
    backups: Vec<String>,
    /// This object of a backup, by its name in the repository, in every storage (repeatable)
    #[arg(long = "lose-object", value_name = "KEY")]
    objects: Vec<String>,
    /// This storage with all that it holds; the repository's own is 'home' (repeatable)
    #[arg(long = "lose-storage", value_name = "NAME")]
    storages: Vec<String>,
}

impl Losses {
    fn all(&self) -> Result<Vec<Loss>> {
        let backups = self.backups.iter().map(|backup| id("backup", backup).map(Loss::Backup));
        let objects = self.objects.iter().map(|key| Key::new(key.as_str()).map(Loss::Object));
        let storages = self.storages.iter().map(|name| Ok(Loss::Storage(name.clone())));
        backups.chain(objects).chain(storages).collect()
    }
}

impl Arguments {
    pub(crate) async fn run(self, context: &Context) -> Result<u8> {
        let losses = self.losses.all()?;
        let repository = context.strongroom()?.repository(&self.repository).await?;
        let loaded = repository.load().await?;
        let request = self.subject.request(&repository, loaded.catalogue(), Target::Latest).await?;
        let answer = loaded.catalogue().what_if(&request, &losses)?;
        context.output.result(&answer, || answer.to_string())?;
        Ok(DONE)
    }
}
