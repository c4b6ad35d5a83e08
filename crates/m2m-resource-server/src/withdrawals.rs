//! What an issuer says of tokens that it withdrew before they expired: its Token Status Lists and its revocation
//! feed, read here instead of being asked for each token.
//!
//! Sections: OAuth Token Status List (draft 21) §6, §8.3; the feed is our own
//! Enforces: a token whose place in its list says anything but valid, or whose `jti` is in the feed, is refused, on
//! every use. What cannot be told, because the document cannot be had, is too old or names no such place, lets nobody
//! in; nor is a token without `jti` where there is a feed.
//! Does not enforce: anything about a token that names no place, unless every token must
//! ([`StatusCheck::Required`]).
//! Limits: see [`lists`] and [`document`].

mod document;
mod lists;

use std::sync::{Arc, Weak};
use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_io::{Clock, Remote, RemoteError};
use m2m_proto::revocation_feed::VerifiedRevocationFeed;
use m2m_proto::status_list::Status;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token::{StatusReference, VerifiedClaims};
use m2m_proto::uri::{EndpointUri, Origin, PlainHttp};

use self::document::{FeedDocument, Signer};
use self::lists::{List, StatusLists};
use crate::error::{Reason, Unavailable};
use crate::keys::longest_use;
use crate::verified::Checked;

/// Whether the place of a token in a Token Status List is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusCheck {
    /// Where the token names one, in its claim `status`.
    Follow,
    /// As `Follow`, and a token that names none is refused.
    Required,
    /// No list is fetched, whatever tokens say.
    Ignore,
}

/// Times of lists and feeds unless set otherwise.
pub(crate) const TIMES: Knobs = Knobs {
    timeout: Duration::from_secs(5),
    cooldown: Duration::from_secs(5),
    max_age: Duration::from_secs(60),
    stale_if_error: Duration::from_secs(240),
};

/// What was configured of an issuer.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) status: StatusCheck,
    /// Where lists may be besides the issuer's own origin.
    pub(crate) origins: Vec<Origin>,
    pub(crate) feed: Option<EndpointUri>,
    pub(crate) times: Knobs,
    pub(crate) plain_http: PlainHttp,
}

/// Where a token stands in a list. A list that nobody used for long is dropped, and found again by its address.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    list: Weak<List>,
    index: u64,
}

/// The withdrawals of one issuer.
#[derive(Debug)]
pub(crate) struct Withdrawals {
    status: StatusCheck,
    lists: Option<StatusLists>,
    feed: Option<Remote<VerifiedRevocationFeed>>,
    times: Knobs,
    skew: Skew,
}

impl Withdrawals {
    /// Looks nothing up.
    pub(crate) fn ignored() -> Self {
        Self { status: StatusCheck::Ignore, lists: None, feed: None, times: TIMES, skew: Skew::NONE }
    }

    pub(crate) fn new(settings: Settings, signer: Signer) -> Self {
        let (status, times, skew) = (settings.status, settings.times, signer.skew);
        let feed = settings.feed.map(|url| {
            let (clock, fetch) =
                (Arc::clone(&signer.clock), FeedDocument::new(url, signer.clone(), times.timeout));
            Remote::new("revocation feed", times, clock, Box::new(fetch))
        });
        let lists = (status != StatusCheck::Ignore)
            .then(|| StatusLists::new(signer, settings.origins, settings.plain_http, times));
        Self { status, lists, feed, times, skew }
    }

    /// How long a token may be accepted here whose credential or client was withdrawn; `None` where lists are not
    /// looked up for every token.
    pub(crate) fn credential_seen_within(&self) -> Option<Duration> {
        (self.status == StatusCheck::Required).then(|| longest_use(&self.times))
    }

    /// How long a single token that was withdrawn may be accepted here; `None` where no feed is read.
    pub(crate) fn token_seen_within(&self) -> Option<Duration> {
        self.feed.is_some().then(|| longest_use(&self.times))
    }

