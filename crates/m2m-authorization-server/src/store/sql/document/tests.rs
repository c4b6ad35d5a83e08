use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::jose::{JwkSet, SigningKey};
use m2m_proto::uri::EndpointUri;
use std::sync::Arc;

use super::*;
use crate::federation::{ClaimPath, Condition, Literal, Pattern, Test};
use crate::fixture::{NOW, api, client_id, credential, identifier};
use crate::registry::{
    AcceptedAudience, Credential, ExternalSubject, Federated, FetchFiles, ImportedHash, IssuerKeys, Material,
    Named, Reuse, SecretUse, SlowHash, TrustedIssuer,
};

const BCRYPT: &str = "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e";
const ORDERS: &str = "https://orders.example";

/// What was stored and read back, as text that shows every member.
fn stored(restored: &[Restored]) -> Registry {
    let mut registry = Registry::default();
    restored.iter().cloned().for_each(|one| registry.restore(one));
    registry
}

fn round_trip(registry: &Registry, entity: &Entity) -> Restored {
    let row = Row::of(registry, entity).unwrap();
    let again = restore(row.kind, &row.id, &row.document).unwrap();
    let mut next = registry.clone();
    next.restore(again.clone());
    assert_eq!(Row::of(&next, entity).unwrap(), row, "what was read back is stored as the same text");
    again
}

#[test]
fn an_api_is_read_back_as_it_was() {
    let api = Api {
        version: 7,
        ..api(ORDERS, &["read", "write"])
            .resource_server(client_id("orders"))
            .lifetime(Duration::from_secs(60))
            .algorithm(Algorithm::EdDsa)
            .format(TokenFormat::Opaque)
            .sender_constraint(SenderConstraint::Mtls)
    };
    let registry = stored(&[Restored::Api(api.clone())]);
    let Restored::Api(again) = round_trip(&registry, &Entity::Api(api.identifier.clone())) else { panic!() };
    assert_eq!(format!("{again:?}"), format!("{api:?}"));
}

#[test]
fn a_client_is_read_back_as_it_was() {
    let mut grant = ApiGrant::new(Scope::parse("read write").unwrap());
    grant.defaults = Arc::new(Scope::parse("read").unwrap());
    grant.roles = vec!["auditor".to_owned()];
    grant.permissions = vec!["see".to_owned()];
    let mut client = Client {
        owner: Some("team".to_owned()),
        purpose: Some("billing".to_owned()),
        status: Status::Disabled,
        review_by: Some(NOW),
        created_at: NOW,
        version: 3,
        ..Client::new(client_id("app"))
            .lifetime_cap(Duration::from_secs(5))
            .sender_constraint(SenderConstraint::Dpop)
            .mint_quota(9)
            .allowed_network("10.0.0.0/8".parse().unwrap())
            .token_exchange()
    };
    client.grants.insert(identifier(ORDERS), grant);
    let registry = stored(&[Restored::Client(client.clone())]);
    let Restored::Client(again) = round_trip(&registry, &Entity::Client(client.id.clone())) else { panic!() };
    assert_eq!(format!("{again:?}"), format!("{client:?}"));
}

fn materials() -> Vec<Material> {
    let keys: Vec<SigningKey> = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256]
        .map(|algorithm| SigningKey::generate(algorithm).unwrap().with_key_id(algorithm.name().to_owned()))
        .into();
    let set = JwkSet::from_keys(keys.iter().filter_map(SigningKey::public_jwk));
    let mut materials = vec![
        Material::SecretHash { hash: [7; 32], accepted: SecretUse::Post },
        Material::ImportedSecret {
            hash: ImportedHash::Slow(SlowHash::parse(BCRYPT).unwrap()),
            accepted: SecretUse::Post,
        },
        Material::ImportedSecret { hash: ImportedHash::Keyed([8; 32]), accepted: SecretUse::BasicOrPost },
        Material::SealedSecret { nonce: [1; 12], sealed: vec![1, 2, 3] },
        Material::PublicKeys(Arc::new(set)),
        Material::JwksUri(EndpointUri::parse("https://app.example/jwks").unwrap()),
        Material::Certificate(CertificateThumbprint::of(b"x")),
    ];
    for (kind, value) in [
        ("tls_client_auth_subject_dn", "CN=worker 7,O=Example"),
        ("tls_client_auth_san_dns", "worker.example"),
        ("tls_client_auth_san_uri", "spiffe://example/worker"),
        ("tls_client_auth_san_ip", "2001:db8::1"),
        ("tls_client_auth_san_email", "worker@example.com"),
    ] {
        materials.push(Material::CertificateSubject(SubjectName::parse(kind, value).unwrap()));
    }
    let github = || IssuerId::parse("github").unwrap();
    for subject in [
        ExternalSubject::Exact("repo:acme/app:ref:refs/heads/main".to_owned()),
        ExternalSubject::Matching(Pattern::parse("repo:acme/app:**").unwrap()),
    ] {
        let mapping = conditions().into_iter().fold(Federated::new(github(), subject), Federated::condition);
        materials.push(Material::Federated(Arc::new(mapping)));
    }
    materials
}

