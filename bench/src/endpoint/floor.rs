//! The limits of the endpoints: handlers that do what cannot be left out, and nothing else.
//!
//! - `/token/ALG`: reads the form and the Basic header, checks the secret by keyed hash,
//!   signs once.
//! - `/assertion`: verifies once, signs once, constant answer.
//! - `/introspect/verified`: reads the form and the Basic header, checks the secret,
//!   verifies the token's signature, constant answer. `/introspect` does not verify.
//! - `/constant`: shows what the load generator can ask.
//!
//! What is signed and what is answered are the bytes that our server made for the same
//! request, so sizes are equal. Nothing is encoded, looked up or recorded, and no claim is
//! read: less than any server can do.

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair, Signature,
};
use aws_lc_rs::{constant_time, hmac};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderMap, StatusCode};
use m2m_proto::jose::{Algorithm, SigningKey};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One client, registered.
struct Client {
    id: String,
    key: hmac::Key,
    secret_hash: hmac::Tag,
}

impl Client {
    fn new(said: &Value) -> Result<Self> {
        let text = |name: &str| said[name].as_str().with_context(|| format!("{name} in {said}"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let secret_hash = hmac::sign(&key, text("secret")?.as_bytes());
        Ok(Self { id: text("id")?.to_owned(), key, secret_hash })
    }

    /// RFC 6749 section 2.3.1: both halves are form-encoded.
    fn authenticates(&self, headers: &HeaderMap) -> Option<bool> {
        let encoded = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        let secret = decoded(secret)?;
        let hash = hmac::sign(&self.key, secret.as_bytes());
        let right = constant_time::verify_slices_are_equal(hash.as_ref(), self.secret_hash.as_ref()).is_ok();
        Some(right && decoded(id)? == self.id)
    }
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok()
}

enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn new(algorithm: Algorithm) -> Result<Self> {
        let key = SigningKey::generate(algorithm).map_err(|error| anyhow!("{error}"))?;
        let der = key.to_pkcs8_der().map_err(|error| anyhow!("{error}"))?;
        let der = der.expose();
        Ok(match algorithm {
            Algorithm::Rs256 => Self::Rsa(RsaKeyPair::from_pkcs8(der)?),
            Algorithm::Es256 => {
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der)?)
            }
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_pkcs8(der)?),
            other => return Err(anyhow!("no floor for {other:?}")),
        })
    }

    /// The signature as it stands in a token.
    fn sign(&self, input: &[u8]) -> Option<String> {
        let encode = |signature: Signature| BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref());
        match self {
            Self::Rsa(key) => {
                let mut out = vec![0; key.public_modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut out).ok()?;
                Some(BASE64_URL_SAFE_NO_PAD.encode(out))
            }
            Self::Ecdsa(key) => key.sign(&SystemRandom::new(), input).ok().map(encode),
            Self::Ed25519(key) => Some(encode(key.sign(input))),
        }
    }

    /// Of an ECDSA key.
    fn verifier(&self) -> Result<ParsedPublicKey> {
        let Self::Ecdsa(key) = self else { return Err(anyhow!("verifies ES256 only")) };
        Ok(ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key.public_key().as_ref())?)
    }
}

/// A token endpoint for one algorithm.
struct Tokens {
    client: Client,
    signer: Signer,
    /// Header and payload of a token of ours.
    input: String,
}

async fn token(State(own): State<Arc<Tokens>>, headers: HeaderMap, body: Bytes) -> Response {
    let granted = form_has(&body, "grant_type", |value| value == "client_credentials")
        && own.client.authenticates(&headers) == Some(true);
    let signature = granted.then(|| own.signer.sign(own.input.as_bytes())).flatten();
    let Some(signature) = signature else { return StatusCode::UNAUTHORIZED.into_response() };
    let input = &own.input;
    json(format!(
        "{{\"access_token\":\"{input}.{signature}\",\"token_type\":\"Bearer\",\
         \"expires_in\":600,\"scope\":\"orders:read\"}}"
    ))
}

