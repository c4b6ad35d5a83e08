//! One record per decision, and how records are looked for.
//!
//! `trail` collects them and hands them to the store in batches, behind the answer or before it.
//! Does not enforce: how long they are kept, which is the store's; who may read them (admin API).

mod activity;
mod trail;

use std::net::IpAddr;

use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::text::ShortText;
use m2m_proto::time::UnixTime;

pub use activity::{Activity, Busy, Part, Window};
pub(crate) use trail::Trail;
pub use trail::{AuditMode, Batch, LastUse};

use crate::registry::{ApiIdentifier, CredentialId};

/// Characters kept of why a request was refused: some reasons repeat what a stranger sent.
const MAX_REASON_CHARS: usize = 256;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A token was issued.
    TokenIssued,
    /// A request was refused.
    RequestRefused,
    /// A token was withdrawn.
    TokenRevoked,
    /// An API was registered.
    ApiCreated,
    /// What is registered of an API was changed.
    ApiUpdated,
    /// An API was removed.
    ApiDeleted,
    /// A client was registered.
    ClientCreated,
    /// What is registered of a client was changed.
    ClientUpdated,
    /// A client was switched off.
    ClientDisabled,
    /// A client was switched on again.
    ClientEnabled,
    /// A client was withdrawn for good.
    ClientRevoked,
    /// A client was removed.
    ClientDeleted,
    /// A credential was added.
    CredentialCreated,
    /// A credential was added in place of another.
    CredentialRotated,
    /// An imported secret was used for the first time, and is kept as a keyed hash from then on.
    CredentialRehashed,
    /// A credential was withdrawn for good.
    CredentialRevoked,
    /// A signing key was made.
    KeyCreated,
    /// Signing keys were replaced, announced as usual.
    KeyRolled,
    /// Signing keys were withdrawn at once.
    KeyWithdrawn,
    /// An issuer was trusted.
    IssuerCreated,
    /// What is registered of a trusted issuer was changed.
    IssuerUpdated,
    /// A trusted issuer was switched off.
    IssuerDisabled,
    /// A trusted issuer was switched on again.
    IssuerEnabled,
    /// A trusted issuer was removed.
    IssuerDeleted,
}

impl Event {
    /// Every event with its name.
    pub const ALL: [(Self, &'static str); 24] = [
        (Self::TokenIssued, "token_issued"),
        (Self::RequestRefused, "request_refused"),
        (Self::TokenRevoked, "token_revoked"),
        (Self::ApiCreated, "api_created"),
        (Self::ApiUpdated, "api_updated"),
        (Self::ApiDeleted, "api_deleted"),
        (Self::ClientCreated, "client_created"),
        (Self::ClientUpdated, "client_updated"),
        (Self::ClientDisabled, "client_disabled"),
        (Self::ClientEnabled, "client_enabled"),
        (Self::ClientRevoked, "client_revoked"),
        (Self::ClientDeleted, "client_deleted"),
        (Self::CredentialCreated, "credential_created"),
        (Self::CredentialRotated, "credential_rotated"),
        (Self::CredentialRehashed, "credential_rehashed"),
        (Self::CredentialRevoked, "credential_revoked"),
        (Self::KeyCreated, "key_created"),
        (Self::KeyRolled, "key_rolled"),
        (Self::KeyWithdrawn, "key_withdrawn"),
        (Self::IssuerCreated, "issuer_created"),
        (Self::IssuerUpdated, "issuer_updated"),
        (Self::IssuerDisabled, "issuer_disabled"),
        (Self::IssuerEnabled, "issuer_enabled"),
        (Self::IssuerDeleted, "issuer_deleted"),
    ];

    /// Its name, as stored and as the admin API shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }

    /// The event of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(event, _)| *event)
    }
}

/// One record: what was decided, when, about what. What an event does not have is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// When it was decided.
    pub at: UnixTime,
    /// What was decided.
    pub event: Event,
    /// The claim `jti` of the token.
    pub jti: Option<ShortText>,
    /// The client; in a refusal the one that the request named, which is not proven.
    pub client_id: Option<ClientId>,
    /// The credential.
    pub credential: Option<CredentialId>,
    /// The identifier of the API.
    pub api: Option<ApiIdentifier>,
    /// The scopes, as the token has them.
    pub scope: Option<ShortText>,
    /// The claim `exp` of the token.
    pub expires_at: Option<UnixTime>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The code that a refusal was answered with.
    pub error: Option<ErrorCode>,
    /// Why it was refused, for the operator; never sent. At most 256 characters.
    pub reason: Option<String>,
    /// The client that ordered an administrative act; absent where the server itself did.
    pub actor: Option<ClientId>,
    /// What else was touched, by name: a `kid`, a trusted issuer; of a token the issuer and the external subject that
    /// it was issued for.
    pub subject: Option<String>,
}

