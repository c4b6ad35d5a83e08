//! Sign and verify, each beside the bare primitive of aws-lc-rs with a parsed key.
//!
//! Ours is the whole job: from claims bytes to a compact token, and from a compact
//! token to checked claims. The limit is the signature alone.

use crate::measure::{Side, compare};
use crate::report::Report;
use anyhow::{Context as _, Result, anyhow, ensure};
use aws_lc_rs::signature::{
    self, EcdsaSigningAlgorithm, KeyPair as _, ParsedPublicKey, RsaEncoding, VerificationAlgorithm,
};
use aws_lc_rs::{hmac, rand::SystemRandom};
use m2m_proto::jose::header::{HeaderFields, PreparedHeader};
use m2m_proto::jose::{Algorithm, Claims, Compact, SigningKey, base64url, jws};
use m2m_proto::names;
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token;
use m2m_proto::token_profile::TokenProfile;

/// Bars: signing and verifying, as parts of the primitive's speed.
const ROWS: &[(Algorithm, f64, f64)] = &[
    (Algorithm::Rs256, 0.95, 0.88),
    (Algorithm::Rs384, 0.95, 0.88),
    (Algorithm::Rs512, 0.95, 0.88),
    (Algorithm::Ps256, 0.95, 0.88),
    (Algorithm::Ps384, 0.95, 0.88),
    (Algorithm::Ps512, 0.95, 0.88),
    (Algorithm::Es256, 0.95, 0.95),
    (Algorithm::Es384, 0.95, 0.95),
    (Algorithm::Es512, 0.95, 0.95),
    (Algorithm::EdDsa, 0.95, 0.93),
    (Algorithm::Ed25519, 0.95, 0.93),
    // A hash of 430 bytes takes less than reading the JSON around it: no promise,
    // only a guard against getting worse.
    (Algorithm::Hs256, 0.30, 0.10),
    (Algorithm::Hs384, 0.30, 0.10),
    (Algorithm::Hs512, 0.30, 0.10),
];

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "https://orders.example";
const NOW: u64 = 1_795_000_000;

