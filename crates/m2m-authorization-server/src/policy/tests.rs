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