#[test]
fn a_credential_is_read_back_as_it_was_whatever_it_is() {
    for material in materials() {
        let credential = Credential {
            material,
            label: "pod 1".to_owned(),
            accepted_audience: AcceptedAudience::IssuerOrTokenEndpoint,
            accepted_typ: TypRule::OrUntyped,
            created_at: NOW,
            expires_at: Some(NOW),
            status: Status::Revoked,
            status_index: 70_000,
            replaces: CredentialId::parse("before"),
            replaced_by: CredentialId::parse("after"),
            idempotency: Some([3; 32]),
            version: 4,
            ..credential("one")
        };
        let client = Client::new(client_id("app"));
        let registry = stored(&[Restored::Client(client), Restored::Credential(credential.clone())]);
        let Restored::Credential(again) = round_trip(&registry, &Entity::Credential(credential.id.clone()))
        else {
            panic!()
        };
        assert_eq!(format!("{again:?}"), format!("{credential:?}"));
        if let (Material::PublicKeys(before), Material::PublicKeys(after)) =
            (&credential.material, &again.material)
        {
            let thumbprints =
                |set: &JwkSet| set.keys().iter().map(|key| key.thumbprint().clone()).collect::<Vec<_>>();
            assert_eq!(thumbprints(before), thumbprints(after));
        }
    }
}

fn conditions() -> Vec<Condition> {
    let condition = |claim: &str, test: Test| Condition::new(ClaimPath::parse(claim).unwrap(), test).unwrap();
    let text = |text: &str| Literal::Text(text.to_owned());
    vec![
        condition("repository", Test::Equals(text("acme/app"))),
        condition("/kubernetes.io/namespace", Test::OneOf(vec![text("a"), text("b"), Literal::Integer(7)])),
        condition("verified", Test::Equals(Literal::Boolean(true))),
        condition("ref", Test::Matches(Pattern::parse("refs/heads/*").unwrap())),
    ]
}

#[test]
fn an_issuer_is_read_back_as_it_was_whatever_its_keys_are() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k".to_owned());
    let set = Arc::new(JwkSet::from_keys([key.public_jwk().unwrap()]));
    let files = FetchFiles { ca_file: Some("/run/ca.crt".into()), bearer_file: Some("/run/token".into()) };
    let url = EndpointUri::parse("https://cluster.example/openid/v1/jwks").unwrap();
    let issuer = || Named::issuer("https://cluster.example").unwrap();
    let domain = Named::TrustDomain(m2m_proto::spiffe::TrustDomain::parse("prod.example").unwrap());
    for (named, keys) in [
        (issuer(), IssuerKeys::Url(url, files.clone())),
        (issuer(), IssuerKeys::Discovery(FetchFiles::default())),
        (domain, IssuerKeys::File("/run/bundle.json".into())),
        (issuer(), IssuerKeys::Set(set)),
    ] {
        let made = TrustedIssuer {
            name: "Cluster".to_owned(),
            status: Status::Disabled,
            created_at: NOW,
            version: 3,
            ..TrustedIssuer::new(IssuerId::parse("k8s").unwrap(), named, keys)
                .audience("https://as.example")
                .max_lifetime(Duration::from_secs(60))
                .reuse(Reuse::Once)
        };
        let made = conditions().into_iter().fold(made, TrustedIssuer::condition);
        let registry = stored(&[Restored::Issuer(made.clone())]);
        let Restored::Issuer(again) = round_trip(&registry, &Entity::Issuer(made.id.clone())) else {
            panic!()
        };
        if !matches!(made.keys, IssuerKeys::Set(_)) {
            assert_eq!(format!("{again:?}"), format!("{made:?}"));
        }
    }
}

#[test]
fn a_key_is_read_back_as_it_was() {
    let dates = KeyDates::from_parts(
        NOW,
        UnixTime::from_millis(NOW.millis() + 1),
        UnixTime::from_millis(NOW.millis() + 2),
    );
    let key = KeyRecord::new("k1".to_owned(), Algorithm::Rs256, [9; 12], vec![1, 2], dates);
    let registry = stored(&[Restored::Key(key.clone())]);
    let Restored::Key(again) = round_trip(&registry, &Entity::Key("k1".to_owned())) else { panic!() };
    assert_eq!((again.nonce, &again.sealed, again.dates), (key.nonce, &key.sealed, key.dates));
}

#[test]
fn what_is_gone_is_an_empty_document() {
    let registry = Registry::default();
    for entity in [
        Entity::Api(identifier(ORDERS)),
        Entity::Client(client_id("app")),
        Entity::Credential(CredentialId::parse("one").unwrap()),
        Entity::Key("k1".to_owned()),
        Entity::Issuer(IssuerId::parse("github").unwrap()),
    ] {
        let row = Row::of(&registry, &entity).unwrap();
        assert_eq!(row.document, "");
        assert!(matches!(restore(row.kind, &row.id, ""), Ok(Restored::Gone(gone)) if gone == entity));
    }
}

#[test]
fn damaged_documents_name_themselves() {
    for (kind, id, document) in [
        ("api", "x", "{"),
        ("client", "app", "{}"),
        ("credential", "one", r#"{"id":"one"}"#),
        ("key", "k", "[]"),
        ("trusted_issuer", "github", "{}"),
        ("nonsense", "n", "{}"),
    ] {
        let error = restore(kind, id, document).unwrap_err();
        assert_eq!(error, StoreError::Unreadable(format!("{kind} {id}")));
    }
}
