use m2m_client::{Credentials, Endpoints, FixedSecret, Server};
use m2m_io::HttpClient;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::WireError;
use m2m_proto::jose::Algorithm;
use m2m_proto::secret::Secret;
use m2m_proto::token::confirmation::ConfirmationError;
use m2m_proto::uri::EndpointUri;
use serde_json::{Value, json};

use super::*;
use crate::Verifier;
use crate::error::Rejection;
use crate::fixture::*;
use crate::verified::VerifiedAccessToken;

mod several;
mod waits;

const INTROSPECT: &str = "https://as.example/introspect";
const TOKEN: &str = "https://as.example/token";

fn client(http: &Arc<impl HttpClient + 'static>, clock: &Arc<FixedClock>) -> Client {
    let url = |text: &str| EndpointUri::parse(text).unwrap();
    let mut endpoints = Endpoints::token(url(TOKEN));
    endpoints.introspection = Some(url(INTROSPECT));
    let secret = FixedSecret::new(Secret::new("secret".to_owned()));
    let method = m2m_proto::client_auth::ClientAuthMethod::ClientSecretBasic;
    Client::builder(Server::endpoints(endpoints))
        .client_id(ClientId::parse("orders").unwrap())
        .credentials(Credentials::secret(Arc::new(secret), None, method))
        .http(Arc::clone(http) as _)
        .clock(Arc::clone(clock) as _)
        .build()
        .unwrap()
}

/// An API that asks, and the server that it asks.
struct Asking {
    verifier: Verifier,
    server: Arc<Documents>,
    clock: Arc<FixedClock>,
    key: m2m_proto::jose::SigningKey,
}

impl Asking {
    fn new(which: Introspect) -> Self {
        let (server, clock) = (Arc::new(Documents::default()), FixedClock::new());
        let key = key(Algorithm::Es256, "k1");
        let given: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let client = client(&server, &clock);
        let verifier = verifier(&key, |builder| builder.clock(given).introspection(client, which));
        Self { verifier, server, clock, key }
    }

    fn says(&self, answer: &Value) {
        self.server.put(INTROSPECT, &answer.to_string());
    }

    async fn verify(&self, token: &str) -> Result<VerifiedAccessToken, Rejection> {
        self.verifier.verify(&Asked::bearer(token).parts()).await
    }

    async fn reason(&self, token: &str) -> Reason {
        self.verify(token).await.unwrap_err().reason().clone()
    }
}

fn active() -> Value {
    let mut claims = claims();
    claims.insert("active".to_owned(), true.into());
    Value::Object(claims)
}

fn active_with(name: &str, value: Value) -> Value {
    let mut answer = active();
    match value {
        Value::Null => drop(answer.as_object_mut().unwrap().remove(name)),
        value => answer[name] = value,
    }
    answer
}

#[tokio::test]
async fn an_opaque_token_is_what_the_server_says() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active());
    let accepted = asking.verify("opaque").await.unwrap();
    assert_eq!(accepted.client_id(), Some("app"));
    assert_eq!(accepted.subject(), Some("app"));
    assert_eq!(accepted.scope().to_string(), "orders:read orders:write");
    assert_eq!(accepted.issuer(), Some(ISSUER));
}

// spec-test: 7662-RS1
#[tokio::test]
async fn what_the_server_says_is_checked_here() {
    let now = NOW.seconds();
    for (name, value) in [
        ("aud", json!("https://bills.example")),
        ("aud", Value::Null),
        ("exp", json!(now - 31)),
        ("exp", Value::Null),
        ("nbf", json!(now + 31)),
        ("iat", json!(now + 31)),
        ("iss", json!("https://evil.example")),
        ("active", json!(false)),
    ] {
        let asking = Asking::new(Introspect::Opaque);
        asking.says(&active_with(name, value.clone()));
        let rejection = asking.verify("opaque").await.unwrap_err();
        let code = rejection.code().map(|code| code.as_str().to_owned());
        assert_eq!(code.as_deref(), Some("invalid_token"), "{name} {value}");
    }
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active_with("iss", Value::Null));
    let accepted = asking.verify("opaque").await.unwrap();
    assert_eq!(accepted.issuer(), Some(ISSUER), "the only issuer there is");
}

