use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request};
use m2m_proto::form::Form;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::names::{grant_type, media_type};
use m2m_proto::scope::Scope;
use m2m_proto::spiffe::TrustDomain;
use m2m_proto::time::Skew;
use m2m_proto::uri::EndpointUri;

use super::*;
use crate::config::MutualTls;
use crate::endpoints::tests::{Harness, issuer};
use crate::fixture::{FixedClock, client_id, identifier};
use crate::registry::{Client, IssuerId, IssuerKeys, Named, SecretUse, TrustedIssuer};
use crate::{ErrorKind, Server};

const FAPI2: SecurityProfile = SecurityProfile::Fapi2;

fn order(proof: Proof) -> CredentialSpec {
    CredentialSpec::new(client_id("app"), "one", proof)
}

fn keys(algorithm: Algorithm) -> Proof {
    let key = SigningKey::generate(algorithm).unwrap();
    Proof::PublicKeys(JwkSet::from_keys([key.public_jwk().unwrap()]))
}

// spec-test: FAPI-AS1
#[test]
fn no_secret_is_made_and_no_key_that_could_not_sign() {
    let check = |spec: &CredentialSpec, expect: Option<OutsideProfile>| {
        assert_eq!(credential(FAPI2, spec).err(), expect);
        assert_eq!(credential(SecurityProfile::Baseline, spec), Ok(()));
    };
    let secret = ClientAuthMethod::ClientSecretBasic;
    check(&order(Proof::ClientSecret(SecretUse::Post)), Some(OutsideProfile::Method(secret)));
    let signing = ClientAuthMethod::ClientSecretJwt;
    check(&order(Proof::ClientSecretJwt), Some(OutsideProfile::Method(signing)));
    check(&order(keys(Algorithm::Es384)), Some(OutsideProfile::NoKey));
    check(&order(keys(Algorithm::Es256)), None);
    check(&order(keys(Algorithm::EdDsa)), None);
    let uri = EndpointUri::parse("https://app.example/jwks").unwrap();
    check(&order(Proof::JwksUri(uri)), None);
    let anywhere = order(keys(Algorithm::Es256)).accepted_audience(AcceptedAudience::IssuerOrTokenEndpoint);
    check(&anywhere, Some(OutsideProfile::AudienceRule));
}

#[test]
fn an_api_whose_tokens_are_sealed_signs_nothing() {
    let signed = Api::new(identifier("https://a.example")).algorithm(Algorithm::Rs256);
    assert_eq!(api(FAPI2, &signed), Err(OutsideProfile::Algorithm(Algorithm::Rs256)));
    assert_eq!(api(FAPI2, &signed.format(TokenFormat::Opaque)), Ok(()));
    assert_eq!(api(FAPI2, &Api::new(identifier("https://a.example"))), Ok(()));
}

#[test]
fn a_secret_is_refused_before_anybody_is_looked_up() {
    let form = Form::parse(Some(media_type::FORM), b"client_id=nobody&client_secret=x").unwrap();
    let request = Presented::from_request(&HeaderMap::new(), &form, None).unwrap();
    let post = OutsideProfile::Method(ClientAuthMethod::ClientSecretPost);
    assert_eq!(presented(FAPI2, &request, &issuer()), Err(post));
    assert_eq!(presented(SecurityProfile::Baseline, &request, &issuer()), Ok(()));
}

// spec-test: FAPI-AS3, FAPI-X1
#[test]
fn settings_that_break_a_rule_make_no_server() {
    let check = |change: &dyn Fn(ServerBuilder) -> ServerBuilder, part: &str| {
        let builder = change(Server::builder(issuer()).clock(FixedClock::new()));
        let error = builder.security_profile(FAPI2).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains(part), "{error}");
    };
    check(&|builder| builder.skew(Skew::new(Duration::from_secs(5))), "tolerance");
    check(&|builder| builder.skew(Skew::new(Duration::from_secs(61))), "tolerance");
    check(&|builder| builder.signing_key(SigningKey::generate(Algorithm::Es384).unwrap()), "ES384");
    let plain = EndpointUri::parse("http://mtls.example").unwrap();
    let mutual_tls = MutualTls::default().alias_base(plain);
    check(&|builder| builder.mutual_tls(mutual_tls.clone()), "not https");
}

