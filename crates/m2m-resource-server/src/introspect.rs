//! Asking the authorization server about a token (RFC 7662): for opaque tokens, and to see a
//! revocation at once.
//!
//! Sections: RFC 7662 §2.2, §4
//! Enforces: only a clear `active` counts; the answer is of the issuer that was asked, or, where a client asks for
//! several, of one of them; its claims are checked like those of a JWT
//! ([`check`](m2m_proto::introspection::Introspection::check)), its times again on every use of a kept answer. A token
//! is sent to the one server that it can be of, never to others. Requests with one token at the same time ask once.
//! Does not enforce: possession, which is checked after, for both kinds of token alike.
//! Limits: for each client at most 64 questions under way about opaque tokens, which anybody can make up, and 64 about
//! tokens whose signature was checked; more are answered 503; after a failure one question each 5 s ([`cooldown`]); 10 s for each, so that no answer that
//! decides is older than that and the time for which answers are kept; see [`answers`] for what is kept.

// spec: 7662-RS1, 7662-RS2

mod answers;
mod cooldown;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use m2m_client::Client;
use m2m_io::{Clock, task};
use m2m_proto::introspection::{Expect, Introspection as Answer, IntrospectionError, VerifiedIntrospection};
use m2m_proto::jose::{KindError, crypto};
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::AccessToken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::answers::{Answers, Key};
use self::cooldown::{COOLDOWN, Cooldown};
use crate::error::{Error, Reason, SOON, Unavailable};
use crate::issuers::{Issuers, Trust};
use crate::observe;

const MAX_QUESTIONS: usize = 64;
const OPAQUE_MAX_AGE: Duration = Duration::from_secs(10);
/// A question takes no longer than this, with all attempts of the client: what its answer says may be as old.
const MAX_QUESTION: Duration = Duration::from_secs(10);

/// Which tokens are asked about at the authorization server (RFC 7662).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Introspect {
    /// Only those that are no JWT. Answers are kept for 10 s.
    Opaque,
    /// Only those that are JWTs, so that revocation is seen with the next question. They are checked here first, so garbage causes no
    /// request. Answers are not kept; requests with one token at the same time share one, which is never older than
    /// the 10 s that a question may take.
    Jwt,
    /// Every token: [`Introspect::Opaque`] and [`Introspect::Jwt`]. Answers are not kept.
    Always,
}

/// What was configured, in any order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) client: Option<(Client, Introspect)>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) prefix: Option<String>,
}

impl Settings {
    /// `None` where nothing is set. `whose` says of whom, should something be wrong.
    ///
    /// # Errors
    /// Something is set, and no client.
    pub(crate) fn build(
        self,
        clock: &Arc<dyn Clock>,
        whose: impl FnOnce() -> String,
    ) -> Result<Option<Arc<Introspection>>, Error> {
        let Some((client, which)) = self.client else {
            let nothing = self.max_age.is_none() && self.prefix.is_none();
            return if nothing { Ok(None) } else { Err(Error::NoIntrospection(whose())) };
        };
        let max_age = self.max_age.unwrap_or(match which {
            Introspect::Opaque => OPAQUE_MAX_AGE,
            Introspect::Jwt | Introspect::Always => Duration::ZERO,
        });
        Ok(Some(Arc::new(Introspection {
            client,
            which,
            prefix: self.prefix.unwrap_or_default(),
            answers: Answers::new(max_age),
            max_age,
            clock: Arc::clone(clock),
            opaque: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            signed: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            cooldown: Cooldown::default(),
            flights: Mutex::default(),
        })))
    }
}

/// An answer, and what became of it when it was first checked.
pub(crate) struct Told {
    answer: Answer,
    /// On the monotonic clock.
    asked: Duration,
    checked: OnceLock<Arc<VerifiedIntrospection>>,
}

type Outcome = Result<Arc<Told>, Reason>;
/// Where the answer to a question arrives. The question goes on when nobody waits: who asks and hangs up must not leave
/// the server looking as if it were down.
type Flight = watch::Receiver<Option<Outcome>>;

/// What is known of a token before it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: anybody may have made it up.
    Opaque,
    /// Its issuer signed it.
    Signed,
}

/// A question under way: it lands in any case, and gives its place back.
struct Question {
    introspection: Arc<Introspection>,
    key: Key,
    landing: watch::Sender<Option<Outcome>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.introspection.flights().remove(&self.key);
    }
}

/// Asks one server, and keeps answers for a while. `Debug` shows none of them.
pub(crate) struct Introspection {
    client: Client,
    which: Introspect,
    prefix: String,
    answers: Answers,
    max_age: Duration,
    clock: Arc<dyn Clock>,
    /// Room for questions, of either kind.
    opaque: Arc<Semaphore>,
    signed: Arc<Semaphore>,
    cooldown: Cooldown,
    flights: Mutex<HashMap<Key, Flight>>,
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Introspection");
        shown.field("which", &self.which).field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

impl Introspection {
    /// Whether a token that was checked here is asked about, too.
    pub(crate) fn asks_about_jwt(&self) -> bool {
        matches!(self.which, Introspect::Jwt | Introspect::Always)
    }

    /// The beginning of the opaque tokens that it answers for; `None` if it does for none.
    pub(crate) fn opaque(&self) -> Option<&str> {
        matches!(self.which, Introspect::Opaque | Introspect::Always).then_some(self.prefix.as_str())
    }

