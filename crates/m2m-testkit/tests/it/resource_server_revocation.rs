//! Our authorization server withdraws, and an API that reads its lists sees it: within what the one promises and the
//! other computes, second by second.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use m2m_client::{Client, TokenSpec};
use m2m_io::HttpError;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::{EndpointUri, Issuer};
use m2m_resource_server::{Reason, RequestParts, StatusCheck, TrustedIssuer, Verifier};
use m2m_testkit::fixture::{API, ISSUER};
use m2m_testkit::{Fault, Fixture};

/// An API that reads all that the issuer publishes.
struct Reading {
    fixture: Fixture,
    client: Client,
    verifier: Verifier,
}

impl Reading {
    async fn start() -> Self {
        let fixture =
            Fixture::with(|server| server.status_ttl(Duration::from_secs(20)), |verifier| verifier).await;
        let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
        let feed = EndpointUri::parse(&format!("{ISSUER}/oauth2/revocations")).unwrap();
        let minute = Duration::from_secs(60);
        let trusted = TrustedIssuer::new(Issuer::parse(ISSUER).unwrap())
            .audience(API)
            .status_list(StatusCheck::Required)
            .revocation_feed(feed)
            .withdrawals_kept(minute, minute);
        let builder = Verifier::builder().trust_with(trusted).clock(fixture.clock());
        let verifier = builder.http(Arc::new(fixture.http.clone())).build().unwrap();
        Self { fixture, client, verifier }
    }

    async fn token(&self) -> String {
        self.client.token(&TokenSpec::default()).await.unwrap().access_token().expose().to_owned()
    }

    async fn ask(&self, token: &str) -> Result<(), Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let uri = "/orders".parse().unwrap();
        let request = RequestParts { method: &Method::GET, uri: &uri, headers: &headers, certificate: None };
        self.verifier.verify(&request).await.map(drop).map_err(|rejection| rejection.reason().clone())
    }

    /// Asks every second, and says after how many the token was refused, and why.
    async fn refused_after(&self, token: &str, limit: Duration) -> (Duration, Reason) {
        for second in 0..=limit.as_secs() {
            if let Err(reason) = self.ask(token).await {
                return (Duration::from_secs(second), reason);
            }
            self.fixture.clock.pass(Duration::from_secs(1)).await;
        }
        panic!("still accepted after {limit:?}");
    }
}

/// What the admin API tells the operator is what an API does.
// spec-test: TSL-RS1, FAPI-RS1
#[tokio::test]
async fn what_is_withdrawn_is_refused_within_what_was_promised() {
    for what in ["credential", "client", "token"] {
        let reading = Reading::start().await;
        let admin = reading.fixture.server.admin();
        let token = reading.token().await;
        reading.ask(&token).await.unwrap();
        let query = m2m_authorization_server::audit::Query::default();
        let issued = admin.live_tokens(query).await.unwrap().remove(0).record;
        match what {
            "credential" => drop(admin.revoke_credential(&issued.credential.unwrap()).await.unwrap()),
            "client" => drop(admin.revoke_client(&ClientId::parse("app").unwrap()).await.unwrap()),
            _ => assert!(admin.revoke_token(&issued.jti.unwrap()).await.unwrap()),
        }
        let promised = admin.effective().offline;
        let (after, reason) = reading.refused_after(&token, promised).await;
        assert_eq!(reason, Reason::Withdrawn, "{what}");
        assert!(after <= promised, "{what}: {after:?}, promised {promised:?}");
        let window = reading.verifier.revocation_window();
        let window = if what == "token" { window.token } else { window.credential };
        assert!(after < window.unwrap(), "{what}");
    }
}

/// The list says for how long it is good; after that nobody is let in on its word.
#[tokio::test]
async fn an_issuer_that_is_down_is_believed_for_as_long_as_its_list_says() {
    let reading = Reading::start().await;
    let token = reading.token().await;
    reading.ask(&token).await.unwrap();
    reading.fixture.http.always(ISSUER, Fault::Fail(HttpError::Connect("down".to_owned())));
    let (after, reason) = reading.refused_after(&token, Duration::from_secs(600)).await;
    assert!(matches!(reason, Reason::Unavailable(_)), "{reason:?}");
    assert_eq!(after, Duration::from_secs(40 + 30), "twice its ttl, and the skew");
    reading.fixture.http.recover(ISSUER);
    reading.fixture.clock.pass(Duration::from_secs(30)).await;
    reading.ask(&token).await.unwrap();
}
