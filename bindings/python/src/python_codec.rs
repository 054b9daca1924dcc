//! A codec written in Python. It works on every core, so its methods are plain, and as fast as Python lets them be.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use strongroom::core::codec::{CodecId, FrameCoder, FrameId, PartHeader};
use strongroom::{Codec as CoreCodec, Error, Result};

use crate::errors::{caught, raise};
use crate::runtime::Owned;

/// What stands for no limit: C code beneath Python takes one more than this as well.
const WIDEST: usize = (isize::MAX / 2).cast_unsigned();

/// A codec.
#[pyclass(frozen, module = "strongroom._native")]
pub(crate) struct Codec {
    codec: Owned<Arc<dyn CoreCodec>>,
}

impl Codec {
    pub(crate) fn opened(&self, py: Python<'_>) -> PyResult<Arc<dyn CoreCodec>> {
        self.codec.get(py).cloned()
    }
}

#[pymethods]
impl Codec {
    /// A codec written in Python, with its name.
    #[staticmethod]
    fn of(py: Python<'_>, id: String, codec: Py<PyAny>) -> PyResult<Self> {
        let id = CodecId::new(id).map_err(|error| raise(py, &error))?;
        Ok(Self { codec: Owned::new(Arc::new(PythonCodec { id, codec })) })
    }
}

#[derive(Debug)]
struct PythonCodec {
    id: CodecId,
    codec: Py<PyAny>,
}

fn attached<T>(work: impl for<'py> FnOnce(Python<'py>) -> PyResult<T>) -> Result<T> {
    Python::try_attach(|py| work(py).map_err(|error| caught(py, error)))
        .unwrap_or_else(|| Err(Error::cancelled("the interpreter is ending")))
}

impl CoreCodec for PythonCodec {
    fn id(&self) -> CodecId {
        self.id.clone()
    }

    fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>> {
        let told = (header.repository.to_string(), header.part.as_str(), header.salt.as_slice());
        let coder = attached(|py| self.codec.call_method1(py, "begin", told))?;
        Ok(Box::new(PythonCoder(coder)))
    }
}

struct PythonCoder(Py<PyAny>);

impl FrameCoder for PythonCoder {
    fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        attached(|py| {
            let coded = self.0.call_method1(py, "encode", (frame.index, frame.last, PyBytes::new(py, plain)))?;
            out.extend_from_slice(coded.bind(py).cast::<PyBytes>()?.as_bytes());
            Ok(())
        })
    }

    fn decode(&self, frame: FrameId, coded: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let plain = attached(|py| {
            let told = (frame.index, frame.last, PyBytes::new(py, coded), limit.min(WIDEST));
            let plain = self.0.call_method1(py, "decode", told)?;
            Ok(plain.bind(py).cast::<PyBytes>()?.as_bytes().to_vec())
        });
        // Whatever it stumbles over, the bytes are not what it made.
        let plain =
            plain.map_err(|error| Error::corrupt("a codec written in Python can't decode a frame").because(error))?;
        if plain.len() > limit {
            return Err(Error::corrupt(format!("a frame decodes to more than {limit} bytes")));
        }
        out.extend_from_slice(&plain);
        Ok(())
    }
}
