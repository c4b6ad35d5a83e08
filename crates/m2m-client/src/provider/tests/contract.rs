//! Every provider at work: a profile makes a request, to the byte, and
//! recorded answers make a token or an error with the right advice.
//!
//! `UPDATE_GOLDEN=1` writes the requests anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use m2m_io::HttpClient;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::scope::Scope;
use m2m_proto::uri::{EndpointUri, Issuer, ResourceUri};
use serde::Deserialize;

use crate::provider::{Provider, all};
use crate::testing::{FakeServer, TestClock, TestRandom, secret};
use crate::{
    CertificateSource, Client, ClientBuilder, Credentials, Endpoints, Error, Grant, KeySource, SecretSource,
    Server, Token, TokenSpec,
};

const SECRET: &str = "s3cret-for-tests";
const WORKLOAD_TOKEN: &str = "workload-token-for-tests";
const KEY: &str = include_str!("../../../../m2m-proto/testdata/keys/rsa2048.pkcs1.pem");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    answers: Vec<Answer>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Profile {
    variables: BTreeMap<String, String>,
    client_id: String,
    method: Option<String>,
    scopes: Vec<String>,
    audience: Option<String>,
    resource: Vec<String>,
    params: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: String,
    /// Instead of the profile's.
    method: Option<String>,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
    expect: Expect,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    token: Option<String>,
    expires_in: Option<u64>,
    extra: Vec<String>,
    kind: Option<String>,
    code: Option<String>,
    hint: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("providers")
}

