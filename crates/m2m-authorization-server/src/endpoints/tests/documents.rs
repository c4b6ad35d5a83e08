//! What can be fetched: key set and metadata.

use m2m_proto::client_auth::mutual_tls::ClientAuthorities;
use m2m_proto::metadata::server::ServerMetadata;
use m2m_proto::uri::EndpointUri;

use super::*;
use crate::MutualTls;
use crate::RotationPlan;

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

async fn get(server: &Server, path: &str, tag: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    let response = server.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

#[tokio::test]
async fn documents_are_cacheable_and_revalidated() {
    let harness = Harness::new().await;
    for (path, media_type) in [("/oauth2/jwks", "application/jwk-set+json"), (WELL_KNOWN, "application/json")]
    {
        let first = get(&harness.server, path, None).await;
        assert_eq!(first.status, StatusCode::OK);
        assert_eq!(first.header("content-type"), media_type);
        assert_eq!(first.header("cache-control"), "public, max-age=3600");
        let tag = first.header("etag").to_owned();
        assert!(tag.len() > 20);
        let same = get(&harness.server, path, Some(&format!("\"x\", W/{tag}"))).await;
        assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(same.header("etag"), tag);
        let other = get(&harness.server, path, Some("\"other\"")).await;
        assert_eq!(other.body, first.body);
    }
}

#[tokio::test]
async fn a_new_key_is_another_document() {
    let harness = Harness::new().await;
    let before = get(&harness.server, "/oauth2/jwks", None).await;
    let background = harness.server.background();
    tokio::select! {
        () = background => unreachable!("never ends"),
        () = async {
            while get(&harness.server, "/oauth2/jwks", None).await.body == before.body {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let after = get(&harness.server, "/oauth2/jwks", Some(before.header("etag"))).await;
    assert_eq!(after.status, StatusCode::OK);
    let algorithms: Vec<_> =
        after.json()["keys"].as_array().unwrap().iter().map(|key| key["alg"].clone()).collect();
    assert_eq!(algorithms, ["ES256", "RS256"]);
}

// spec-test: 8414-AS1, 9700-AS4
#[tokio::test]
async fn metadata_is_found_in_both_places_and_says_what_is_true() {
    let harness = Harness::new().await;
    let first = get(&harness.server, WELL_KNOWN, None).await;
    let alias = get(&harness.server, "/.well-known/openid-configuration", None).await;
    assert_eq!(first.body, alias.body);
    assert_eq!(first.body, harness.server.metadata());
    let metadata = ServerMetadata::decode(&first.body, &issuer()).unwrap();
    assert_eq!(metadata.token_endpoint.unwrap().as_str(), "https://as.example/oauth2/token");
    assert_eq!(metadata.jwks_uri.unwrap().as_str(), "https://as.example/oauth2/jwks");
    let expect = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let mut methods = metadata.token_endpoint_auth_methods_supported.unwrap();
    methods.sort();
    let mut expect = expect.map(str::to_owned);
    expect.sort();
    assert_eq!(methods, expect);
    let algorithms = metadata.token_endpoint_auth_signing_alg_values_supported;
    assert!(algorithms.contains(&"ES256".to_owned()) && algorithms.contains(&"HS256".to_owned()));
    assert!(!algorithms.contains(&"none".to_owned()));
    assert_eq!(
        metadata.grant_types_supported.unwrap(),
        ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"]
    );
    assert!(!metadata.tls_client_certificate_bound_access_tokens);
    assert_eq!(metadata.mtls_endpoint_aliases.token_endpoint, None);
}

#[tokio::test]
async fn every_endpoint_named_answers() {
    let harness = Harness::new().await;
    let metadata = ServerMetadata::decode(&harness.server.metadata(), &issuer()).unwrap();
    let endpoints = [
        metadata.token_endpoint,
        metadata.introspection_endpoint,
        metadata.revocation_endpoint,
        metadata.jwks_uri,
    ];
    for endpoint in endpoints {
        let endpoint = endpoint.unwrap();
        let answer = get(&harness.server, endpoint.path(), None).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{}", endpoint.as_str());
    }
}

#[tokio::test]
async fn certificates_are_announced_where_they_are_offered() {
    let clock = FixedClock::new();
    let base = EndpointUri::parse("https://mtls.as.example").unwrap();
    let offered = MutualTls::default().alias_base(base).authorities(ClientAuthorities::default());
    let server = settings(&clock).mutual_tls(offered).build().unwrap();
    let metadata = ServerMetadata::decode(&server.metadata(), &issuer()).unwrap();
    let alias = metadata.mtls_endpoint_aliases.token_endpoint.unwrap();
    assert_eq!(alias.as_str(), "https://mtls.as.example/oauth2/token");
    assert!(metadata.tls_client_certificate_bound_access_tokens);
    let methods = metadata.token_endpoint_auth_methods_supported.unwrap();
    assert!(methods.contains(&"self_signed_tls_client_auth".to_owned()));
    assert!(!methods.contains(&"tls_client_auth".to_owned()), "without authorities nobody can use it");
}

#[tokio::test]
async fn an_issuer_with_a_path_has_everything_under_it() {
    let issuer = Issuer::parse("https://as.example/tenant").unwrap();
    let server = Server::builder(issuer.clone()).clock(FixedClock::new()).build().unwrap();
    for path in ["/.well-known/oauth-authorization-server/tenant", "/tenant/.well-known/openid-configuration"]
    {
        let answer = get(&server, path, None).await;
        let metadata = ServerMetadata::decode(&answer.body, &issuer).unwrap();
        assert_eq!(metadata.token_endpoint.unwrap().path(), "/tenant/oauth2/token");
    }
    assert_eq!(get(&server, "/tenant/oauth2/jwks", None).await.status, StatusCode::OK);
    assert_eq!(get(&server, "/oauth2/jwks", None).await.status, StatusCode::NOT_FOUND);
}

#[test]
fn settings_that_open_a_gap_are_refused() {
    let build = |change: fn(ServerBuilder) -> ServerBuilder| {
        change(settings(&FixedClock::new())).build().map(drop).map_err(|error| error.kind())
    };
    let misconfigured = Err(crate::ErrorKind::Misconfigured);
    assert_eq!(build(|settings| settings), Ok(()));
    let cached_for_long = build(|settings| settings.jwks_max_age(Duration::from_secs(48 * 60 * 60)));
    assert_eq!(cached_for_long, misconfigured);
    let short = build(|settings| settings.sealing_key(m2m_proto::secret::Secret::new(vec![1; 31])));
    assert_eq!(short, misconfigured);
    let plan = |change: fn(&mut RotationPlan)| {
        let mut plan = RotationPlan::default();
        change(&mut plan);
        let built = settings(&FixedClock::new()).rotation(plan).build();
        built.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(plan(|_| ()), Ok(()));
    assert_eq!(plan(|plan| plan.active = Duration::ZERO), misconfigured, "keys without end");
    assert_eq!(plan(|plan| plan.active = plan.announce / 2), misconfigured, "a next key of the next key");
    assert_eq!(plan(|plan| plan.retain = Duration::from_secs(60 * 60)), misconfigured, "tokens outlive it");
    let shared = build(|settings| {
        let secret = m2m_proto::secret::Secret::new(vec![1; 64]);
        settings.signing_key(SigningKey::hmac(&secret, Algorithm::Hs256).unwrap())
    });
    assert_eq!(shared, misconfigured);
}

// spec-test: 6749-AS9 8414-AS1
#[test]
fn an_issuer_without_encryption_is_for_this_machine_only() {
    let build = |issuer: &str| Server::builder(Issuer::parse(issuer).unwrap()).build().map(drop);
    assert!(build("https://as.example").is_ok());
    assert!(build("http://127.0.0.1:8400").is_ok());
    let error = build("http://as.example").unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_stopping_server_is_not_ready_and_still_answers() {
    let harness = Harness::new().await;
    let ask = async |path: &str| harness.send(Request::get(path).body(Body::empty()).unwrap()).await;
    let ready = ask("/readyz").await;
    assert_eq!((ready.status, ready.member("status").as_str()), (StatusCode::OK, "ready"));
    harness.server.stop_accepting();
    let stopping = ask("/readyz").await;
    assert_eq!(stopping.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stopping.json()["checks"]["process"], "stopping");
    assert_eq!(ask("/livez").await.status, StatusCode::OK);
    let secret = harness.secret("app").await;
    harness.token("app", &secret).await;
}

#[tokio::test]
async fn a_store_of_another_sealing_key_is_refused() {
    let store: std::sync::Arc<dyn crate::store::Store> =
        std::sync::Arc::new(crate::store::memory::MemoryStore::default());
    let clock = FixedClock::new();
    let server = |byte: u8| {
        let key = m2m_proto::secret::Secret::new(vec![byte; 32]);
        settings(&clock).store(std::sync::Arc::clone(&store)).sealing_key(key).build().unwrap()
    };
    server(1).prepare().await.unwrap();
    server(1).prepare().await.unwrap();
    let error = server(2).prepare().await.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Misconfigured);
    assert!(error.to_string().contains("sealing key"), "{error}");
}
