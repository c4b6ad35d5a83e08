//! Requirements of the standards that no other test here is about: one test each, through the router.

use m2m_proto::dpop::DpopProof;
use m2m_proto::metadata::server::ServerMetadata;

use super::*;
use crate::MutualTls;
use crate::registry::{Api, SenderConstraint};

const TOKEN_URL: &str = "https://as.example/oauth2/token";
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
const INACTIVE: &str = r#"{"active":false}"#;

/// A request with this body as it is; a [`FormWriter`] would leave out what is empty.
async fn post_text(harness: &Harness, path: &str, ask: Ask, body: &str) -> Answer {
    let mut request = ask.request(path);
    *request.body_mut() = Body::from(body.to_owned());
    harness.send(request).await
}

async fn get(harness: &Harness, path: &str) -> Answer {
    harness.send(Request::get(path).body(Body::empty()).unwrap()).await
}

/// An API besides `ORDERS`, where `id` has a grant.
async fn other_api(harness: &Harness, api: Api, id: &str) {
    let name = api.identifier.clone();
    harness.server.admin().create_api(api).await.unwrap();
    let client = Client::new(client_id(id)).grant(name, Scope::empty());
    harness.server.admin().create_client(client).await.unwrap();
}

fn proof(harness: &Harness, key: &SigningKey, jti: &str) -> http::HeaderValue {
    proof_for(harness, key, TOKEN_URL, jti)
}

fn proof_for(harness: &Harness, key: &SigningKey, url: &str, jti: &str) -> http::HeaderValue {
    let uri = url.parse().unwrap();
    let (method, now) = (&http::Method::POST, harness.now());
    DpopProof { method, uri: &uri, now, jti, nonce: None, access_token: None }.build(key).unwrap()
}

// spec-test: 6749-AS1
#[tokio::test]
async fn only_who_authenticates_gets_a_token() {
    let harness = Harness::new().await;
    harness.secret("app").await;
    let asks = [Ask::token(), Ask::token().with(param::CLIENT_ID, "app")];
    for ask in asks {
        harness.post(TOKEN, ask).await.refused(400, "invalid_client");
    }
    assert!(harness.server.admin().live_tokens(Query::default()).await.unwrap().is_empty());
}

// spec-test: 6749-AS4
#[tokio::test]
async fn parameters_are_known_once_or_not_at_all_at_every_endpoint() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    for (path, ask) in [(TOKEN, Ask::token()), (INTROSPECT, Ask::about("x")), (REVOKE, Ask::about("x"))] {
        let strange = ask.clone().with("foo", "bar").basic("app", &secret);
        assert_eq!(harness.post(path, strange).await.status, StatusCode::OK, "{path}");
        for name in ["foo", param::SCOPE, param::CLIENT_ID, param::TOKEN_TYPE_HINT] {
            let twice = ask.clone().with(name, "app").with(name, "app").basic("app", &secret);
            let told = harness.post(path, twice).await.refused(400, "invalid_request");
            assert_eq!(told, "a parameter is repeated", "{path} {name}");
        }
    }
}

// spec-test: 6749-AS4a
#[tokio::test]
async fn a_parameter_without_a_value_is_absent() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let ask = || Ask::default().basic("app", &secret);
    let body = "grant_type=client_credentials&scope=&client_secret=&client_assertion=&resource=";
    let answer = post_text(&harness, TOKEN, ask(), body).await;
    answer.access_token();
    assert_eq!(answer.member("scope"), "orders:read orders:write", "as if none had been asked");
    let told = post_text(&harness, TOKEN, ask(), "grant_type=").await.refused(400, "invalid_request");
    assert_eq!(told, "grant_type is missing");
    post_text(&harness, INTROSPECT, ask(), "token=").await.refused(400, "invalid_request");
    post_text(&harness, REVOKE, ask(), "token=").await.refused(400, "invalid_request");
}

// spec-test: 6749-AS6
#[tokio::test]
async fn nothing_that_these_endpoints_answer_may_be_cached() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let token = harness.token("app", &secret).await;
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let ask = || Ask::about(&token).with(param::GRANT_TYPE, "client_credentials");
        for (ask, status) in
            [(ask().basic("app", &secret), 200), (ask().basic("app", "wrong"), 401), (ask(), 400)]
        {
            let answer = harness.post(path, ask).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path} {status}");
            assert_eq!(answer.header("pragma"), "no-cache", "{path} {status}");
        }
    }
}