/// Reads every pair, and says whether there is a good one of that name.
fn form_has(body: &[u8], name: &str, good: impl Fn(&str) -> bool) -> bool {
    form_urlencoded::parse(body).fold(false, |found, (key, value)| found || (key == name && good(&value)))
}

fn json(body: String) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    (headers, body).into_response()
}

/// One assertion, checked again for each request.
struct Assertion {
    verifier: ParsedPublicKey,
    input: String,
    signature: Vec<u8>,
    signer: Signer,
    answer: String,
}

async fn assertion(State(own): State<Arc<Assertion>>, _body: Bytes) -> Response {
    let verified = own.verifier.verify_sig(own.input.as_bytes(), &own.signature).is_ok();
    match verified.then(|| own.signer.sign(own.input.as_bytes())).flatten() {
        Some(signature) if !signature.is_empty() => json(own.answer.clone()),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// What `/introspect/verified` takes: signed with the key of this process, each another one.
async fn sample(State(own): State<Arc<Assertion>>) -> Response {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let kept = own.input.len().saturating_sub(8);
    let input = format!("{}{number:08}", own.input.get(..kept).unwrap_or_default());
    match own.signer.sign(input.as_bytes()) {
        Some(signature) => json(format!("{{\"access_token\":\"{input}.{signature}\"}}")),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An introspection endpoint.
struct Introspection {
    client: Client,
    /// Whether it looks at the token.
    verifier: Option<ParsedPublicKey>,
    answer: String,
}

async fn introspect(State(own): State<Arc<Introspection>>, headers: HeaderMap, body: Bytes) -> Response {
    let good = |token: &str| own.verifier.as_ref().is_none_or(|key| signed(token, key) == Some(true));
    match form_has(&body, "token", good) && own.client.authenticates(&headers) == Some(true) {
        true => json(own.answer.clone()),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn signed(token: &str, key: &ParsedPublicKey) -> Option<bool> {
    let (input, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    Some(key.verify_sig(input.as_bytes(), &signature).is_ok())
}

/// The limits. `setup` has, of our server: `ALG.{id,secret,token}` of each algorithm,
/// `reader.{id,secret}`, and its `introspection`.
pub fn router(setup: &Value) -> Result<Router> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text in the setup");
    let input = |name: &str| {
        let token = text(&setup[name]["token"])?;
        Ok::<_, anyhow::Error>(token.rsplit_once('.').context("a token has dots")?.0.to_owned())
    };
    let mut router = Router::new();
    for (name, algorithm) in super::ALGORITHMS {
        let client = Client::new(&setup[name])?;
        let tokens = Tokens { client, signer: Signer::new(algorithm)?, input: input(name)? };
        router = router.route(&format!("/token/{name}"), post(token).with_state(Arc::new(tokens)));
    }
    let (signer, input) = (Signer::new(Algorithm::Es256)?, input("es256")?);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signer.sign(input.as_bytes()).context("signs")?)?;
    let token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(&signature));
    let verifier = signer.verifier()?;
    let answer = format!(
        "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":600,\"scope\":\"orders:read\"}}"
    );
    let introspection = |verifier: Option<ParsedPublicKey>| {
        let (client, answer) = (Client::new(&setup["reader"])?, text(&setup["introspection"])?);
        Ok::<_, anyhow::Error>(post(introspect).with_state(Arc::new(Introspection {
            client,
            verifier,
            answer,
        })))
    };
    router = router
        .route("/introspect/verified", introspection(Some(signer.verifier()?))?)
        .route("/introspect", introspection(None)?);
    let constant = answer.clone();
    let assertions = Arc::new(Assertion { verifier, input, signature, signer, answer });
    Ok(router
        .route("/introspect/token", post(sample).with_state(Arc::clone(&assertions)))
        .route("/assertion", post(assertion).with_state(assertions))
        .route("/constant", post(|_: Bytes| async { json(constant) })))
}