// spec-test: FAPI-X1
#[tokio::test]
async fn no_key_of_another_algorithm_is_made_or_published() {
    let harness = Harness::with(|settings| settings.security_profile(FAPI2)).await;
    let state = harness.server.state_for_test();
    state.keys.maintain(state.workshop(), harness.now()).await.unwrap();
    let algorithms: Vec<Algorithm> =
        state.keys.list().into_iter().map(|(_, algorithm, _)| algorithm).collect();
    assert_eq!(algorithms, [Algorithm::Es256]);
    let error = state.keys.roll(state.workshop(), Algorithm::Rs256, harness.now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let api = Api::new(identifier("https://b.example")).algorithm(Algorithm::Rs256);
    assert_eq!(harness.server.admin().create_api(api).await.unwrap_err().kind(), ErrorKind::Invalid);
}

/// The store is that of a server without profile, whose keys were made before.
#[tokio::test]
async fn keys_of_another_algorithm_that_are_there_are_not_published() {
    let clock = FixedClock::new();
    let before = crate::endpoints::tests::settings(&clock).build().unwrap();
    let state = before.state_for_test();
    state.keys.ensure(state.workshop(), Algorithm::Es384, state.clock.wall()).await.unwrap();
    assert_eq!(state.keys.list().len(), 2);
    let key = crate::endpoints::tests::settings(&clock).store(Arc::clone(before.store()));
    let after = key.security_profile(FAPI2).build().unwrap();
    assert!(
        after.state_for_test().keys.list().iter().all(|(_, algorithm, _)| *algorithm != Algorithm::Es384)
    );
}

/// An SVID is signed by somebody else, whatever is registered.
// spec-test: FAPI-AS1
#[tokio::test]
async fn a_trust_domain_adds_no_method_to_the_metadata() {
    let offered = async |profile: SecurityProfile| {
        let harness = Harness::with(|settings| settings.security_profile(profile)).await;
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let keys = IssuerKeys::Set(Arc::new(JwkSet::from_keys([key.public_jwk().unwrap()])));
        let named = Named::TrustDomain(TrustDomain::parse("prod.example").unwrap());
        let issuer = TrustedIssuer::new(IssuerId::parse("spire").unwrap(), named, keys);
        harness.server.admin().create_issuer(issuer).await.unwrap();
        let path = "/.well-known/oauth-authorization-server";
        let metadata = harness.send(Request::get(path).body(Body::empty()).unwrap()).await.json();
        let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap().clone();
        let grants = metadata["grant_types_supported"].as_array().unwrap().clone();
        (methods.contains(&"spiffe_jwt".into()), grants.iter().any(|grant| grant == grant_type::JWT_BEARER))
    };
    assert!(offered(SecurityProfile::Baseline).await.0);
    assert_eq!(offered(FAPI2).await, (false, false));
}

#[tokio::test]
async fn whoever_administers_by_a_secret_alone_is_locked_out() {
    let clock = FixedClock::new();
    let open = crate::endpoints::tests::settings(&clock).build().unwrap();
    open.prepare().await.unwrap();
    let shut = || {
        let builder = crate::endpoints::tests::settings(&clock).store(Arc::clone(open.store()));
        builder.security_profile(FAPI2).build().unwrap()
    };
    assert!(!shut().admin().is_locked_out().unwrap(), "nobody administers, so nobody is locked out");
    let api = open.admin_api().unwrap();
    let client = Client::new(client_id("app")).grant(api, Scope::parse("m2m:read m2m:write").unwrap());
    open.admin().create_client(client).await.unwrap();
    open.admin().create_credential(order(Proof::ClientSecret(SecretUse::Post))).await.unwrap();
    assert!(shut().admin().is_locked_out().unwrap());
    assert!(!open.admin().is_locked_out().unwrap(), "without a profile a secret will do");
    open.admin().create_credential(order(keys(Algorithm::Es384))).await.unwrap();
    assert!(shut().admin().is_locked_out().unwrap(), "a key that may not sign there");
    let made = open.admin().create_credential(order(keys(Algorithm::Es256))).await.unwrap();
    assert!(!shut().admin().is_locked_out().unwrap());
    open.admin().revoke_credential(&made.id).await.unwrap();
    assert!(shut().admin().is_locked_out().unwrap());
}
