//! Every way in which token services depart from the standards, as a switch: the client with the switch gets a token
//! from a service that wants it so, the client without does not, and neither does the client with it where nobody
//! wants it. Services are labs; the switches stand in a catalogue file as anybody may write one.
//!
//! Whatever fails here must not tell a secret: every error that is seen is searched for one.

mod answers;
mod assertions;
mod discovery;
mod errors;
mod grants;
mod requests;
mod secrets;

use std::error::Error as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use m2m_client::provider::{Preset, Provider};
use m2m_client::{
    Client, ClientBuilder, Credentials, Endpoints, Error, FixedSecret, Grant, KeySource, SecretSource,
    Server, Token, TokenSpec,
};
use m2m_io::reqwest::ProxyFrom;
use m2m_io::{HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::form::encode_component;
use m2m_proto::jose::{Algorithm, VerifyingKey};
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::EndpointUri;
use m2m_testkit::lab::{BasicReading, Behaviour, ClientProof, Lab, Outcome, Place, SharedSecret, Situation};
use m2m_testkit::{FixedKeys, ManualClock, SeededRandom};

const CLIENT: &str = "app";
/// Reads differently when it is decoded once too often, or not at all.
const SECRET: &str = "canary%41+7f3a91";
/// What a workload shows.
const WORKLOAD_TOKEN: &str = "workload-canary-51c0";
/// Nothing departs from the standards.
const STANDARD_SERVICE: &str = "";

/// A service of the catalogue whose file says this besides its name and URLs.
fn preset(lab: &Lab, says: &str) -> Preset {
    let text = format!(
        r#"
        id = "made-up"
        name = "Made Up"
        kind = "saas"
        summary = "a service that wants something else"
        docs = "https://docs.example.com"
        source = "this test"
        confidence = "read"
        [[variables]]
        name = "account"
        example = "42"
        help = "account number"
        [endpoints]
        issuer = "https://issuer.example/"
        token = "{}"
        {says}
        "#,
        lab.token_url()
    );
    let provider = Provider::parse(&text).unwrap_or_else(|error| panic!("{says}: {error}"));
    provider.resolve(&[("account".to_owned(), "42".to_owned())]).unwrap()
}

/// Settings of a client of that service: a secret in the form, and time that stands still.
fn builder(lab: &Lab, says: &str) -> ClientBuilder {
    let preset = preset(lab, says);
    let (key, workload): (_, Arc<dyn SecretSource>) = (rsa_source(), secret(WORKLOAD_TOKEN));
    let token_url = EndpointUri::parse(&lab.token_url()).unwrap();
    Client::builder(Server::endpoints(Endpoints::token(token_url)))
        .preset(&preset)
        .unwrap()
        .credentials(post())
        .grant(Grant::of(&preset, Some(key), Some(workload)).unwrap())
        .clock(Arc::new(ManualClock::new()))
        .random(Arc::new(SeededRandom::new(1)))
        .http(direct())
}

fn direct() -> Arc<dyn HttpClient> {
    Arc::new(ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap())
}

/// The same with a name.
fn named(lab: &Lab, says: &str) -> ClientBuilder {
    builder(lab, says).client_id(ClientId::parse(CLIENT).unwrap())
}

/// A lab at the time at which the clients' clocks stand still.
async fn lab(behaviour: Behaviour) -> Lab {
    Lab::with_clock(behaviour, Arc::new(ManualClock::new())).await
}

fn secret(text: &str) -> Arc<FixedSecret> {
    Arc::new(FixedSecret::new(SecretString::from(text)))
}

fn post() -> Credentials {
    Credentials::secret(secret(SECRET), None, ClientAuthMethod::ClientSecretPost)
}

fn basic() -> Credentials {
    Credentials::secret(secret(SECRET), None, ClientAuthMethod::ClientSecretBasic)
}

fn rsa_source() -> KeySource {
    KeySource::fixed(Arc::new(FixedKeys::signing(Algorithm::Rs256)))
}

fn key() -> Credentials {
    Credentials::key(rsa_source())
}

fn rsa() -> Arc<VerifyingKey> {
    Arc::clone(FixedKeys::signing(Algorithm::Rs256).verifying_key())
}

fn shared() -> SharedSecret {
    SharedSecret::new(CLIENT, SECRET)
}

fn wants_basic(reading: BasicReading) -> Behaviour {
    Behaviour::new(ClientProof::Basic(shared(), reading))
}

/// The secret and everything else in this place.
fn wants_parameters(place: Place) -> Behaviour {
    Behaviour { place, ..Behaviour::new(ClientProof::Parameters(shared(), place)) }
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn missing(name: &str) -> Situation {
    Situation::MissingParameter(name.to_owned())
}

/// Asks once. Whatever is said about a failure has no secret in it.
async fn ask(builder: ClientBuilder) -> Result<Arc<Token>, Error> {
    let outcome = builder.build().unwrap().renew(&TokenSpec::default()).await;
    if let Err(error) = &outcome {
        silent(error);
    }
    outcome
}

/// Nothing that people read of this error has a secret, an assertion, or what shows either.
#[track_caller]
fn silent(error: &Error) {
    let mut text = format!("{error} {error:?} {} {:?} {:?}", error.hint(), error.description(), error.uri());
    text += &format!(" {:?}", error.code());
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    let encoded = encode_component(SECRET);
    let pair = STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    let encoded_pair = STANDARD.encode(format!("{CLIENT}:{}", encoded.as_str()));
    for canary in [SECRET, encoded.as_str(), "canary", pair.as_str(), encoded_pair.as_str(), "eyJ"] {
        assert!(!text.contains(canary), "{canary} is told: {text}");
    }
}

/// This client gets a token here.
async fn gets(name: &str, lab: &Lab, builder: ClientBuilder) -> Arc<Token> {
    let token = ask(builder).await;
    token.unwrap_or_else(|error| panic!("{name}: {error} {:?} {:?}", lab.outcomes(), lab.requests()))
}

/// This one does not, for that reason and at the first request; nothing else is tried.
async fn does_not(name: &str, lab: &Lab, builder: ClientBuilder, reason: &Situation) -> Error {
    let _earlier = lab.record().take();
    let error = ask(builder).await.map(drop).expect_err(name);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Refused(reason.clone())), "{name}: {error}");
    assert_eq!(lab.record().count(), 1, "{name}: one request, and no other way is tried");
    error
}

