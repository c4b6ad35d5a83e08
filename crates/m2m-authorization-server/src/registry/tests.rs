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
    Credential { client_id: client_id(client), ..crate::fixture::credential(id) }
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
    .try_fold(Registry::default(), |registry, change| registry.apply(change).map(|applied| applied.registry))
    .unwrap()
}

fn after(registry: &Registry, change: Change) -> Registry {
    registry.apply(change).unwrap().registry
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
    wide.grants
        .iter_mut()
        .for_each(|(_, grant)| grant.defaults = Arc::new(scope("orders:read orders:write")));
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
        registry = after(&registry, Change::CreateCredential(credential(&format!("more{number}"), "app")));
    }
    let one_more = registry.apply(Change::CreateCredential(credential("last", "app")));
    assert_eq!(one_more.err(), Some(Conflict::TooManyCredentials("app".into())));
}

#[test]
fn revocation_is_final() {
    let id = CredentialId::parse("cred1").unwrap();
    let revoked = after(&registry(), Change::SetCredentialStatus(id.clone(), Status::Revoked));
    assert_eq!(revoked.credential(&id).unwrap().status, Status::Revoked);
    let back = revoked.apply(Change::SetCredentialStatus(id, Status::Active));
    assert_eq!(back.err(), Some(Conflict::RevokedForGood("cred1".into())));

    let gone = after(&registry(), Change::SetClientStatus(client_id("app"), Status::Revoked));
    let back = gone.apply(Change::SetClientStatus(client_id("app"), Status::Disabled));
    assert_eq!(back.err(), Some(Conflict::RevokedForGood("app".into())));
    let more = gone.apply(Change::CreateCredential(credential("cred2", "app")));
    assert_eq!(more.err(), Some(Conflict::RevokedForGood("app".into())));
}

#[test]
fn a_disabled_client_can_return() {
    let off = after(&registry(), Change::SetClientStatus(client_id("app"), Status::Disabled));
    let on = after(&off, Change::SetClientStatus(client_id("app"), Status::Active));
    assert_eq!(on.registration(&client_id("app")).unwrap().client().status, Status::Active);
}

#[test]
fn unknown_names_change_nothing() {
    let ghost = CredentialId::parse("ghost").unwrap();
    refused(Change::SetCredentialStatus(ghost, Status::Revoked), Conflict::Unknown("ghost".into()));
    refused(Change::SetClientStatus(client_id("ghost"), Status::Revoked), Conflict::Unknown("ghost".into()));
    refused(Change::CreateCredential(credential("c", "ghost")), Conflict::Unknown("ghost".into()));
}

const ORDERS: &str = "https://orders.example";

#[test]
fn a_full_client_makes_room_by_what_ended() {
    let mut registry = registry();
    for number in 1..MAX_CREDENTIALS {
        registry = after(&registry, Change::CreateCredential(credential(&format!("more{number}"), "app")));
    }
    let ended = CredentialId::parse("more5").unwrap();
    registry = after(&registry, Change::SetCredentialStatus(ended.clone(), Status::Revoked));
    let full = registry.apply(Change::CreateCredential(credential("last", "app"))).unwrap();
    assert!(full.registry.credential(&ended).is_none());
    assert!(full.touched.contains(&Entity::Credential(ended)), "and the store hears of it");
    assert_eq!(full.registry.registration(&client_id("app")).unwrap().credentials().len(), MAX_CREDENTIALS);
}

#[test]
fn a_place_in_the_status_lists_is_never_given_twice() {
    let registry = registry();
    let index = |registry: &Registry, id: &str| {
        registry.credential(&CredentialId::parse(id).unwrap()).unwrap().status_index
    };
    assert_eq!((index(&registry, "cred1"), registry.status_indexes()), (0, 1));
    let without = after(&registry, Change::DeleteClient(client_id("app"), None));
    assert_eq!(without.status_indexes(), 1, "a client that is gone gives nothing back");
    let again = after(&without, Change::CreateClient(Client::new(client_id("app"))));
    let again = after(&again, Change::CreateCredential(credential("cred2", "app")));
    assert_eq!(index(&again, "cred2"), 1);
}

