//! Token servers that misbehave: a table of answers with what a client must make of each, over a real socket and in
//! memory.
//!
//! The table assumes a client that asks for a Bearer token with scope [`ASKED_SCOPE`] for [`ASKED_AUDIENCE`] at
//! [`ManualClock::START`](crate::ManualClock::START).

mod cases;
pub(crate) mod server;
pub(crate) mod wire;

use std::fmt::Debug;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use m2m_io::HttpError;

pub use self::cases::{ASKED_AUDIENCE, ASKED_SCOPE, cases};
pub use self::server::HostileServer;
use crate::in_memory::Fault;
use crate::record::Recorded;

/// One way to misbehave (or, for comparison, to behave).
#[derive(Clone, Debug)]
pub struct Case {
    /// What is wrong, in a few words.
    pub name: &'static str,
    /// What the server does.
    pub answer: Answer,
    /// What the client must make of it.
    pub expect: Expect,
}

/// What a client makes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A token with this lifetime.
    Token(Lifetime),
    /// A token that is not what was asked for: accepted with a warning by default, misbehaviour when inspection is
    /// strict.
    Suspicious,
    /// The OAuth error of this code: a verdict.
    Refused(&'static str),
    /// The peer broke the protocol. Nothing is cached, nothing of the body is told.
    PeerMisbehaved,
    /// The peer cannot be reached or cannot serve now, and said to come back in so many seconds.
    Unreachable {
        /// What it said, bounded.
        retry_after: Option<u64>,
    },
}

/// How long a token lives by `expires_in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// So many seconds, fractions dropped.
    Seconds(u64),
    /// Not said.
    Unsaid,
    /// Zero: not to be cached.
    Zero,
    /// Longer than anything; to be capped.
    Absurd,
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Sends this.
    Whole(Response<Bytes>),
    /// Sends what it makes of the request.
    React(fn(&Recorded) -> Response<Bytes>),
    /// Sends this many bytes of text, compressed to almost nothing.
    Gzip(usize),
    /// Announces this whole response and closes after half of its body.
    Cut(Response<Bytes>),
    /// Sends the head of a long response at once and its body byte by byte, for ever.
    Drip,
    /// Closes without a word.
    Close,
    /// Reads the request and says nothing.
    Hang,
    /// Sends these bytes, which are no HTTP response.
    Raw(Bytes),
}

impl Answer {
    /// A JSON response of this status.
    ///
    /// # Panics
    ///
    /// If the status is none.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Whole(response(status, "application/json", body))
    }

    /// The same in memory.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Whole(response) => Fault::Answer(response.clone()),
            Self::React(react) => Fault::React(*react),
            Self::Gzip(length) => Fault::Answer(response(200, "application/json", "a".repeat(*length))),
            Self::Cut(_) | Self::Close => Fault::Fail(HttpError::Connect("connection closed".to_owned())),
            Self::Drip | Self::Hang => Fault::Hang,
            Self::Raw(_) => Fault::Fail(HttpError::Protocol("not HTTP".to_owned())),
        }
    }
}

/// A response with a content type.
pub(crate) fn response(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let content_type = content_type.parse().expect("a content type");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests;
