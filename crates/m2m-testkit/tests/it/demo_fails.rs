//! `m2m demo` with one broken party at a time: the step that this party plays in fails, and no other.
//!
//! A demo that cannot fail shows nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use http::header::AUTHORIZATION;
use m2m_cli::certificate::{Authority, Certified, Wish, self_signed};
use m2m_cli::demo::{self, Parties, ProtectedApi, Step, Team};
use m2m_client::{CertificateSource, ClientBuilder, Credentials, FixedSecret, KeySource, SecretSource};
use m2m_io::{Clock, OsRandom, SystemClock};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, SigningKey, base64url};
use m2m_proto::secret::SecretString;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

/// The names of the steps that failed.
async fn failing(parties: Parties) -> Vec<&'static str> {
    let (stage, reports) =
        demo::run(parties, (Arc::new(SystemClock), Arc::new(OsRandom)), |_| {}).await.unwrap();
    stage.strike().await;
    assert_eq!(reports.len(), Step::ALL.len());
    reports.iter().filter(|report| !report.is_ok()).map(|report| report.step.name()).collect()
}

macro_rules! broken {
    ($($test:ident: $step:ident, $parties:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            assert_eq!(failing($parties).await, [Step::$step.name()]);
        })+

        #[test]
        fn every_step_has_a_broken_party() {
            let broken = [$(Step::$step),+];
            for step in Step::ALL {
                assert!(broken.contains(step), "nothing here makes {} fail", step.name());
            }
        }
    };
}

broken! {
    a_wrong_secret_in_the_header: ClientSecretBasic, client(Step::ClientSecretBasic, || wrong_secret(ClientAuthMethod::ClientSecretBasic));
    a_wrong_secret_in_the_form: ClientSecretPost, client(Step::ClientSecretPost, || wrong_secret(ClientAuthMethod::ClientSecretPost));
    an_assertion_with_a_wrong_secret: ClientSecretJwt, client(Step::ClientSecretJwt, || wrong_secret(ClientAuthMethod::ClientSecretJwt));
    an_assertion_with_a_wrong_key: PrivateKeyJwt, client(Step::PrivateKeyJwt, wrong_key);
    a_certificate_of_a_strange_authority: TlsClientAuth, client(Step::TlsClientAuth, strange_authority);
    a_certificate_that_is_not_registered: SelfSignedTlsClientAuth, client(Step::SelfSignedTlsClientAuth, other_certificate);
    an_api_that_takes_a_bound_token_without_proof: Dpop, leaky(|request| {
        scheme(request) == "Bearer" && claims(request).contains_key("cnf")
    });
    an_api_that_lets_everybody_in: NoToken, leaky(|request| !request.headers().contains_key(AUTHORIZATION));
    an_api_that_believes_any_signature: ForgedToken, leaky(|request| {
        let header = part(request, 0);
        !header.is_empty() && !header.contains_key("kid")
    });
    an_api_that_ignores_the_audience: WrongAudience, leaky(|request| {
        claims(request).get("aud").is_some_and(|aud| *aud != demo::API)
    });
    an_api_that_ignores_the_scope: SmallScope, leaky(|request| request.method() == http::Method::POST);
    a_client_that_renews_late: Renewal, tuned(Step::Renewal, |builder| builder.refresh_lead(Duration::ZERO));
    a_server_that_forgets_revocations: RevokedToken, forgetful_server();
    an_operator_who_revokes_nothing: RevokedInstance, Parties {
        operator: Arc::new(|_, _| Box::pin(async { Ok(()) })),
        ..Parties::default()
    };
    an_operator_who_revokes_the_whole_client: RevokedInstance, Parties {
        operator: Arc::new(|admin, _| Box::pin(async move {
            let client = ClientId::parse(Team::Billing.id()).unwrap();
            admin.revoke_client(&client).await.map(drop).map_err(|error| error.to_string())
        })),
        ..Parties::default()
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_when_everybody_does_what_they_should() {
    let started = SystemClock.monotonic();
    assert_eq!(failing(Parties::default()).await, [] as [&str; 0]);
    assert!(SystemClock.monotonic().saturating_sub(started) < Duration::from_secs(10));
}

/// One client with another credential than the registered one.
fn client(step: Step, credentials: impl Fn() -> Credentials + Send + Sync + 'static) -> Parties {
    tuned(step, move |builder| builder.credentials(credentials()))
}

fn tuned(step: Step, change: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) -> Parties {
    Parties {
        client: Arc::new(
            move |identity, builder| if identity.step == step { change(builder) } else { builder },
        ),
        ..Parties::default()
    }
}

fn fixed(text: &str) -> Arc<dyn SecretSource> {
    Arc::new(FixedSecret::new(SecretString::from(text)))
}

fn wrong_secret(method: ClientAuthMethod) -> Credentials {
    Credentials::secret(fixed("a secret of forty characters that nobody"), None, method)
}

fn wrong_key() -> Credentials {
    Credentials::key(KeySource::fixed(Arc::new(SigningKey::generate(Algorithm::Es256).unwrap())))
}

fn wish(names: &[&str]) -> Wish {
    Wish {
        subject: "billing".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: SystemClock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    }
}

fn certificate(certified: &Certified, method: ClientAuthMethod) -> Credentials {
    let source = CertificateSource::new(fixed(&certified.certificate_pem), fixed(certified.key_pem.expose()));
    Credentials::certificate(source, method)
}

/// The right name, vouched for by nobody whom the server knows.
fn strange_authority() -> Credentials {
    let certified =
        Authority::generate(&wish(&[])).unwrap().issue(&wish(&["billing-1.internal.example"])).unwrap();
    certificate(&certified, ClientAuthMethod::TlsClientAuth)
}

fn other_certificate() -> Credentials {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    certificate(&self_signed(&wish(&[]), &key).unwrap(), ClientAuthMethod::SelfSignedTlsClientAuth)
}

/// An API whose door is open for some requests, and as it should be for all others.
fn leaky(lets_in: fn(&Request) -> bool) -> Parties {
    let api = move |api: ProtectedApi| {
        let ProtectedApi { guarded, unguarded } = api;
        guarded.layer(middleware::from_fn(move |request: Request, next: Next| {
            let unguarded = unguarded.clone();
            async move {
                match lets_in(&request) {
                    true => unguarded.oneshot(request).await.into_response(),
                    false => next.run(request).await,
                }
            }
        }))
    };
    Parties { api: Arc::new(api), ..Parties::default() }
}

/// A server that answers every revocation with "done" and does nothing.
fn forgetful_server() -> Parties {
    let forget = |router: Router| {
        router.layer(middleware::from_fn(|request: Request, next: Next| async move {
            match request.uri().path() {
                "/oauth2/revoke" => http::StatusCode::OK.into_response(),
                _ => next.run(request).await,
            }
        }))
    };
    Parties { authorization_server: Arc::new(forget), ..Parties::default() }
}

fn credentials(request: &Request) -> (&str, &str) {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split_once(' ')).unwrap_or_default()
}

fn scheme(request: &Request) -> &str {
    credentials(request).0
}

fn claims(request: &Request) -> Map<String, Value> {
    part(request, 1)
}

/// A part of the token as JSON, unverified; empty where there is none.
fn part(request: &Request, index: usize) -> Map<String, Value> {
    let text = credentials(request).1.split('.').nth(index).unwrap_or_default();
    base64url::decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
