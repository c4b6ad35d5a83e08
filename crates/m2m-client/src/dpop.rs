//! The client's side of DPoP (RFC 9449): its key, and the nonces that servers
//! hand out.
//!
//! Nonces are kept per origin and role, since a token endpoint and an API on
//! one origin issue different ones, and taken from every response. The memory
//! is bounded.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, Method, Uri};
use m2m_io::{Clock, Random};
use m2m_proto::dpop::{DpopNonce, DpopProof};
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::token::AccessToken;
use m2m_proto::uri::Origin;

use crate::error::{Error, Fault};

/// More servers than any client talks to.
const MAX_NONCES: usize = 1024;

/// Whether and with which key tokens are bound to this client (RFC 9449).
#[derive(Clone, Default)]
pub enum Dpop {
    /// Bearer tokens.
    #[default]
    None,
    /// A key that this process makes and never stores. Its tokens are not
    /// stored either.
    Ephemeral(Algorithm),
    /// This key, which other processes may share.
    Key(Arc<SigningKey>),
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Ephemeral(algorithm) => write!(f, "Ephemeral({algorithm})"),
            Self::Key(key) => write!(f, "Key({})", key.algorithm()),
        }
    }
}

/// Who issued a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    AuthorizationServer,
    ResourceServer,
}

/// Makes proofs. One per client.
pub(crate) struct DpopSigner {
    key: Arc<SigningKey>,
    thumbprint: String,
    storable: bool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    nonces: Mutex<NonceMemory>,
}

impl DpopSigner {
    /// `None` for bearer tokens. Makes the ephemeral key.
    pub(crate) fn new(
        dpop: &Dpop,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Option<Self>, Error> {
        let (key, storable) = match dpop {
            Dpop::None => return Ok(None),
            Dpop::Key(key) => (Arc::clone(key), true),
            Dpop::Ephemeral(algorithm) => {
                let made = SigningKey::generate(*algorithm)
                    .map_err(|error| Error::misconfigured(format!("no DPoP key: {error}")))?;
                (Arc::new(made), false)
            }
        };
        if key.algorithm().is_symmetric() {
            return Err(Error::misconfigured("a DPoP key is a private key, not a shared secret"));
        }
        let thumbprint = key.thumbprint().as_str().to_owned();
        let nonces = Mutex::new(NonceMemory::new(MAX_NONCES));
        Ok(Some(Self { key, thumbprint, storable, clock, random, nonces }))
    }

    /// The key's thumbprint: what tokens are bound to.
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether another process could use a token bound to this key.
    pub(crate) fn is_storable(&self) -> bool {
        self.storable
    }

    /// A fresh proof for one request: to an authorization server without, to a
    /// resource server with the token.
    // spec: 9449-C1
    // spec: 9449-C2
    pub(crate) fn proof(
        &self,
        method: &Method,
        uri: &Uri,
        token: Option<&AccessToken>,
    ) -> Result<HeaderValue, Error> {
        let role = if token.is_some() { Role::ResourceServer } else { Role::AuthorizationServer };
        let origin = Origin::of(uri).map_err(|error| Error::misconfigured(error.to_string()))?;
        let nonce = self.lock().get(&origin, role);
        let proof = DpopProof {
            method,
            uri,
            now: self.clock.wall(),
            jti: &m2m_io::token(self.random.as_ref()),
            nonce: nonce.as_ref(),
            access_token: token,
        };
        proof.build(&self.key).map_err(|error| {
            Error::caused(Fault::Internal { what: "the DPoP proof cannot be signed" }, error)
        })
    }

    /// Takes the nonce out of any response.
    // spec: 9449-C3
    pub(crate) fn remember(&self, uri: &Uri, role: Role, headers: &HeaderMap) {
        if let (Some(nonce), Ok(origin)) = (DpopNonce::from_headers(headers), Origin::of(uri)) {
            self.lock().put(origin, role, nonce);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, NonceMemory> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DpopSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopSigner").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// The newest nonce of each origin and role; the one not renewed longest makes room.
struct NonceMemory {
    most: usize,
    clock: u64,
    nonces: HashMap<(Origin, Role), (u64, DpopNonce)>,
}

impl NonceMemory {
    fn new(most: usize) -> Self {
        Self { most, clock: 0, nonces: HashMap::new() }
    }

    fn get(&self, origin: &Origin, role: Role) -> Option<DpopNonce> {
        self.nonces.get(&(origin.clone(), role)).map(|(_, nonce)| nonce.clone())
    }

    fn put(&mut self, origin: Origin, role: Role, nonce: DpopNonce) {
        self.clock += 1;
        let key = (origin, role);
        if self.nonces.len() >= self.most && !self.nonces.contains_key(&key) {
            let oldest = self.nonces.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.nonces.remove(&oldest);
            }
        }
        self.nonces.insert(key, (self.clock, nonce));
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::dpop::DpopNonce;
    use m2m_proto::uri::Origin;

    use super::{NonceMemory, Role};

    fn origin(number: usize) -> Origin {
        Origin::parse(&format!("https://h{number}.example")).unwrap()
    }

    fn nonce(text: &str) -> DpopNonce {
        DpopNonce::parse(text).unwrap()
    }

    #[test]
    fn nonces_are_kept_per_origin_and_role() {
        let mut memory = NonceMemory::new(10);
        memory.put(origin(1), Role::AuthorizationServer, nonce("a"));
        memory.put(origin(1), Role::ResourceServer, nonce("b"));
        memory.put(origin(1), Role::ResourceServer, nonce("c"));
        assert_eq!(memory.get(&origin(1), Role::AuthorizationServer), Some(nonce("a")));
        assert_eq!(memory.get(&origin(1), Role::ResourceServer), Some(nonce("c")));
        assert_eq!(memory.get(&origin(2), Role::ResourceServer), None);
    }

    /// huskarl's map of nonces grows with every origin it meets.
    #[test]
    fn the_memory_of_nonces_is_bounded_and_forgets_the_oldest() {
        let mut memory = NonceMemory::new(3);
        for number in 0..100 {
            memory.put(origin(number), Role::ResourceServer, nonce("n"));
            memory.put(origin(0), Role::ResourceServer, nonce("renewed"));
        }
        assert_eq!(memory.nonces.len(), 3);
        assert_eq!(memory.get(&origin(0), Role::ResourceServer), Some(nonce("renewed")));
        assert_eq!(memory.get(&origin(99), Role::ResourceServer), Some(nonce("n")));
        assert_eq!(memory.get(&origin(50), Role::ResourceServer), None);
    }
}
