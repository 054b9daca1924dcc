//! Logging in.

use crate::faults::Login;

const HEAD: usize = 16;
const OK: u8 = 0;
const WRONG: u8 = 65;
const NO_SECURITY: u8 = 52;
const USER: u8 = 0;
const CREDENTIAL: u8 = 3;
const CLEAR_PASSWORD: u8 = 4;
const TOKEN: u8 = 5;
/// What a session is known by.
const SESSION: &[u8] = b"a session of the fake";

/// The answer to a login or to joining a session, and whether it succeeded.
pub(crate) fn answer(body: &[u8], guard: Option<&Login>) -> (Vec<u8>, bool) {
    let command = body.get(2).copied().unwrap_or_default();
    let Some(guard) = guard else { return (result(command, NO_SECURITY, false), false) };
    let has = |id: u8, value: &str| field(body, id) == Some(value.as_bytes());
    let joins = field(body, TOKEN) == Some(SESSION);
    let is_right = match guard {
        Login::Internal(user, hash) => has(USER, user) && (joins || has(CREDENTIAL, hash)),
        Login::External(user, password) => has(USER, user) && (joins || has(CLEAR_PASSWORD, password)),
        Login::Certificate => field(body, USER).is_none(),
    };
    if is_right { (result(command, OK, true), true) } else { (result(command, WRONG, false), false) }
}

fn result(command: u8, code: u8, with_token: bool) -> Vec<u8> {
    let mut answer = vec![0, code, command, u8::from(with_token)];
    answer.resize(HEAD, 0);
    if with_token {
        answer.extend(u32::try_from(SESSION.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
        answer.push(TOKEN);
        answer.extend_from_slice(SESSION);
    }
    answer
}

fn field(body: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = body.get(HEAD..)?;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (field, tail) = tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let (id, value) = field.split_first()?;
        if *id == wanted {
            return Some(value);
        }
        rest = tail;
    }
    None
}