#[test]
fn an_order_decided_on_an_old_version_is_refused() {
    let registry = registry();
    let app = Client {
        owner: Some("team".into()),
        ..registry.registration(&client_id("app")).unwrap().client().clone()
    };
    let changed = after(&registry, Change::UpdateClient(app.clone(), Some(1)));
    let now = changed.registration(&client_id("app")).unwrap();
    assert_eq!((now.client().version, now.client().owner.as_deref()), (2, Some("team")));
    assert_eq!(now.credentials().len(), 1, "credentials stay");
    let late = changed.apply(Change::UpdateClient(app, Some(1)));
    assert_eq!(late.err(), Some(Conflict::Version { name: "app".into(), expected: 1, found: 2 }));
    let late = changed.apply(Change::DeleteClient(client_id("app"), Some(1)));
    assert!(matches!(late.err(), Some(Conflict::Version { .. })));
}

#[test]
fn an_update_leaves_status_and_date_alone() {
    let off = after(&registry(), Change::SetClientStatus(client_id("app"), Status::Disabled));
    let app = Client { created_at: UnixTime::from_seconds(9), ..Client::new(client_id("app")) };
    let changed = after(&off, Change::UpdateClient(app, None));
    let client = changed.registration(&client_id("app")).unwrap().client().clone();
    assert_eq!((client.status, client.created_at.seconds()), (Status::Disabled, 0));
}

#[test]
fn what_a_client_is_granted_does_not_go() {
    let in_use = |what: &str| Conflict::InUse { what: what.into(), client: "app".into() };
    refused(Change::DeleteApi(identifier(ORDERS), None), in_use(ORDERS));
    let narrower = api(ORDERS, &["orders:write"]);
    refused(Change::UpdateApi(narrower, None), in_use("the scope orders:read of https://orders.example"));
    let without = after(&registry(), Change::DeleteClient(client_id("app"), None));
    let without = after(&without, Change::DeleteApi(identifier(ORDERS), None));
    assert!(without.api(ORDERS).is_none());
}

#[test]
fn a_rotation_ends_the_old_credential_and_names_both() {
    let (old, new) = (CredentialId::parse("cred1").unwrap(), CredentialId::parse("cred2").unwrap());
    let end = UnixTime::from_seconds(500);
    let rotate = |id: &str| Change::RotateCredential(credential(id, "app"), old.clone(), end);
    let rotated = after(&registry(), rotate("cred2"));
    let before = rotated.credential(&old).unwrap();
    assert_eq!((before.expires_at, before.replaced_by.as_ref()), (Some(end), Some(&new)));
    assert_eq!(rotated.credential(&new).unwrap().replaces.as_ref(), Some(&old));
    let twice = rotated.apply(rotate("cred3"));
    assert_eq!(twice.err(), Some(Conflict::Rotated("cred1".into(), "cred2".into())));
    // A successor that was withdrawn, because its secret was lost, say, is no successor.
    let lost = after(&rotated, Change::SetCredentialStatus(new, Status::Revoked));
    assert!(lost.apply(rotate("cred3")).is_ok());
}

#[test]
fn a_rotation_never_lengthens_a_life() {
    let short = Credential { expires_at: Some(UnixTime::from_seconds(100)), ..credential("short", "app") };
    let registry = after(&registry(), Change::CreateCredential(short));
    let id = CredentialId::parse("short").unwrap();
    let end = UnixTime::from_seconds(500);
    let rotated = after(&registry, Change::RotateCredential(credential("next", "app"), id.clone(), end));
    assert_eq!(rotated.credential(&id).unwrap().expires_at, Some(UnixTime::from_seconds(100)));
}

#[test]
fn an_order_given_twice_makes_one_credential() {
    let order = |id: &str| Credential { idempotency: Some([7; 32]), ..credential(id, "app") };
    let once = after(&registry(), Change::CreateCredential(order("cred2")));
    let twice = once.apply(Change::CreateCredential(order("cred3")));
    assert_eq!(twice.err(), Some(Conflict::Repeated(CredentialId::parse("cred2").unwrap())));
}

#[test]
fn a_quota_of_nothing_is_refused() {
    let none = Client::new(client_id("b")).mint_quota(0);
    refused(Change::CreateClient(none), Conflict::NoQuota("b".into()));
}

