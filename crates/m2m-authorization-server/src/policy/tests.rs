use m2m_proto::jose::{Algorithm, SigningKey};

use super::*;
use crate::fixture::{NOW, api, authenticated, client_id, credential, identifier};
use crate::registry::Change;

const ORDERS: &str = "https://orders.example";
const BILLS: &str = "https://bills.example";

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn ask(asked: Option<&str>, audience: &[&str], resources: &[&str]) -> TokenRequest {
    let mut ask = TokenRequest::new(GrantKind::ClientCredentials);
    ask.scope = asked.map(scope);
    ask.audience = audience.iter().map(|name| (*name).to_owned()).collect();
    ask.resources = resources.iter().map(|uri| ResourceUri::parse(uri).unwrap()).collect();
    ask
}

/// Two APIs; `one` has a grant at the first, `two` at both, `none` nowhere.
fn registry() -> Registry {
    let one = Client::new(client_id("one")).grant(identifier(ORDERS), scope("read write"));
    let two = Client::new(client_id("two"))
        .grant(identifier(ORDERS), scope("read write"))
        .grant(identifier(BILLS), scope("read pay"));
    [
        Change::CreateApi(api(ORDERS, &["read", "write", "admin"])),
        Change::CreateApi(api(BILLS, &["read", "pay"])),
        Change::CreateClient(one),
        Change::CreateClient(two),
        Change::CreateClient(Client::new(client_id("none"))),
    ]
    .into_iter()
    .try_fold(Registry::default(), |registry, change| registry.apply(change).map(|applied| applied.registry))
    .unwrap()
}

fn decided(client: &str, ask: &TokenRequest) -> Result<Grant, Denied> {
    let registry = registry();
    let client = registry.registration(&client_id(client)).unwrap().client().clone();
    let caller = authenticated(client, credential("cred"));
    decide(&caller, ask, &Held::default(), &registry, NOW)
}

fn granted(client: &str, request: &TokenRequest, expect_api: &str, expect_scope: &str) {
    let grant = decided(client, request).unwrap();
    assert_eq!(grant.api().identifier.as_str(), expect_api);
    assert_eq!(grant.scope().to_string(), expect_scope);
}

fn denied(client: &str, request: &TokenRequest, expect: Denied) {
    assert_eq!(decided(client, request).err(), Some(expect), "{request:?}");
}

#[test]
fn the_only_granted_api_needs_no_name() {
    granted("one", &ask(Some("read"), &[], &[]), ORDERS, "read");
    granted("one", &ask(None, &[], &[]), ORDERS, "read write");
}

#[test]
fn a_named_api_is_the_one() {
    granted("two", &ask(Some("read"), &[BILLS], &[]), BILLS, "read");
    granted("two", &ask(Some("read"), &[], &[ORDERS]), ORDERS, "read");
    granted("two", &ask(None, &[BILLS], &[BILLS]), BILLS, "read pay");
}

#[test]
fn the_only_owner_of_every_scope_needs_no_name() {
    granted("two", &ask(Some("pay"), &[], &[]), BILLS, "pay");
    granted("two", &ask(Some("write read"), &[], &[]), ORDERS, "write read");
}

#[test]
fn what_stays_open_is_refused() {
    denied("two", &ask(None, &[], &[]), Denied::AmbiguousTarget);
    denied("two", &ask(Some("read"), &[], &[]), Denied::AmbiguousTarget);
    denied("two", &ask(Some("write pay"), &[], &[]), Denied::AmbiguousTarget);
}

#[test]
fn one_token_is_for_one_api() {
    denied("two", &ask(None, &[ORDERS, BILLS], &[]), Denied::ManyTargets);
    denied("two", &ask(None, &[ORDERS], &[BILLS]), Denied::ManyTargets);
}

// spec-test: 8707-AS1
#[test]
fn foreign_targets_are_refused_alike() {
    denied("one", &ask(None, &[BILLS], &[]), Denied::Target);
    denied("one", &ask(None, &[], &["https://none.example"]), Denied::Target);
    denied("one", &ask(None, &["https://orders.example/"], &[]), Denied::Target);
    denied("none", &ask(None, &[], &[]), Denied::NothingGranted);
}

#[test]
fn scopes_beyond_the_grant_are_refused_not_narrowed() {
    denied("one", &ask(Some("read admin"), &[], &[]), Denied::Scope);
    denied("one", &ask(Some("unheard-of"), &[], &[]), Denied::Scope);
    denied("two", &ask(Some("pay"), &[ORDERS], &[]), Denied::Scope);
    denied("two", &ask(Some("unheard-of"), &[], &[]), Denied::Scope);
}

#[test]
fn defaults_may_be_fewer_than_the_grant() {
    let registry = registry();
    let mut client = registry.registration(&client_id("one")).unwrap().client().clone();
    client.grants.iter_mut().for_each(|(_, grant)| grant.defaults = Arc::new(scope("read")));
    let caller = authenticated(client, credential("cred"));
    let held = Held::default();
    let default = decide(&caller, &ask(None, &[], &[]), &held, &registry, NOW).unwrap();
    assert_eq!(default.scope().to_string(), "read");
    let asked = decide(&caller, &ask(Some("write"), &[], &[]), &held, &registry, NOW).unwrap();
    assert_eq!(asked.scope().to_string(), "write");
}

