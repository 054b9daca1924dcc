//! A codec written in JavaScript. Its methods are plain functions, and run on JavaScript's one thread: the cores wait for it.

use std::sync::{Arc, mpsc};

use napi::Status;
use napi::bindgen_prelude::{Buffer, FnArgs};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use strongroom::calls::json;
use strongroom::core::codec::{CodecId, FrameCoder, FrameId, PartHeader};
use strongroom::{Codec as CoreCodec, Error, Result};

use crate::answer::{Answer, answer};
use crate::port::{Told, lost};

/// What stands for no limit: no `Buffer` is longer, and C code beneath JavaScript takes it.
const WIDEST: usize = i32::MAX as usize;

type Arguments = FnArgs<(String, String, Option<Buffer>)>;
type CodecFunction = ThreadsafeFunction<Arguments, Told, Arguments, Status, false, true>;

/// A codec.
#[napi]
pub struct Codec(pub(crate) Arc<dyn CoreCodec>);

#[napi]
impl Codec {
    /// A codec written in JavaScript, with its name.
    #[napi(ts_args_type = "id: string, port: (method: string, argument: string, bytes?: Buffer | null) => Told")]
    pub fn of(id: String, port: CodecFunction) -> Answer<Codec> {
        answer(CodecId::new(id).map(|id| Self(Arc::new(JsCodec { id, port: Arc::new(port) }))))
    }
}

struct JsCodec {
    id: CodecId,
    port: Arc<CodecFunction>,
}

impl std::fmt::Debug for JsCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsCodec({})", self.id)
    }
}

/// Calls a function on JavaScript's thread, and waits for it.
fn call(port: &CodecFunction, method: &str, argument: String, bytes: Option<&[u8]>) -> Result<Told> {
    let (tell, told) = mpsc::sync_channel(1);
    let arguments = FnArgs::from((method.to_owned(), argument, bytes.map(|bytes| Buffer::from(bytes.to_vec()))));
    let status = port.call_with_return_value(
        arguments,
        ThreadsafeFunctionCallMode::Blocking,
        move |told: napi::Result<Told>, _| {
            // Nobody waits any more where the work was given up.
            let _ = tell.send(told);
            Ok(())
        },
    );
    let given_up = || Error::cancelled("a call of a codec written in JavaScript was given up");
    if status != Status::Ok {
        return Err(given_up());
    }
    told.recv().map_err(|_| given_up())?.map_err(lost)?.taken()
}

impl CoreCodec for JsCodec {
    fn id(&self) -> CodecId {
        self.id.clone()
    }

    fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        let about = json(&(header.repository, &header.part))?;
        let name = call(&self.port, "begin", about, Some(&header.salt))?.text.unwrap_or_default();
        Ok(Box::new(JsCoder { port: Arc::clone(&self.port), name }))
    }
}

struct JsCoder {
    port: Arc<CodecFunction>,
    name: String,
}

impl JsCoder {
    fn bytes(&self, method: &str, frame: FrameId, bytes: &[u8], limit: Option<usize>) -> Result<Buffer> {
        let argument = json(&(&self.name, frame.index, frame.last, limit))?;
        call(&self.port, method, argument, Some(bytes))?
            .bytes
            .ok_or_else(|| Error::invalid(format!("a codec's {method} gave something else than bytes")))
    }
}

impl FrameCoder for JsCoder {
    fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(&self.bytes("encode", frame, plain, None)?);
        Ok(())
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        // Whatever it stumbles over, the bytes are not what it made.
        let plain = self
            .bytes("decode", frame, coded, Some(limit.min(WIDEST)))
            .map_err(|error| Error::corrupt("a codec written in JavaScript can't decode a frame").because(error))?;
        if plain.len() > limit {
            return Err(Error::corrupt(format!("a frame decodes to more than {limit} bytes")));
        }
        out.extend_from_slice(&plain);
        Ok(())
    }
}

impl Drop for JsCoder {
    fn drop(&mut self) {
        let arguments = FnArgs::from(("end".to_owned(), self.name.clone(), None));
        self.port.call(arguments, ThreadsafeFunctionCallMode::NonBlocking);
    }
}
