//! Clusters, opened or by name.

use std::sync::{Arc, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::{ClassInstance, Either, PromiseRaw};
use napi_derive::napi;
use strongroom::calls::{Party as Found, json};
use strongroom::embedded::EmbeddedCluster;
use strongroom::inspect::Inspection;
use strongroom::options::read;
use strongroom::{Cluster as CoreCluster, Error, Result};

use crate::answer::{Answer, answer, promise};
use crate::embedded::Records;
use crate::js_cluster::JsCluster;
use crate::port::{Port, PortFunction};

/// A cluster, until it is closed.
#[napi]
pub struct Cluster {
    opened: Slot<Arc<dyn CoreCluster>>,
    /// The embedded one that it is.
    embedded: Option<Slot<EmbeddedCluster>>,
    /// Holds the file of a state that is looked into.
    inspection: Slot<Inspection>,
}

/// Something that is given up when it is closed: JavaScript's own end of things comes at any time.
#[derive(Debug)]
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    fn new(value: Option<T>) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<T: Clone> Slot<T> {
    /// What is in it.
    ///
    /// # Errors
    /// `Invalid` once it is closed.
    pub(crate) fn get(&self) -> Result<T> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        value.ok_or_else(|| Error::invalid("the cluster is closed").hint("open it again"))
    }
}

impl Cluster {
    pub(crate) fn new(opened: Arc<dyn CoreCluster>) -> Self {
        Self { opened: Slot::new(Some(opened)), embedded: None, inspection: Slot::new(None) }
    }

    pub(crate) fn embedded(cluster: EmbeddedCluster) -> Self {
        Self { embedded: Some(Slot::new(Some(cluster.clone()))), ..Self::new(Arc::new(cluster)) }
    }

    /// The state of a repository; its file goes when this is closed, or nothing holds it any more.
    pub(crate) fn inspected(inspection: Inspection) -> Self {
        let cluster = inspection.cluster().clone();
        Self { inspection: Slot::new(Some(inspection)), ..Self::embedded(cluster) }
    }
}

#[napi]
impl Cluster {
    /// A cluster written in JavaScript, with what it can do as JSON: see `lib/port.ts`.
    #[napi(
        ts_args_type = "port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>, capabilities: string"
    )]
    pub fn of(port: PortFunction, capabilities: String) -> Answer<Cluster> {
        let opened = read(&capabilities).map(|capabilities| JsCluster { port: Port::new(port), capabilities });
        answer(opened.map(|cluster| Self::new(Arc::new(cluster))))
    }

    /// Who it is and what it holds, as JSON.
    #[napi]
    pub fn describe<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Answer<String>>> {
        let cluster = self.opened.get();
        promise(env, async move { json(&cluster?.describe().await?) })
    }

    /// What it can do, as JSON.
    #[napi]
    pub fn capabilities(&self) -> Answer<String> {
        answer(self.opened.get().and_then(|cluster| json(&cluster.capabilities())))
    }

    /// Lets go of it, and of the file of a state that is looked into. What works with it goes on to its end.
    #[napi]
    pub fn close(&self) {
        self.opened.close();
        self.embedded.iter().for_each(Slot::close);
        self.inspection.close();
    }

    /// Its records, which only an embedded one gives.
    #[napi]
    pub fn records(&self) -> Answer<Records> {
        answer(self.embedded.clone().map(Records::new).ok_or_else(|| {
            Error::unsupported("only an embedded cluster is written and read record by record")
                .hint("use the database's own client")
        }))
    }
}

/// A cluster that is opened, or where it is.
pub(crate) type Party<'env> = Either<String, ClassInstance<'env, Cluster>>;

/// The same, away from JavaScript.
pub(crate) fn found(party: Party<'_>) -> Result<Found> {
    match party {
        Either::A(name) => Ok(Found::Named(name)),
        Either::B(cluster) => cluster.opened.get().map(Found::Opened),
    }
}