// spec-test: 6749-AS7, 6749-AS7a, 9700-AS3
#[tokio::test]
async fn the_answer_says_which_scope_was_granted() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    for (asked, granted) in [(None, "orders:read orders:write"), (Some("orders:read"), "orders:read")] {
        let ask = asked.map_or_else(Ask::token, |asked| Ask::token().scope(asked));
        let answer = harness.post(TOKEN, ask.basic("app", &secret)).await;
        assert_eq!(answer.member("scope"), granted);
        assert_eq!(harness.claims(&answer.access_token()).await.scope().to_string(), granted);
    }
}

// spec-test: 6749-AS8
#[tokio::test]
async fn an_error_is_400_unless_the_header_authenticated_wrongly() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    for (ask, status, code) in [
        (Ask::token().scope("none"), 400, "invalid_scope"),
        (Ask::token().with(param::RESOURCE, "https://none.example"), 400, "invalid_target"),
        (Ask::default(), 400, "invalid_request"),
        (Ask::default().with(param::GRANT_TYPE, "none"), 400, "unsupported_grant_type"),
    ] {
        let answer = harness.post(TOKEN, ask.clone().basic("app", &secret)).await;
        answer.refused(status, code);
        assert_eq!(answer.header("www-authenticate"), "", "{code}");
    }
    // Whatever was tried in the header, the challenge names the scheme that is taken there.
    for authorization in ["Basic", "Basic ?", "Bearer x", "Digest a=b"] {
        let mut ask = Ask::token();
        ask.headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        let answer = harness.post(TOKEN, ask).await;
        answer.refused(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{authorization}");
    }
}

// spec-test: 6749-AS8a
#[tokio::test]
async fn no_description_holds_what_a_stranger_wrote_into_the_request() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let evil = "a\"b\\c\u{1b}[2J\u{e9}\r\nx";
    let names = [
        param::GRANT_TYPE,
        param::SCOPE,
        param::RESOURCE,
        param::AUDIENCE,
        param::CLIENT_ID,
        param::CLIENT_ASSERTION_TYPE,
        param::CLIENT_ASSERTION,
    ];
    let mut refused = 0;
    for name in names {
        let ask = Ask::token().with(name, evil).basic("app", &secret);
        let answer = harness.post(TOKEN, ask).await;
        let json = answer.json();
        for member in ["error", "error_description"] {
            let text = json[member].as_str().unwrap_or_else(|| panic!("{member} for {name}"));
            assert!(text.bytes().all(m2m_proto::text::is_nqschar), "{name}: {text:?}");
            assert!(!text.contains("[2J"), "{name}: {text:?}");
        }
        refused += 1;
    }
    assert_eq!(refused, names.len());
}

// spec-test: 6749-AS10
#[tokio::test]
async fn what_the_server_makes_cannot_be_guessed() {
    let harness = Harness::new().await;
    let (first, second) = (harness.secret("app").await, harness.secret("app").await);
    let random = |secret: &str| secret.rsplit_once('_').unwrap().1.to_owned();
    let same =
        |one: &str, other: &str| one.bytes().zip(other.bytes()).filter(|(one, other)| one == other).count();
    let (one, other) = (random(&first), random(&second));
    // Five bits a character, and the last six are a checksum.
    assert!((one.len() - 6) * 5 >= 128 && same(&one, &other) < one.len() / 2, "{one} {other}");
    let one = harness.claims(&harness.token("app", &first).await).await;
    let other = harness.claims(&harness.token("app", &first).await).await;
    let (one, other) = (one.jti().unwrap(), other.jti().unwrap());
    assert!(one.len() >= 22 && other.len() >= 22, "128 bits in base64url");
    assert!(same(one, other) < one.len() / 2, "no counter with a fixed part: {one} {other}");
}

// spec-test: 6749-AS11
#[tokio::test]
async fn the_url_of_a_request_says_nothing() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let credentials = format!("{TOKEN}?client_id=app&client_secret={secret}");
    harness.post(&credentials, Ask::token()).await.refused(400, "invalid_client");
    let grant = format!("{TOKEN}?grant_type=client_credentials");
    harness.post(&grant, Ask::default().basic("app", &secret)).await.refused(400, "invalid_request");
    let scope = format!("{TOKEN}?scope=orders:read");
    let answer = harness.post(&scope, Ask::token().basic("app", &secret)).await;
    assert_eq!(answer.member("scope"), "orders:read orders:write");
}