    /// Fetches the feed, unless it is held. Which lists there are, only tokens say.
    pub(crate) async fn prepare(&self) -> Result<(), Reason> {
        match &self.feed {
            Some(feed) => feed.get().await.map(drop).map_err(|error| no_feed(feed, &error)),
            None => Ok(()),
        }
    }

    #[cfg(test)]
    pub(crate) fn held_lists(&self) -> usize {
        self.lists.as_ref().map_or(0, StatusLists::len)
    }

    /// The place that these claims name, if it is to be looked up.
    ///
    /// # Errors
    /// The place is malformed, somewhere we do not go, or missing.
    pub(crate) fn place(&self, claims: &VerifiedClaims) -> Result<Option<Place>, Reason> {
        let Some(lists) = &self.lists else { return Ok(None) };
        let Some(reference) = reference(claims)? else {
            return match self.status {
                StatusCheck::Required => {
                    Err(Reason::UnknownStatus("the token names no place in a status list"))
                }
                _ => Ok(None),
            };
        };
        let list = lists.get(reference.uri)?;
        Ok(Some(Place { list: Arc::downgrade(&list), index: reference.index }))
    }

    /// Whether the token stands.
    ///
    /// # Errors
    /// It was withdrawn, or that cannot be told.
    // spec: TSL-RS1, FAPI-RS1
    pub(crate) async fn check(&self, checked: &Checked, clock: &dyn Clock) -> Result<(), Reason> {
        if let Some(feed) = &self.feed {
            let nameless =
                Reason::UnknownStatus("the token has no jti, so the revocation feed cannot name it");
            let jti = checked.claims.jti().ok_or(nameless)?;
            let feed = match feed.peek() {
                Some(held) => held,
                None => feed.get().await.map_err(|error| no_feed(feed, &error))?,
            };
            self.check_age(feed.expires_at(), clock.wall())?;
            if feed.contains(jti) {
                return Err(Reason::Withdrawn);
            }
        }
        match &checked.place {
            Some(place) => self.check_status(place, &checked.claims, clock).await,
            None => Ok(()),
        }
    }

    async fn check_status(
        &self,
        place: &Place,
        claims: &VerifiedClaims,
        clock: &dyn Clock,
    ) -> Result<(), Reason> {
        let Some(lists) = &self.lists else { return Ok(()) };
        let list = match place.list.upgrade() {
            Some(list) => list,
            None => lists.get(reference(claims)?.map_or("", |reference| reference.uri))?,
        };
        let list = lists
            .read(&list)
            .await
            .map_err(|error| unavailable("the status list", list.cooldown_left(), &error))?;
        self.check_age(list.expires_at(), clock.wall())?;
        match list.get(place.index) {
            Some(Status::Valid) => Ok(()),
            Some(Status::Invalid) => Err(Reason::Withdrawn),
            Some(Status::Suspended) => Err(Reason::Suspended),
            Some(_) => Err(Reason::UnknownStatus("the status of the token is none that is known here")),
            None => Err(Reason::UnknownStatus("the token names a place beyond the end of its status list")),
        }
    }

    /// `exp` of the document outranks for how long we would keep it.
    fn check_age(&self, expires_at: UnixTime, now: UnixTime) -> Result<(), Reason> {
        if now < expires_at.saturating_add(self.skew.get()) {
            return Ok(());
        }
        let error = "what the issuer last said of withdrawn tokens has expired";
        Err(Reason::Unavailable(Unavailable::after(self.times.cooldown, error)))
    }
}

fn reference(claims: &VerifiedClaims) -> Result<Option<StatusReference<'_>>, Reason> {
    let malformed = Reason::UnknownStatus("the claim status of the token is malformed");
    StatusReference::decode(claims.claims()).map_err(|_| malformed)
}

fn no_feed(feed: &Remote<VerifiedRevocationFeed>, error: &RemoteError) -> Reason {
    unavailable("the revocation feed", feed.cooldown_left(), error)
}

fn unavailable(what: &str, retry_after: Duration, error: &RemoteError) -> Reason {
    Reason::Unavailable(Unavailable::after(retry_after, format!("{what} of the issuer: {error}")))
}

pub(crate) use self::document::Signer as DocumentSigner;

#[cfg(test)]
mod tests;
