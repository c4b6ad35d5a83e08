//! Where the keys of trusted issuers come from, how often, and which files may be named.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::egress::Dial;
use m2m_io::{BoxFuture, EgressRules, HttpClient, HttpError, Limits};
use m2m_proto::uri::EndpointUri;

use super::*;
use crate::ErrorKind;
use crate::TrustingHttp;
use crate::registry::FetchFiles;

const JWKS: &str = "https://platform.example/openid/v1/jwks";

/// Serves one key set to whoever shows the bearer, if there is one.
#[derive(Debug)]
struct Cluster {
    body: Bytes,
    bearer: Option<&'static str>,
    fetches: AtomicUsize,
    answers: Answers,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answers {
    Yes,
    Never,
}

impl HttpClient for Cluster {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        assert_eq!(request.uri(), JWKS);
        let dial = EgressRules::new().check(request.uri(), &limits.reach);
        assert_eq!(dial, Ok(Dial::Checked), "an issuer's URL does not choose our addresses");
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let shown = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let status = if shown == self.bearer { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        let answer = match self.answers {
            Answers::Yes => Ok(Response::builder().status(status).body(self.body.clone()).unwrap()),
            Answers::Never => Err(HttpError::Timeout),
        };
        Box::pin(async move { answer })
    }
}

fn cluster(key: &SigningKey, bearer: Option<&'static str>, answers: Answers) -> Arc<Cluster> {
    let body = JwkSet::encode([key.verifying_key().as_ref()]).into();
    Arc::new(Cluster { body, bearer, fetches: AtomicUsize::new(0), answers })
}

async fn federal(
    key: SigningKey,
    keys: IssuerKeys,
    change: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Federal {
    let harness = Harness::with(change).await;
    let issuer = TrustedIssuer::new(platform_id(), Named::issuer(PLATFORM).unwrap(), keys);
    harness.server.admin().create_issuer(issuer).await.unwrap();
    let mapping = Federated::new(platform_id(), exact(SUBJECT));
    let (credential, _) = harness.credential("app", Proof::Federated(mapping)).await;
    Federal { harness, key, credential }
}

fn url(files: FetchFiles) -> IssuerKeys {
    IssuerKeys::Url(EndpointUri::parse(JWKS).unwrap(), files)
}

#[tokio::test]
async fn keys_are_fetched_once_and_never_for_strangers() {
    let key = platform_key();
    let http = cluster(&key, None, Answers::Yes);
    let given: Arc<dyn HttpClient> = Arc::clone(&http) as _;
    let place = federal(key, url(FetchFiles::default()), |settings| settings.http(given)).await;
    let fetches = || http.fetches.load(Ordering::SeqCst);
    for changes in
        [json!({"iss": "https://unknown.example"}), json!({"aud": "x"}), json!({"exp": 7, "iat": 6})]
    {
        place.is_refused(&place.token(&changes)).await;
    }
    assert_eq!(fetches(), 0, "neither an unknown issuer nor an implausible token leads to a fetch");
    for _ in 0..3 {
        place.as_client(&place.token(&json!({}))).await.access_token();
        place.as_grant(&place.token(&json!({}))).await.access_token();
    }
    assert_eq!(fetches(), 1);
    let header = m2m_proto::jose::HeaderFields { kid: Some("made-up"), ..Default::default() };
    let text = m2m_proto::jose::jws::sign(&header, &place.claims(&json!({})).encode(), &place.key).unwrap();
    for _ in 0..3 {
        assert!(place.as_client(&text).await.status.as_u16() >= 400);
    }
    assert!(fetches() <= 2, "a made-up key id leads to one fetch per cooldown: {}", fetches());
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503() {
    let key = platform_key();
    let given: Arc<dyn HttpClient> = cluster(&key, None, Answers::Never) as _;
    let place = federal(key, url(FetchFiles::default()), |settings| settings.http(given)).await;
    let token = place.token(&json!({}));
    for answer in [place.as_client(&token).await, place.as_grant(&token).await] {
        answer.refused(503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn a_cluster_gets_the_bearer_and_its_authority_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("token"), "cluster.bearer.1\n").unwrap();
    let key = platform_key();
    let http: Arc<dyn HttpClient> = cluster(&key, Some("Bearer cluster.bearer.1"), Answers::Yes) as _;
    let plain: Arc<dyn HttpClient> = cluster(&key, None, Answers::Never) as _;
    let root = directory.path().to_path_buf();
    let expected = file("ca.crt");
    let trusting = TrustingHttp::new(move |path| {
        assert_eq!(path, expected);
        Arc::clone(&http)
    });
    let files = FetchFiles { ca_file: Some(file("ca.crt")), bearer_file: Some(file("token")) };
    let place =
        federal(key, url(files), |settings| settings.http(plain).trusting_http(trusting).issuer_files(root))
            .await;
    place.as_client(&place.token(&json!({}))).await.access_token();
}

#[tokio::test]
async fn keys_in_a_file_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let (key, next) = (platform_key(), platform_key());
    std::fs::write(&path, JwkSet::encode([key.verifying_key().as_ref()])).unwrap();
    let root = directory.path().to_path_buf();
    let mut place =
        federal(key, IssuerKeys::File(path.clone()), |settings| settings.issuer_files(root)).await;
    place.as_client(&place.token(&json!({}))).await.access_token();
    std::fs::write(&path, JwkSet::encode([next.verifying_key().as_ref()])).unwrap();
    place.harness.advance(5);
    place.is_refused(&place.token(&json!({}))).await;
    place.key = next;
    place.as_client(&place.token(&json!({}))).await.access_token();
    std::fs::remove_file(&path).unwrap();
    place.harness.advance(5);
    place.as_client(&place.token(&json!({}))).await.refused(503, "temporarily_unavailable");
}

/// Whoever administers the server must not read its machine by naming a bearer file and a URL of his own.
#[tokio::test]
async fn only_files_of_the_named_directories_are_read() {
    let http: Arc<dyn HttpClient> = cluster(&platform_key(), None, Answers::Yes) as _;
    let harness =
        Harness::with(|settings| settings.http(http).issuer_files(PathBuf::from("/run/issuers"))).await;
    let check = async |keys: IssuerKeys, allowed: bool| {
        let id = IssuerId::parse("one").unwrap();
        let issuer = TrustedIssuer::new(id.clone(), Named::issuer(PLATFORM).unwrap(), keys);
        let made = harness.server.admin().create_issuer(issuer).await;
        assert_eq!(made.is_ok(), allowed, "{made:?}");
        match made {
            Ok(_) => harness.server.admin().delete_issuer(&id, None).await.unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid),
        }
    };
    let bearer = |path: &str| url(FetchFiles { bearer_file: Some(path.into()), ca_file: None });
    check(bearer("/run/issuers/k8s/token"), true).await;
    check(IssuerKeys::File("/run/issuers/jwks.json".into()), true).await;
    for path in [
        "/etc/shadow",
        "/run/issuers",
        "/run/issuers/../../etc/shadow",
        "/run/issuers-of-others/token",
        "run/issuers/token",
        "",
    ] {
        check(bearer(path), false).await;
        check(IssuerKeys::File(path.into()), false).await;
    }
}

#[tokio::test]
async fn an_issuer_that_was_changed_is_asked_at_its_new_place() {
    let key = platform_key();
    let http = cluster(&key, None, Answers::Yes);
    let given: Arc<dyn HttpClient> = Arc::clone(&http) as _;
    let stranger = set_of(&platform_key());
    let place = federal(key, stranger, |settings| settings.http(given)).await;
    place.is_refused(&place.token(&json!({}))).await;
    let admin = place.harness.server.admin();
    let issuer = admin.registry().unwrap().issuer("platform").unwrap().as_ref().clone();
    let issuer = TrustedIssuer { keys: url(FetchFiles::default()), ..issuer };
    admin.update_issuer(issuer, Some(1)).await.unwrap();
    place.as_client(&place.token(&json!({}))).await.access_token();
}
