//! The client against every misbehaving token server, in memory and over a socket.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use m2m_client::{
    Client, ClientBuilder, Credentials, Dpop, Endpoints, Error, ErrorKind, FixedSecret, Inspect, Server,
    Token, TokenSpec,
};
use m2m_io::reqwest::ProxyFrom;
use m2m_io::{HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::EndpointUri;
use m2m_testkit::hostile::{
    ASKED_AUDIENCE, ASKED_SCOPE, Answer, Case, Expect, HostileServer, Lifetime, cases,
};
use m2m_testkit::{InMemoryHttp, ManualClock, Record, SeededRandom};

/// In every request; must be in nothing that people read.
const CANARY: &str = "canary-7f3a91";
/// In every answer whose body must not be told, and in those only.
const WITHHELD: &str = "secret";
const ORIGIN: &str = "https://as.example";

fn client(url: &str, clock: &ManualClock, http: Arc<dyn HttpClient>) -> ClientBuilder {
    let secret = Arc::new(FixedSecret::new(SecretString::from(CANARY)));
    Client::builder(Server::endpoints(Endpoints::token(EndpointUri::parse(url).unwrap())))
        .client_id(ClientId::parse("app").unwrap())
        .credentials(Credentials::secret(secret, None, ClientAuthMethod::ClientSecretPost))
        .scope(Scope::parse(ASKED_SCOPE).unwrap())
        .audience(ASKED_AUDIENCE)
        .clock(Arc::new(clock.clone()))
        .random(Arc::new(SeededRandom::new(1)))
        .http(http)
}

type Outcome = Result<Arc<Token>, Error>;

struct Run {
    first: Outcome,
    client: Client,
    record: Record,
}

/// One request of one client to one server, in memory.
async fn in_memory(case: &Case, change: impl Fn(ClientBuilder) -> ClientBuilder) -> Run {
    let clock = ManualClock::new();
    let http = InMemoryHttp::new(Arc::new(clock.clone()));
    http.always(ORIGIN, case.answer.fault());
    let record = http.record().clone();
    let client = change(client("https://as.example/token", &clock, Arc::new(http))).build().unwrap();
    let spec = TokenSpec::default();
    let waits =
        matches!(case.answer, Answer::Hang | Answer::Drip) || case.expect == Expect::Token(Lifetime::Zero);
    let asked = client.token(&spec);
    let first = if waits { tokio::join!(asked, clock.pass(Duration::from_secs(10))).0 } else { asked.await };
    Run { first, client, record }
}

fn check(case: &Case, outcome: &Outcome) {
    let name = case.name;
    match (case.expect, outcome) {
        (Expect::Token(lifetime), Ok(token)) => check_lifetime(name, lifetime, token),
        (Expect::Suspicious, Ok(_)) => {}
        (Expect::Token(Lifetime::Zero), Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{name}");
        }
        (Expect::Refused(code), Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::Refused, "{name}: {error}");
            assert_eq!(error.code().map(ErrorCode::as_str), Some(code), "{name}");
        }
        (Expect::PeerMisbehaved, Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{name}: {error}");
            assert!(error.is_transient(), "{name}: only an OAuth error is a verdict");
        }
        (Expect::Unreachable { retry_after }, Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{name}: {error}");
            assert!(error.is_transient(), "{name}");
            if retry_after.is_some() {
                assert_eq!(error.retry_after().map(|wait| wait.as_secs()), retry_after, "{name}");
            }
        }
        (expect, outcome) => panic!("{name}: expected {expect:?}, found {outcome:?}"),
    }
    if let Err(error) = outcome {
        check_silence(name, error);
    }
}

fn check_lifetime(name: &str, lifetime: Lifetime, token: &Token) {
    let found = token.expires_at().since(ManualClock::START).as_secs();
    match lifetime {
        Lifetime::Seconds(seconds) => assert_eq!(found, seconds, "{name}"),
        Lifetime::Unsaid => assert_eq!(found, 300, "{name}: the fallback"),
        Lifetime::Absurd => assert_eq!(found, 30 * 86_400, "{name}: the cap"),
        Lifetime::Zero => assert!(found <= 1, "{name}"),
    }
}

/// Nothing that people read has the secret, or a body that may hold a token.
fn check_silence(name: &str, error: &Error) {
    let mut text = format!("{error} {error:?} {}", error.hint());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    let told = text.replace("client_secret", "").replace("SecretUnavailable", "");
    assert!(!told.contains(CANARY), "{name}: {text}");
    assert!(!told.contains(&format!("tok-{WITHHELD}")), "{name}: {text}");
}

