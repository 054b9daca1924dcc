//! What a server says became of a request.

use std::fmt;

/// The result byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ResultCode(pub u8);

/// What a client can do about a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It was done.
    Done,
    /// The same may work later on the same node: it is busy.
    Busy,
    /// Another node has to be asked: the partition is not here.
    Elsewhere,
    /// It concerns this record alone; others may work.
    Record,
    /// Credentials or privileges.
    Denied,
    /// No space is left.
    NoSpace,
    /// The session has expired: log in again.
    Session,
    /// Nothing but another request helps.
    Refused,
}

impl ResultCode {
    /// Done.
    pub const OK: Self = Self(0);
    /// The record does not exist.
    pub const KEY_NOT_FOUND: Self = Self(2);
    /// The generation is not the one that was asked for.
    pub const GENERATION: Self = Self(3);
    /// The request makes no sense to the server.
    pub const PARAMETER: Self = Self(4);
    /// The record exists already.
    pub const KEY_EXISTS: Self = Self(5);
    /// The namespace is out of space, or stopped writes.
    pub const OUT_OF_SPACE: Self = Self(8);
    /// The server ran out of time.
    pub const TIMEOUT: Self = Self(9);
    /// The partition can't be served by this node.
    pub const PARTITION_UNAVAILABLE: Self = Self(11);
    /// The record is larger than the namespace's write block.
    pub const RECORD_TOO_BIG: Self = Self(13);
    /// Too many work on this record at once.
    pub const KEY_BUSY: Self = Self(14);
    /// The server does not have this feature.
    pub const UNSUPPORTED: Self = Self(16);
    /// The device's write queue is too long.
    pub const DEVICE_OVERLOAD: Self = Self(18);
    /// The namespace does not exist.
    pub const NAMESPACE_NOT_FOUND: Self = Self(20);
    /// A bin's name is too long, or there are too many names.
    pub const BIN_NAME: Self = Self(21);
    /// The server forbids it now: such as a time to live where the namespace never expires anything.
    pub const FORBIDDEN: Self = Self(22);
    /// The session's time is over.
    pub const EXPIRED_SESSION: Self = Self(66);
    /// The index exists already.
    pub const INDEX_FOUND: Self = Self(200);

    /// What can be done about it.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 {
            0 => Class::Done,
            // Time-out, busy record, aborted scan, overload, full queues, busy or aborted queries.
            9 | 14 | 15 | 18 | 32 | 83 | 152 | 210 | 211 | 212 => Class::Busy,
            7 | 11 => Class::Elsewhere,
            2 | 3 | 5 | 6 | 12 | 13 | 17 | 19 | 23 | 24 | 26 | 27 | 28 | 120..=126 => Class::Record,
            51..=53 | 60..=65 | 70..=75 | 80..=82 => Class::Denied,
            8 => Class::NoSpace,
            66 => Class::Session,
            _ => Class::Refused,
        }
    }

    /// One phrase about it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            0 => "done",
            1 => "the server failed",
            2 => "no such record",
            3 => "another generation",
            4 => "a parameter makes no sense",
            5 => "the record exists already",
            6 => "the bin exists already",
            7 => "the cluster changed meanwhile",
            8 => "out of space, or writes are stopped",
            9 => "the server ran out of time",
            10 => "forbidden by the namespace's configuration",
            11 => "the partition is not served here",
            12 => "another type of bin",
            13 => "the record is too big",
            14 => "the record is busy",
            15 => "the scan was aborted",
            16 => "not supported by this server",
            17 => "no such bin",
            18 => "the device is overloaded",
            19 => "another user key has this digest",
            20 => "no such namespace",
            21 => "a bin's name is too long, or there are too many",
            22 => "forbidden now",
            25 => "only in the enterprise edition",
            26 => "the operation does not fit the bin",
            27 => "filtered out",
            28 => "a conflict was lost",
            51 => "security is not supported",
            52 => "security is not enabled",
            53 => "the login scheme is not supported",
            60 => "no such user",
            62 => "a wrong password",
            63 => "the password has expired",
            64 => "the password may not be used",
            65 => "wrong credentials",
            66 => "the session has expired",
            80 => "not logged in",
            81 => "the user lacks the privilege",
            82 => "the address is not allowed",
            83 => "the user's quota is used up",
            150 => "batches are disabled",
            151 => "the batch is too large",
            152 => "all batch queues are full",
            200 => "the index exists already",
            201 => "no such index",
            202 => "no memory for the index",
            203 => "the index is not ready",
            210 => "the query was aborted",
            211 => "the queue of queries is full",
            212 => "the query ran out of time",
            213 => "the query failed",
            _ => "an unknown result",
        }
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (result {})", self.meaning(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_busy_is_not_what_is_refused() {
        assert_eq!(ResultCode::DEVICE_OVERLOAD.class(), Class::Busy);
        assert_eq!(ResultCode::PARTITION_UNAVAILABLE.class(), Class::Elsewhere);
        assert_eq!(ResultCode::NAMESPACE_NOT_FOUND.class(), Class::Refused);
        assert_eq!(ResultCode::RECORD_TOO_BIG.class(), Class::Record);
        assert_eq!(ResultCode(81).class(), Class::Denied);
        assert_eq!(ResultCode(250).to_string(), "an unknown result (result 250)");
    }
}