fn recorded(provider: &Provider) -> Recorded {
    let path = folder().join(format!("answers/{}.toml", provider.id));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn key(provider: &Provider) -> KeySource {
    // Of the accepted algorithms one whose signatures repeat, where there is one.
    let known = || provider.assertion.algorithms.iter().filter_map(|name| Algorithm::parse(name));
    let algorithm = known().find(|algorithm| *algorithm == Algorithm::Rs256).or_else(|| known().next());
    let key = SigningKey::from_pkcs8_pem(KEY.as_bytes(), algorithm.or(Some(Algorithm::Rs256))).unwrap();
    KeySource::fixed(Arc::new(key.with_key_id("key-1".to_owned())))
}

fn credentials(method: &str, provider: &Provider) -> Credentials {
    let basic = |method| Credentials::secret(secret(SECRET), None, method);
    match method {
        "none" => Credentials::none(),
        "federated" => Credentials::assertion(secret(WORKLOAD_TOKEN)),
        "private_key_jwt" => Credentials::key(key(provider)),
        "tls_client_auth" => {
            let source = CertificateSource::new(secret("chain"), secret(KEY));
            Credentials::certificate(source, ClientAuthMethod::TlsClientAuth)
        }
        name => basic(ClientAuthMethod::parse(name).unwrap_or_else(|| panic!("{name}"))),
    }
}

fn builder(
    provider: &Provider,
    profile: &Profile,
    method: Option<&str>,
    server: &Arc<FakeServer>,
) -> ClientBuilder {
    let variables: Vec<_> = profile.variables.clone().into_iter().collect();
    let preset = provider.resolve(&variables).unwrap_or_else(|error| panic!("{}: {error}", provider.id));
    let method = method.or(profile.method.as_deref()).unwrap_or(&provider.auth.methods[0]);
    let parsed = ClientAuthMethod::parse(method);
    let place = match preset.token_url_for(parsed) {
        Some(url) => Server::endpoints(Endpoints::token(EndpointUri::parse(url).unwrap())),
        None => Server::issuer(Issuer::parse("https://nobody.example").unwrap()),
    };
    let workload: Arc<dyn SecretSource> = secret(WORKLOAD_TOKEN);
    let grant = Grant::of(&preset, Some(key(provider)), Some(workload)).unwrap();
    let mut builder = Client::builder(place)
        .preset(&preset)
        .unwrap()
        .client_id(ClientId::parse(&profile.client_id).unwrap())
        .credentials(credentials(method, provider))
        .grant(grant)
        .clock(Arc::new(TestClock::new()))
        .random(Arc::new(TestRandom::seeded(1)))
        .http(Arc::clone(server) as Arc<dyn HttpClient>);
    if !profile.scopes.is_empty() {
        builder = builder.scope(Scope::parse(&profile.scopes.join(" ")).unwrap());
    }
    for resource in &profile.resource {
        builder = builder.resource(ResourceUri::parse(resource).unwrap());
    }
    for (name, value) in &profile.params {
        builder = builder.param(name, value);
    }
    builder.audience_of(profile.audience.as_ref())
}

impl ClientBuilder {
    fn audience_of(self, audience: Option<&String>) -> Self {
        match audience {
            Some(audience) => self.audience(audience),
            None => self,
        }
    }
}

async fn ask(
    provider: &Provider,
    profile: &Profile,
    answer: &Answer,
) -> (Result<Arc<Token>, Error>, Arc<FakeServer>) {
    let (answered, answer) = (answer, answer.clone());
    let server = FakeServer::new(move |_, _| {
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        Ok(response.body(Bytes::from(answer.body.clone())).unwrap())
    });
    let method = answered.method.as_deref();
    let client = builder(provider, profile, method, &server)
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", provider.id));
    (client.token(&TokenSpec::default()).await, server)
}

/// The request as text, and below it what its assertions say.
fn written(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    write!(text, "\n{body}\n").unwrap();
    let everything = format!("{} {body}", text.clone());
    for jwt in everything.split(['=', ' ', '&', '"', '\n']).filter(|part| part.starts_with("eyJ")) {
        let mut parts = jwt.split('.').take(2).filter_map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (Some(header), Some(payload)) = (parts.next(), parts.next()) else { continue };
        let line = format!("# {} {}\n", String::from_utf8_lossy(&header), String::from_utf8_lossy(&payload));
        if !text.contains(&line) {
            text.push_str(&line);
        }
    }
    text
}

fn check_golden(provider: &Provider, text: &str) -> Result<(), String> {
    let path = folder().join(format!("golden/{}.http", provider.id));
    if update() {
        fs::write(&path, text).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        Ok(())
    } else {
        Err(format!("the request changed:\n{text}\nexpected:\n{expected}"))
    }
}

#[expect(clippy::disallowed_methods, reason = "asks the person who runs the test")]
fn update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

fn check_answer(answer: &Answer, result: Result<Arc<Token>, Error>) -> Result<(), String> {
    let expect = &answer.expect;
    let fail = |what: String| Err(format!("{}: {what}", answer.name));
    match (&expect.token, result) {
        (Some(text), Ok(token)) => {
            if token.access_token().expose() != text {
                return fail("another token".to_owned());
            }
            let life = token.life().as_secs();
            if expect.expires_in.is_some_and(|expected| expected != life) {
                return fail(format!("lives {life} s"));
            }
            let missing: Vec<_> =
                expect.extra.iter().filter(|name| !token.extra().contains_key(*name)).collect();
            if missing.is_empty() { Ok(()) } else { fail(format!("{missing:?} are not kept")) }
        }
        (None, Err(error)) => {
            let kind = error.kind().as_str();
            let code = error.code().map(|code| code.as_str().to_owned());
            let wrong = expect.kind.as_deref().is_some_and(|expected| expected != kind)
                || (expect.code.is_some() && expect.code != code)
                || !error.hint().contains(expect.hint.as_deref().unwrap_or_default());
            if wrong { fail(format!("{kind} {code:?} {error}: hint: {}", error.hint())) } else { Ok(()) }
        }
        (Some(_), Err(error)) => fail(format!("{error}: {}", error.hint())),
        (None, Ok(_)) => fail("a token".to_owned()),
    }
}

#[tokio::test]
async fn every_provider_asks_as_it_should_and_understands_the_answers() {
    let mut wrong = Vec::new();
    for provider in all() {
        let Recorded { profile, answers } = recorded(provider);
        if !provider.is_usable() {
            assert!(answers.is_empty() && provider.resolve(&[]).is_err(), "{}", provider.id);
            continue;
        }
        let mut say = |problem: String| wrong.push(format!("{}: {problem}", provider.id));
        if provider.assertion.self_signed {
            let silent = FakeServer::issuing(1);
            let client = builder(provider, &profile, None, &silent).build().unwrap();
            let token = client.token(&TokenSpec::default()).await.unwrap();
            let request = Request::get("about:blank").header("token", token.access_token().expose());
            check_golden(provider, &written(&request.body(Bytes::new()).unwrap())).unwrap_or_else(&mut say);
            assert_eq!(silent.count(), 0, "{}: nothing is asked for", provider.id);
            continue;
        }
        if !answers.iter().any(|answer| answer.name == "success") {
            say("no recorded success".to_owned());
        }
        for (number, answer) in answers.iter().enumerate() {
            let (result, server) = ask(provider, &profile, answer).await;
            if number == 0 && server.count() > 0 {
                check_golden(provider, &written(&server.request(0))).unwrap_or_else(&mut say);
            }
            check_answer(answer, result).unwrap_or_else(&mut say);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A golden file or a record that belongs to nobody would never be looked at.
#[test]
fn no_file_is_left_over() {
    for place in ["answers", "golden"] {
        for file in fs::read_dir(folder().join(place)).unwrap() {
            let path = file.unwrap().path();
            let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(all().iter().any(|provider| provider.id == id), "{}", path.display());
        }
    }
}
