//! From a job to a token: look into the store, ask the server, read and check
//! the answer.
//!
//! Sections: RFC 6749 sections 4.4 and 5, RFC 8707, RFC 9449 section 5
//!
//! Enforces: a token of a type that was not asked for is not used; a life is
//! positive and bounded; one process at a time asks for a stored token.
//! Does not enforce: the deadline (the flight does); what the token grants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use m2m_io::{Backoff, BoxFuture, Now, fraction};
use m2m_proto::security_profile::OutsideProfile;
use m2m_proto::token::{ExpiresIn, Parameters, TokenRequest, TokenResponse, TokenType};

use crate::cache::{Job, Minted, Minter, RenewalReason};
use crate::config::Inspect;
use crate::dialect::ScopePlace;
use crate::error::{Advice, Error, Fault};
use crate::exchange::{Exchange, Message, Target};
use crate::inspect::{self, Asked, Clocks};
use crate::store::{Sealing, Vault};
use crate::token::{Token, TokenOrigin, TokenParts};

/// Less than this is no life at all.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// How often a server that issues expired tokens is asked within one flight.
const DEAD_TRIES: u32 = 4;

/// Gets tokens for the cache.
#[derive(Debug)]
pub(crate) struct TokenMinter {
    exchange: Arc<Exchange>,
    vault: Option<Vault>,
    said: Said,
}

/// Things worth one line in the log, not one per token.
#[derive(Debug, Default)]
struct Said {
    fallback: AtomicBool,
    capped: AtomicBool,
}

impl TokenMinter {
    pub(crate) fn new(exchange: Arc<Exchange>, vault: Option<Vault>) -> Self {
        Self { exchange, vault, said: Said::default() }
    }

    async fn sealing(&self) -> Option<(&Vault, Sealing)> {
        let vault = self.vault.as_ref()?;
        Some((vault, vault.sealing(&self.exchange).await?))
    }

