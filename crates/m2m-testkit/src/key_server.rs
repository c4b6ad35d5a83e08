//! The key server from hell: an issuer's metadata and key set, published in every way that a verifier must survive.
//!
//! It rotates, goes down, drips, lags behind, floods, and publishes keys that nobody should take; each by a dial that
//! can be turned while verifiers use it, and all of them at once. It counts what it is asked, and mints the tokens to
//! ask verifiers with. In memory it is an [`HttpClient`](m2m_io::HttpClient) ([`InMemoryKeys`]) on any clock; on a
//! loopback socket ([`KeyServer::listen`]) it serves anybody's verifier, with its dials at `/hell`.
//!
//! Does not enforce: anything. Its keys and tokens are for tests, and it takes orders from whoever reaches its socket.

mod control;
mod dials;
mod in_memory;
mod listen;
mod mint;
mod poison;
mod reply;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_io::Clock;
use m2m_proto::jose::{Algorithm, SigningKey};

pub use self::dials::{Caching, Poison, Reply, Tag};
pub use self::in_memory::InMemoryKeys;
pub use self::listen::Listening;
pub use self::mint::{AUDIENCE, Flood};
pub use self::poison::{weak_keys, weak_tokens};

/// The server. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct KeyServer {
    issuer: Arc<str>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Every key that there ever was, the oldest first.
    keys: Vec<SigningKey>,
    /// The numbers of those that are published.
    published: Vec<usize>,
    reply: Reply,
    poison: Poison,
    caching: Caching,
    tag: Tag,
    asked: Vec<Asked>,
    /// URLs that led anywhere else.
    elsewhere: Vec<String>,
}

/// One request, by what it was for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Duration,
    document: Document,
    /// Answered with 304.
    unchanged: bool,
}

/// What verifiers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The key set, at `/jwks`.
    Keys,
    /// The metadata of the issuer, at its well-known places.
    Metadata,
}

impl KeyServer {
    /// A server that behaves well, with one key. `issuer` is the origin at which it is to be found.
    ///
    /// # Panics
    ///
    /// If no key can be made, here and in [`Self::rotate`].
    #[must_use]
    pub fn new(issuer: &str, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            keys: vec![key(0)],
            published: vec![0],
            reply: Reply::Good,
            poison: Poison::None,
            caching: Caching::Unsaid,
            tag: Tag::Honest,
            asked: Vec::new(),
            elsewhere: Vec::new(),
        };
        Self { issuer: issuer.into(), clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The issuer, `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A new key signs from now on and is published beside those that are. Returns its number.
    pub fn rotate(&self) -> usize {
        let number = self.prepare();
        self.state().published.push(number);
        number
    }

    /// A new key that is not published. Returns its number.
    pub fn prepare(&self) -> usize {
        let mut state = self.state();
        let number = state.keys.len();
        state.keys.push(key(number));
        number
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, numbers: &[usize]) {
        self.state().published = numbers.to_vec();
    }

    /// The number of the newest key.
    #[must_use]
    pub fn newest(&self) -> usize {
        self.state().keys.len() - 1
    }

    /// Sets how requests are answered.
    pub fn reply(&self, reply: Reply) {
        self.state().reply = reply;
    }

    /// Sets what stands in the key set beside the good keys.
    pub fn poison(&self, poison: Poison) {
        self.state().poison = poison;
    }

    /// Sets what answers say of how long they may be kept.
    pub fn caching(&self, caching: Caching) {
        self.state().caching = caching;
    }

    /// Sets what answers say of which version they are.
    pub fn tag(&self, tag: Tag) {
        self.state().tag = tag;
    }

    /// How often a document was asked for, answers of 304 included.
    #[must_use]
    pub fn count(&self, document: Document) -> usize {
        self.state().asked.iter().filter(|asked| asked.document == document).count()
    }

    /// How many of these were answered with 304.
    #[must_use]
    pub fn unchanged(&self, document: Document) -> usize {
        self.state().asked.iter().filter(|asked| asked.document == document && asked.unchanged).count()
    }

    /// The most requests for a document that began less than `span` apart.
    #[must_use]
    pub fn most_within(&self, span: Duration, document: Document) -> usize {
        let state = self.state();
        let times: Vec<_> =
            state.asked.iter().filter(|asked| asked.document == document).map(|asked| asked.at).collect();
        let since = |first: Duration| times.iter().filter(|at| **at >= first && **at < first + span).count();
        times.iter().map(|first| since(*first)).max().unwrap_or(0)
    }

    /// The URLs that were asked for and are not this server's documents. In memory only: elsewhere they do not come
    /// here.
    #[must_use]
    pub fn elsewhere(&self) -> Vec<String> {
        self.state().elsewhere.clone()
    }

    /// Starts counting again.
    pub fn forget_counts(&self) {
        self.state().asked.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// ES256, because every verifier knows it.
fn key(number: usize) -> SigningKey {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    key.with_key_id(format!("hell-{number}"))
}

#[cfg(test)]
mod tests;
