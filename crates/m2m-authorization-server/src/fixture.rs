//! What the unit tests of this crate share: fixed time, seeded randomness, plain registrations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use m2m_io::{BoxFuture, Clock, Random};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::secret::Secret;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token::{AccessTokenClaims, VerifiedClaims};
use m2m_proto::token::sealed::{self, TokenSeal};
use m2m_proto::uri::Issuer;

use crate::authenticate::AuthenticatedClient;
use crate::registry::{
    Api, ApiIdentifier, Client, Credential, CredentialId, Material, Registration, SecretUse,
};

/// 2026-11-22T10:40:00Z, the time at which tests begin.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_795_344_000);

pub(crate) fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

pub(crate) fn identifier(text: &str) -> ApiIdentifier {
    ApiIdentifier::parse(text).unwrap()
}

pub(crate) fn api(name: &str, scopes: &[&str]) -> Api {
    let add = |api: Api, scope: &&str| api.scope(ScopeToken::parse(scope).unwrap(), "");
    scopes.iter().fold(Api::new(identifier(name)), add)
}

pub(crate) fn credential(id: &str) -> Credential {
    let material = Material::SecretHash { hash: [1; 32], accepted: SecretUse::BasicOrPost };
    let id = CredentialId::parse(id).unwrap();
    let created = Credential::new(id, client_id("app"), material, UnixTime::from_seconds(0));
    Credential { label: "test".to_owned(), ..created }
}

pub(crate) fn authenticated(client: Client, credential: Credential) -> AuthenticatedClient {
    let credential = Arc::new(credential);
    let registration = Arc::new(Registration::for_test(client, Arc::clone(&credential)));
    AuthenticatedClient::for_test(registration, credential)
}

/// Time that moves when it is told to; sleeping never ends.
#[derive(Debug)]
pub(crate) struct FixedClock(Mutex<UnixTime>);

impl FixedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(NOW)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.saturating_add(by);
    }
}

impl Clock for FixedClock {
    fn wall(&self) -> UnixTime {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.wall().since(UnixTime::from_seconds(0))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Bytes that look random and are the same in every run (SplitMix64).
#[derive(Debug)]
pub(crate) struct SeededRandom(AtomicU64);

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// Claims of a token that was sealed and opened a moment ago.
pub(crate) fn verified_claims() -> VerifiedClaims {
    let issuer = Issuer::parse("https://as.example").unwrap();
    let seal = TokenSeal::new(&Secret::new(vec![1; 32]), &issuer).unwrap();
    let claims = AccessTokenClaims {
        issuer: &issuer,
        subject: "app",
        client_id: &client_id("app"),
        audience: &["https://orders.example"],
        scope: &Scope::empty(),
        issued_at: NOW,
        expires_at: NOW.saturating_add(Duration::from_secs(600)),
        jti: "t",
        roles: &[],
        permissions: &[],
        credential: None,
        confirmation: None,
        status: None,
        delegation: None,
    };
    let token = seal.seal(&claims, [0; 12], NOW).unwrap();
    let expect = sealed::Expect { audience: "https://orders.example", now: NOW, skew: Skew::NONE };
    seal.open(token.expose()).unwrap().check(&expect).unwrap()
}