#[tokio::test]
async fn every_case_in_memory() {
    for case in cases() {
        let run = in_memory(&case, |builder| builder).await;
        check(&case, &run.first);
        assert!(!format!("{:?}", run.client).contains(CANARY), "{}", case.name);
        if case.expect == Expect::Token(Lifetime::Zero) {
            assert!((2..=5).contains(&run.record.count()), "{}: asked again, but not for ever", case.name);
        } else if run.first.is_err() {
            assert_eq!(run.record.count(), 1, "{}: nothing is tried behind the caller's back", case.name);
            // The failure is remembered, not the answer: asking again at once costs no request.
            let again = run.client.token(&TokenSpec::default()).await;
            check(&case, &again);
            assert_eq!(run.record.count(), 1, "{}: it backs off", case.name);
        }
    }
}

#[tokio::test]
async fn every_case_over_a_socket() {
    let http: Arc<dyn HttpClient> =
        Arc::new(ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap());
    // A token that is dead on arrival is asked for again after a wait, on a clock that stands still here.
    for case in cases().iter().filter(|case| case.expect != Expect::Token(Lifetime::Zero)) {
        let server = HostileServer::start([case.answer.clone()]).await;
        let clock = ManualClock::new();
        let mut builder = client(&server.url("/token"), &clock, Arc::clone(&http));
        if matches!(case.answer, Answer::Hang | Answer::Drip) {
            let timeout = Duration::from_millis(100);
            builder = builder.limits(m2m_io::Limits { timeout, ..m2m_io::Limits::default() });
        }
        check(case, &builder.build().unwrap().token(&TokenSpec::default()).await);
        assert_eq!(server.record().last().form("client_secret"), [CANARY], "{}", case.name);
    }
}

#[tokio::test]
async fn what_was_not_asked_for_is_refused_by_a_strict_client() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| case.expect == Expect::Suspicious) {
        let run = in_memory(case, |builder| builder.inspect(Inspect::Error)).await;
        let error = run.first.expect_err(case.name);
        assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{}: {error}", case.name);
        seen += 1;
    }
    assert!(seen >= 4);
}

#[tokio::test]
async fn a_failed_renewal_never_displaces_a_valid_token() {
    let good = cases().into_iter().find(|case| case.name == "a good answer").unwrap();
    for case in cases().iter().filter(|case| !matches!(case.expect, Expect::Token(_) | Expect::Suspicious)) {
        let clock = ManualClock::new();
        let http = InMemoryHttp::new(Arc::new(clock.clone()));
        http.next(ORIGIN, good.answer.fault());
        http.always(ORIGIN, case.answer.fault());
        let client = client("https://as.example/token", &clock, Arc::new(http.clone())).build().unwrap();
        let spec = TokenSpec::default();
        let first = client.token(&spec).await.unwrap();
        clock.pass(Duration::from_secs(1)).await;
        clock.advance(Duration::from_secs(3500));
        clock.pass(Duration::from_secs(20)).await;
        let later = client.token(&spec).await.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(later.access_token(), first.access_token(), "{}", case.name);
        assert!(http.record().count() > 1, "{}: a renewal was tried", case.name);
        clock.pass(Duration::from_secs(100)).await;
        let (expired, ()) = tokio::join!(client.token(&spec), clock.pass(Duration::from_secs(11)));
        expired.expect_err("an expired token is never served");
    }
}

#[tokio::test]
async fn a_nonce_is_learned_and_the_whole_request_built_anew() {
    let case = cases().into_iter().find(|case| case.name.starts_with("use_dpop_nonce")).unwrap();
    let run = in_memory(&case, |builder| builder.dpop(Dpop::Ephemeral(Algorithm::Es256))).await;
    assert_eq!(run.first.unwrap().access_token().expose(), "tok-good");
    let requests = run.record.all();
    let proofs = requests.iter().map(|request| request.header("dpop").unwrap()).collect::<Vec<_>>();
    assert_eq!(proofs.len(), 2);
    assert_ne!(proofs[0], proofs[1]);
}

#[tokio::test]
async fn a_server_that_wants_nonce_after_nonce_is_asked_twice() {
    let mut response = http::Response::new(bytes::Bytes::from_static(br#"{"error":"use_dpop_nonce"}"#));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert("dpop-nonce", "another".parse().unwrap());
    let endless = Case {
        name: "endless nonces",
        answer: Answer::Whole(response),
        expect: Expect::Refused("use_dpop_nonce"),
    };
    let run = in_memory(&endless, |builder| builder.dpop(Dpop::Ephemeral(Algorithm::Es256))).await;
    check(&endless, &run.first);
    assert_eq!(run.record.count(), 2);
}
