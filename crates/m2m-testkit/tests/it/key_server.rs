//! The verifier against the key server from hell, in virtual time: under rotation, outage, flood and poison keys it
//! lets in whom it should, blames no token for what it cannot know, and asks for keys once per cooldown.

mod flood;
mod freshness;
mod outage;
mod poison;
mod together;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri};
use m2m_proto::uri::Issuer;
use m2m_resource_server::{Reason, Rejection, RequestParts, VerifiedAccessToken, Verifier};
use m2m_testkit::key_server::{AUDIENCE, Document, KeyServer};
use m2m_testkit::{ManualClock, settle};

const ISSUER: &str = "https://as.example";
const SECOND: Duration = Duration::from_secs(1);
const COOLDOWN: Duration = Duration::from_secs(30);

/// An API whose verifier finds the issuer's keys by discovery.
struct Api {
    server: KeyServer,
    clock: ManualClock,
    verifier: Verifier,
}

/// What became of a request.
#[derive(Debug)]
struct Outcome {
    status: u16,
    retry_after: Option<String>,
    /// How long it took, by the clock of the test.
    waited: Duration,
    rejection: Option<Rejection>,
}

impl Api {
    fn new() -> Self {
        let clock = ManualClock::new();
        let server = KeyServer::new(ISSUER, Arc::new(clock.clone()));
        let verifier = Verifier::builder()
            .trust(Issuer::parse(ISSUER).unwrap(), AUDIENCE)
            .http(Arc::new(server.in_memory()))
            .clock(Arc::new(clock.clone()));
        Self { server, clock, verifier: verifier.build().unwrap() }
    }

    /// One that has the keys, fetched right now.
    async fn warm() -> Self {
        let api = Self::new();
        assert_eq!(api.ask(&api.server.token(0)).await.status, 200);
        api
    }

    /// A request with this token. Time passes only while the verifier waits for it.
    async fn ask(&self, token: &str) -> Outcome {
        let mut asked = pin!(verify(&self.verifier, token));
        let mut waited = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                result = &mut asked => return Outcome::of(result.err(), waited),
                () = settle() => {}
            }
            assert!(waited < SECOND * 20, "nobody may wait so long");
            self.clock.advance(SECOND);
            waited += SECOND;
        }
    }

    async fn status(&self, token: &str) -> u16 {
        self.ask(token).await.status
    }

    /// Time passes, and what runs in the background runs.
    async fn pass(&self, seconds: u64) {
        self.clock.pass(SECOND * u32::try_from(seconds).unwrap()).await;
    }

    fn key_fetches(&self) -> usize {
        self.server.count(Document::Keys)
    }

    /// At most one fetch of the keys began within any cooldown.
    #[track_caller]
    fn asked_once_per_cooldown(&self) {
        assert_eq!(self.server.most_within(COOLDOWN, Document::Keys), 1);
    }
}

impl Outcome {
    fn of(rejection: Option<Rejection>, waited: Duration) -> Self {
        let response = rejection.as_ref().map(Rejection::to_response);
        let status = response.as_ref().map_or(200, |response| response.status().as_u16());
        let retry_after = response.and_then(|response| {
            Some(response.headers().get("retry-after")?.to_str().expect("a text").to_owned())
        });
        Self { status, retry_after, waited, rejection }
    }

    fn reason(&self) -> Option<&Reason> {
        self.rejection.as_ref().map(Rejection::reason)
    }

    /// 503, and when to come back.
    #[track_caller]
    fn is_put_off(&self, what: &str) {
        assert_eq!(self.status, 503, "{what}: {self:?}");
        assert!(self.retry_after.is_some(), "{what}: {self:?}");
    }
}

async fn verify(verifier: &Verifier, token: &str) -> Result<VerifiedAccessToken, Rejection> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let headers: HeaderMap = [(http::header::AUTHORIZATION, value)].into_iter().collect();
    let (method, uri) = (Method::GET, Uri::from_static("/orders"));
    verifier.verify(&RequestParts { method: &method, uri: &uri, headers: &headers, certificate: None }).await
}
