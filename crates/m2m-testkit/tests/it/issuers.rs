//! Access tokens of real servers at the verifier: npm `oidc-provider` and PyPI `authlib`, run as black boxes, and our
//! own. Their tokens are accepted with the profile of RFC 9068, and those that are bound to a key or a certificate
//! are worth nothing to whoever steals them, alone or with the request around them. Where a peer is not fetched its
//! tests say so and pass.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Uri, header::AUTHORIZATION};
use m2m_authorization_server::ClientAddress;
use m2m_authorization_server::registry::{Proof, SenderConstraint};
use m2m_client::{CertificateSource, Client, ClientBuilder, Credentials, Dpop as ClientDpop, HttpFactory};
use m2m_io::{Clock, HttpClient, SystemClock};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use m2m_proto::client_id::ClientId;
use m2m_proto::dpop::DpopProof;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::names::header;
use m2m_proto::scope::Scope;
use m2m_proto::token::AccessToken;
use m2m_proto::token::access_token::AccessTokenError;
use m2m_proto::token::confirmation::ConfirmationError;
use m2m_proto::uri::{Issuer, Origin};
use m2m_resource_server::{Dpop, Reason, RequestParts, VerifiedAccessToken, Verifier};
use m2m_testkit::certificates::Identity;
use m2m_testkit::fixture::{API, CLIENT, ISSUER};
use m2m_testkit::peers::{self, Peer};
use m2m_testkit::{FixedKeys, Fixture};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::peer::{client, secret};
use crate::peer_oidc_provider::party::Party;
use crate::peer_oidc_provider::with_certificate;

/// A verifier that finds the keys of that issuer by discovery.
fn verifier(issuer: &str, audience: &str) -> Verifier {
    let builder = Verifier::builder().trust(Issuer::parse(issuer).unwrap(), audience);
    builder.dpop(Dpop::new(Origin::parse(API).unwrap())).build().unwrap()
}

/// What a request carries.
#[derive(Clone, Default)]
struct Asked<'a> {
    authorization: String,
    proof: Option<HeaderValue>,
    certificate: Option<&'a PeerCertificate>,
}

impl Asked<'_> {
    fn with(scheme: &str, token: &AccessToken) -> Self {
        Self { authorization: format!("{scheme} {}", token.expose()), ..Self::default() }
    }

    async fn of(&self, verifier: &Verifier) -> Result<VerifiedAccessToken, Reason> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&self.authorization).unwrap());
        if let Some(proof) = &self.proof {
            headers.insert(header::DPOP, proof.clone());
        }
        let (method, uri) = (Method::GET, Uri::from_static("/orders"));
        let certificate = self.certificate;
        let parts = RequestParts { method: &method, uri: &uri, headers: &headers, certificate };
        let answer = verifier.verify(&parts).await;
        answer.map_err(|rejection| {
            assert_eq!(rejection.to_response().status(), 401, "{rejection}");
            rejection.reason().clone()
        })
    }
}

async fn token(client: &Client) -> AccessToken {
    client.token(&client.spec()).await.unwrap().access_token().clone()
}

/// A proof of that key for `GET /orders` with this token, of that moment.
fn proof(key: &SigningKey, clock: &dyn Clock, token: &AccessToken, jti: &str) -> HeaderValue {
    let proof = DpopProof {
        method: &Method::GET,
        uri: &format!("{API}/orders").parse().unwrap(),
        now: clock.wall(),
        jti,
        nonce: None,
        access_token: Some(token),
    };
    proof.build(key).unwrap()
}

