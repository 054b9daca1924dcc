//! Storages, opened or by name.

use std::sync::Arc;

use napi::bindgen_prelude::{ClassInstance, Either};
use napi_derive::napi;
use strongroom::Storage as CoreStorage;
use strongroom::calls::Place as There;

use crate::js_storage::JsStorage;
use crate::port::{Port, PortFunction};

/// A storage.
#[napi]
pub struct Storage(pub(crate) Arc<dyn CoreStorage>);

#[napi]
impl Storage {
    /// A storage written in JavaScript: see `lib/port.ts`.
    #[napi(
        ts_args_type = "port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>"
    )]
    pub fn of(port: PortFunction) -> Self {
        Self(Arc::new(JsStorage(Port::new(port))))
    }
}

/// A storage that is opened, or where it is.
pub(crate) type Place<'env> = Either<String, ClassInstance<'env, Storage>>;

/// The same, away from JavaScript.
pub(crate) fn there(place: Place<'_>) -> There {
    match place {
        Either::A(name) => There::Named(name),
        Either::B(storage) => There::Opened(Arc::clone(&storage.0)),
    }
}

/// An address without its secrets, to be shown.
#[napi]
pub(crate) fn redact(place: String) -> String {
    strongroom::storage::redact_url(&place)
}
