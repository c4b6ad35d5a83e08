//! The APIs: one that reads status lists and feed, one that asks about every token.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use m2m_client::Client;
use m2m_io::Clock as _;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use m2m_resource_server::{Dpop, Introspect, Reason, RequestParts, StatusCheck, TrustedIssuer, Verifier};

use super::clock::PartyClock;
use super::network::PartyHttp;
use super::world::World;
use super::{API, ISSUER, chance, tap};
use crate::SeededRandom;

/// How long an API uses what it fetched, and how much longer while it cannot fetch.
const KEPT: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(25));

/// An API behind a verifier.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) name: String,
    verifier: Verifier,
    clock: Arc<PartyClock>,
    /// How late it sees a withdrawal; `None` for one that asks.
    window: Option<Duration>,
}

impl Api {
    /// An API with a clock that is so many milliseconds off.
    pub(super) fn new(world: &World, name: &str, number: u8, off: i64, asks: Option<Client>) -> Arc<Self> {
        let clock = Arc::new(PartyClock::new(&world.time, off));
        let feed = EndpointUri::parse(&format!("{ISSUER}/oauth2/revocations")).expect("an address");
        let issuer = TrustedIssuer::new(Issuer::parse(ISSUER).expect("an issuer"))
            .audience(API)
            .keys_kept(Duration::from_secs(30), Duration::from_secs(60))
            .withdrawals_kept(KEPT.0, KEPT.1);
        let offline = asks.is_none();
        let trusted = match asks {
            Some(client) => issuer.introspection(client, Introspect::Always),
            None => issuer.status_list(StatusCheck::Required).revocation_feed(feed),
        };
        let verifier = Verifier::builder()
            .trust_with(trusted)
            .clock(Arc::clone(&clock) as _)
            .random(Arc::new(SeededRandom::new(chance::stream(world.seed, name))))
            .http(Arc::new(PartyHttp::new(&world.network, world.seed, name, number)))
            .dpop(Dpop::new(Origin::parse(API).expect("an origin")))
            .build()
            .expect("a verifier");
        let window = verifier.revocation_window();
        let window = window.credential.zip(window.token).map(|(credential, token)| credential.max(token));
        let window = if offline { Some(window.expect("a window")) } else { None };
        Arc::new(Self { name: name.to_owned(), verifier, clock, window })
    }

    /// A defect.
    pub(super) fn stop_clock(&self) {
        self.clock.stop();
    }

    /// A request, and what becomes of it.
    pub(super) async fn call(&self, world: &World, headers: &HeaderMap) -> Result<(), Reason> {
        let asked = (world.now(), world.time.wall());
        let uri = Uri::from_static("/orders");
        let request = RequestParts { method: &Method::GET, uri: &uri, headers, certificate: None };
        let verified = self.verifier.verify(&request).await;
        match verified {
            Ok(_) => {
                let jti = jti_of(headers).unwrap_or_default();
                let mut ledger = world.ledger();
                ledger.accepted(&self.name, &jti, asked, self.window);
                if let Some(proof) = tap::proof_of(headers) {
                    ledger.consumed(&format!("the proof {proof} at {}", self.name));
                }
                Ok(())
            }
            Err(rejection) => Err(rejection.reason().clone()),
        }
    }
}

fn jti_of(headers: &HeaderMap) -> Option<String> {
    let (_, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    tap::claim(token, "jti")
}

/// The headers of a request with a bearer token.
pub(super) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        headers.insert(header::AUTHORIZATION, value);
    }
    headers
}