/// A token that is bound to `holder`, in the hands of everybody.
async fn bound_to_a_key(verifier: &Verifier, clock: &dyn Clock, holder: &SigningKey, token: &AccessToken) {
    let as_bearer = Asked::with("Bearer", token).of(verifier).await.unwrap_err();
    assert_eq!(as_bearer, Reason::Possession(ConfirmationError::BoundAsBearer));
    let bare = Asked::with("DPoP", token).of(verifier).await.unwrap_err();
    assert!(matches!(bare, Reason::Proof(_)), "{bare:?}");
    let thief = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut asked = Asked { proof: Some(proof(&thief, clock, token, "thief")), ..Asked::with("DPoP", token) };
    let stolen = asked.of(verifier).await.unwrap_err();
    assert_eq!(stolen, Reason::Possession(ConfirmationError::AnotherKey));
    asked.proof = Some(proof(holder, clock, token, "holder"));
    let accepted = asked.of(verifier).await.unwrap();
    assert_eq!(accepted.binding().unwrap().jkt(), Some(holder.thumbprint()));
    assert_eq!(asked.of(verifier).await.unwrap_err(), Reason::ProofReplayed, "the whole request, again");
}

/// A token that is bound to `own`, on everybody's connection.
async fn bound_to_a_certificate(verifier: &Verifier, own: &PeerCertificate, token: &AccessToken) {
    let other = Identity::self_signed("thief").peer();
    let mut asked = Asked::with("Bearer", token);
    for (certificate, reason) in
        [(None, ConfirmationError::CertificateMissing), (Some(&other), ConfirmationError::AnotherCertificate)]
    {
        asked.certificate = certificate;
        assert_eq!(asked.of(verifier).await.unwrap_err(), Reason::Possession(reason));
    }
    asked.certificate = Some(own);
    assert!(asked.of(verifier).await.unwrap().binding().unwrap().x5t_s256().is_some());
}

fn oidc_client(party: &Party, id: &str) -> ClientBuilder {
    let basic = ClientAuthMethod::ClientSecretBasic;
    let credentials = Credentials::secret(secret(party.server.said("secret")), None, basic);
    client(&party.server, id, credentials).scope(Scope::parse("orders:read").unwrap())
}

// spec-test: 9068-RS1
#[tokio::test]
async fn tokens_of_oidc_provider_are_accepted_for_their_audience() {
    let Some(party) = Party::start() else { return };
    let token = token(&oidc_client(&party, "basic").build().unwrap()).await;
    let accepted = Asked::with("Bearer", &token).of(&verifier(party.server.issuer(), API)).await.unwrap();
    assert_eq!(accepted.client_id(), Some("basic"));
    assert_eq!(accepted.scope().to_string(), "orders:read");
    assert_eq!(accepted.issuer(), Some(party.server.issuer()));
    let other = verifier(party.server.issuer(), "https://bills.example");
    let refused = Asked::with("Bearer", &token).of(&other).await.unwrap_err();
    assert!(matches!(refused, Reason::Token(AccessTokenError::Audience { .. })), "{refused:?}");
}

// spec-test: 9449-RS1
#[tokio::test]
async fn tokens_of_oidc_provider_that_are_bound_to_a_key_are_worthless_without_it() {
    let Some(party) = Party::start() else { return };
    let key = Arc::new(FixedKeys::signing(Algorithm::EdDsa));
    let client = oidc_client(&party, "dpop").dpop(ClientDpop::Key(Arc::clone(&key))).build().unwrap();
    let token = token(&client).await;
    bound_to_a_key(&verifier(party.server.issuer(), API), &SystemClock, &key, &token).await;
}

// spec-test: 8705-RS1
#[tokio::test]
async fn tokens_of_oidc_provider_that_are_bound_to_a_certificate_are_worthless_without_it() {
    let Some(party) = Party::start() else { return };
    let method = ClientAuthMethod::TlsClientAuth;
    let (credentials, factory) = with_certificate(&party, method, &party.signed);
    let builder = client(&party.server, "tls", credentials).scope(Scope::parse("orders:read").unwrap());
    let token = token(&builder.http_factory(factory).build().unwrap()).await;
    let der = CertificateDer::from_pem_slice(party.signed.chain.as_bytes()).unwrap();
    let own = PeerCertificate::new(der.to_vec(), Vec::new()).unwrap();
    bound_to_a_certificate(&verifier(party.server.issuer(), API), &own, &token).await;
}

