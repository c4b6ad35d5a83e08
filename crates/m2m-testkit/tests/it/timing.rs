//! What a stranger can learn with a stopwatch: whether a client is registered.
//!
//! In process, so that no network blurs the difference, and interleaved, so that whatever else the machine does falls
//! on both sides alike. What is compared are medians of the time that one request takes the whole router.
//!
//! Enforces: for a wrong secret and for a wrong signature the medians of a registered and an unknown client differ by
//! less than 3 % and 5 %. Does not enforce: that less can be told from more requests than these; what was measured is
//! printed. Limits: 10,000 requests on each side.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use m2m_authorization_server::registry::{Client, CredentialSpec, Proof, SecretUse};
use m2m_authorization_server::{ClientAddress, FailureBudget, Server};
use m2m_io::{Clock as _, SystemClock};
use m2m_proto::client_auth::assertion::{AssertionAudience, ClientAssertion};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::uri::Issuer;
use m2m_testkit::FixedKeys;
use m2m_testkit::fixture::ISSUER;
use tower::ServiceExt as _;

/// Requests on each side.
const REQUESTS: usize = 10_000;

/// Of the same length, as the length of what it sends is the stranger's own choice.
const KNOWN: &str = "known-client";
const UNKNOWN: &str = "other-client";

/// A server that bears all of these failures, with one client that has one credential.
struct Target {
    router: Router,
    secret: Option<String>,
}

impl Target {
    async fn new(proof: Proof) -> Self {
        let budget = FailureBudget::default().per_client_and_address(u32::MAX).per_address(u32::MAX);
        let server = Server::builder(Issuer::parse(ISSUER).unwrap()).failure_budget(budget).build().unwrap();
        let admin = server.admin();
        admin.create_client(Client::new(client_id(KNOWN))).await.unwrap();
        let spec = CredentialSpec::new(client_id(KNOWN), "test", proof);
        let made = admin.create_credential(spec).await.unwrap();
        let secret = made.client_secret.map(|secret| secret.expose().clone());
        Self { router: server.router(), secret }
    }

    /// How long the refusal takes.
    async fn refused(&self, request: Request<Body>) -> Duration {
        let router = self.router.clone();
        let before = SystemClock.monotonic();
        let response = router.oneshot(request).await.unwrap();
        let took = SystemClock.monotonic().saturating_sub(before);
        assert!([StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST].contains(&response.status()));
        took
    }

    /// The medians of both, and by how much the second is longer than the first.
    async fn compare(&self, one: impl Fn() -> Request<Body>, other: impl Fn() -> Request<Body>) -> f64 {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for round in 0..REQUESTS {
            // Who comes first in a round must not always be the same.
            if round % 2 == 0 {
                first.push(self.refused(one()).await);
                second.push(self.refused(other()).await);
            } else {
                second.push(self.refused(other()).await);
                first.push(self.refused(one()).await);
            }
        }
        let (first, second) = (median(first), median(second));
        let difference = second.as_secs_f64() / first.as_secs_f64() - 1.0;
        println!("unknown {first:?}, known {second:?}: {:+.1} %", difference * 100.0);
        difference
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn post(authorization: Option<&str>, body: String) -> Request<Body> {
    let mut request =
        Request::post("/oauth2/token").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    request
}

fn basic(client: &str, secret: &str) -> Request<Body> {
    let pair = STANDARD.encode(format!("{client}:{secret}"));
    post(Some(&format!("Basic {pair}")), "grant_type=client_credentials".to_owned())
}

fn with_assertion(assertion: &str) -> Request<Body> {
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    post(
        None,
        format!("grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"),
    )
}

#[tokio::test]
#[ignore = "long: 20,000 requests"]
async fn an_unknown_client_is_refused_in_the_time_of_a_wrong_secret() {
    let target = Target::new(Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    // It names a credential that exists, and is wrong in its last letter.
    let mut wrong = target.secret.clone().unwrap();
    let last = if wrong.ends_with('2') { '3' } else { '2' };
    wrong.pop();
    wrong.push(last);
    let difference = target.compare(|| basic(UNKNOWN, &wrong), || basic(KNOWN, &wrong)).await;
    // Without the check of a hash that nothing matches it is 6 %, with it 0.2 %.
    assert!(difference.abs() < 0.03, "{difference}");
}

#[tokio::test]
#[ignore = "long: 20,000 requests"]
async fn an_unknown_client_is_refused_in_the_time_of_a_wrong_signature() {
    let set = JwkSet::decode(&FixedKeys::set(&[Algorithm::Es256])).unwrap();
    let target = Target::new(Proof::PublicKeys(set)).await;
    let key_id = FixedKeys::signing(Algorithm::Es256).key_id().unwrap().to_owned();
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id(key_id);
    let audience = AssertionAudience::Issuer(Issuer::parse(ISSUER).unwrap());
    let assertion = |client: &str| {
        let id = client_id(client);
        ClientAssertion::new(&id, &audience, "a-jti", SystemClock.wall()).build(&foreign).unwrap()
    };
    let (unknown, known) = (assertion(UNKNOWN), assertion(KNOWN));
    let difference = target.compare(|| with_assertion(&unknown), || with_assertion(&known)).await;
    // Without the key that nobody has it is 285 %, with it 2 %.
    assert!(difference.abs() < 0.05, "{difference}");
}
