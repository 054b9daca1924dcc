//! Logging in: the admin protocol, as far as a client needs it.
//!
//! A body is 16 bytes (version 0, result, command, number of fields, zeros), then fields of `length u32 · id u8 · value`, where
//! the length counts the id.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::frame::{self, FrameHead, FrameKind};
use crate::{Malformed, ResultCode};

const HEAD: usize = 16;
const AUTHENTICATE: u8 = 0;
const LOGIN: u8 = 20;
mod id {
    pub(super) const USER: u8 = 0;
    pub(super) const CREDENTIAL: u8 = 3;
    pub(super) const CLEAR_PASSWORD: u8 = 4;
    pub(super) const SESSION_TOKEN: u8 = 5;
    pub(super) const SESSION_TTL: u8 = 6;
}

/// The salt of every client: the server keeps passwords as bcrypt hashes with this one.
const SALT: [u8; 16] = [244, 107, 11, 190, 207, 254, 141, 27, 6, 103, 216, 79, 109, 193, 216, 169];
const COST: u32 = 10;

/// The hash under which the server knows a password. Takes about a tenth of a second of CPU.
#[must_use]
pub fn credential(password: &str) -> Option<String> {
    // bcrypt takes 72 bytes; what is longer is cut off on both sides.
    let parts = bcrypt::hash_with_salt(password.as_bytes(), COST, SALT).ok()?;
    Some(parts.format_for_version(bcrypt::Version::TwoA))
}

fn request(command: u8, fields: &[(u8, &[u8])]) -> Bytes {
    let mut buffer = BytesMut::new();
    buffer.put_bytes(0, frame::HEAD);
    buffer.put_slice(&[0, 0, command, u8::try_from(fields.len()).unwrap_or(u8::MAX)]);
    buffer.put_bytes(0, HEAD - 4);
    for (id, value) in fields {
        buffer.put_u32(u32::try_from(value.len() + 1).unwrap_or(u32::MAX));
        buffer.put_u8(*id);
        buffer.put_slice(value);
    }
    let head = FrameHead { kind: FrameKind::Admin, length: (buffer.len() - frame::HEAD) as u64 }.encode();
    buffer[..frame::HEAD].copy_from_slice(&head);
    buffer.freeze()
}

/// Logs in with a user that the server keeps itself. `credential` as of [`credential()`].
#[must_use]
pub fn login_internal(user: &str, credential: &str) -> Bytes {
    request(LOGIN, &[(id::USER, user.as_bytes()), (id::CREDENTIAL, credential.as_bytes())])
}

/// Logs in with a user of an external directory: the password itself travels, so only over TLS.
#[must_use]
pub fn login_external(user: &str, credential: &str, password: &str) -> Bytes {
    let user = (id::USER, user.as_bytes());
    request(LOGIN, &[user, (id::CREDENTIAL, credential.as_bytes()), (id::CLEAR_PASSWORD, password.as_bytes())])
}

/// Logs in as whom the client's certificate names.
#[must_use]
pub fn login_certificate() -> Bytes {
    request(LOGIN, &[])
}

/// Makes a new connection one of a session. `user`: `None` for a certificate's session.
#[must_use]
pub fn authenticate(user: Option<&str>, token: &[u8]) -> Bytes {
    let token = (id::SESSION_TOKEN, token);
    user.map_or_else(
        || request(AUTHENTICATE, &[token]),
        |user| request(AUTHENTICATE, &[(id::USER, user.as_bytes()), token]),
    )
}

/// What a server says to a login.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LoginAnswer {
    /// Whether it was accepted.
    pub result: ResultCode,
    /// The session's token.
    pub token: Vec<u8>,
    /// For how many seconds the session is valid.
    pub seconds: Option<u32>,
}

impl std::fmt::Debug for LoginAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginAnswer").field("result", &self.result).finish_non_exhaustive()
    }
}

impl LoginAnswer {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// When it is cut off.
    pub fn of(body: &[u8]) -> Result<Self, Malformed> {
        let cut = |at| Malformed::new("an answer to a login that is cut off", at);
        let (head, mut rest) = body.split_first_chunk::<HEAD>().ok_or(cut(0))?;
        let [_, result, _, count, ..] = *head;
        let mut answer = Self { result: ResultCode(result), ..Self::default() };
        for _ in 0..count {
            let at = body.len() - rest.len();
            let (length, tail) = rest.split_first_chunk::<4>().ok_or(cut(at))?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut(at))?;
            let (field, tail) = tail.split_at_checked(length).ok_or(cut(at))?;
            let (id, value) = field.split_first().ok_or(cut(at))?;
            match *id {
                id::SESSION_TOKEN => answer.token = value.to_vec(),
                id::SESSION_TTL => answer.seconds = value.first_chunk().map(|value| u32::from_be_bytes(*value)),
                _ => {}
            }
            rest = tail;
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_as_every_client_does() {
        // Computed with another implementation of bcrypt and the salt's own text, 7EqJtq98hPqEX7fNZaFWoO.
        let expected = "$2a$10$7EqJtq98hPqEX7fNZaFWoOu7NRZ0i7m5NbgPBEsHTCoJzZDEKQRb.";
        assert_eq!(credential("secret").as_deref(), Some(expected));
    }

    #[test]
    fn answers_are_read_and_cut_ones_refused() {
        let mut body = vec![0, 0, 20, 2];
        body.extend([0; 12]);
        body.extend(b"\0\0\0\x04\x05tok\0\0\0\x05\x06\0\0\x0e\x10");
        let answer = LoginAnswer::of(&body).unwrap();
        assert_eq!((answer.result, answer.token.as_slice(), answer.seconds), (ResultCode::OK, &b"tok"[..], Some(3600)));
        for length in 0..body.len() {
            assert!(LoginAnswer::of(&body[..length]).is_err(), "{length}");
        }
        assert!(!format!("{answer:?}").contains("116"), "a token is a secret");
    }

    #[test]
    fn requests_have_their_fields() {
        let bytes = authenticate(Some("u"), b"t");
        assert_eq!(bytes[..8], [2, 2, 0, 0, 0, 0, 0, 28]);
        assert_eq!(bytes[8..12], [0, 0, 0, 2]);
        assert_eq!(bytes[24..], *b"\0\0\0\x02\0u\0\0\0\x02\x05t");
        assert_eq!(login_certificate()[8..12], [0, 0, 20, 0]);
    }
}
