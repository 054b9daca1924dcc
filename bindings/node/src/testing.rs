//! The contract of each trait as a test, for adapters written in JavaScript.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi::Env;
use napi::bindgen_prelude::{ClassInstance, PromiseRaw};
use napi_derive::napi;
use strongroom::{Cluster as CoreCluster, Error, Result};
use strongroom_testkit::{
    Binding, ClusterContents, ClusterFixture, cluster_contract, codec_contract, storage_contract,
};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::answer::{Answer, promise};
use crate::js_cluster::JsCluster;
use crate::js_codec::Codec;
use crate::place::Storage;
use crate::port::{Port, PortFunction};

/// The promise that was broken, if one was: its clause is the message of a panic.
fn clause(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| (*text).to_owned()),
    }
}

/// Runs a test in a thread that may wait; ends with the broken promise, or with nothing.
fn judged(
    env: &Env,
    test: impl FnOnce(Handle) + Send + 'static,
) -> napi::Result<PromiseRaw<'_, Answer<Option<String>>>> {
    promise(env, async move {
        let handle = Handle::current();
        match spawn_blocking(move || test(handle)).await {
            Ok(()) => Ok(None),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Ok(Some(clause(panic))),
                Err(error) => Err(Error::cancelled("the test was given up").because(error)),
            },
        }
    })
}

/// The contract of storages.
#[napi(js_name = "storageContract")]
pub(crate) fn test_storage<'env>(
    env: &'env Env,
    storage: ClassInstance<'_, Storage>,
    prefix: String,
) -> napi::Result<PromiseRaw<'env, Answer<Option<String>>>> {
    let storage = Arc::clone(&storage.0);
    judged(env, move |handle| handle.block_on(storage_contract(storage, &prefix)))
}

/// The contract of clusters: `port` is both the cluster and what fills it, looks into it, and makes another one.
#[napi(
    js_name = "clusterContract",
    ts_args_type = "port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>, capabilities: string"
)]
pub(crate) fn test_cluster(
    env: &Env,
    port: PortFunction,
    capabilities: String,
) -> napi::Result<PromiseRaw<'_, Answer<Option<String>>>> {
    let fixture = Fixture { port: Port::new(port), number: 0, capabilities };
    judged(env, move |handle| handle.block_on(cluster_contract(&fixture)))
}

/// The contract of codecs: `binding` is what this one notices, `none`, `bytes` or `place`.
#[napi(js_name = "codecContract")]
pub(crate) fn test_codec<'env>(
    env: &'env Env,
    codec: ClassInstance<'_, Codec>,
    binding: String,
) -> napi::Result<PromiseRaw<'env, Answer<Option<String>>>> {
    let binding = match binding.as_str() {
        "bytes" => Binding::Bytes,
        "place" => Binding::Place,
        _ => Binding::None,
    };
    let codec = Arc::clone(&codec.0);
    judged(env, move |_| codec_contract(&*codec, binding))
}

struct Fixture {
    port: Port,
    /// Which of the fixtures that the other half holds.
    number: u32,
    capabilities: String,
}

/// The answer of a fixture; without it there is no test.
#[expect(clippy::panic, reason = "a test fails by a panic")]
fn granted<T>(what: &str, answer: Result<T>) -> T {
    answer.unwrap_or_else(|error| panic!("the fixture's {what} failed: {error:?}"))
}

#[async_trait]
impl ClusterFixture for Fixture {
    fn cluster(&self) -> Arc<dyn CoreCluster> {
        let capabilities = granted("capabilities", strongroom::options::read(&self.capabilities));
        Arc::new(JsCluster { port: self.port.of(self.number), capabilities })
    }

    async fn change(&self, seed: u64) {
        granted("change", self.port.of(self.number).call("fixture.change", &(seed,)).await);
    }

    async fn contents(&self) -> ClusterContents {
        let told: Result<BTreeMap<String, String>> = self.port.of(self.number).ask("fixture.contents", &()).await;
        let decoded = granted("contents", told).into_iter().map(|(name, bytes)| {
            let bytes = STANDARD.decode(bytes).map_err(|error| Error::internal("contents").because(error));
            (name, granted("contents", bytes).into())
        });
        decoded.collect()
    }

    async fn fresh_target(&self) -> Box<dyn ClusterFixture> {
        let number = granted("freshTarget", self.port.of(self.number).ask("fixture.freshTarget", &()).await);
        Box::new(Self { port: self.port.clone(), number, capabilities: self.capabilities.clone() })
    }
}
