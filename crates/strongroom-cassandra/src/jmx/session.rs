//! A management session: logged in, calls one after the other. It blocks, and lives on a thread of its own for the time of
//! one errand: a node closes a session that is silent for two minutes.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use strongroom_core::{Error, Result};

use super::connection::{Call, Connection, JmxAddress};
use super::reference::{REGISTRY, Reference};
use crate::java::{Answer, Argument, Credentials};

/// `java.rmi.registry.Registry.lookup`: the one interface whose methods have numbers.
const LOOKUP: (i32, i64) = (2, 4_905_912_898_345_647_071);

const NEW_CLIENT: &str = "newClient(Ljava/lang/Object;)Ljavax/management/remote/rmi/RMIConnection;";
const GET: &str =
    "getAttribute(Ljavax/management/ObjectName;Ljava/lang/String;Ljavax/security/auth/Subject;)Ljava/lang/Object;";
const SET: &str =
    "setAttribute(Ljavax/management/ObjectName;Ljava/rmi/MarshalledObject;Ljavax/security/auth/Subject;)V";
const INVOKE: &str = "invoke(Ljavax/management/ObjectName;Ljava/lang/String;Ljava/rmi/MarshalledObject;\
                      [Ljava/lang/String;Ljavax/security/auth/Subject;)Ljava/lang/Object;";
const CLOSE: &str = "close()V";

/// A session with one node.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    object: Reference,
}

impl Session {
    /// Connects and logs in.
    pub(crate) fn open(address: &JmxAddress, credentials: Option<Credentials>) -> Result<Self> {
        let mut registry = Connection::open(address, address.port)?;
        let server = registry.call(&Call {
            object: &REGISTRY,
            operation: LOOKUP.0,
            hash: LOOKUP.1,
            arguments: &[Argument::Text("jmxrmi".to_owned())],
            returns: true,
        })?;
        let server = Reference::of(&some(server)?)?;
        let mut connection = Connection::open(address, server.port)?;
        let login = credentials.map_or(Argument::Null, Argument::Credentials);
        let object = connection.call(&by_hash(&server, NEW_CLIENT, &[login], true))?;
        let object = Reference::of(&some(object)?)?;
        if object.port != server.port {
            connection = Connection::open(address, object.port)?;
        }
        Ok(Self { connection, object })
    }

    /// The value of an attribute.
    pub(crate) fn get(&mut self, bean: &str, attribute: &str) -> Result<Answer> {
        let arguments = [Argument::ObjectName(bean.to_owned()), Argument::Text(attribute.to_owned()), Argument::Null];
        some(self.connection.call(&by_hash(&self.object, GET, &arguments, true))?)
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, bean: &str, attribute: &str, value: Argument) -> Result<()> {
        let value = Argument::Attribute(attribute.to_owned(), Box::new(value));
        let arguments = [Argument::ObjectName(bean.to_owned()), Argument::Marshalled(Box::new(value)), Argument::Null];
        self.connection.call(&by_hash(&self.object, SET, &arguments, false)).map(drop)
    }

    /// Calls an operation. `types` are the names of its parameters' classes, which choose among operations of one name.
    pub(crate) fn invoke(
        &mut self,
        bean: &str,
        operation: &str,
        arguments: Vec<Argument>,
        types: &[&str],
    ) -> Result<Answer> {
        let arguments = [
            Argument::ObjectName(bean.to_owned()),
            Argument::Text(operation.to_owned()),
            Argument::Marshalled(Box::new(Argument::List(arguments))),
            Argument::Texts(types.iter().map(|name| (*name).to_owned()).collect()),
            Argument::Null,
        ];
        some(self.connection.call(&by_hash(&self.object, INVOKE, &arguments, true))?)
    }

    /// Ends the session. One that is only dropped is ended by the node after two minutes.
    pub(crate) fn close(mut self) {
        let _ = self.connection.call(&by_hash(&self.object, CLOSE, &[], false));
    }
}

fn by_hash<'a>(object: &'a Reference, method: &str, arguments: &'a [Argument], returns: bool) -> Call<'a> {
    Call { object: &object.id, operation: -1, hash: method_hash(method), arguments, returns }
}

/// How RMI knows a method: the first eight bytes of SHA-1 over its name and types, from the little end.
fn method_hash(method: &str) -> i64 {
    let length = u16::try_from(method.len()).unwrap_or(u16::MAX).to_be_bytes();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&length, method.as_bytes()].concat());
    hash.as_ref().first_chunk().map(|first| i64::from_le_bytes(*first)).unwrap_or_default()
}

fn some(answer: Option<Answer>) -> Result<Answer> {
    answer.ok_or_else(|| Error::internal("a call that returns a value returned none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_the_hashes_that_java_computes() {
        // As `rmic` and the JDK's own stubs have them.
        assert_eq!(method_hash(NEW_CLIENT), -1_089_742_558_549_201_240);
        assert_eq!(method_hash(INVOKE), 1_434_350_937_885_235_744);
        assert_eq!(method_hash(CLOSE), -4_742_752_445_160_157_748);
    }
}