    /// How old an answer may be that decides: kept, and before that on its way.
    pub(crate) fn longest_use(&self) -> Duration {
        self.max_age.saturating_add(MAX_QUESTION)
    }

    /// The server's answer, if it is `active`.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        token: &AccessToken,
        standing: Standing,
    ) -> Result<Arc<Told>, Reason> {
        let key = crypto::sha256(token.expose().as_bytes());
        let told = match self.answers.get(&key, self.clock.monotonic()) {
            Some(kept) => {
                observe::introspection_kept();
                kept
            }
            None => self.once(key, token, standing).await?,
        };
        // One who joined the question late, or was kept waiting, must not go by an older word than was promised.
        if self.clock.monotonic().saturating_sub(told.asked) > self.longest_use() {
            return Err(Reason::Unavailable(Unavailable::soon("the introspection answer came too late")));
        }
        if told.answer.is_active() { Ok(told) } else { Err(Reason::Inactive) }
    }

    /// Asks, or waits for whoever is asking about the same token.
    async fn once(self: &Arc<Self>, key: Key, token: &AccessToken, standing: Standing) -> Outcome {
        let lost = || Reason::Unavailable(Unavailable::soon("the introspection request was given up"));
        let mut flight = self.flight(key, token, standing)?;
        let landed = flight.wait_for(Option::is_some).await.map_err(|_| lost())?;
        landed.clone().unwrap_or_else(|| Err(lost()))
    }

    fn flight(self: &Arc<Self>, key: Key, token: &AccessToken, standing: Standing) -> Result<Flight, Reason> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(&key) {
            return Ok(flight.clone());
        }
        let room = match standing {
            Standing::Opaque => &self.opaque,
            Standing::Signed => &self.signed,
        };
        let busy = |_| Reason::Unavailable(Unavailable::soon("too many introspection requests under way"));
        let permit = Arc::clone(room).try_acquire_owned().map_err(busy)?;
        self.cooldown.turn(self.clock.monotonic())?;
        let (landing, flight) = watch::channel(None);
        flights.insert(key, flight.clone());
        // A runtime that is shutting down drops the question inside this call, and it takes itself off the list.
        drop(flights);
        let question = Question { introspection: Arc::clone(self), key, landing, _permit: permit };
        let token = token.clone();
        task::spawn_detached("introspection", async move {
            let outcome = question.introspection.question(key, &token).await;
            question.introspection.flights().remove(&key);
            question.landing.send_replace(Some(outcome));
        });
        Ok(flight)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every failure to get a clear answer is "cannot tell now": nobody gets in, and the token is
    /// not called bad either.
    async fn question(&self, key: Key, token: &AccessToken) -> Outcome {
        let began = self.clock.monotonic();
        let answer = tokio::select! {
            answer = self.client.introspect(token) => answer.map_err(|error| (error.to_string(), is_down(&error))),
            () = self.clock.sleep(MAX_QUESTION) => Err(("the server takes too long".to_owned(), true)),
        };
        let answer = answer.map_err(|(error, down)| {
            let error = format!("introspection: {error}");
            observe::introspection_failed();
            let now = self.clock.monotonic();
            if down {
                self.cooldown.failed(&error, now);
            } else {
                self.cooldown.unclear(&error, now);
            }
            Reason::Unavailable(Unavailable::after(if down { COOLDOWN } else { SOON }, error))
        })?;
        self.cooldown.answered();
        observe::introspected();
        let told = Arc::new(Told { answer, asked: began, checked: OnceLock::new() });
        self.answers.keep(key, &told, began);
        Ok(told)
    }
}

/// Whether the server cannot be asked; what it holds against one token says nothing about the next one.
fn is_down(error: &m2m_client::Error) -> bool {
    let answered = error.status().is_some_and(|status| status < 500 && status != 429);
    error.is_transient() && !answered
}

impl Told {
    /// Whether the server's word on the usability is that of the issuer of a JWT.
    pub(crate) fn is_of(&self, trust: &Trust) -> bool {
        self.answer.claims().iss.as_deref().is_none_or(|iss| iss == trust.issuer.as_str())
    }

    /// Checks what the server says of an opaque token against what is trusted here. `asked` is the issuer whose server
    /// it is; `None` where a client asks for all of them.
    pub(crate) fn check(
        &self,
        asked: Option<&Trust>,
        issuers: &Issuers,
        skew: Skew,
        now: UnixTime,
    ) -> Result<Arc<VerifiedIntrospection>, Reason> {
        if let Some(checked) = self.checked.get() {
            checked.check_times(now, skew)?;
            return Ok(Arc::clone(checked));
        }
        let trust = match (self.answer.claims().iss.as_deref(), asked) {
            (Some(iss), Some(asked)) => Some(asked).filter(|asked| asked.issuer.as_str() == iss),
            (Some(iss), None) => issuers.find(iss).map(Arc::as_ref),
            // Many servers leave `iss` out; then there must be no doubt whose answer it is.
            (None, asked) => asked.or_else(|| issuers.sole()),
        };
        let trust = trust.ok_or(Reason::UnknownIssuer)?;
        let audience = trust.audience_among(self.answer.claims().aud.as_ref());
        let answer = self.answer.clone();
        let checked = answer.check(&Expect { issuer: &trust.issuer, audience, now, skew })?;
        Ok(Arc::clone(self.checked.get_or_init(|| Arc::new(checked))))
    }
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

#[cfg(test)]
mod tests;
