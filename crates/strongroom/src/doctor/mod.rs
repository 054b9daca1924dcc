//! Looking for what would go wrong: access, clocks, keys, room, catalogue, profiles; each with what to do next.
//!
//! A check never fails as a call: what it could not find out is what it found.

mod cluster;
mod key;
mod repository;

use std::fmt::Write as _;

use serde::Serialize;
use strongroom_core::cluster::ClusterIdentity;

use crate::{Error, OpenRepository, Strongroom};

/// What shall be looked at. Nothing named: everything in the profiles.
#[derive(Debug, Clone, Default)]
pub struct DoctorRequest {
    /// Repositories, by name or URL.
    pub repositories: Vec<String>,
    /// Clusters, by name or URL.
    pub clusters: Vec<String>,
    /// Write no probe object. What only that can tell is told as not looked at.
    pub read_only: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All is well.
    Ok,
    /// It works, and something should be done.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about, such as `repository main`.
    pub subject: String,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// How it ended.
    pub state: State,
    /// What was found, one line.
    pub detail: String,
    /// What to do next, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Every check, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.state != State::Fail)
    }
}

impl Strongroom {
    /// Looks at repositories, clusters and keys. In a repository one object is written, read, written again without
    /// replacing, and deleted below `probe/`, unless only reading is wished for; nothing else is changed anywhere.
    pub async fn diagnose(&self, request: &DoctorRequest) -> Diagnosis {
        let mut checks = Vec::new();
        let everything = request.repositories.is_empty() && request.clusters.is_empty();
        let (mut repositories, mut clusters) = (request.repositories.clone(), request.clusters.clone());
        if everything {
            repositories.extend(self.profiles().repositories.keys().cloned());
            clusters.extend(self.profiles().clusters.keys().cloned());
            for name in self.profiles().keys.keys() {
                key::check(self, name, &mut checks);
            }
            if repositories.is_empty() && clusters.is_empty() {
                let notes = Notes::new("profiles", "");
                checks.push(
                    notes.warn("contents", "no repository and no cluster is named in them").next(
                        "name one: strongroom doctor REPOSITORY, or write strongroom.toml (docs/cli.md shows how)",
                    ),
                );
            }
        }
        let mut opened: Vec<(String, OpenRepository)> = Vec::new();
        for name in repositories {
            if let Some(repository) = repository::check(self, &name, request.read_only, &mut checks).await {
                opened.push((name, repository));
            }
        }
        for name in clusters {
            if let Some(identity) = cluster::check(self, &name, &mut checks).await {
                known(&name, &identity, &opened, &mut checks).await;
            }
        }
        Diagnosis { checks }
    }
}

/// Whether the repositories know the cluster as what it says it is.
async fn known(
    name: &str,
    identity: &ClusterIdentity,
    repositories: &[(String, OpenRepository)],
    checks: &mut Vec<Check>,
) {
    for (repository, opened) in repositories {
        let notes = Notes::new("cluster", name);
        checks.push(match opened.core().check_cluster(identity).await {
            Ok(()) => notes.ok("identity", format!("it is no other cluster than repository {repository} knows")),
            Err(error) => notes.error("identity", &error),
        });
    }
}

/// Makes checks about one subject.
struct Notes {
    subject: String,
}

impl Notes {
    fn new(what: &str, name: &str) -> Self {
        Self { subject: format!("{what} {}", strongroom_storage::redact_url(name)).trim_end().to_owned() }
    }

    fn ok(&self, check: &'static str, detail: impl Into<String>) -> Check {
        self.check(check, State::Ok, detail.into())
    }

    fn warn(&self, check: &'static str, detail: impl Into<String>) -> Check {
        self.check(check, State::Warn, detail.into())
    }

    fn fail(&self, check: &'static str, detail: impl Into<String>) -> Check {
        self.check(check, State::Fail, detail.into())
    }

    fn error(&self, check: &'static str, error: &Error) -> Check {
        let mut detail = error.message().to_owned();
        if let Some(cause) = std::error::Error::source(error) {
            let _ = write!(detail, " (because: {cause})");
        }
        Check { advice: error.advice().map(str::to_owned), ..self.fail(check, detail) }
    }

    fn check(&self, check: &'static str, state: State, detail: String) -> Check {
        Check { subject: self.subject.clone(), check, state, detail, advice: None }
    }
}

impl Check {
    fn next(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}
