use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use m2m_proto::form::Form;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::names::media_type;
use m2m_proto::time::Skew;
use m2m_proto::uri::EndpointUri;

use super::*;
use crate::config::MutualTls;
use crate::endpoints::tests::{Harness, issuer};
use crate::fixture::{FixedClock, client_id, identifier};
use crate::registry::SecretUse;
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