// spec-test: 7662-RS2
#[tokio::test]
async fn whatever_is_no_clear_answer_lets_nobody_in() {
    for answer in
        ["{}", r#"{"active":"true"}"#, r#"{"active":1}"#, "<html>", r#"{"active":true,"active":true}"#, ""]
    {
        let asking = Asking::new(Introspect::Opaque);
        asking.server.put(INTROSPECT, answer);
        let rejection = asking.verify("opaque").await.unwrap_err();
        assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{answer}: {rejection:?}");
        assert_eq!(rejection.to_response().status(), 503, "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_503() {
    let asking = Asking::new(Introspect::Always);
    let rejection = asking.verify(&token(&asking.key)).await.unwrap_err();
    assert_eq!(rejection.to_response().status(), 503);
}

// spec-test: 7662-RS1
#[tokio::test]
async fn a_bound_opaque_token_needs_its_proof() {
    let asking = Asking::new(Introspect::Opaque);
    let holder = key(Algorithm::Es256, "h");
    asking.says(&active_with("cnf", json!({ "jkt": holder.thumbprint().as_str() })));
    assert!(matches!(asking.reason("opaque").await, Reason::Possession(_)));
    asking.clock.advance(11);
    asking.says(&active_with("cnf", json!({ "x": 1 })));
    assert!(matches!(asking.reason("opaque").await, Reason::Possession(_)), "an unknown kind of binding");
}

/// The facts of proto say on the wire what the reasons of this crate say.
#[test]
fn a_refused_answer_is_called_what_its_fact_is_called() {
    let wrong_issuer = KindError::WrongIssuer { found: None };
    for (fact, reason) in [
        (IntrospectionError::Inactive, Reason::Inactive),
        (KindError::WrongAudience.into(), Reason::Inactive),
        (IntrospectionError::KeyMissing, Reason::Inactive),
        (IntrospectionError::NotAccessToken, Reason::Inactive),
        (wrong_issuer.into(), Reason::UnknownIssuer),
        (ConfirmationError::UnknownMethod.into(), Reason::Possession(ConfirmationError::UnknownMethod)),
    ] {
        let (code, text) = (fact.code(), fact.description());
        assert_eq!(Reason::from(fact), reason);
        assert_eq!((reason.code(), reason.description()), (Some(code), Some(text)), "{reason:?}");
    }
}

/// A server that forgets to say which key: a bearer token would come of it.
// spec-test: 9449-RS1
#[tokio::test]
async fn a_dpop_token_without_its_key_is_no_bearer_token() {
    for (token_type, cnf, good) in [
        ("Bearer", Value::Null, true),
        ("DPoP", Value::Null, false),
        ("dpop", json!({ "x5t#S256": "A".repeat(43) }), false),
    ] {
        let asking = Asking::new(Introspect::Opaque);
        let mut answer = active_with("cnf", cnf);
        answer["token_type"] = token_type.into();
        asking.says(&answer);
        let verified = asking.verify("opaque").await;
        assert_eq!(verified.is_ok(), good, "{token_type}");
        if let Err(rejection) = verified {
            assert_eq!(rejection.reason(), &Reason::Inactive, "{token_type}");
        }
    }
}

#[tokio::test]
async fn opaque_answers_are_kept_for_a_while_and_exp_is_checked_each_time() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active_with("exp", json!(NOW.seconds() - 25)));
    for _ in 0..5 {
        asking.verify("opaque").await.unwrap();
    }
    assert_eq!(asking.server.fetched(), 1);
    asking.clock.advance(6);
    assert_eq!(asking.reason("opaque").await, Reason::Inactive, "expired while kept");
    assert_eq!(asking.server.fetched(), 0);
    asking.clock.advance(5);
    asking.says(&active());
    asking.verify("opaque").await.unwrap();
    assert_eq!(asking.server.fetched(), 1, "asked again");
}

#[tokio::test]
async fn a_kept_answer_is_for_one_token_only() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active());
    asking.verify("opaque").await.unwrap();
    asking.says(&json!({ "active": false }));
    assert_eq!(asking.reason("opaqu3").await, Reason::Inactive);
    asking.verify("opaque").await.unwrap();
}