#[test]
fn other_grant_types_are_refused() {
    for grant in [GrantKind::Other("password".to_owned()), GrantKind::JwtBearer, GrantKind::TokenExchange] {
        let mut request = ask(None, &[], &[]);
        request.grant = grant;
        denied("one", &request, Denied::GrantType);
    }
}

#[test]
fn the_life_is_the_least_of_three() {
    let check = |api_life: u64, cap: Option<u64>, rest_millis: Option<u64>, expect: u64| {
        let mut client = Client::new(client_id("app")).grant(identifier(ORDERS), Scope::empty());
        client.lifetime_cap = cap.map(Duration::from_secs);
        let mut credential = credential("cred");
        credential.expires_at = rest_millis.map(|rest| NOW.saturating_add(Duration::from_millis(rest)));
        let api = api(ORDERS, &[]).lifetime(Duration::from_secs(api_life));
        let registry = Registry::default().apply(Change::CreateApi(api)).unwrap().registry;
        let caller = authenticated(client, credential);
        let grant = decide(&caller, &ask(None, &[], &[]), &Held::default(), &registry, NOW).unwrap();
        assert_eq!(grant.lifetime(), Duration::from_secs(expect), "{api_life} {cap:?} {rest_millis:?}");
    };
    check(600, None, None, 600);
    check(600, Some(60), None, 60);
    check(600, Some(900), None, 600);
    check(600, Some(60), Some(30_000), 30);
    check(600, None, Some(30_999), 30);
    check(600, None, Some(400), 1);
}

fn constrained(
    client: SenderConstraint,
    api_demands: SenderConstraint,
    held: &Held,
) -> Result<Grant, Denied> {
    let registry = Registry::default()
        .apply(Change::CreateApi(api(ORDERS, &[]).sender_constraint(api_demands)))
        .unwrap()
        .registry;
    let client =
        Client::new(client_id("app")).grant(identifier(ORDERS), Scope::empty()).sender_constraint(client);
    decide(&authenticated(client, credential("cred")), &ask(None, &[], &[]), held, &registry, NOW)
}

// spec-test: 9449-AS2
#[test]
fn a_demanded_binding_must_be_there() {
    use SenderConstraint::{Dpop, Mtls, None as Free};
    let certificate = CertificateThumbprint::of(b"certificate");
    let with_certificate = Held { certificate: Some(certificate), ..Held::default() };
    for (client, api) in [(Dpop, Free), (Free, Dpop)] {
        assert_eq!(constrained(client, api, &with_certificate).err(), Some(Denied::DpopRequired));
    }
    for (client, api) in [(Mtls, Free), (Free, Mtls)] {
        assert_eq!(constrained(client, api, &Held::default()).err(), Some(Denied::CertificateRequired));
        let bound = constrained(client, api, &with_certificate).unwrap();
        assert_eq!(bound.certificate(), Some(certificate));
    }
    let unbound = constrained(Free, Free, &with_certificate).unwrap();
    assert_eq!(unbound.certificate(), None, "a certificate binds only where that is registered");
}

/// A profile that lets no token be bound to nothing takes whatever was proved, and refuses where nothing was.
// spec-test: FAPI-AS1
#[test]
fn under_a_profile_that_binds_a_token_is_bound_to_something() {
    use SenderConstraint::None as Free;
    let certificate = CertificateThumbprint::of(b"certificate");
    let jkt = SigningKey::generate(Algorithm::Es256).unwrap().thumbprint().clone();
    let check = |jkt: Option<&JwkThumbprint>, shown: Option<CertificateThumbprint>, expect| {
        let held = Held { jkt: jkt.cloned(), certificate: shown, must_bind: false };
        let bound = |grant: Grant| (grant.jkt().cloned(), grant.certificate());
        let free = constrained(Free, Free, &held).map(bound);
        assert_eq!(free, Ok((jkt.cloned(), None)), "nothing is demanded");
        let decided = constrained(Free, Free, &held.under(SecurityProfile::Fapi2)).map(bound);
        assert_eq!(decided, expect, "{jkt:?} {shown:?}");
    };
    check(None, None, Err(Denied::Unbound));
    check(None, Some(certificate), Ok((None, Some(certificate))));
    check(Some(&jkt), None, Ok((Some(jkt.clone()), None)));
    check(Some(&jkt), Some(certificate), Ok((Some(jkt.clone()), None)));
}

#[test]
fn roles_and_permissions_are_those_of_the_grant() {
    let mut client = registry().registration(&client_id("two")).unwrap().client().clone();
    for (api, grant) in client.grants.iter_mut() {
        let name = if api.as_str() == ORDERS { "orders" } else { "bills" };
        grant.roles = vec![format!("{name}-clerk")];
        grant.permissions = vec![format!("{name}:see"), format!("{name}:print")];
    }
    let caller = authenticated(client, credential("cred"));
    let grant = decide(&caller, &ask(None, &[BILLS], &[]), &Held::default(), &registry(), NOW).unwrap();
    assert_eq!(grant.roles(), ["bills-clerk"]);
    assert_eq!(grant.permissions(), ["bills:see", "bills:print"]);
}
