//! A cluster of records to be looked into: an embedded one as it stands, or a state of a repository.

use clap::Args;
use strongroom::core::model::Filter;
use strongroom::embedded::EmbeddedCluster;
use strongroom::inspect::Inspection;
use strongroom::{Access, Error, RestoreRequest, Result};

use crate::choice::Choice;
use crate::context::Context;
use crate::text;

/// What is looked into.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// An embedded cluster (embedded:FILE, or by name), or a repository
    #[arg(value_name = "SOURCE")]
    source: String,
    #[command(flatten)]
    choice: Choice,
}

/// What was opened to be looked into.
pub(crate) enum Opened {
    Cluster(EmbeddedCluster),
    State(Inspection),
}

impl Opened {
    pub(crate) fn cluster(&self) -> &EmbeddedCluster {
        match self {
            Self::Cluster(cluster) => cluster,
            Self::State(state) => state.cluster(),
        }
    }
}

impl Source {
    /// Opens an embedded cluster, or restores the chosen state of a repository into a temporary file.
    ///
    /// # Errors
    /// `Invalid` for a moment of a cluster, which has only now; otherwise as the opening or the restore.
    pub(crate) async fn open(&self, context: &Context) -> Result<Opened> {
        let strongroom = context.strongroom()?;
        if strongroom.embedded_path(&self.source)?.is_some() {
            if self.choice.is_of_a_repository() {
                return Err(Error::invalid("a cluster has only the state of now")
                    .hint("leave the moment out, or name the repository that holds its backups"));
            }
            return Ok(Opened::Cluster(strongroom.embedded(&self.source, Access::Read)?));
        }
        let repository = strongroom.repository(&self.source).await?;
        let plan = self.choice.plan(&repository).await?;
        context.output.note(text::plan(&plan, ""));
        let request = RestoreRequest { storages: strongroom.copies(&plan), ..RestoreRequest::default() };
        let (state, job) = repository.inspect(plan, request)?;
        context.wait(job).await?;
        Ok(Opened::State(state))
    }

    /// The parts that are meant, by name; empty: all.
    pub(crate) fn parts(&self) -> &[String] {
        self.choice.parts().names()
    }

    /// The one part that is meant.
    ///
    /// # Errors
    /// `Invalid` when it is not clear which.
    pub(crate) fn part(&self, cluster: &EmbeddedCluster) -> Result<String> {
        let there: Vec<String> = cluster.namespaces()?.into_keys().collect();
        match (self.parts(), &there[..]) {
            ([one], _) => Ok(one.clone()),
            ([], [only]) => Ok(only.clone()),
            _ => Err(Error::invalid("one namespace at a time").hint(format!(
                "name it with --part: there are {}",
                if there.is_empty() { "none".to_owned() } else { there.join(", ") }
            ))),
        }
    }

    /// What of a part is meant.
    pub(crate) fn filter(&self) -> Filter {
        self.choice.parts().filter()
    }
}
