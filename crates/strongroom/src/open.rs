//! Opening things by name or URL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use strongroom_aerospike::{AerospikeCluster, AerospikeConfig};
use strongroom_cassandra::{CassandraAgents, CassandraCluster, CassandraConfig};
use strongroom_codec::{KeyRing, PlainRegistry, ReaderKey};
use strongroom_core::engine::{PruneRequest, Removal};
use strongroom_core::environment::Environment;
use strongroom_core::planner::Plan;
use strongroom_core::repository::{InitOptions, Repository};
use strongroom_core::{Cluster, Codec, Error, ErrorKind, Result, Storage};
use strongroom_embedded::EmbeddedCluster;
use strongroom_storage::{Options, StorageConfig, path_of_url};

use crate::keys::{Codecs, reader, readers, seals};
use crate::profile::Profiles;
use crate::{OpenRepository, system_environment};

/// The scheme of embedded clusters.
const EMBEDDED: &str = "embedded:";

/// Where everything begins: the profiles, and the clock and chance that all it opens work with.
#[derive(Debug, Clone)]
pub struct Strongroom {
    profiles: Profiles,
    environment: Environment,
    /// The codecs that need no key.
    plain: PlainRegistry,
}

/// What becomes of an embedded cluster's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It must be there, and is not changed.
    Read,
    /// It must be there.
    Write,
    /// It is made if it is not there.
    Create,
}

impl Default for Strongroom {
    fn default() -> Self {
        Self::new()
    }
}