/// Its audience is the client, unless a deployment says otherwise.
// spec-test: 9068-RS1
#[tokio::test]
async fn tokens_of_authlib_are_accepted_for_their_audience() {
    const SECRET: &str = "plain-peer-secret-of-some-length";
    let setup = json!({
        "clients": [{ "client_id": "basic", "method": "client_secret_basic", "secret": SECRET }],
        "access_tokens": "jwt",
    });
    let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
    let basic = Credentials::secret(secret(SECRET), None, ClientAuthMethod::ClientSecretBasic);
    let builder = client(&server, "basic", basic).scope(Scope::parse("orders:read").unwrap());
    let token = token(&builder.build().unwrap()).await;
    let accepted = Asked::with("Bearer", &token).of(&verifier(server.issuer(), "basic")).await.unwrap();
    assert_eq!((accepted.client_id(), accepted.issuer()), (Some("basic"), Some(server.issuer())));
    assert_eq!(accepted.scope().to_string(), "orders:read");
    let other = Asked::with("Bearer", &token).of(&verifier(server.issuer(), API)).await.unwrap_err();
    assert!(matches!(other, Reason::Token(AccessTokenError::Audience { .. })), "{other:?}");
}

/// A verifier beside the one that stands before the fixture's API.
fn own_verifier(fixture: &Fixture) -> Verifier {
    let http: Arc<dyn HttpClient> = Arc::new(fixture.http.clone());
    let builder = Verifier::builder().trust(Issuer::parse(ISSUER).unwrap(), API).http(http);
    let builder = builder.clock(fixture.clock()).random(fixture.random());
    builder.dpop(Dpop::new(Origin::parse(API).unwrap())).build().unwrap()
}

#[tokio::test]
async fn tokens_of_our_own_server_are_accepted_for_their_audience() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::PrivateKeyJwt).await.build().unwrap();
    let token = token(&client).await;
    let accepted = Asked::with("Bearer", &token).of(&own_verifier(&fixture)).await.unwrap();
    assert_eq!((accepted.client_id(), accepted.issuer()), (Some("app"), Some(ISSUER)));
}

// spec-test: 9449-RS1, 9449-RS2
#[tokio::test]
async fn tokens_of_our_own_server_that_are_bound_to_a_key_are_worthless_without_it() {
    let fixture = Fixture::start().await;
    let key = Arc::new(FixedKeys::signing(Algorithm::EdDsa));
    let builder = fixture.client(ClientAuthMethod::ClientSecretBasic).await;
    let token = token(&builder.dpop(ClientDpop::Key(Arc::clone(&key))).build().unwrap()).await;
    bound_to_a_key(&own_verifier(&fixture), &fixture.clock, &key, &token).await;
}

// spec-test: 8705-RS1
#[tokio::test]
async fn tokens_of_our_own_server_that_are_bound_to_a_certificate_are_worthless_without_it() {
    let fixture = Fixture::start().await;
    let admin = fixture.server.admin();
    let registry = admin.registry().unwrap();
    let registered = registry.registration(&ClientId::parse(CLIENT).unwrap()).unwrap();
    let bound = registered.client().clone().sender_constraint(SenderConstraint::Mtls);
    admin.update_client(bound, None).await.unwrap();
    let identity = Identity::self_signed("app");
    fixture.credential(Proof::Certificate(identity.peer().thumbprint())).await;
    let pem = |bytes: &[u8]| secret(std::str::from_utf8(bytes).unwrap());
    let source = CertificateSource::new(pem(identity.chain_pem.as_bytes()), pem(identity.key_pem.expose()));
    let credentials = Credentials::certificate(source, ClientAuthMethod::SelfSignedTlsClientAuth);
    let (network, peer) = (fixture.http.clone(), identity.peer());
    let connections = HttpFactory::new(move |_| {
        let peer = peer.clone();
        Ok(Arc::new(network.arriving_with(move |request| {
            let address = std::net::Ipv4Addr::LOCALHOST.into();
            request.extensions_mut().insert(ClientAddress(address));
            request.extensions_mut().insert(peer.clone());
        })))
    });
    let client = fixture.builder(credentials).http_factory(connections).build().unwrap();
    bound_to_a_certificate(&own_verifier(&fixture), &identity.peer(), &token(&client).await).await;
}