#[tokio::test]
async fn only_opaque_tokens_are_asked_about_unless_all_are() {
    let asking = Asking::new(Introspect::Opaque);
    asking.verify(&token(&asking.key)).await.unwrap();
    assert_eq!(asking.server.fetched(), 0);
}

#[tokio::test]
async fn a_revoked_jwt_is_seen_at_once() {
    let asking = Asking::new(Introspect::Always);
    let text = token(&asking.key);
    asking.says(&active());
    asking.verify(&text).await.unwrap();
    asking.says(&json!({ "active": false }));
    assert_eq!(asking.reason(&text).await, Reason::Inactive);
    assert_eq!(asking.server.fetched(), 2, "nothing is kept");
}

/// What is written to a log of one request says nothing of its token, nor of anybody else's.
#[tokio::test]
async fn debug_shows_nobodys_claims() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active_with("email", json!("CANARY@one.example")));
    let opaque = asking.verify("opaque").await.unwrap();
    let signed = asking.verify(&token_with(&asking.key, "email", json!("CANARY@two.example"))).await.unwrap();
    for shown in [format!("{opaque:?}"), format!("{signed:?}"), format!("{:?}", asking.verifier)] {
        assert!(
            !shown.contains("CANARY") && !shown.contains("orders:read") && !shown.contains("t1"),
            "{shown}"
        );
    }
    let names = ["VerifiedAccessToken", "VerifiedAccessToken", "Verifier"];
    for (shown, name) in
        [format!("{opaque:?}"), format!("{signed:#?}"), format!("{:?}", asking.verifier)].iter().zip(names)
    {
        assert!(shown.starts_with(name), "{shown}");
    }
}

/// Which issuer a JWT is of, it says itself, however it is written: it is shown to no other.
#[tokio::test]
async fn a_jwt_of_another_issuer_is_not_taken_for_opaque() {
    for header in [
        "{\n\"alg\":\"ES256\"}",
        " {\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"alg\":1}",
    ] {
        let asking = Asking::new(Introspect::Opaque);
        asking.says(&active());
        let [header, payload] =
            [header, r#"{"iss":"https://other.example"}"#].map(m2m_proto::jose::base64url::encode);
        asking.reason(&format!("{header}.{payload}.AAAA")).await;
        assert_eq!(asking.server.fetched(), 0);
    }
}

/// The server's word never makes a bad JWT good, and garbage never reaches it.
#[tokio::test]
async fn a_bad_jwt_is_refused_without_asking() {
    let asking = Asking::new(Introspect::Always);
    asking.says(&active());
    let stranger = key(Algorithm::Es256, "k1");
    let mut broken = token(&asking.key);
    broken.push('!');
    for text in [token(&stranger), token_with(&asking.key, "aud", json!("else")), "eyJh.eyJh.".to_owned()] {
        assert!(asking.verify(&text).await.is_err());
    }
    assert_eq!(asking.server.fetched(), 0);
}

#[test]
fn answers_are_bounded_and_made_up_tokens_push_no_real_one_out() {
    let answers = Answers::new(Duration::from_secs(10));
    let told = |answer| Arc::new(Told { answer, asked: Duration::ZERO, checked: OnceLock::new() });
    let (inactive, active) =
        (told(Answer::inactive()), told(Answer::active(m2m_proto::jose::Claims::default())));
    answers.keep([0; 32], &active, Duration::ZERO);
    for number in 0..30_000_u32 {
        answers.keep(crypto::sha256(&number.to_be_bytes()), &inactive, Duration::ZERO);
    }
    assert!(answers.get(&[0; 32], Duration::from_secs(9)).is_some());
    assert!(answers.get(&[0; 32], Duration::from_secs(10)).is_none());
    for number in 0..30_000_u32 {
        answers.keep(crypto::sha256(&number.to_be_bytes()), &active, Duration::ZERO);
    }
    assert!(answers.len().into_iter().all(|kept| kept <= answers::MAX_ANSWERS), "{:?}", answers.len());
}

/// Told inactive and then active again (a suspended token), or the other way round: the newest answer counts.
#[test]
fn the_newest_answer_counts() {
    let answers = Answers::new(Duration::from_secs(10));
    let told = |answer| Arc::new(Told { answer, asked: Duration::ZERO, checked: OnceLock::new() });
    let (inactive, active) =
        (told(Answer::inactive()), told(Answer::active(m2m_proto::jose::Claims::default())));
    for (second, told) in [(0, &active), (1, &inactive), (2, &active), (3, &inactive)] {
        let now = Duration::from_secs(second);
        answers.keep([0; 32], told, now);
        let kept = answers.get(&[0; 32], now).unwrap();
        assert_eq!(kept.answer.is_active(), told.answer.is_active());
    }
}

#[tokio::test]
async fn many_requests_with_one_token_ask_once() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active());
    let asked: Vec<_> = (0..200).map(|_| asking.verify("opaque")).collect();
    let verified = all(asked).await;
    assert!(verified.iter().all(Result::is_ok));
    assert_eq!(asking.server.fetched(), 1);
    // The same for what is not kept, and for failures.
    let asking = Asking::new(Introspect::Always);
    let text = token(&asking.key);
    let asked: Vec<_> = (0..200).map(|_| asking.verify(&text)).collect();
    assert!(all(asked).await.iter().all(Result::is_err));
    assert_eq!(asking.server.fetched(), 1);
    asking.says(&active());
    asking.clock.advance(5);
    asking.verify(&text).await.unwrap();
}

