use std::time::Duration;

use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;

use super::*;
use crate::fixture::{api, client_id, identifier};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn credential(id: &str, client: &str) -> Credential {
    Credential {
        id: CredentialId::parse(id).unwrap(),
        client_id: client_id(client),
        label: "one".to_owned(),
        material: Material::SecretHash { hash: [1; 32], accepted: SecretUse::BasicOrPost },
        accepted_audience: AcceptedAudience::Issuer,
        accepted_typ: m2m_proto::client_auth::assertion::TypRule::Explicit,
        not_before: UnixTime::from_seconds(0),
        expires_at: None,
        status: Status::Active,
    }
}

fn registry() -> Registry {
    let orders = api("https://orders.example", &["orders:read", "orders:write"]);
    let app = Client::new(client_id("app")).grant(identifier("https://orders.example"), scope("orders:read"));
    [
        Change::CreateApi(orders),
        Change::CreateClient(app),
        Change::CreateCredential(credential("cred1", "app")),
    ]
    .into_iter()
    .try_fold(Registry::default(), |registry, change| registry.apply(change))
    .unwrap()
}

fn refused(change: Change, expect: Conflict) {
    assert_eq!(registry().apply(change).err(), Some(expect));
}

#[test]
fn finds_what_was_registered() {
    let registry = registry();
    let found = registry.registration(&client_id("app")).unwrap();
    assert_eq!(found.client().id, client_id("app"));
    assert_eq!(found.credentials().len(), 1);
    assert!(registry.api("https://orders.example").is_some());
    assert!(registry.credential(&CredentialId::parse("cred1").unwrap()).is_some());
    assert!(registry.registration(&client_id("other")).is_none());
}

#[test]
fn names_are_taken_once() {
    let orders = "https://orders.example";
    refused(Change::CreateApi(api(orders, &[])), Conflict::Exists(orders.into()));
    refused(Change::CreateClient(Client::new(client_id("app"))), Conflict::Exists("app".into()));
    refused(Change::CreateCredential(credential("cred1", "app")), Conflict::Exists("cred1".into()));
}

#[test]
fn grants_stay_within_their_api() {
    let client = |api: &str, scopes: &str| Client::new(client_id("b")).grant(identifier(api), scope(scopes));
    refused(
        Change::CreateClient(client("https://none.example", "x")),
        Conflict::UnknownApi("https://none.example".into()),
    );
    refused(
        Change::CreateClient(client("https://orders.example", "orders:read orders:admin")),
        Conflict::UnknownScope("https://orders.example".into()),
    );
    let mut wide = client("https://orders.example", "orders:read");
    wide.grants.values_mut().for_each(|grant| grant.defaults = scope("orders:read orders:write"));
    refused(Change::CreateClient(wide), Conflict::DefaultsBeyondGrant("https://orders.example".into()));
}

#[test]
fn lifetimes_have_a_floor_and_a_ceiling() {
    for seconds in [0, 24 * 3600 + 1] {
        let api = api("https://x.example", &[]).lifetime(Duration::from_secs(seconds));
        refused(Change::CreateApi(api), Conflict::Lifetime("https://x.example".into()));
    }
    let capped = Client::new(client_id("b")).lifetime_cap(Duration::ZERO);
    refused(Change::CreateClient(capped), Conflict::Lifetime("b".into()));
}

#[test]
fn access_tokens_are_never_signed_with_a_shared_key() {
    let api = api("https://x.example", &[]).algorithm(Algorithm::Hs256);
    refused(Change::CreateApi(api), Conflict::SymmetricAlgorithm("https://x.example".into()));
}

#[test]
fn credentials_per_client_are_bounded() {
    let mut registry = registry();
    for number in 1..MAX_CREDENTIALS {
        registry =
            registry.apply(Change::CreateCredential(credential(&format!("more{number}"), "app"))).unwrap();
    }
    let one_more = registry.apply(Change::CreateCredential(credential("last", "app")));
    assert_eq!(one_more.err(), Some(Conflict::TooManyCredentials("app".into())));
}

#[test]
fn revocation_is_final() {
    let id = CredentialId::parse("cred1").unwrap();
    let revoked = registry().apply(Change::SetCredentialStatus(id.clone(), Status::Revoked)).unwrap();
    assert_eq!(revoked.credential(&id).unwrap().status, Status::Revoked);
    let back = revoked.apply(Change::SetCredentialStatus(id, Status::Active));
    assert_eq!(back.err(), Some(Conflict::RevokedForGood("cred1".into())));

    let gone = registry().apply(Change::SetClientStatus(client_id("app"), Status::Revoked)).unwrap();
    let back = gone.apply(Change::SetClientStatus(client_id("app"), Status::Disabled));
    assert_eq!(back.err(), Some(Conflict::RevokedForGood("app".into())));
    let more = gone.apply(Change::CreateCredential(credential("cred2", "app")));
    assert_eq!(more.err(), Some(Conflict::RevokedForGood("app".into())));
}

#[test]
fn a_disabled_client_can_return() {
    let off = registry().apply(Change::SetClientStatus(client_id("app"), Status::Disabled)).unwrap();
    let on = off.apply(Change::SetClientStatus(client_id("app"), Status::Active)).unwrap();
    assert_eq!(on.registration(&client_id("app")).unwrap().client().status, Status::Active);
}

#[test]
fn unknown_names_change_nothing() {
    let ghost = CredentialId::parse("ghost").unwrap();
    refused(Change::SetCredentialStatus(ghost, Status::Revoked), Conflict::Unknown("ghost".into()));
    refused(Change::SetClientStatus(client_id("ghost"), Status::Revoked), Conflict::Unknown("ghost".into()));
    refused(Change::CreateCredential(credential("c", "ghost")), Conflict::Unknown("ghost".into()));
}