#[test]
fn a_change_names_everything_that_differs() {
    let gone = registry().apply(Change::DeleteClient(client_id("app"), None)).unwrap();
    let expect =
        [Entity::Credential(CredentialId::parse("cred1").unwrap()), Entity::Client(client_id("app"))];
    assert_eq!(gone.touched, expect);
    let mut restored = registry();
    for entity in gone.touched {
        restored.restore(Restored::Gone(entity));
    }
    assert!(restored.registration(&client_id("app")).is_none());
    assert!(restored.credential(&CredentialId::parse("cred1").unwrap()).is_none());
}

#[test]
fn a_slow_hash_is_replaced_once() {
    let text = "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e";
    let hash = ImportedHash::Slow(SlowHash::parse(text).unwrap());
    let material = Material::ImportedSecret { hash, accepted: SecretUse::Post };
    let imported = Credential { material, ..credential("slow", "app") };
    let registry = after(&registry(), Change::CreateCredential(imported));
    let id = CredentialId::parse("slow").unwrap();
    let first = registry.apply(Change::RehashCredential(id.clone(), [1; 32])).unwrap();
    assert_eq!(first.touched, [Entity::Credential(id.clone())]);
    let second = first.registry.apply(Change::RehashCredential(id.clone(), [2; 32])).unwrap();
    assert!(second.touched.is_empty());
    let Material::ImportedSecret { hash, accepted } = &second.registry.credential(&id).unwrap().material
    else {
        panic!()
    };
    assert_eq!((hash, *accepted), (&ImportedHash::Keyed([1; 32]), SecretUse::Post));
    let own = CredentialId::parse("cred1").unwrap();
    let untouched = second.registry.apply(Change::RehashCredential(own, [3; 32])).unwrap();
    assert!(untouched.touched.is_empty(), "a secret of this server has no slow hash");
    refused(Change::RehashCredential(id, [1; 32]), Conflict::Unknown("slow".to_owned()));
}

mod issuers {
    use m2m_proto::spiffe::TrustDomain;

    use super::*;

    fn issuer(id: &str, named: &str) -> TrustedIssuer {
        let named = Named::issuer(named).unwrap();
        TrustedIssuer::new(IssuerId::parse(id).unwrap(), named, IssuerKeys::Discovery(FetchFiles::default()))
    }

    fn mapping(id: &str, issuer: &str, subject: &str) -> Credential {
        let subject = match subject.contains('*') {
            true => ExternalSubject::Matching(crate::federation::Pattern::parse(subject).unwrap()),
            false => ExternalSubject::Exact(subject.to_owned()),
        };
        let federated = Federated::new(IssuerId::parse(issuer).unwrap(), subject);
        Credential { material: Material::Federated(Arc::new(federated)), ..credential(id, "app") }
    }

    fn trusting() -> Registry {
        after(&registry(), Change::CreateIssuer(issuer("one", "https://one.example")))
    }

    fn refuses(registry: &Registry, change: Change) -> Conflict {
        registry.apply(change).map(|_| "applied").unwrap_err()
    }

    #[test]
    fn an_issuer_is_registered_once_by_each_name() {
        let registry = trusting();
        let same_id = Change::CreateIssuer(issuer("one", "https://two.example"));
        assert_eq!(refuses(&registry, same_id), Conflict::Exists("one".into()));
        let same_name = Change::CreateIssuer(issuer("two", "https://one.example"));
        assert!(matches!(refuses(&registry, same_name), Conflict::Exists(_)));
        let renamed = Change::UpdateIssuer(issuer("one", "https://two.example"), None);
        assert!(matches!(refuses(&registry, renamed), Conflict::Issuer { .. }));
        let outdated = Change::UpdateIssuer(issuer("one", "https://one.example"), Some(7));
        assert!(matches!(refuses(&registry, outdated), Conflict::Version { found: 1, .. }));
        let revoked = Change::SetIssuerStatus(IssuerId::parse("one").unwrap(), Status::Revoked);
        assert!(matches!(refuses(&registry, revoked), Conflict::Issuer { .. }));
        let unknown = Change::DeleteIssuer(IssuerId::parse("nobody").unwrap(), None);
        assert_eq!(refuses(&registry, unknown), Conflict::Unknown("nobody".into()));
    }