#[tokio::test]
async fn more_questions_than_allowed_are_503_and_leave_nothing_behind() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active());
    let texts: Vec<String> = (0..100).map(|number| format!("opaque{number}")).collect();
    let verified = all(texts.iter().map(|text| asking.verify(text)).collect()).await;
    assert_eq!(verified.iter().filter(|one| one.is_ok()).count(), MAX_QUESTIONS);
    let verified = all(texts.iter().take(MAX_QUESTIONS).map(|text| asking.verify(text)).collect()).await;
    assert!(verified.iter().all(Result::is_ok));
}

/// Asks, and hangs up.
async fn hang_up(asking: &Asking, text: &str) {
    let mut asked = Box::pin(asking.verify(text));
    std::future::poll_fn(|cx| {
        assert!(asked.as_mut().poll(cx).is_pending(), "{text}");
        std::task::Poll::Ready(())
    })
    .await;
}

/// The turn that comes once a cooldown is used by a question that is answered, whoever asked it.
#[tokio::test]
async fn a_stranger_who_hangs_up_does_not_make_the_server_look_down() {
    let asking = Asking::new(Introspect::Opaque);
    assert!(matches!(asking.reason("opaque").await, Reason::Unavailable(_)), "it is down");
    asking.says(&active());
    for number in 0..3 {
        asking.clock.advance(COOLDOWN.as_secs());
        hang_up(&asking, &format!("junk{number}")).await;
        settle().await;
        asking.verify(&format!("opaque{number}")).await.unwrap();
    }
}

/// Servers answer for refresh tokens too, and some call an ID token active.
#[tokio::test]
async fn what_is_no_access_token_lets_nobody_in() {
    for (name, value, good) in [
        ("token_use", "access_token", true),
        ("token_use", "access", true),
        ("token_use", "refresh_token", false),
        ("token_use", "id", false),
        ("token_type", "bearer", true),
        ("token_type", "access_token", true),
        ("token_type", "refresh_token", false),
        ("token_type", "mac", false),
        ("typ", "Bearer", true),
        ("typ", "at+jwt", true),
        ("typ", "Refresh", false),
        ("typ", "Offline", false),
        ("typ", "ID", false),
    ] {
        let asking = Asking::new(Introspect::Opaque);
        asking.says(&active_with(name, value.into()));
        assert_eq!(asking.verify("opaque").await.is_ok(), good, "{name} {value}");
    }
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&active_with("token_use", json!(7)));
    assert!(asking.verify("opaque").await.is_err());
}

/// Polls all of them together.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut ready = true;
        for (future, output) in waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(cx) {
                std::task::Poll::Ready(found) => *output = Some(found),
                std::task::Poll::Pending => ready = false,
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().map(|(_, output)| output.unwrap()).collect()
}
