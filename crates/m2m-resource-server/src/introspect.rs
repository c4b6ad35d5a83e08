//! Asking the authorization server about a token (RFC 7662): for opaque tokens, and to see a
//! revocation at once.
//!
//! Sections: RFC 7662 §2.2, §4
//! Enforces: only a clear `active` counts; the answer is of a trusted issuer, or of the only one; its
//! claims are checked like those of a JWT ([`Answer::check`]), again on every use of a kept answer.
//! Does not enforce: possession, which is checked after, for both kinds of token alike.
//! Limits: at most 64 questions under way, more are answered 503; 10,000 answers kept, by the full
//! hash of the token, for at most the time set.

// spec: 7662-RS1, 7662-RS2

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_client::Client;
use m2m_io::Clock;
use m2m_proto::introspection::{Expect, Introspection as Answer, IntrospectionError, VerifiedIntrospection};
use m2m_proto::jose::{KindError, crypto};
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::AccessToken;
use tokio::sync::Semaphore;

use crate::config::Introspect;
use crate::error::Reason;
use crate::issuers::Issuers;
use crate::observe;

const MAX_QUESTIONS: usize = 64;
const MAX_ANSWERS: usize = 10_000;
const OPAQUE_MAX_AGE: Duration = Duration::from_secs(10);

/// What was configured.
#[derive(Debug)]
pub(crate) struct Settings {
    client: Client,
    which: Introspect,
    max_age: Duration,
}

impl Settings {
    pub(crate) fn new(client: Client, which: Introspect) -> Self {
        let max_age = match which {
            Introspect::Opaque => OPAQUE_MAX_AGE,
            Introspect::Always => Duration::ZERO,
        };
        Self { client, which, max_age }
    }

    pub(crate) fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    pub(crate) fn build(self, clock: Arc<dyn Clock>) -> Introspection {
        Introspection {
            client: self.client,
            which: self.which,
            answers: Answers::new(self.max_age),
            clock,
            questions: Semaphore::new(MAX_QUESTIONS),
        }
    }
}

/// Asks, and keeps answers for a while.
#[derive(Debug)]
pub(crate) struct Introspection {
    client: Client,
    which: Introspect,
    answers: Answers,
    clock: Arc<dyn Clock>,
    questions: Semaphore,
}

impl Introspection {
    /// Whether a token that was checked here is asked about, too.
    pub(crate) fn asks_about_jwt(&self) -> bool {
        self.which == Introspect::Always
    }

    /// The server's answer, if it is `active`.
    pub(crate) async fn ask(&self, token: &AccessToken) -> Result<Answer, Reason> {
        let key = crypto::sha256(token.expose().as_bytes());
        let answer = match self.answers.get(&key, self.clock.monotonic()) {
            Some(kept) => {
                observe::introspection("cache");
                kept
            }
            None => {
                let answer = self.question(token).await?;
                observe::introspection("server");
                self.answers.keep(key, &answer, self.clock.monotonic());
                answer
            }
        };
        if answer.is_active() { Ok(answer) } else { Err(Reason::Inactive) }
    }

    /// Every failure to get a clear answer is "cannot tell now": nobody gets in, and the token is
    /// not called bad either.
    async fn question(&self, token: &AccessToken) -> Result<Answer, Reason> {
        let busy = || Reason::Unavailable("too many introspection requests under way".to_owned());
        let _permit = self.questions.try_acquire().map_err(|_| busy())?;
        let answer = self.client.introspect(token).await;
        answer.map_err(|error| Reason::Unavailable(format!("introspection: {error}")))
    }
}

/// Checks what the server says of an opaque token against what is trusted here.
pub(crate) fn check(
    answer: Answer,
    issuers: &Issuers,
    skew: Skew,
    now: UnixTime,
) -> Result<VerifiedIntrospection, Reason> {
    let trust = match answer.claims().iss.as_deref() {
        Some(iss) => issuers.find(iss),
        // Many servers leave `iss` out; then there must be no doubt whose answer it is.
        None => issuers.sole(),
    };
    let trust = trust.ok_or(Reason::UnknownIssuer)?;
    let expect = Expect {
        issuer: &trust.issuer,
        audience: trust.audiences.first().map_or("", String::as_str),
        now,
        skew,
    };
    answer.check(&expect).map_err(Reason::from)
}

impl From<IntrospectionError> for Reason {
    fn from(error: IntrospectionError) -> Self {
        match error {
            IntrospectionError::Claims(KindError::WrongIssuer { .. }) => Self::UnknownIssuer,
            IntrospectionError::Confirmation(error) => Self::Possession(error),
            _ => Self::Inactive,
        }
    }
}

type Key = [u8; 32];

#[derive(Debug, Default)]
struct Kept {
    began: Duration,
    current: HashMap<Key, (Duration, Answer)>,
    previous: HashMap<Key, (Duration, Answer)>,
}

/// Answers, in two generations: the older one goes when the younger one is full or old.
#[derive(Debug)]
struct Answers {
    max_age: Duration,
    kept: Mutex<Kept>,
}

impl Answers {
    fn new(max_age: Duration) -> Self {
        Self { max_age, kept: Mutex::default() }
    }

    fn get(&self, key: &Key, now: Duration) -> Option<Answer> {
        if self.max_age.is_zero() {
            return None;
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, answer) = kept.current.get(key).or_else(|| kept.previous.get(key))?;
        (now.saturating_sub(*asked) < self.max_age).then(|| answer.clone())
    }

    fn keep(&self, key: Key, answer: &Answer, now: Duration) {
        if self.max_age.is_zero() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let old = now.saturating_sub(kept.began) >= self.max_age;
        if old || kept.current.len() >= MAX_ANSWERS / 2 {
            kept.previous = std::mem::take(&mut kept.current);
            kept.began = now;
        }
        kept.current.insert(key, (now, answer.clone()));
    }
}

#[cfg(test)]
mod tests;
