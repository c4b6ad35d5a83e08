//! Our client, judged: what it sends to a server under the profile, and what it takes from one.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use m2m_client::{
    CertificateSource, Client, ClientBuilder, Credentials, Dpop, ErrorKind, FixedSecret, HttpFactory,
    KeySource, Server, TokenSpec,
};
use m2m_io::{EgressRules, HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use m2m_testkit::FixedKeys;
use m2m_testkit::certificates::Identity;

use super::judge::{Judge, Manner};
use super::{ALL, Auth, Constrain, Variant, with_constraint};

fn certificate(identity: &Identity) -> CertificateSource {
    let text =
        |bytes: &[u8]| Arc::new(FixedSecret::new(SecretString::from(std::str::from_utf8(bytes).unwrap())));
    CertificateSource::new(text(identity.chain_pem.as_bytes()), text(identity.key_pem.expose()))
}

/// A client of this combination, under the profile.
fn client(judge: &Judge, (auth, constrain): Variant) -> ClientBuilder {
    let identity = judge.authority.client("one", &["one.example"]);
    let credentials = match auth {
        Auth::Mtls => Credentials::certificate(certificate(&identity), ClientAuthMethod::TlsClientAuth),
        Auth::PrivateKeyJwt => {
            let key = Credentials::key(KeySource::fixed(Arc::new(FixedKeys::signing(Algorithm::Es256))));
            if constrain == Constrain::Mtls { key.bound_to(certificate(&identity)) } else { key }
        }
    };
    let authority = judge.authority.pem();
    let http = HttpFactory::new(move |certificate| {
        // The alias is at another port of this machine, which metadata may not lead to by themselves.
        let egress = EgressRules::new().allow("127.0.0.0/8").unwrap();
        let mut builder = ReqwestHttp::builder().ca_pem(authority.as_bytes())?.egress(egress);
        if let Some(certificate) = certificate {
            builder = builder.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(builder.build()?) as Arc<dyn HttpClient>)
    });
    let dpop = if constrain == Constrain::Dpop { Dpop::Ephemeral(Algorithm::Es256) } else { Dpop::None };
    Client::builder(Server::issuer(Issuer::parse(&judge.issuer).unwrap()))
        .client_id(ClientId::parse("one").unwrap())
        .credentials(credentials)
        .scope(Scope::parse("orders:read").unwrap())
        .audience("https://orders.example")
        .destination(Origin::parse(&judge.api).unwrap())
        .dpop(dpop)
        .security_profile(SecurityProfile::Fapi2)
        .http_factory(http)
}

/// Gets a token and calls the API with it.
async fn flow(client: &Client, judge: &Judge) -> Result<u16, m2m_client::Error> {
    let request = Request::get(format!("{}/orders", judge.api)).body(Bytes::new()).unwrap();
    Ok(client.execute(&TokenSpec::default(), request).await?.response.status().as_u16())
}

async fn passes(manner: Manner, variants: impl Iterator<Item = Variant>) {
    for variant in variants {
        let judge = Judge::start(variant, manner.clone()).await;
        let client = client(&judge, variant).build().unwrap();
        assert_eq!(flow(&client, &judge).await.unwrap(), 200, "{variant:?}");
        assert_eq!(flow(&client, &judge).await.unwrap(), 200, "{variant:?}");
        judge.is_content();
        assert!(judge.seen(|seen| seen.calls) >= 2);
    }
}

/// fapi2-security-profile-final-client-test-happy-path: discovery, the token by the endpoint for certificates where one
/// is shown, the assertion with the issuer as its only audience, nonces of both servers, the token in the header.
// spec-test: OIDF-C1, FAPI-C1
#[tokio::test]
async fn happy_path() {
    passes(Manner::default(), ALL.into_iter()).await;
}

/// fapi2-security-profile-final-client-test-token-type-case-insensitivity.
// spec-test: OIDF-C2
#[tokio::test]
async fn token_type_case_insensitivity() {
    for (constrain, written) in [(Constrain::Dpop, "dPoP"), (Constrain::Mtls, "bEARER")] {
        let manner = Manner { token_type: Some(written), ..Manner::default() };
        passes(manner, with_constraint(constrain)).await;
    }
}

/// fapi2-security-profile-final-client-test-happy-path-no-dpop-nonce.
// spec-test: OIDF-C3
#[tokio::test]
async fn happy_path_no_dpop_nonce() {
    let manner = Manner { nonces: false, ..Manner::default() };
    passes(manner, with_constraint(Constrain::Dpop)).await;
}

/// fapi2-security-profile-final-client-test-token-endpoint-response-without-expires_in, which the suite runs for other
/// grants: the token is used all the same.
#[tokio::test]
async fn token_endpoint_response_without_expires_in() {
    let manner = Manner { says_life: false, ..Manner::default() };
    passes(manner, ALL.into_iter()).await;
}

/// fapi2-security-profile-final-client-test-discovery-issuer-mismatch, which the suite runs for other grants: metadata of
/// another issuer are not used, and nothing is sent.
// spec-test: FAPI-C1
#[tokio::test]
async fn discovery_issuer_mismatch() {
    for variant in ALL {
        let manner = Manner { issuer: Some("https://other.example"), ..Manner::default() };
        let judge = Judge::start(variant, manner).await;
        flow(&client(&judge, variant).build().unwrap(), &judge).await.unwrap_err();
        assert_eq!(judge.seen(|seen| (seen.token_requests, seen.calls)), (0, 0), "{variant:?}");
    }
}

/// No module: a token that is bound to nothing, or whose type says so, is not used.
// spec-test: FAPI-C1
#[tokio::test]
async fn a_token_that_is_bound_to_nothing_is_not_used() {
    for variant in ALL {
        let judge = Judge::start(variant, Manner { bound: false, ..Manner::default() }).await;
        let error = flow(&client(&judge, variant).build().unwrap(), &judge).await.unwrap_err();
        assert!(error.to_string().contains("fapi2: tokens are bound"), "{error}");
        assert_eq!(judge.seen(|seen| seen.calls), 0, "{variant:?}");
    }
    for variant in with_constraint(Constrain::Dpop) {
        let judge = Judge::start(variant, Manner { token_type: Some("Bearer"), ..Manner::default() }).await;
        let error = flow(&client(&judge, variant).build().unwrap(), &judge).await.unwrap_err();
        assert!(error.to_string().contains("Bearer"), "{error}");
        assert_eq!(judge.seen(|seen| seen.calls), 0, "{variant:?}");
    }
    for variant in with_constraint(Constrain::Mtls) {
        let judge = Judge::start(variant, Manner { offers_binding: false, ..Manner::default() }).await;
        let error = flow(&client(&judge, variant).build().unwrap(), &judge).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert_eq!(judge.seen(|seen| seen.token_requests), 0, "{variant:?}");
    }
}

/// No module: settings that lead out of the profile make no client.
// spec-test: FAPI-C1, FAPI-X1
#[tokio::test]
async fn settings_outside_of_the_profile_make_no_client() {
    let variant = (Auth::PrivateKeyJwt, Constrain::Dpop);
    let judge = Judge::start(variant, Manner::default()).await;
    let check = |change: &dyn Fn(ClientBuilder) -> ClientBuilder, part: &str| {
        let error = change(client(&judge, variant)).build().unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    let endpoint = EndpointUri::parse(&format!("{}/introspect", judge.issuer)).unwrap();
    check(&|builder| builder.dpop(Dpop::None), "bound");
    check(&|builder| builder.dpop(Dpop::Ephemeral(Algorithm::Rs256)), "RS256");
    check(&|builder| builder.introspection_endpoint(endpoint.clone()), "introspection endpoint");
    check(&|builder| builder.assertion_audience(m2m_client::AssertionAudienceRule::Endpoint), "audience");
    let secret = || {
        let secret = Arc::new(FixedSecret::new(SecretString::from("secret")));
        Credentials::secret(secret, None, ClientAuthMethod::ClientSecretBasic)
    };
    check(&|builder| builder.credentials(secret()), "client_secret_basic");
    let rs256 = Credentials::key(KeySource::fixed(Arc::new(FixedKeys::signing(Algorithm::Rs256))));
    let late = client(&judge, variant).credentials(rs256).build().unwrap();
    let error = flow(&late, &judge).await.unwrap_err();
    assert!(error.to_string().contains("RS256"), "{error}");
    assert_eq!(judge.seen(|seen| seen.token_requests), 0);
}