    /// Asks the store, then, alone among all processes, the store again and
    /// the server.
    async fn through(&self, vault: &Vault, sealing: &Sealing, job: &Job) -> Result<Minted, Error> {
        let forced = job.reason == RenewalReason::Forced;
        let mut stored = None;
        if !forced {
            stored = vault.load(sealing, job).await;
            if let Some(token) = stored.take_if(|stored| stored.is_fresh(job, self.now())) {
                return Ok(Minted { token: token.token, failing: None });
            }
        }
        let patience = self.exchange.tuning.mint_deadline / 2;
        let _turn = vault.lock(&job.key, patience).await;
        if !forced {
            stored = vault.load(sealing, job).await;
            if let Some(token) = stored.take_if(|stored| stored.is_fresh(job, self.now())) {
                return Ok(Minted { token: token.token, failing: None });
            }
        }
        match self.ask(job).await {
            Ok(minted) => {
                vault.save(sealing, job, &minted.token).await;
                Ok(minted)
            }
            // The cache has nothing to go on with; what another process got may still do.
            Err(error) if job.reason == RenewalReason::Missing => match stored {
                Some(stored) if stored.is_usable(job, self.now()) => {
                    Ok(Minted { token: stored.token, failing: Some(error) })
                }
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn now(&self) -> Now {
        self.exchange.clock.now()
    }

    /// Asks the server, again and with growing pauses if it hands out tokens
    /// that have expired: servers that share one token among all who ask do so
    /// for a moment at the end of its life.
    async fn ask(&self, job: &Job) -> Result<Minted, Error> {
        if self.exchange.grant.is_self_signed() {
            return Ok(Minted { token: self.sign(job).await?, failing: None });
        }
        for attempt in 0..DEAD_TRIES {
            let started = self.now();
            let answer = self.request(job).await?;
            if let Some(token) = self.accept(job, answer, started)? {
                return Ok(Minted { token, failing: None });
            }
            let fraction = fraction(self.exchange.random.as_ref());
            if attempt + 1 < DEAD_TRIES {
                self.exchange.clock.sleep(Backoff::default().delay(attempt, fraction)).await;
            }
        }
        Err(Error::of(Fault::DeadOnArrival))
    }

    async fn request(&self, job: &Job) -> Result<TokenResponse, Error> {
        let (dialect, grant) = (&self.exchange.tuning.dialect, self.exchange.grant.kind());
        let rules = &dialect.assertion;
        let in_claim = rules.scope == ScopePlace::Claim;
        let request = TokenRequest {
            scope: job.spec.scope.clone().filter(|_| !in_claim),
            audience: job.spec.audience.clone(),
            resources: job.spec.resources.clone(),
            params: job.spec.params.iter().filter(|(name, _)| !self.exchange.signs(name)).cloned().collect(),
            ..TokenRequest::new(grant.clone())
        };
        let of_grant = |name: &str| grant.parameters().contains(&name);
        let write = |parameters: &mut Parameters| {
            request.write_as(&dialect.request, parameters);
            let stated = |name: &str| request.params.iter().any(|(param, _)| param == name);
            for (name, value) in dialect.params.iter().filter(|(name, _)| !stated(name) && !of_grant(name)) {
                parameters.form.push(name, value);
            }
        };
        let decode =
            |response: &http::Response<bytes::Bytes>| TokenResponse::decode_as(response, &dialect.response);
        let spec = Some(&job.spec);
        let message = Message {
            target: Target::Token,
            shows: None,
            spec,
            accept: None,
            write: &write,
            decode: &decode,
        };
        self.exchange.send(&message).await
    }

    /// The token of a grant without request.
    async fn sign(&self, job: &Job) -> Result<Token, Error> {
        let (now, tuning) = (self.now(), &self.exchange.tuning);
        Token::new(TokenParts {
            access_token: self.exchange.self_signed(&job.spec).await?,
            token_type: TokenType::Bearer,
            scope: job.spec.scope.clone(),
            extra: serde_json::Map::new(),
            obtained: now,
            life: tuning.assertion_lifetime,
            origin: TokenOrigin::Minted,
            key: Some(job.key),
        })
    }

    /// The token, or `None` if it is already dead.
    fn accept(&self, job: &Job, answer: TokenResponse, started: Now) -> Result<Option<Token>, Error> {
        let now = self.now();
        // Anchored by the clock that does not jump: what the wall clock says
        // about the duration of a request is not believed.
        let took = now.monotonic.saturating_sub(started.monotonic);
        let obtained = Now { wall: now.wall.saturating_sub(took), monotonic: started.monotonic };
        self.check_type(&answer.token_type)?;
        self.check_bound(&answer)?;
        let jwt_life = self.inspect(job, &answer, now)?;
        let Some(life) = self.life(answer.expires_in, jwt_life) else { return Ok(None) };
        let scope = answer.scope.or_else(|| job.spec.scope.clone());
        Token::new(TokenParts {
            access_token: answer.access_token,
            token_type: answer.token_type,
            scope,
            extra: answer.extra,
            obtained,
            life,
            origin: TokenOrigin::Minted,
            key: Some(job.key),
        })
        .map(Some)
    }

    // spec: 6749-C6, OIDF-C2
    // spec: 9449-C5
    fn check_type(&self, got: &TokenType) -> Result<(), Error> {
        let wrong = |asked, got| Err(Error::of(Fault::TokenType { asked, got }));
        match (&self.exchange.dpop, got) {
            (Some(_), TokenType::Dpop) | (None, TokenType::Bearer) => Ok(()),
            (None, TokenType::Dpop) if self.exchange.presents_dpop_without_proof() => Ok(()),
            (Some(_), TokenType::Bearer) => wrong("DPoP", "Bearer"),
            (None, TokenType::Dpop) => wrong("Bearer", "DPoP"),
            (Some(_), got) if got.is_not_applicable() => wrong("DPoP", "N_A"),
            (None, got) if got.is_not_applicable() => wrong("Bearer", "N_A"),
            // A stranger's text; it might be anything.
            (Some(_), TokenType::Other(_)) => wrong("DPoP", "unknown"),
            (None, TokenType::Other(_)) => wrong("Bearer", "unknown"),
        }
    }

    /// Whether a token that can be read says that it is bound. One bound to a key says so by its type, and one that
    /// cannot be read is believed to be what the server's metadata promise.
    // spec: FAPI-C1
    fn check_bound(&self, answer: &TokenResponse) -> Result<(), Error> {
        if inspect::is_bound(answer).unwrap_or(true) {
            return Ok(());
        }
        let finding = |outside: OutsideProfile| Error::of(Fault::Inspection { finding: outside.to_string() });
        self.exchange.tuning.security_profile.unbound().map_err(finding)
    }

    /// Compares the answer with the question. Returns the life that a readable
    /// token states itself.
    fn inspect(&self, job: &Job, answer: &TokenResponse, now: Now) -> Result<Option<Duration>, Error> {
        let mode = self.exchange.tuning.inspect;
        let asked = Asked {
            spec: &job.spec,
            binding: self.exchange.dpop.as_deref().map(crate::dpop::DpopSigner::thumbprint),
        };
        let seen = match mode {
            Inspect::Off => inspect::look_outside(&asked, answer),
            Inspect::Warn | Inspect::Error => inspect::look(&asked, answer, now.wall),
        };
        let Some(finding) = seen.finding() else { return Ok(seen.life) };
        let advice = match seen.clocks {
            Clocks::Differ => Advice::about_clocks(&self.exchange.tuning.dialect.hints),
            Clocks::NothingSeen => None,
        };
        if mode == Inspect::Error {
            return Err(Error::of(Fault::Inspection { finding }).advised(advice));
        }
        tracing::warn!(
            client = %self.exchange.label,
            key = %job.spec.label,
            finding,
            hint = advice.map(|advice| advice.text),
            "the token is not quite what was asked for"
        );
        Ok(seen.life)
    }

    /// How long the token may be kept; `None` if not at all.
    // spec: 6749-C7
    fn life(&self, expires_in: ExpiresIn, jwt_life: Option<Duration>) -> Option<Duration> {
        let tuning = &self.exchange.tuning;
        let stated = match expires_in {
            ExpiresIn::Zero => return None,
            ExpiresIn::In(life) => life,
            ExpiresIn::Until(end) => end.since(self.now().wall),
            ExpiresIn::Absent => {
                say_once(&self.said.fallback, || {
                    tracing::info!(
                        client = %self.exchange.label,
                        seconds = tuning.fallback_lifetime.as_secs(),
                        "the server does not say how long its tokens live; the fallback is used"
                    );
                });
                tuning.fallback_lifetime
            }
        };
        if stated > tuning.max_lifetime {
            say_once(&self.said.capped, || {
                tracing::info!(
                    client = %self.exchange.label,
                    seconds = tuning.max_lifetime.as_secs(),
                    "the server's tokens live longer than they are kept here"
                );
            });
        }
        let life = stated.min(tuning.max_lifetime).min(jwt_life.unwrap_or(Duration::MAX));
        (life >= SHORTEST_LIFE).then_some(life)
    }
}

fn say_once(said: &AtomicBool, say: impl FnOnce()) {
    if !said.swap(true, Ordering::Relaxed) {
        say();
    }
}

impl Minter for TokenMinter {
    fn mint<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Minted, Error>> {
        Box::pin(async move {
            match self.sealing().await {
                Some((vault, sealing)) => self.through(vault, &sealing, job).await,
                None => self.ask(job).await,
            }
        })
    }

    fn version(&self) -> u64 {
        // Each is a count: when either moves, so does the sum.
        self.exchange.credentials.version().wrapping_add(self.exchange.grant.version())
    }

    fn look(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.exchange.credentials.look().await;
            self.exchange.grant.look().await;
        })
    }
}