impl Strongroom {
    /// Without profiles, with the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self { profiles: Profiles::default(), environment: system_environment(), plain: PlainRegistry::new() }
    }

    /// With these profiles.
    #[must_use]
    pub fn with_profiles(self, profiles: Profiles) -> Self {
        Self { profiles, ..self }
    }

    /// With this clock and source of chance.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// With one more codec, written by the caller: what is opened or made from here on can be written and read with it,
    /// by its name among the codecs, as in `zstd,mine,seal`.
    ///
    /// # Errors
    /// As [`PlainRegistry::with_codec`].
    pub fn with_codec(mut self, codec: Arc<dyn Codec>) -> Result<Self> {
        self.plain = self.plain.with_codec(codec)?;
        Ok(self)
    }

    /// The profiles.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The clock and the source of chance.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The cluster of that name in the profiles or at that URL: `embedded:FILE`, `aerospike://host:3000`,
    /// `cassandra://127.0.0.1:9042`. An embedded one must be there: a mistyped source of a backup is no empty cluster. A live
    /// one is asked when it is first used.
    ///
    /// # Errors
    /// `Invalid` for anything else; as [`Strongroom::embedded`], [`AerospikeConfig::from_url`] and [`CassandraConfig::from_url`].
    pub fn cluster(&self, name_or_url: &str) -> Result<Arc<dyn Cluster>> {
        self.opened(name_or_url, Access::Write)
    }

    fn opened(&self, name_or_url: &str, access: Access) -> Result<Arc<dyn Cluster>> {
        if let Some(live) = self.aerospike(name_or_url)? {
            return Ok(Arc::new(live));
        }
        if let Some(config) = self.cassandra_config(name_or_url)? {
            if !config.agents.is_empty() {
                return Ok(Arc::new(CassandraAgents::open(config)?));
            }
            return Ok(Arc::new(CassandraCluster::open(config, &self.environment)?));
        }
        Ok(Arc::new(self.embedded(name_or_url, access)?))
    }

    /// The live Aerospike cluster of that name in the profiles or at `aerospike://host:3000`; `None` for any other one.
    /// Nothing is asked of the network yet.
    ///
    /// # Errors
    /// As [`AerospikeConfig::from_url`].
    pub fn aerospike(&self, name_or_url: &str) -> Result<Option<AerospikeCluster>> {
        let profile = self.profiles.clusters.get(name_or_url);
        let config = if let Some(config) = profile.and_then(|profile| profile.aerospike.clone()) {
            config
        } else {
            let url = profile.map_or(name_or_url, |profile| profile.url.as_str());
            if !url.starts_with(strongroom_aerospike::SCHEME) {
                return Ok(None);
            }
            AerospikeConfig::from_url(url)?
        };
        AerospikeCluster::open(config, &self.environment).map(Some)
    }

    /// The Cassandra node of that name in the profiles or at `cassandra://127.0.0.1:9042`; `None` for any other cluster.
    /// Nothing is asked of it yet.
    ///
    /// # Errors
    /// As [`CassandraConfig::from_url`]; `Invalid` for several nodes by their agents.
    pub fn cassandra(&self, name_or_url: &str) -> Result<Option<CassandraCluster>> {
        let config = self.cassandra_config(name_or_url)?;
        config.map(|config| CassandraCluster::open(config, &self.environment)).transpose()
    }

    fn cassandra_config(&self, name_or_url: &str) -> Result<Option<CassandraConfig>> {
        let profile = self.profiles.clusters.get(name_or_url);
        let config = if let Some(config) = profile.and_then(|profile| profile.cassandra.clone()) {
            config
        } else {
            let url = profile.map_or(name_or_url, |profile| profile.url.as_str());
            if !url.starts_with(strongroom_cassandra::SCHEME) {
                return Ok(None);
            }
            CassandraConfig::from_url(url)?
        };
        Ok(Some(config))
    }

    /// The same, only to be looked at: an embedded cluster's file is not changed.
    ///
    /// # Errors
    /// As [`Strongroom::cluster`].
    pub fn look_at(&self, name_or_url: &str) -> Result<Arc<dyn Cluster>> {
        if self.embedded_path(name_or_url)?.is_none() {
            return self.cluster(name_or_url);
        }
        Ok(Arc::new(self.embedded(name_or_url, Access::Read)?))
    }

    /// The file of an embedded cluster; `None` for any other one. In the URL `%XX` stands for a byte that is no text.
    ///
    /// # Errors
    /// `Invalid` for a URL without a path, or with another machine's.
    pub fn embedded_path(&self, name_or_url: &str) -> Result<Option<PathBuf>> {
        let url = self.profiles.clusters.get(name_or_url).map_or(name_or_url, |profile| profile.url.as_str());
        let path = url.strip_prefix(EMBEDDED).map(path_of_url).transpose();
        path.map_err(|error| error.within(format_args!("cluster '{name_or_url}'")))
    }

    /// The same as the target of a restore: an embedded one is made if it is not there.
    ///
    /// # Errors
    /// As [`Strongroom::cluster`].
    pub fn target(&self, name_or_url: &str) -> Result<Arc<dyn Cluster>> {
        self.opened(name_or_url, Access::Create)
    }

    /// The embedded cluster of that name in the profiles or at `embedded:FILE`.
    ///
    /// # Errors
    /// `Invalid` when it is no embedded cluster; as [`EmbeddedCluster::open`] otherwise.
    pub fn embedded(&self, name_or_url: &str, access: Access) -> Result<EmbeddedCluster> {
        let Some(path) = self.embedded_path(name_or_url)? else {
            return Err(Error::invalid(format!(
                "'{name_or_url}' is neither a cluster of the profiles nor embedded:FILE, aerospike://HOST or cassandra://HOST"
            ))
            .hint("write embedded:FILE, aerospike://HOST:3000 or cassandra://HOST:9042, or add it to strongroom.toml"));
        };
        let environment = self.environment.clone();
        match access {
            Access::Read => EmbeddedCluster::open_read_only(path, environment),
            Access::Write => EmbeddedCluster::open(path, environment),
            Access::Create => match EmbeddedCluster::open(&path, environment.clone()) {
                Err(error) if error.kind() == ErrorKind::NotFound => EmbeddedCluster::create(path, environment),
                other => other,
            },
        }
    }

    /// The storage of that repository in the profiles or at that URL. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// As [`Strongroom::storage_config`]; `Denied` when a secret that it refers to isn't there.
    pub fn storage(&self, name_or_url: &str) -> Result<Arc<dyn Storage>> {
        self.storage_config(name_or_url)?.open()
    }

    /// Where that repository of the profiles rests, or what is at that URL.
    ///
    /// # Errors
    /// `Invalid` for a profile that does not name exactly one place; as [`StorageConfig::from_url`].
    pub fn storage_config(&self, name_or_url: &str) -> Result<StorageConfig> {
        let Some(profile) = self.profiles.repositories.get(name_or_url) else {
            return StorageConfig::from_url(name_or_url, &Options::default());
        };
        match (&profile.url, &profile.storage) {
            (Some(url), None) => StorageConfig::from_url(url, &Options::default()),
            (None, Some(config)) => Ok(config.clone()),
            _ => Err(Error::invalid(format!("repository '{name_or_url}' must have either url or storage"))),
        }
    }

    /// The storages of the profiles that `plan` names: where it may read copies. One that can't be opened is left out;
    /// the plan says whether another copy does.
    #[must_use]
    pub fn copies(&self, plan: &Plan) -> BTreeMap<String, Arc<dyn Storage>> {
        let copies = plan.steps().flat_map(|(_, step)| std::iter::once(&step.copy).chain(&step.alternates));
        let names: BTreeSet<&str> = copies.map(|copy| copy.storage.as_str()).collect();
        let known = names.into_iter().filter(|name| self.profiles.repositories.contains_key(*name));
        known.filter_map(|name| Some((name.to_owned(), self.storage(name).ok()?))).collect()
    }

    /// What a prune of that repository does by its profile: its policies, grace time and object lock. Without a profile
    /// every point stays.
    #[must_use]
    pub fn prune_request(&self, name: &str) -> PruneRequest {
        let mut request = PruneRequest::default();
        if let Some(profile) = self.profiles.repositories.get(name) {
            let policy = profile.retention.clone().unwrap_or_default();
            request.what = Removal::Policy { policy, parts: profile.part_retention.clone(), cluster: None };
            request.grace = profile.grace.map_or(request.grace, |span| span.0);
            request.object_lock = profile.object_lock.map_or(request.object_lock, |span| span.0);
        }
        request
    }

    /// The reader key of that name in the profiles.
    ///
    /// # Errors
    /// `NotFound` for a name that is not there or a source that is missing; `Invalid` for a source that holds no key.
    pub fn reader_key(&self, name: &str) -> Result<ReaderKey> {
        reader(&self.profiles, name)
    }

    /// Makes a repository. Its codecs are `codecs`, else those of its profile, else the default; with `keys`, named in
    /// the profiles, or those of its profile, it can be sealed.
    ///
    /// # Errors
    /// `AlreadyExists` when one is there; `Invalid`, `Unsupported` or `Denied` for codecs or keys that do not fit. What
    /// can be checked is checked before anything is written.
    pub async fn init(&self, name_or_url: &str, codecs: Option<&str>, keys: &[String]) -> Result<OpenRepository> {
        let profile = self.profiles.repositories.get(name_or_url);
        let codecs = codecs.or(profile.and_then(|profile| profile.codecs.as_deref())).unwrap_or_default();
        let names = if keys.is_empty() { profile.map_or(&[][..], |profile| &profile.keys) } else { keys };
        let keys = readers(&self.profiles, names)?;
        let storage = self.storage(name_or_url)?;
        self.init_in(storage, codecs, &keys).await
    }

    /// Makes a repository in a storage that the caller has opened, or written.
    ///
    /// # Errors
    /// As [`Strongroom::init`].
    pub async fn init_in(&self, storage: Arc<dyn Storage>, codecs: &str, keys: &[ReaderKey]) -> Result<OpenRepository> {
        if seals(codecs, &self.plain)? && keys.is_empty() {
            return Err(Error::denied("cannot seal: no key was given")
                .hint("make one with 'key new', add it to strongroom.toml, and name it"));
        }
        let options = InitOptions { codecs: codecs.to_owned(), id: None };
        let repository = Repository::init(storage, self.environment.clone(), options).await?;
        let mut opened = Codecs::Plain(self.plain.clone());
        if let Some((first, others)) = keys.split_first() {
            let entropy = &*self.environment.entropy;
            let ring = KeyRing::init(Arc::clone(repository.storage()), repository.id(), first, entropy).await?;
            for other in others {
                ring.add_reader(other, entropy).await?;
            }
            opened = Codecs::Keyed(Arc::new(ring.with_plain(self.plain.clone())));
        }
        OpenRepository::new(repository, opened, codecs)
    }

    /// Opens the repository of that name in the profiles or at that URL, with the keys of its profile.
    ///
    /// # Errors
    /// `NotFound` when none is there; `Denied` when a key is missing or wrong; as the storage otherwise.
    pub async fn repository(&self, name_or_url: &str) -> Result<OpenRepository> {
        let profile = self.profiles.repositories.get(name_or_url);
        let names = profile.map_or(&[][..], |profile| &profile.keys);
        let keys = readers(&self.profiles, names)?;
        let codecs = profile.and_then(|profile| profile.codecs.as_deref());
        self.repository_in(self.storage(name_or_url)?, codecs, &keys).await
    }

    /// Opens the repository in a storage that the caller has opened, or written. New backups have `codecs`, else the
    /// repository's own.
    ///
    /// # Errors
    /// As [`Strongroom::repository`].
    pub async fn repository_in(
        &self,
        storage: Arc<dyn Storage>,
        codecs: Option<&str>,
        keys: &[ReaderKey],
    ) -> Result<OpenRepository> {
        let repository = Repository::open(storage, self.environment.clone()).await?;
        let opened = Codecs::open(&repository, keys, &self.plain).await?;
        let codecs = codecs.map_or_else(|| repository.info().codecs.clone(), str::to_owned);
        OpenRepository::new(repository, opened, &codecs)
    }
}
