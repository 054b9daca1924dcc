//! The other nodes of a cluster.

use super::number;
use crate::Malformed;

/// A node, as another one tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub node: String,
    /// The name in its TLS certificate, if it has one.
    pub tls_name: Option<String>,
    /// Where it is reached: host and port.
    pub addresses: Vec<(String, u16)>,
}

/// What a node knows of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peers {
    /// How often it has changed.
    pub generation: u64,
    /// The others.
    pub peers: Vec<Peer>,
}

/// Reads the answer of `peers-clear-std`, `peers-tls-std` and their `-alt` forms:
/// `generation,default port,[[node,tls name,[host:port,…]],…]`. An IPv6 address stands in brackets.
///
/// # Errors
/// When it is of another form.
pub fn peers(value: &str) -> Result<Peers, Malformed> {
    let mut text = Text { text: value.trim(), at: 0 };
    let generation = number(text.until(",")?, "a list of peers with a senseless generation")?;
    let port = text.until(",")?;
    let port: Option<u16> =
        if port.is_empty() { None } else { Some(number(port, "a list of peers with a senseless port")?) };
    let mut peers = Vec::new();
    text.expect('[')?;
    while !text.next_is(']') {
        peers.push(peer(&mut text, port)?);
        text.next_is(',');
    }
    Ok(Peers { generation, peers })
}

fn peer(text: &mut Text<'_>, port: Option<u16>) -> Result<Peer, Malformed> {
    text.expect('[')?;
    let node = text.until(",")?.to_owned();
    let tls_name = Some(text.until(",")?).filter(|name| !name.is_empty()).map(str::to_owned);
    let mut addresses = Vec::new();
    text.expect('[')?;
    while !text.next_is(']') {
        addresses.push(address(text, port)?);
        text.next_is(',');
    }
    text.expect(']')?;
    Ok(Peer { node, tls_name, addresses })
}

fn address(text: &mut Text<'_>, port: Option<u16>) -> Result<(String, u16), Malformed> {
    let host = if text.next_is('[') { text.until("]")? } else { text.before(&[':', ',', ']'])? }.to_owned();
    let own = if text.next_is(':') { Some(text.before(&[',', ']'])?) } else { None };
    let own = own.map(|own| number(own, "a peer with a senseless port")).transpose()?;
    Ok((host, own.or(port).unwrap_or(3000)))
}

struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    const fn broken(&self) -> Malformed {
        Malformed::new("a list of peers of another form", self.at)
    }

    fn next_is(&mut self, wanted: char) -> bool {
        let is = self.rest().starts_with(wanted);
        if is {
            self.at += wanted.len_utf8();
        }
        is
    }

    fn expect(&mut self, wanted: char) -> Result<(), Malformed> {
        if self.next_is(wanted) { Ok(()) } else { Err(self.broken()) }
    }

    fn until(&mut self, end: &str) -> Result<&'a str, Malformed> {
        let (found, _) = self.rest().split_once(end).ok_or(self.broken())?;
        self.at += found.len() + end.len();
        Ok(found)
    }

    fn before(&mut self, ends: &[char]) -> Result<&'a str, Malformed> {
        let length = self.rest().find(ends).filter(|length| *length > 0).ok_or(self.broken())?;
        let found = &self.rest()[..length];
        self.at += length;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_every_form() {
        assert_eq!(peers("0,3000,[]").unwrap(), Peers::default());
        let text = "7,3000,[[BB9,,[10.0.0.1:3100,db1]],[BB8,tls1,[[fe80::1]:4333,[::1]]]]";
        let found = peers(text).unwrap();
        assert_eq!(found.generation, 7);
        assert_eq!(found.peers[0].addresses, [("10.0.0.1".to_owned(), 3100), ("db1".to_owned(), 3000)]);
        assert_eq!(found.peers[1].tls_name.as_deref(), Some("tls1"));
        assert_eq!(found.peers[1].addresses, [("fe80::1".to_owned(), 4333), ("::1".to_owned(), 3000)]);
    }

    #[test]
    fn nonsense_is_refused_and_never_loops() {
        for text in [
            "",
            "0",
            "0,3000",
            "0,3000,[",
            "x,3000,[]",
            "0,3000,[[",
            "0,3000,[[a,,[:1]]]",
            "0,3000,[[a,,[h:x]]]",
            "0,3000,[[a,,[h]",
        ] {
            assert!(peers(text).is_err(), "{text}");
        }
    }
}