/// Ten claims, 430 bytes with the header: an ordinary access token.
fn claims() -> String {
    format!(
        "{{\"iss\":\"{ISSUER}\",\"sub\":\"svc-orders\",\"client_id\":\"svc-orders\",\"azp\":\"svc-orders\",\
         \"aud\":\"{AUDIENCE}\",\"scope\":\"orders:read orders:write\",\"iat\":{NOW},\"nbf\":{NOW},\"exp\":{},\
         \"jti\":\"0bOWT5sGHnY2YsNhzGYXBg\"}}",
        NOW + 600
    )
}

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    for (algorithm, sign_bar, verify_bar) in ROWS {
        let name = algorithm.name().to_lowercase();
        let (sign, verify) = (format!("sign-{name}"), format!("verify-{name}"));
        if filter(&sign) {
            report.measure(|report| {
                let [ours, limit] = signing(*algorithm)?;
                report.speed(&sign, ours, limit, *sign_bar);
                Ok(())
            })?;
        }
        if filter(&verify) {
            report.measure(|report| {
                let [ours, limit] = verifying(*algorithm)?;
                report.speed(&verify, ours, limit, *verify_bar);
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// The primitive of an algorithm: how it signs and how it verifies.
enum Primitive {
    Mac(hmac::Algorithm),
    Rsa(&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm),
    Ecdsa(&'static EcdsaSigningAlgorithm, &'static dyn VerificationAlgorithm),
    Ed25519,
}

fn primitive(algorithm: Algorithm) -> Primitive {
    use signature as sig;
    match algorithm {
        Algorithm::Hs256 => Primitive::Mac(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Primitive::Mac(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Primitive::Mac(hmac::HMAC_SHA512),
        Algorithm::Rs256 => Primitive::Rsa(&sig::RSA_PKCS1_SHA256, &sig::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Primitive::Rsa(&sig::RSA_PKCS1_SHA384, &sig::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Primitive::Rsa(&sig::RSA_PKCS1_SHA512, &sig::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Primitive::Rsa(&sig::RSA_PSS_SHA256, &sig::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Primitive::Rsa(&sig::RSA_PSS_SHA384, &sig::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Primitive::Rsa(&sig::RSA_PSS_SHA512, &sig::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 => {
            Primitive::Ecdsa(&sig::ECDSA_P256_SHA256_FIXED_SIGNING, &sig::ECDSA_P256_SHA256_FIXED)
        }
        Algorithm::Es384 => {
            Primitive::Ecdsa(&sig::ECDSA_P384_SHA384_FIXED_SIGNING, &sig::ECDSA_P384_SHA384_FIXED)
        }
        Algorithm::Es512 => {
            Primitive::Ecdsa(&sig::ECDSA_P521_SHA512_FIXED_SIGNING, &sig::ECDSA_P521_SHA512_FIXED)
        }
        Algorithm::EdDsa | Algorithm::Ed25519 => Primitive::Ed25519,
    }
}

/// As long as the hash: the shortest that is allowed.
fn secret(algorithm: Algorithm) -> SecretBytes {
    SecretBytes::new(vec![7; algorithm.row().min_key_bits / 8])
}

/// A new key.
pub fn key(algorithm: Algorithm) -> Result<SigningKey> {
    let key = match algorithm.is_symmetric() {
        true => SigningKey::hmac(&secret(algorithm), algorithm),
        false => SigningKey::generate(algorithm),
    };
    key.map_err(|error| anyhow!("{error}"))
}

/// Empty for a shared secret, which has no such form.
fn pkcs8(algorithm: Algorithm, key: &SigningKey) -> Result<SecretBytes> {
    match algorithm.is_symmetric() {
        true => Ok(SecretBytes::new(Vec::new())),
        false => key.to_pkcs8_der().map_err(|error| anyhow!("{error}")),
    }
}

fn signing(algorithm: Algorithm) -> Result<[f64; 2]> {
    let key = key(algorithm)?;
    let claims = claims();
    let fields = HeaderFields { typ: Some(names::typ::AT_JWT), ..HeaderFields::default() };
    let header = PreparedHeader::new(&fields, &key);
    let token = jws::sign_prepared(&header, claims.as_bytes(), &key)?;
    let input = token.rsplit_once('.').context("a token has dots")?.0.to_owned();
    let mut raw = raw_signer(algorithm, &key)?;
    raw(input.as_bytes()); // once, so that a wrong key shows before the clock runs
    Ok(compare([
        Side::new(|| jws::sign_prepared(&header, claims.as_bytes(), &key)),
        Side::new(|| raw(input.as_bytes())),
    ]))
}

type RawSigner = Box<dyn FnMut(&[u8]) -> usize>;

fn raw_signer(algorithm: Algorithm, key: &SigningKey) -> Result<RawSigner> {
    let der = pkcs8(algorithm, key)?;
    let der = der.expose();
    let random = SystemRandom::new();
    Ok(match primitive(algorithm) {
        Primitive::Mac(hash) => {
            let key = hmac::Key::new(hash, secret(algorithm).expose());
            Box::new(move |input| hmac::sign(&key, input).as_ref().len())
        }
        Primitive::Rsa(scheme, _) => {
            let key = signature::RsaKeyPair::from_pkcs8(der)?;
            let mut out = vec![0; key.public_modulus_len()];
            Box::new(move |input| key.sign(scheme, &random, input, &mut out).map_or(0, |()| out.len()))
        }
        Primitive::Ecdsa(scheme, _) => {
            let key = signature::EcdsaKeyPair::from_pkcs8(scheme, der)?;
            Box::new(move |input| key.sign(&random, input).map_or(0, |signature| signature.as_ref().len()))
        }
        Primitive::Ed25519 => {
            let key = signature::Ed25519KeyPair::from_pkcs8(der)?;
            Box::new(move |input| key.sign(input).as_ref().len())
        }
    })
}

fn verifying(algorithm: Algorithm) -> Result<[f64; 2]> {
    let key = key(algorithm)?;
    let fields = HeaderFields { typ: Some(names::typ::AT_JWT), ..HeaderFields::default() };
    let token = jws::sign(&fields, claims().as_bytes(), &key)?;
    let (input, signature) = token.rsplit_once('.').context("a token has dots")?;
    let signature = base64url::decode(signature)?;
    let raw = raw_verifier(algorithm, &key)?;
    ensure!(raw(input.as_bytes(), &signature), "the primitive refuses our signature");
    let verifying = key.verifying_key();
    if algorithm.is_symmetric() {
        // No kind of access token allows it: the signature and the claims alone.
        let ours = || {
            let token = Compact::parse(&token)?;
            anyhow::Ok(Claims::parse(token.verify(verifying)?.payload())?)
        };
        ours()?;
        return Ok(compare([Side::new(ours), Side::new(|| raw(input.as_bytes(), &signature))]));
    }
    let profile = TokenProfile::rfc9068();
    let expect = access_token::Expect {
        issuer: &m2m_proto::uri::Issuer::parse(ISSUER)?,
        audience: AUDIENCE,
        algorithms: &[algorithm],
        now: UnixTime::from_seconds(NOW + 60),
        skew: Skew::DEFAULT,
    };
    let ours = || access_token::verify(access_token::parse(&token)?, verifying, &profile, &expect);
    ours()?;
    Ok(compare([Side::new(ours), Side::new(|| raw(input.as_bytes(), &signature))]))
}

/// The bare check: signing input and signature.
pub type RawVerifier = Box<dyn Fn(&[u8], &[u8]) -> bool>;

/// The primitive with a parsed key.
pub fn raw_verifier(algorithm: Algorithm, key: &SigningKey) -> Result<RawVerifier> {
    let der = pkcs8(algorithm, key)?;
    let der = der.expose();
    let key = match primitive(algorithm) {
        Primitive::Mac(hash) => {
            let key = hmac::Key::new(hash, secret(algorithm).expose());
            return Ok(Box::new(move |input, tag| hmac::verify(&key, input, tag).is_ok()));
        }
        Primitive::Rsa(_, scheme) => {
            let key = signature::RsaKeyPair::from_pkcs8(der)?;
            ParsedPublicKey::new(scheme, key.public_key().as_ref())?
        }
        Primitive::Ecdsa(signing, scheme) => {
            let key = signature::EcdsaKeyPair::from_pkcs8(signing, der)?;
            ParsedPublicKey::new(scheme, key.public_key().as_ref())?
        }
        Primitive::Ed25519 => {
            let key = signature::Ed25519KeyPair::from_pkcs8(der)?;
            ParsedPublicKey::new(&signature::ED25519, key.public_key().as_ref())?
        }
    };
    Ok(Box::new(move |input, signature| key.verify_sig(input, signature).is_ok()))
}