impl Record {
    /// A record of `event`, about nothing yet.
    #[must_use]
    pub fn new(at: UnixTime, event: Event) -> Self {
        Self {
            at,
            event,
            jti: None,
            client_id: None,
            credential: None,
            api: None,
            scope: None,
            expires_at: None,
            address: None,
            error: None,
            reason: None,
            actor: None,
            subject: None,
        }
    }

    /// A refusal with `error`, for a reason that is cut to its share of room.
    #[must_use]
    pub fn refused(at: UnixTime, error: ErrorCode, mut reason: String) -> Self {
        if let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
            reason.truncate(end);
        }
        Self { error: Some(error), reason: Some(reason), ..Self::new(at, Event::RequestRefused) }
    }

    /// Whether it tells of a token that is alive at `now`.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.event == Event::TokenIssued && self.expires_at.is_some_and(|end| end > now)
    }
}

/// Where a record stands among all: unique, and growing with time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The time of the record, in milliseconds.
    pub at_millis: u64,
    /// The node that wrote it.
    pub node: String,
    /// Its number among the records of that node.
    pub number: u64,
}

/// A record with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub record: Record,
}

/// What is looked for; conditions hold together. The newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this token.
    pub jti: Option<String>,
    /// Of this client.
    pub client_id: Option<ClientId>,
    /// Of this credential.
    pub credential: Option<CredentialId>,
    /// Of this sort.
    pub event: Option<Event>,
    /// From then on.
    pub since: Option<UnixTime>,
    /// Before then.
    pub until: Option<UnixTime>,
    /// Issued tokens that expire after then.
    pub live_at: Option<UnixTime>,
    /// Older than this one.
    pub before: Option<Place>,
    /// At most so many; 0 stands for [`Query::DEFAULT_LIMIT`].
    pub limit: usize,
}

impl Query {
    /// Records per answer unless the query says otherwise.
    pub const DEFAULT_LIMIT: usize = 100;

    /// At most so many records.
    #[must_use]
    pub fn limit(&self) -> usize {
        if self.limit == 0 { Self::DEFAULT_LIMIT } else { self.limit }
    }

    /// Whether an entry fulfils all conditions but the limit.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let record = &entry.record;
        fn same<T: PartialEq + ?Sized>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        same(self.jti.as_deref(), record.jti.as_deref())
            && same(self.client_id.as_ref(), record.client_id.as_ref())
            && same(self.credential.as_ref(), record.credential.as_ref())
            && same(self.event.as_ref(), Some(&record.event))
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.live_at.is_none_or(|now| record.is_live(now))
            && self.before.as_ref().is_none_or(|before| entry.place < *before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_takes_no_more_room_than_its_share() {
        let at = UnixTime::from_seconds(1);
        let record = Record::refused(at, ErrorCode::InvalidClient, "\u{e4}".repeat(10_000));
        assert_eq!(record.reason.unwrap().chars().count(), MAX_REASON_CHARS);
    }

    #[test]
    fn names_of_events_lead_back() {
        for (event, name) in Event::ALL {
            assert_eq!((event.name(), Event::parse(name)), (name, Some(event)));
        }
        assert_eq!(Event::parse(""), None);
    }

    #[test]
    fn each_condition_of_a_query_counts() {
        let at = UnixTime::from_seconds;
        let client = crate::fixture::client_id;
        let record = Record {
            jti: Some("t".into()),
            client_id: Some(client("app")),
            credential: CredentialId::parse("one"),
            expires_at: Some(at(700)),
            ..Record::new(at(100), Event::TokenIssued)
        };
        let place = |number| Place { at_millis: 100_000, node: "n".to_owned(), number };
        let entry = Entry { place: place(5), record };
        let check = |query: Query, expect: bool| assert_eq!(query.matches(&entry), expect, "{query:?}");
        check(Query::default(), true);
        check(Query { jti: Some("t".into()), ..Query::default() }, true);
        check(Query { jti: Some("u".to_owned()), ..Query::default() }, false);
        check(Query { client_id: Some(client("other")), ..Query::default() }, false);
        check(Query { credential: CredentialId::parse("two"), ..Query::default() }, false);
        check(Query { event: Some(Event::TokenRevoked), ..Query::default() }, false);
        check(Query { since: Some(at(100)), until: Some(at(101)), ..Query::default() }, true);
        check(Query { since: Some(at(101)), ..Query::default() }, false);
        check(Query { until: Some(at(100)), ..Query::default() }, false);
        check(Query { live_at: Some(at(699)), ..Query::default() }, true);
        check(Query { live_at: Some(at(700)), ..Query::default() }, false);
        check(Query { before: Some(place(6)), ..Query::default() }, true);
        check(Query { before: Some(place(5)), ..Query::default() }, false);
    }
}