// spec-test: 7009-AS2
#[tokio::test]
async fn nothing_is_withdrawn_for_who_does_not_authenticate() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let token = harness.token("app", &secret).await;
    harness.post(REVOKE, Ask::about(&token)).await.refused(400, "invalid_client");
    harness
        .post(REVOKE, Ask::about(&token).with(param::CLIENT_ID, "app"))
        .await
        .refused(400, "invalid_client");
    harness.post(REVOKE, Ask::about(&token).basic("app", "wrong")).await.refused(401, "invalid_client");
    let seen = harness.post(INTROSPECT, Ask::about(&token).basic("app", &secret)).await;
    assert_eq!(seen.json()["active"], true);
}

// spec-test: 7662-AS1a, 7662-AS2
#[tokio::test]
async fn whatever_ends_a_token_makes_it_inactive_and_nothing_more_is_said() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let (id, spare) = harness.credential("app", Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let of_spare = harness.token("app", spare.unwrap().expose()).await;
    let (withdrawn, ended) = (harness.token("app", &secret).await, harness.token("app", &secret).await);
    // Another server of the same name, with other keys.
    let stranger = Harness::new().await;
    let forged = stranger.token("app", &stranger.secret("app").await).await;
    let (unsigned, _) = ended.rsplit_once('.').unwrap();

    let seen = async |token: &str| {
        let answer = harness.post(INTROSPECT, Ask::about(token).basic("app", &secret)).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.text().to_owned()
    };
    for token in [&of_spare, &withdrawn, &ended] {
        assert!(seen(token).await.contains(r#""active":true"#));
    }
    for token in ["opaque", &forged, unsigned, &format!("{unsigned}.")] {
        assert_eq!(seen(token).await, INACTIVE, "not signed by us: {token}");
    }
    harness.post(REVOKE, Ask::about(&withdrawn).basic("app", &secret)).await;
    assert_eq!(seen(&withdrawn).await, INACTIVE, "withdrawn");
    harness.server.admin().revoke_credential(&id).await.unwrap();
    assert_eq!(seen(&of_spare).await, INACTIVE, "its credential is withdrawn");
    harness.advance(599);
    assert!(seen(&ended).await.contains(r#""active":true"#), "until its last second");
    harness.advance(1);
    assert_eq!(seen(&ended).await, INACTIVE, "at exp, without any skew");
}

// spec-test: 7523-AS4, 8414-AS2, 8414-AS3
#[tokio::test]
async fn the_issuer_is_published_where_clients_look_first() {
    let harness = Harness::new().await;
    let answer = get(&harness, WELL_KNOWN).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.member("issuer"), ISSUER);

    let issuer = Issuer::parse("https://as.example/tenant").unwrap();
    let server = Server::builder(issuer).clock(FixedClock::new()).build().unwrap();
    let tenant = Harness { server, clock: FixedClock::new() };
    let answer = get(&tenant, &format!("{WELL_KNOWN}/tenant")).await;
    assert_eq!(answer.member("issuer"), "https://as.example/tenant");
    assert_eq!(
        get(&tenant, WELL_KNOWN).await.status,
        StatusCode::NOT_FOUND,
        "that is another issuer's place"
    );
}

// spec-test: 8414-AS4
#[tokio::test]
async fn metadata_holds_no_member_without_elements() {
    for mutual_tls in [false, true] {
        let harness = Harness::with(|settings| match mutual_tls {
            true => settings.mutual_tls(MutualTls::default()),
            false => settings,
        });
        let document = get(&harness.await, WELL_KNOWN).await.json();
        for (name, value) in document.as_object().unwrap() {
            let empty = value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty)
                || value.is_null();
            // The one that RFC 8414 section 2 demands nevertheless.
            assert_eq!(empty, name == "response_types_supported", "{name}: {value}");
        }
    }
}

// spec-test: 8705-AS5
#[tokio::test]
async fn introspection_tells_the_certificate_that_a_token_is_bound_to() {
    let harness = Harness::with(|settings| settings.mutual_tls(MutualTls::default())).await;
    let vault = Api::new(identifier("https://vault.example")).sender_constraint(SenderConstraint::Mtls);
    other_api(&harness, vault, "guard").await;
    let secret = harness.secret("guard").await;
    let certificate = PeerCertificate::new(b"own".to_vec(), Vec::new()).unwrap();
    let answer = harness.post(TOKEN, Ask::token().basic("guard", &secret).certificate(&certificate)).await;
    let ask = Ask::about(&answer.access_token()).basic("guard", &secret);
    let seen = harness.post(INTROSPECT, ask).await.json();
    assert_eq!(seen["cnf"]["x5t#S256"], certificate.thumbprint().to_text());
    assert_eq!(seen["token_type"], "Bearer");
}

/// Even where an API has such a name and is granted: `audience` is there to name it.
// spec-test: 8707-AS2
#[tokio::test]
async fn a_resource_is_an_absolute_uri_without_a_fragment() {
    let harness = Harness::new().await;
    for (index, name) in
        ["orders", "/orders", "https://bills.example#x", "https://bills.example#"].iter().enumerate()
    {
        let client = format!("client-{index}");
        other_api(&harness, Api::new(identifier(name)), &client).await;
        let secret = harness.secret(&client).await;
        let ask = |parameter: &str| Ask::token().with(parameter, name).basic(&client, &secret);
        harness.post(TOKEN, ask(param::RESOURCE)).await.refused(400, "invalid_target");
        harness.post(TOKEN, ask(param::AUDIENCE)).await.access_token();
    }
}

// spec-test: 9068-AS3, 9068-AS4
#[tokio::test]
async fn an_api_can_have_rs256_and_no_algorithm_of_a_shared_key() {
    let harness = Harness::new().await;
    let api = |algorithm: Algorithm| Api::new(identifier("https://vault.example")).algorithm(algorithm);
    for shared in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert!(harness.server.admin().create_api(api(shared)).await.is_err(), "{shared}");
    }
    other_api(&harness, api(Algorithm::Rs256), "guard").await;
    let secret = harness.secret("guard").await;
    let token = harness.token("guard", &secret).await;
    assert_eq!(access_token::parse(&token).unwrap().algorithm(), Algorithm::Rs256);
    let keys = get(&harness, "/oauth2/jwks").await;
    assert!(keys.json()["keys"].as_array().unwrap().iter().any(|key| key["alg"] == "RS256"));
}

// spec-test: 9068-AS5, 9068-AS6, 9700-AS3
#[tokio::test]
async fn a_token_is_for_one_api_and_it_is_clear_for_which() {
    let harness = Harness::new().await;
    harness.server.admin().create_api(Api::new(identifier("https://bills.example"))).await.unwrap();
    let both = Client::new(client_id("both"))
        .grant(identifier(ORDERS), Scope::parse("orders:read").unwrap())
        .grant(identifier("https://bills.example"), Scope::empty());
    harness.server.admin().create_client(both).await.unwrap();
    let secret = harness.secret("both").await;
    let ask = || Ask::token().basic("both", &secret);
    harness.post(TOKEN, ask()).await.refused(400, "invalid_target");
    let two = ask().with(param::RESOURCE, ORDERS).with(param::RESOURCE, "https://bills.example");
    harness.post(TOKEN, two).await.refused(400, "invalid_target");
    for api in [ORDERS, "https://bills.example"] {
        let token = harness.post(TOKEN, ask().with(param::RESOURCE, api)).await.access_token();
        let seen = harness.post(INTROSPECT, Ask::about(&token).basic("both", &secret)).await;
        assert_eq!(seen.member("aud"), api);
    }
    let only = harness.secret("app").await;
    let claims = harness.claims(&harness.token("app", &only).await).await;
    assert_eq!(claims.audience().collect::<Vec<_>>(), [ORDERS], "the default where there is one");
}

// spec-test: 9449-AS4
#[tokio::test]
async fn introspection_tells_the_key_that_a_token_is_bound_to() {
    let harness = Harness::new().await;
    let (secret, key) = (harness.secret("app").await, SigningKey::generate(Algorithm::Es256).unwrap());
    let mut ask = Ask::token().basic("app", &secret);
    ask.headers.insert(header::DPOP, proof(&harness, &key, "one"));
    let token = harness.post(TOKEN, ask).await.access_token();
    // Without a proof here: who asks is not who holds the key.
    let seen = harness.post(INTROSPECT, Ask::about(&token).basic("app", &secret)).await.json();
    assert_eq!(seen["token_type"], "DPoP");
    assert_eq!(seen["cnf"]["jkt"], key.thumbprint().as_str());
    let bearer = harness.token("app", &secret).await;
    let seen = harness.post(INTROSPECT, Ask::about(&bearer).basic("app", &secret)).await.json();
    assert_eq!((seen["token_type"].as_str(), seen.get("cnf")), (Some("Bearer"), None));
}

// spec-test: 9449-V1
#[tokio::test]
async fn a_proof_is_for_one_of_the_two_addresses_of_the_token_endpoint() {
    let base = m2m_proto::uri::EndpointUri::parse("https://mtls.as.example").unwrap();
    let offered = MutualTls::default().alias_base(base);
    let harness = Harness::with(|settings| settings.mutual_tls(offered)).await;
    let (secret, key) = (harness.secret("app").await, SigningKey::generate(Algorithm::Es256).unwrap());
    for (url, good) in [
        (TOKEN_URL, true),
        ("https://mtls.as.example/oauth2/token", true),
        ("https://mtls.as.example/oauth2/introspect", false),
        ("https://other.as.example/oauth2/token", false),
    ] {
        let mut ask = Ask::token().basic("app", &secret);
        ask.headers.insert(header::DPOP, proof_for(&harness, &key, url, url));
        let answer = harness.post(TOKEN, ask).await;
        match good {
            true => assert_eq!(answer.member("token_type"), "DPoP", "{url}"),
            false => drop(answer.refused(400, "invalid_dpop_proof")),
        }
    }
}

// spec-test: 9449-AS5, 7523-AS3b
#[tokio::test]
async fn what_is_good_once_is_good_once_even_for_another_request() {
    let harness = Harness::new().await;
    let (secret, key) = (harness.secret("app").await, SigningKey::generate(Algorithm::Es256).unwrap());
    let used = proof(&harness, &key, "one");
    let own = harness.key("app", Algorithm::Es256).await;
    let assertion = super::assertions::Assertion::of("app").sign(&harness, &own);
    let mut ask = Ask::token().assertion(&assertion);
    ask.headers.insert(header::DPOP, used.clone());
    harness.post(TOKEN, ask).await.access_token();

    let mut again = Ask::token().scope("orders:read").basic("app", &secret);
    again.headers.insert(header::DPOP, used);
    harness.post(TOKEN, again).await.refused(400, "invalid_dpop_proof");
    let again = Ask::token().scope("orders:read").assertion(&assertion);
    harness.post(TOKEN, again).await.refused(400, "invalid_client");
}

// spec-test: JOSE-V9
#[tokio::test]
async fn the_key_set_holds_no_private_member_of_any_key() {
    let harness = Harness::new().await;
    let rsa = Api::new(identifier("https://vault.example")).algorithm(Algorithm::Rs256);
    harness.server.admin().create_api(rsa).await.unwrap();
    let set = get(&harness, "/oauth2/jwks").await.json();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let named: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let public = ["alg", "crv", "e", "key_ops", "kid", "kty", "n", "use", "x", "y"];
        assert!(named.iter().all(|name| public.contains(name)), "{named:?}");
    }
}