    #[test]
    fn what_an_issuer_is_stays_within_its_limits() {
        let check = |change: fn(TrustedIssuer) -> TrustedIssuer| {
            let change = Change::CreateIssuer(change(issuer("two", "https://two.example")));
            assert!(registry().apply(change).is_err());
        };
        check(|issuer| issuer.max_lifetime(Duration::ZERO));
        check(|issuer| issuer.max_lifetime(Duration::from_secs(24 * 60 * 60 + 1)));
        check(|issuer| issuer.audience(""));
        check(|issuer| (0..17).fold(issuer, |issuer, number| issuer.audience(&format!("a{number}"))));
        // What is no https URL cannot be discovered, and no trust domain can.
        check(|issuer| TrustedIssuer {
            named: Named::issuer("kubernetes/serviceaccount").unwrap(),
            ..issuer
        });
        let domain = || Named::TrustDomain(TrustDomain::parse("prod.example").unwrap());
        let spiffe = TrustedIssuer { named: domain(), ..issuer("two", "https://two.example") };
        assert!(registry().apply(Change::CreateIssuer(spiffe)).is_err());
    }

    #[test]
    fn a_mapping_needs_its_issuer_and_is_found_by_it() {
        let one = IssuerId::parse("one").unwrap();
        let orphan = refuses(&registry(), Change::CreateCredential(mapping("m1", "one", "workload")));
        assert!(matches!(orphan, Conflict::Issuer { .. }));
        let mapped =
            [mapping("m1", "one", "workload"), mapping("m2", "one", "work/*"), mapping("m3", "one", "other")];
        let registry = mapped
            .into_iter()
            .fold(trusting(), |registry, credential| after(&registry, Change::CreateCredential(credential)));
        let candidates = |registry: &Registry, subject: &str| {
            let found = registry.mapping_candidates(&one, subject);
            found.map(|(_, credential)| credential.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(candidates(&registry, "workload"), ["m1", "m2"], "the exact one, and every pattern");
        assert_eq!(candidates(&registry, "stranger"), ["m2"]);
        let delete = || Change::DeleteIssuer(one.clone(), None);
        assert!(matches!(refuses(&registry, delete()), Conflict::Mapped { .. }));
        // Put back in any order, and twice, they are found alike.
        let mut again = trusting();
        for (_, credential) in registry.mapped_to(&one) {
            again.restore(Restored::Credential(Credential::clone(credential)));
            again.restore(Restored::Credential(Credential::clone(credential)));
        }
        assert_eq!(candidates(&again, "workload"), ["m1", "m2"]);
        again.restore(Restored::Gone(Entity::Credential(CredentialId::parse("m1").unwrap())));
        assert_eq!(candidates(&again, "workload"), ["m2"]);
        again.restore(Restored::Gone(Entity::Client(client_id("app"))));
        assert_eq!(again.mapped_to(&one).count(), 0);
        let gone = after(&registry, Change::DeleteClient(client_id("app"), None));
        assert_eq!(gone.mapped_to(&one).count(), 0);
        assert!(after(&gone, delete()).issuer("one").is_none());
    }

    #[test]
    fn a_mapping_is_void_while_its_issuer_is_switched_off() {
        let registry = after(&trusting(), Change::CreateCredential(mapping("m1", "one", "workload")));
        let id = || IssuerId::parse("one").unwrap();
        let void = |registry: &Registry| {
            let credential = registry.credential(&CredentialId::parse("m1").unwrap()).unwrap();
            registry.is_void(credential, crate::fixture::NOW)
        };
        assert!(!void(&registry));
        let off = after(&registry, Change::SetIssuerStatus(id(), Status::Disabled));
        assert!(void(&off));
        assert!(!void(&after(&off, Change::SetIssuerStatus(id(), Status::Active))));
        let mut lost = registry.clone();
        lost.restore(Restored::Gone(Entity::Issuer(id())));
        assert!(void(&lost), "an issuer that is not there is not trusted");
    }
}
