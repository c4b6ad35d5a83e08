//! What was acknowledged, and what may not happen after it. Pure: facts and times in, the first broken sentence out.
//!
//! Times are those of the simulation, not of a party's clock, and every question counts from when it was *asked*: that an
//! answer was long on its way excuses nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use m2m_authorization_server::registry::{CredentialId, Registry, Status};
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;

use super::chance::Chance;
use super::database::{MAX_STALENESS, PROPAGATION};

/// How far the clocks of clients and APIs are off at most, and what everybody allows for it.
pub(super) const CLOCK_ERROR: Duration = Duration::from_secs(12);
const SKEW: Duration = Duration::from_secs(30);
/// How long a valid caller may be refused once faults stop: the longest wait that a client can have been told to keep
/// while they lasted (60 s after a first refusal, 120 s after a second), and the time of two attempts.
pub(super) const PATIENCE: Duration = Duration::from_secs(140);

/// A token as it left a node.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) jti: String,
    pub(super) client: String,
    pub(super) credential: String,
    pub(super) kid: String,
    pub(super) expires_at: UnixTime,
    pub(super) text: String,
    /// Bound to a key: it cannot be presented without a proof.
    pub(super) bound: bool,
}

/// What a node must show once it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Client(ClientId),
    Credential(CredentialId),
    CredentialRevoked(CredentialId),
    TokenRevoked(String, UnixTime),
}

/// What one node says of itself at one moment.
pub(super) struct Shown<'a> {
    pub(super) node: &'a str,
    pub(super) registry: &'a Registry,
    pub(super) is_revoked: &'a dyn Fn(&str) -> bool,
    /// Since when the node reaches the database without a break.
    pub(super) good_since: Option<Duration>,
    pub(super) now: Duration,
    pub(super) wall: UnixTime,
}

/// Who looks at a token. A withdrawn key is seen offline when the key set is fetched, which is no business of this ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    ByTheIssuer,
    Offline,
}

#[derive(Debug, Default)]
struct Called {
    valid_since: Option<Duration>,
    served: u64,
    last_served: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    tokens: BTreeMap<String, Token>,
    consumed: BTreeSet<String>,
    facts: Vec<(Duration, Fact)>,
    statuses: BTreeMap<ClientId, (Duration, Status)>,
    credentials_revoked: BTreeMap<String, Duration>,
    tokens_revoked: BTreeMap<String, Duration>,
    kids_withdrawn: BTreeMap<String, Duration>,
    /// Keys that an act may have withdrawn, whether that was acknowledged or not.
    kids_doubtful: BTreeSet<String>,
    minted: BTreeMap<(String, String), Vec<Duration>>,
    quotas: BTreeMap<String, u32>,
    callers: BTreeMap<String, Called>,
    calm_since: Option<Duration>,
    broken: Option<String>,
}