// spec-test: 9700-AS1
#[tokio::test]
async fn there_is_no_grant_for_passwords_and_none_is_announced() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let ask = Ask::default().with(param::GRANT_TYPE, "password").with("username", "u").with("password", "p");
    harness.post(TOKEN, ask.basic("app", &secret)).await.refused(400, "unsupported_grant_type");
    let metadata = ServerMetadata::decode(&harness.server.metadata(), &issuer()).unwrap();
    assert!(!metadata.grant_types_supported.unwrap().contains(&"password".to_owned()));
}

// spec-test: 9700-AS2
#[tokio::test]
async fn a_key_pair_or_a_certificate_is_offered_as_proof() {
    let harness = Harness::with(|settings| settings.mutual_tls(MutualTls::default())).await;
    let metadata = ServerMetadata::decode(&harness.server.metadata(), &issuer()).unwrap();
    let methods = metadata.token_endpoint_auth_methods_supported.unwrap();
    for method in ["private_key_jwt", "self_signed_tls_client_auth"] {
        assert!(methods.contains(&method.to_owned()), "{method}");
    }
}

// spec-test: 9700-AS5
#[tokio::test]
async fn no_client_chooses_its_subject() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let ask = Ask::token().with("sub", "root").with("subject", "root").with("act_as", "root");
    let answer = harness.post(TOKEN, ask.basic("app", &secret)).await;
    assert_eq!(harness.claims(&answer.access_token()).await.subject(), Some("app"));
}