type With = fn(ClientBuilder) -> ClientBuilder;

/// One switch.
struct Quirk {
    name: &'static str,
    /// What the catalogue file says.
    says: &'static str,
    /// The client's other settings, with the switch and without.
    with: With,
    /// A service that wants it so, and why it refuses who does not.
    odd: (Behaviour, Situation),
    /// A service that does not, and why it refuses who does; `None`: it does not mind.
    usual: (Behaviour, Option<Situation>),
}

impl Quirk {
    async fn check(self) {
        let Self { name, says, with, odd, usual } = self;
        let client = |lab: &Lab, says: &str| with(named(lab, says));
        let (behaviour, refusal) = odd;
        let lab = lab(behaviour).await;
        gets(&format!("{name}, as wanted"), &lab, client(&lab, says)).await;
        does_not(&format!("{name}, the standard way"), &lab, client(&lab, STANDARD_SERVICE), &refusal).await;
        let (behaviour, refusal) = usual;
        let lab = self::lab(behaviour).await;
        gets(&format!("{name}, elsewhere, the standard way"), &lab, client(&lab, STANDARD_SERVICE)).await;
        match refusal {
            Some(refusal) => {
                does_not(&format!("{name}, elsewhere"), &lab, client(&lab, says), &refusal).await;
            }
            None => drop(gets(&format!("{name}, elsewhere"), &lab, client(&lab, says)).await),
        }
    }
}