impl Ledger {
    /// The first sentence that was broken.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn breaks(&mut self, sentence: String) {
        self.broken.get_or_insert(sentence);
    }

    /// A node answered a token request with this token.
    pub(super) fn minted(&mut self, process: &str, token: Token, now: Duration) {
        let (jti, client) = (token.jti.clone(), token.client.clone());
        if self.tokens.insert(jti.clone(), token).is_some() {
            self.breaks(format!("two tokens have the jti {jti}"));
        }
        let times = self.minted.entry((process.to_owned(), client.clone())).or_default();
        times.push(now);
        let lately = times.iter().filter(|time| now.saturating_sub(**time) < Duration::from_secs(60)).count();
        // A minute of the quota begins with the first token in it, so any minute touches two at most.
        if let Some(quota) = self.quotas.get(&client)
            && lately > 2 * usize::try_from(*quota).unwrap_or(usize::MAX)
        {
            self.breaks(format!(
                "{client} got {lately} tokens within a minute of {process}, its quota is {quota}"
            ));
        }
    }

    pub(super) fn quota(&mut self, client: &str, per_minute: u32) {
        self.quotas.insert(client.to_owned(), per_minute);
    }

    /// Something that may be used once was accepted.
    pub(super) fn consumed(&mut self, what: &str) {
        if !self.consumed.insert(what.to_owned()) {
            self.breaks(format!("{what} was accepted twice"));
        }
    }

    /// An administrative act was acknowledged.
    pub(super) fn acknowledged(&mut self, fact: Fact, now: Duration) {
        match &fact {
            Fact::CredentialRevoked(id) => {
                self.credentials_revoked.entry(id.as_str().to_owned()).or_insert(now);
            }
            Fact::TokenRevoked(jti, _) => {
                self.tokens_revoked.entry(jti.clone()).or_insert(now);
            }
            _ => {}
        }
        self.facts.push((now, fact));
    }

    /// Somebody begins to change the status of a client: until that is acknowledged nobody knows what it is.
    pub(super) fn status_changes(&mut self, client: &ClientId) {
        self.statuses.remove(client);
    }

    pub(super) fn status_is(&mut self, client: &ClientId, status: Status, now: Duration) {
        self.statuses.insert(client.clone(), (now, status));
    }

    /// Somebody begins to withdraw all keys that there are.
    pub(super) fn keys_change(&mut self) {
        self.kids_doubtful.extend(self.tokens.values().map(|token| token.kid.clone()));
    }

    /// The owner of a token gave it back, and was told that it is withdrawn. Of one whose key was withdrawn this says
    /// nothing: it is no token any more, and no error either (RFC 7009 section 2.2).
    pub(super) fn given_back(&mut self, jti: &str, now: Duration) {
        let token = self.tokens.get(jti).filter(|token| !self.kids_doubtful.contains(&token.kid));
        if let Some(fact) = token.map(|token| Fact::TokenRevoked(jti.to_owned(), token.expires_at)) {
            self.acknowledged(fact, now);
        }
    }

    /// All tokens so far under other keys than these are withdrawn.
    pub(super) fn keys_are(&mut self, kids: &[String], now: Duration) {
        for token in self.tokens.values().filter(|token| !kids.contains(&token.kid)) {
            self.kids_withdrawn.entry(token.kid.clone()).or_insert(now);
        }
    }

    /// Since when this token is withdrawn, and why.
    fn withdrawn(&self, token: &Token, seen: Seen) -> Option<(Duration, &'static str)> {
        let by_token = self.tokens_revoked.get(&token.jti).map(|at| (*at, "it was revoked"));
        let by_credential =
            self.credentials_revoked.get(&token.credential).map(|at| (*at, "its credential was revoked"));
        let client = ClientId::parse(&token.client).ok();
        let by_client = client.and_then(|client| self.statuses.get(&client));
        let by_client = by_client.filter(|(_, status)| *status != Status::Active);
        let by_client = by_client.map(|(at, _)| (*at, "its client was switched off"));
        let by_key = self.kids_withdrawn.get(&token.kid).filter(|_| seen == Seen::ByTheIssuer);
        let by_key = by_key.map(|at| (*at, "its key was withdrawn"));
        [by_token, by_credential, by_client, by_key].into_iter().flatten().min()
    }

    /// A node said by introspection, asked at `asked`, that a token is active.
    pub(super) fn told_active(
        &mut self,
        node: &str,
        jti: &str,
        asked: Duration,
        good_since: Option<Duration>,
    ) {
        let Some((at, why)) = self.tokens.get(jti).and_then(|token| self.withdrawn(token, Seen::ByTheIssuer))
        else {
            return;
        };
        if asked > at + bound(at, good_since) {
            let late = asked.saturating_sub(at);
            self.breaks(format!("node {node} calls {jti} active {late:?} after {why}"));
        }
    }

    /// An API accepted a token: one that checks offline within `window`, or one that asks about each (`None`).
    pub(super) fn accepted(
        &mut self,
        api: &str,
        jti: &str,
        asked: (Duration, UnixTime),
        window: Option<Duration>,
    ) {
        let Some(token) = self.tokens.get(jti) else {
            return self.breaks(format!("{api} accepts {jti}, which nobody issued"));
        };
        let (asked, wall) = asked;
        if wall > token.expires_at.saturating_add(SKEW + CLOCK_ERROR) {
            let late = wall.since(token.expires_at);
            return self.breaks(format!("{api} accepts {jti} {late:?} after it expired"));
        }
        let seen = if window.is_some() { Seen::Offline } else { Seen::ByTheIssuer };
        let Some((at, why)) = self.withdrawn(token, seen) else { return };
        if asked > at + MAX_STALENESS + window.unwrap_or_default() {
            let late = asked.saturating_sub(at);
            self.breaks(format!("{api} accepts {jti} {late:?} after {why}"));
        }
    }

    /// A caller that has all it needs, from `now` on.
    pub(super) fn valid_caller(&mut self, name: &str, now: Duration) {
        self.callers.entry(name.to_owned()).or_default().valid_since = Some(now);
    }

    /// A caller whose credential is being replaced in an emergency.
    pub(super) fn invalid_caller(&mut self, name: &str) {
        self.callers.entry(name.to_owned()).or_default().valid_since = None;
    }

    pub(super) fn served(&mut self, name: &str, asked: Duration) {
        let called = self.callers.entry(name.to_owned()).or_default();
        called.served += 1;
        called.last_served = asked;
    }

    /// Whether each valid caller was served since it is calm.
    pub(super) fn all_served(&self) -> bool {
        let calm = self.calm_since.unwrap_or(Duration::MAX);
        self.callers.values().all(|called| called.valid_since.is_none() || called.last_served > calm)
    }

    pub(super) fn refused(&mut self, name: &str, asked: Duration, why: &str) {
        let since = self.callers.get(name).and_then(|called| called.valid_since).zip(self.calm_since);
        if let Some((valid, calm)) = since
            && asked > valid.max(calm) + PATIENCE
        {
            let late = asked.saturating_sub(valid.max(calm));
            self.breaks(format!("{name} is refused {late:?} after all faults stopped: {why}"));
        }
    }

    /// No more faults from now on.
    pub(super) fn calm(&mut self, now: Duration) {
        self.calm_since = Some(now);
    }

    /// One of the tokens that are alive, or have been over for no longer than `gone`.
    pub(super) fn loot(&self, wall: UnixTime, gone: Duration, chance: &Chance) -> Option<Token> {
        let worth = |token: &&Token| token.expires_at.saturating_add(gone) > wall;
        let worth: Vec<&Token> = self.tokens.values().filter(worth).collect();
        chance.pick(&worth).map(|token| (*token).clone())
    }

    /// How many tokens were minted, and calls served.
    pub(super) fn counted(&self) -> (usize, u64) {
        (self.tokens.len(), self.callers.values().map(|called| called.served).sum())
    }

    /// Every `jti` that was minted.
    pub(super) fn jtis(&self) -> Vec<String> {
        self.tokens.keys().cloned().collect()
    }

    /// A node that says that it may say what stands must show all that was acknowledged.
    pub(super) fn check(&mut self, shown: &Shown<'_>) {
        let due = |at: Duration| shown.now > at + bound(at, shown.good_since);
        let missing = self.facts.iter().find(|(at, fact)| due(*at) && !shows(shown, fact)).cloned();
        if let Some((at, fact)) = missing {
            let late = shown.now.saturating_sub(at);
            return self
                .breaks(format!("node {} does not show {fact:?}, acknowledged {late:?} ago", shown.node));
        }
        let status = |id: &ClientId| shown.registry.registration(id).map(|found| found.client().status);
        let other = self.statuses.iter().find(|(id, (at, known))| due(*at) && status(id) != Some(*known));
        if let Some((id, (at, known))) = other.map(|(id, known)| (id.clone(), *known)) {
            let late = shown.now.saturating_sub(at);
            let found = status(&id);
            let sentence = format!(
                "node {} says that {} is {found:?}; {known:?} was acknowledged {late:?} ago",
                shown.node,
                id.as_str()
            );
            self.breaks(sentence);
        }
    }
}

/// How soon a node knows: if nothing stood between it and the database since, and otherwise.
fn bound(at: Duration, good_since: Option<Duration>) -> Duration {
    match good_since.is_some_and(|since| since <= at) {
        true => PROPAGATION,
        false => MAX_STALENESS,
    }
}

fn shows(shown: &Shown<'_>, fact: &Fact) -> bool {
    let credential = |id: &CredentialId| shown.registry.credential(id);
    match fact {
        Fact::Client(id) => shown.registry.registration(id).is_some(),
        Fact::Credential(id) => credential(id).is_some(),
        Fact::CredentialRevoked(id) => credential(id).is_some_and(|found| found.status == Status::Revoked),
        // Clocks of nodes are half a second off at most.
        Fact::TokenRevoked(jti, expires_at) => {
            shown.wall.saturating_add(Duration::from_secs(1)) >= *expires_at || (shown.is_revoked)(jti)
        }
    }
}
