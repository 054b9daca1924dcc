//! Where everything begins: the profiles, and opening things by name or URL.

use std::path::PathBuf;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{ClassInstance, PromiseRaw};
use napi_derive::napi;
use strongroom::calls::Calls;
use strongroom::codec::keys::new_key_text;
use strongroom::profile::Profiles;
use strongroom::{Access, Error, Result, Strongroom};
use tokio::task::spawn_blocking;

use crate::answer::{Answer, answer, promise};
use crate::cluster::Cluster;
use crate::js_codec::Codec;
use crate::place::{Place, Storage, there};
use crate::repository::Repository;

/// Profiles, and what is opened with them.
#[napi]
pub struct Session(Strongroom);

#[napi]
impl Session {
    /// With the profiles of a file, or without any, and with codecs written in JavaScript.
    #[napi]
    pub fn open(profiles: Option<String>, codecs: Vec<ClassInstance<'_, Codec>>) -> Answer<Session> {
        let begun = match profiles.map(|path| Profiles::read(&PathBuf::from(path))) {
            None => Ok(Strongroom::new()),
            Some(profiles) => profiles.map(|profiles| Strongroom::new().with_profiles(profiles)),
        };
        let with = |begun: Strongroom, codec: &ClassInstance<'_, Codec>| begun.with_codec(Arc::clone(&codec.0));
        answer(begun.and_then(|begun| codecs.iter().try_fold(begun, with)).map(Self))
    }

    /// Makes a repository, with reader keys by name.
    #[napi]
    pub fn init<'env>(
        &self,
        env: &'env Env,
        place: Place<'_>,
        codecs: Option<String>,
        keys: Vec<String>,
    ) -> napi::Result<PromiseRaw<'env, Answer<Repository>>> {
        let made = Calls::init(self.0.clone(), there(place), codecs, keys);
        promise(env, async move { made.await.map(Repository) })
    }

    /// Opens a repository; `keys` are those of its profile where none is named.
    #[napi]
    pub fn repository<'env>(
        &self,
        env: &'env Env,
        place: Place<'_>,
        codecs: Option<String>,
        keys: Vec<String>,
    ) -> napi::Result<PromiseRaw<'env, Answer<Repository>>> {
        let opened = Calls::open(self.0.clone(), there(place), codecs, keys);
        promise(env, async move { opened.await.map(Repository) })
    }

    /// Opens a cluster: `access` is `read`, `write` or `create`, which concerns embedded ones.
    #[napi]
    pub fn cluster<'env>(
        &self,
        env: &'env Env,
        name: String,
        access: String,
    ) -> napi::Result<PromiseRaw<'env, Answer<Cluster>>> {
        let strongroom = self.0.clone();
        promise(env, async move {
            let access = match access.as_str() {
                "read" => Access::Read,
                "write" => Access::Write,
                "create" => Access::Create,
                other => return Err(Error::invalid(format!("access '{other}'"))),
            };
            blocking(move || {
                Ok(if strongroom.embedded_path(&name)?.is_some() {
                    Cluster::embedded(strongroom.embedded(&name, access)?)
                } else {
                    Cluster::new(strongroom.cluster(&name)?)
                })
            })
            .await
        })
    }

    /// Opens a storage.
    #[napi]
    pub fn storage(&self, name: String) -> Answer<Storage> {
        answer(self.0.storage(&name).map(Storage))
    }

    /// The text of a new key.
    #[napi]
    pub fn new_key(&self) -> Answer<String> {
        answer(new_key_text(&*self.0.environment().entropy).map(|text| text.to_string()))
    }
}

/// Work that waits for files: opening an embedded cluster reads all of it.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| Error::internal("a call panicked").because(error))?
}
