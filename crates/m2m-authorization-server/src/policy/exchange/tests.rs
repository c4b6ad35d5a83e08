use std::time::Duration;

use m2m_proto::jose::JwkThumbprint;
use m2m_proto::secret::Secret;
use m2m_proto::time::Skew;
use m2m_proto::token::access_token::AccessTokenClaims;
use m2m_proto::token::confirmation::Confirmation;
use m2m_proto::token::request::GrantKind;
use m2m_proto::token::sealed::{self, TokenSeal};
use m2m_proto::uri::Issuer;
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::fixture::{NOW, api, authenticated, client_id, credential, identifier};
use crate::registry::{Change, SenderConstraint};

const ORDERS: &str = "https://orders.example";
const BILLS: &str = "https://bills.example";
const ADMIN: &str = "https://as.example/admin/v1";
const KEY: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
const OTHER_KEY: &str = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

fn scope(text: &str) -> Scope {
    if text.is_empty() { Scope::empty() } else { Scope::parse(text).unwrap() }
}

/// A token as this server would have issued it.
#[derive(Clone)]
struct Token {
    subject: &'static str,
    client: &'static str,
    audience: &'static str,
    scope: Scope,
    life: u64,
    roles: Vec<String>,
    permissions: Vec<String>,
    bound: Option<Confirmation>,
    delegation: Option<Delegation>,
}

impl Token {
    fn of(client: &'static str, audience: &'static str, asked: &str) -> Self {
        Self {
            subject: client,
            client,
            audience,
            scope: scope(asked),
            life: 600,
            roles: Vec::new(),
            permissions: Vec::new(),
            bound: None,
            delegation: None,
        }
    }

    fn standing(&self) -> StandingToken {
        let issuer = Issuer::parse("https://as.example").unwrap();
        let seal = TokenSeal::new(&Secret::new(vec![1; 32]), &issuer).unwrap();
        let claims = AccessTokenClaims {
            issuer: &issuer,
            subject: self.subject,
            client_id: &client_id(self.client),
            audience: &[self.audience],
            scope: &self.scope,
            issued_at: NOW,
            expires_at: NOW.saturating_add(Duration::from_secs(self.life)),
            jti: "subject-jti",
            roles: &self.roles,
            permissions: &self.permissions,
            credential: Some("cred-of-it"),
            confirmation: self.bound.as_ref(),
            status: None,
            delegation: self.delegation.as_ref(),
        };
        let token = seal.seal(&claims, [0; 12], NOW).unwrap();
        let expect = sealed::Expect { audience: self.audience, now: NOW, skew: Skew::NONE };
        StandingToken::for_test(seal.open(token.expose()).unwrap().check(&expect).unwrap())
    }
}

fn holding(thumbprint: &str) -> Held {
    Held { jkt: JwkThumbprint::parse(thumbprint), certificate: None, must_bind: false }
}

/// `app` may read and write orders and pay bills; `billing` may read orders and read and pay bills, and
/// serves the API of orders; `gateway` may read both; all three may exchange. `plain` may not.
fn registry() -> Registry {
    let client = |id: &str, orders: &str, bills: &str| {
        let mut client = Client::new(client_id(id));
        client.token_exchange = id != "plain";
        for (api, granted) in [(ORDERS, orders), (BILLS, bills), (ADMIN, "m2m:read")] {
            if !granted.is_empty() {
                let mut grant = ApiGrant::new(scope(granted));
                grant.roles = vec!["clerk".to_owned(), id.to_owned()];
                grant.permissions = vec!["bills.see".to_owned(), format!("bills.{id}")];
                client.grants.insert(identifier(api), grant);
            }
        }
        client
    };
    [
        Change::CreateApi(api(ORDERS, &["read", "write"]).resource_server(client_id("billing"))),
        Change::CreateApi(api(BILLS, &["read", "pay"])),
        Change::CreateApi(api(ADMIN, &["m2m:read"])),
        Change::CreateClient(client("app", "read write", "pay")),
        Change::CreateClient(client("billing", "read", "read pay")),
        Change::CreateClient(client("gateway", "read", "read")),
        Change::CreateClient(client("plain", "read", "read")),
    ]
    .into_iter()
    .try_fold(Registry::default(), |registry, change| registry.apply(change).map(|applied| applied.registry))
    .unwrap()
}

fn ask(asked: Option<&str>, target: Option<&str>) -> TokenRequest {
    let mut ask = TokenRequest::new(GrantKind::TokenExchange);
    ask.scope = asked.map(scope);
    ask.audience = target.map(str::to_owned).into_iter().collect();
    ask
}

struct Asking {
    client: &'static str,
    ask: TokenRequest,
    subject: Token,
    actor: Option<Token>,
    requested: Option<TokenTypeUri>,
    held: Held,
}

impl Asking {
    fn by(client: &'static str, subject: Token) -> Self {
        let held = Held::default();
        Self { client, ask: ask(None, None), subject, actor: None, requested: None, held }
    }

    fn decided_in(&self, registry: &Registry) -> Result<Grant, Denied> {
        let client = registry.registration(&client_id(self.client)).unwrap().client().clone();
        let caller = authenticated(client, credential("cred"));
        let (subject, actor) = (self.subject.standing(), self.actor.as_ref().map(Token::standing));
        let exchange = Exchange {
            subject: &subject,
            actor: actor.as_ref(),
            requested: self.requested.as_ref(),
            admin: &identifier(ADMIN),
        };
        decide(&caller, &self.ask, &exchange, &self.held, registry, NOW)
    }

    fn decided(&self) -> Result<Grant, Denied> {
        self.decided_in(&registry())
    }

    #[track_caller]
    fn granted(&self, api: &str, expect: &str) -> Grant {
        let grant = self.decided().unwrap();
        assert_eq!((grant.api().identifier.as_str(), grant.scope()), (api, &scope(expect)));
        grant
    }

    #[track_caller]
    fn refused(&self, expect: impl Into<Denied>) {
        assert_eq!(self.decided().unwrap_err(), expect.into());
    }
}

fn orders() -> Token {
    Token::of("app", ORDERS, "read write")
}

// spec-test: 8693-AS3
#[test]
fn scopes_are_those_that_token_subject_and_client_all_have() {
    let check = |client, asked: Option<&str>, expect: &str| {
        Asking { ask: ask(asked, None), ..Asking::by(client, orders()) }.granted(ORDERS, expect);
    };
    check("app", None, "read write");
    check("app", Some("write"), "write");
    check("billing", None, "read");
    check("billing", Some("read"), "read");
    let refuse = |client, subject: Token, asked: Option<&str>| {
        let asking = Asking { ask: ask(asked, None), ..Asking::by(client, subject) };
        asking.refused(NotExchanged::Scope);
    };
    refuse("billing", orders(), Some("read write"));
    refuse("app", Token::of("app", ORDERS, "read"), Some("write"));
    refuse("gateway", Token::of("app", ORDERS, "write"), None);
    Asking::by("gateway", Token::of("app", ORDERS, "")).granted(ORDERS, "");
}

// spec-test: 8693-AS1, 8693-AS3
#[test]
fn another_api_is_for_the_subject_and_for_who_serves_the_first_one() {
    let to_bills = |client, subject| Asking { ask: ask(None, Some(BILLS)), ..Asking::by(client, subject) };
    to_bills("app", orders()).granted(BILLS, "pay");
    // What both are granted, and not what `billing` alone may.
    to_bills("billing", orders()).granted(BILLS, "pay");
    Asking { ask: ask(Some("read"), Some(BILLS)), ..to_bills("billing", orders()) }
        .refused(NotExchanged::Scope);
    to_bills("gateway", orders()).refused(NotExchanged::Target);
    for unknown in ["https://else.example", ADMIN] {
        Asking { ask: ask(None, Some(unknown)), ..Asking::by("app", orders()) }.refused(NotExchanged::Target);
    }
    Asking::by("app", Token::of("app", ADMIN, "m2m:read")).refused(NotExchanged::Target);
    let mut two = ask(None, Some(BILLS));
    two.audience.push(ORDERS.to_owned());
    Asking { ask: two, ..Asking::by("app", orders()) }.refused(Denied::ManyTargets);
}

#[test]
fn a_target_must_be_granted_to_both() {
    let without = |client: &str| {
        let mut gone = registry().registration(&client_id(client)).unwrap().client().clone();
        gone.grants = gone
            .grants
            .iter()
            .filter(|(api, _)| api.as_str() != BILLS)
            .map(|(api, grant)| (api.clone(), grant.clone()))
            .collect();
        registry().apply(Change::UpdateClient(gone, None)).unwrap().registry
    };
    let asking = Asking { ask: ask(None, Some(BILLS)), ..Asking::by("billing", orders()) };
    assert!(asking.decided().is_ok());
    for client in ["app", "billing"] {
        assert_eq!(asking.decided_in(&without(client)).unwrap_err(), NotExchanged::Target.into(), "{client}");
    }
}

// spec-test: 8693-AS3
#[test]
fn only_clients_that_were_registered_for_it() {
    Asking::by("plain", orders()).refused(NotExchanged::Client);
}

// spec-test: 8693-AS3
#[test]
fn a_bound_token_is_exchanged_by_who_holds_the_key_and_stays_bound() {
    let key = JwkThumbprint::parse(KEY).unwrap();
    let bound = Token { bound: Some(Confirmation::key(key.clone())), ..orders() };
    Asking::by("app", bound.clone()).refused(NotExchanged::Bound);
    Asking { held: holding(OTHER_KEY), ..Asking::by("app", bound.clone()) }.refused(NotExchanged::Bound);
    let grant =
        Asking { held: holding(KEY), ..Asking::by("app", bound.clone()) }.granted(ORDERS, "read write");
    assert_eq!(grant.jkt(), Some(&key));

    let certificate = CertificateThumbprint::of(b"one");
    let bound = Token { bound: Some(Confirmation::certificate(certificate)), ..orders() };
    let held =
        |of: &[u8]| Held { jkt: None, certificate: Some(CertificateThumbprint::of(of)), must_bind: false };
    Asking::by("app", bound.clone()).refused(NotExchanged::Bound);
    Asking { held: held(b"two"), ..Asking::by("app", bound.clone()) }.refused(NotExchanged::Bound);
    let grant = Asking { held: held(b"one"), ..Asking::by("app", bound) }.granted(ORDERS, "read write");
    assert_eq!(grant.certificate(), Some(certificate), "no API demands it");
    let free = Asking { held: held(b"one"), ..Asking::by("app", orders()) }.granted(ORDERS, "read write");
    assert_eq!(free.certificate(), None, "as for every token");
}

#[test]
fn what_the_target_demands_is_demanded_here_too() {
    let bills = api(BILLS, &["read", "pay"]).sender_constraint(SenderConstraint::Dpop);
    let registry = registry().apply(Change::UpdateApi(bills, None)).unwrap().registry;
    let asking = Asking { ask: ask(None, Some(BILLS)), ..Asking::by("app", orders()) };
    assert_eq!(asking.decided_in(&registry).unwrap_err(), Denied::DpopRequired);
    assert!(Asking { held: holding(KEY), ..asking }.decided_in(&registry).is_ok());
}

// spec-test: 8693-AS2
#[test]
fn the_subject_stays_and_the_actor_is_the_outermost() {
    let exchanged = |asking: &Asking| asking.decided().unwrap().exchanged().unwrap().clone();
    let own = exchanged(&Asking::by("app", orders()));
    assert_eq!((own.subject(), own.subject_jti()), ("app", "subject-jti"));
    assert_eq!(own.delegation().actors().count(), 0, "nobody acts for itself");

    let first = exchanged(&Asking::by("gateway", orders()));
    assert_eq!(first.delegation().actors().collect::<Vec<_>>(), ["gateway"]);
    let second = |by| {
        let delegation = Some(first.delegation().clone());
        let token = Token { client: "gateway", scope: scope("read"), delegation, ..orders() };
        exchanged(&Asking::by(by, token))
    };
    for (by, actors) in
        [("billing", &["billing", "gateway"][..]), ("gateway", &["gateway"]), ("app", &["app", "gateway"])]
    {
        let again = second(by);
        assert_eq!((again.subject(), &*again.delegation().actors().collect::<Vec<_>>()), ("app", actors));
        let from: Vec<&str> = again.delegation().origins().iter().map(|o| o.client_id.as_str()).collect();
        assert_eq!(from, ["gateway", "app"]);
    }
}

/// By way of another API a token must not come back with more than it left with.
#[test]
fn no_detour_widens_a_token() {
    let mut asking = Asking::by("app", Token::of("app", ORDERS, "read"));
    asking.ask = ask(Some("read write"), None);
    asking.refused(NotExchanged::Scope);
    asking.ask = ask(None, Some(BILLS));
    let away = asking.decided().unwrap();
    let mut token = Token::of("app", BILLS, "pay");
    token.delegation = Some(away.exchanged().unwrap().delegation().clone());
    let mut back = Asking::by("app", token.clone());
    back.ask = ask(Some("read write"), Some(ORDERS));
    back.refused(NotExchanged::Target);
    back.ask = ask(None, Some(ORDERS));
    back.refused(NotExchanged::Target);
    let mut narrower = Asking::by("app", token);
    narrower.ask = ask(None, None);
    narrower.granted(BILLS, "pay");
}

/// What was made before the profile was set does not become bound by being exchanged.
#[test]
fn a_profile_without_unbound_tokens_exchanges_none() {
    let mut asking = Asking::by("app", orders());
    asking.held = Held { must_bind: true, ..holding(KEY) };
    asking.refused(NotExchanged::Bound);
}

// spec-test: 8693-AS2
#[test]
fn exchanges_of_exchanges_end() {
    let mut token = orders();
    for _ in 0..Delegation::MAX_EXCHANGES {
        let grant = Asking::by("app", token.clone()).decided().unwrap();
        token.delegation = Some(grant.exchanged().unwrap().delegation().clone());
    }
    Asking::by("app", token).refused(NotExchanged::TooOften);
}

// spec-test: 8693-AS3
#[test]
fn an_actor_token_is_one_that_the_client_got_for_itself() {
    let with = |actor: Token| Asking { actor: Some(actor), ..Asking::by("billing", orders()) };
    let own = Token { life: 7, ..Token::of("billing", BILLS, "read") };
    assert_eq!(with(own.clone()).granted(ORDERS, "read").lifetime(), Duration::from_secs(7));
    with(Token::of("app", ORDERS, "read")).refused(NotExchanged::Actor);
    with(Token { subject: "app", ..own.clone() }).refused(NotExchanged::Actor);
    with(Token { client: "app", ..own.clone() }).refused(NotExchanged::Actor);
    let key = JwkThumbprint::parse(KEY).unwrap();
    with(Token { bound: Some(Confirmation::key(key)), ..own }).refused(NotExchanged::Bound);
}

#[test]
fn a_subject_that_is_no_client_in_use_is_nobody() {
    Asking::by("app", Token { subject: "somebody", ..orders() }).refused(NotExchanged::Subject);
    let registry =
        registry().apply(Change::SetClientStatus(client_id("app"), Status::Disabled)).unwrap().registry;
    let asking = Asking::by("billing", orders());
    assert_eq!(asking.decided_in(&registry).unwrap_err(), NotExchanged::Subject.into());
}

#[test]
fn the_type_that_is_issued_is_the_one_asked_for() {
    let issued = |requested: Option<TokenTypeUri>, format: TokenFormat| {
        let orders_api = api(ORDERS, &["read", "write"]).resource_server(client_id("billing")).format(format);
        let registry = registry().apply(Change::UpdateApi(orders_api, None)).unwrap().registry;
        let asking = Asking { requested, ..Asking::by("app", orders()) };
        asking.decided_in(&registry).map(|grant| grant.exchanged().unwrap().issued().clone())
    };
    use TokenTypeUri::{AccessToken, Jwt};
    for format in TokenFormat::ALL {
        assert_eq!(issued(None, format), Ok(AccessToken));
        assert_eq!(issued(Some(AccessToken), format), Ok(AccessToken));
        for other in
            [TokenTypeUri::IdToken, TokenTypeUri::RefreshToken, TokenTypeUri::Other("x:y".to_owned())]
        {
            assert_eq!(issued(Some(other), format), Err(NotExchanged::RequestedType.into()));
        }
    }
    assert_eq!(issued(Some(Jwt), TokenFormat::Jwt), Ok(Jwt));
    assert_eq!(issued(Some(Jwt), TokenFormat::Opaque), Err(NotExchanged::RequestedType.into()));
}

#[test]
fn roles_are_those_that_both_have_and_the_token_told() {
    let roles = |client, subject: Token, target| {
        let asking = Asking { ask: ask(None, target), ..Asking::by(client, subject) };
        asking.decided().unwrap().roles().to_vec()
    };
    let told = |names: &[&str]| Token { roles: names.iter().map(|n| (*n).to_owned()).collect(), ..orders() };
    assert_eq!(roles("billing", told(&["clerk", "app", "billing"]), None), ["clerk"]);
    assert_eq!(roles("app", told(&["app"]), None), ["app"]);
    assert!(roles("app", told(&[]), None).is_empty(), "the token had none");
    assert_eq!(roles("billing", told(&[]), Some(BILLS)), ["clerk"], "at another API the token tells nothing");
}

#[test]
fn permissions_are_those_that_both_have_and_the_token_told() {
    let permissions = |client, told: &[&str], target| {
        let permissions = told.iter().map(|name| (*name).to_owned()).collect();
        let asking =
            Asking { ask: ask(None, target), ..Asking::by(client, Token { permissions, ..orders() }) };
        asking.decided().unwrap().permissions().to_vec()
    };
    assert_eq!(permissions("billing", &["bills.see", "bills.app", "bills.billing"], None), ["bills.see"]);
    assert_eq!(permissions("app", &["bills.app"], None), ["bills.app"]);
    assert!(permissions("app", &[], None).is_empty(), "the token had none");
    assert_eq!(permissions("billing", &[], Some(BILLS)), ["bills.see"]);
}

fn any_scope() -> impl Strategy<Value = Scope> {
    btree_set(prop::sample::select(vec!["read", "write", "pay", "see"]), 0..4)
        .prop_map(|set| scope(&set.into_iter().collect::<Vec<_>>().join(" ")))
}

proptest! {
    /// Whatever is registered and asked: what comes out is within the subject token and both grants.
    // spec-test: 8693-AS3
    #[test]
    fn narrowing_only(
        [of_app, of_billing, app_bills, billing_bills, told, asked] in
            [any_scope(), any_scope(), any_scope(), any_scope(), any_scope(), any_scope()],
        asks in any::<bool>(),
        target in prop::sample::select(vec![None, Some(ORDERS), Some(BILLS)]),
        client in prop::sample::select(vec!["app", "billing"]),
        life in 1_u64..100_000,
        cap in prop::option::of(1_u64..1_000),
        bound in any::<bool>(),
        held in prop::sample::select(vec![None, Some(KEY), Some(OTHER_KEY)]),
    ) {
        let all = ["read", "write", "pay", "see"];
        let new = |id: &str, orders: &Scope, bills: &Scope| {
            let client = Client::new(client_id(id)).token_exchange()
                .grant(identifier(ORDERS), orders.clone()).grant(identifier(BILLS), bills.clone());
            Client { lifetime_cap: cap.map(Duration::from_secs), ..client }
        };
        let registry = [
            Change::CreateApi(api(ORDERS, &all).resource_server(client_id("billing"))),
            Change::CreateApi(api(BILLS, &all)),
            Change::CreateClient(new("app", &of_app, &app_bills)),
            Change::CreateClient(new("billing", &of_billing, &billing_bills)),
        ].into_iter().try_fold(Registry::default(), |registry, change| registry.apply(change).map(|a| a.registry)).unwrap();
        let key = JwkThumbprint::parse(KEY).unwrap();
        let subject = Token {
            scope: told.clone(), life, bound: bound.then(|| Confirmation::key(key.clone())), ..orders()
        };
        let mut request = ask(None, target);
        request.scope = asks.then(|| asked.clone());
        let asking = Asking {
            ask: request, held: held.map(holding).unwrap_or_default(), ..Asking::by(client, subject)
        };
        if let Ok(grant) = asking.decided_in(&registry) {
            let at_orders = grant.api().identifier.as_str() == ORDERS;
            let (app, billing) =
                if at_orders { (&of_app, &of_billing) } else { (&app_bills, &billing_bills) };
            prop_assert!(grant.scope().is_subset(app));
            prop_assert!(client == "app" || grant.scope().is_subset(billing));
            prop_assert!(!at_orders || grant.scope().is_subset(&told));
            prop_assert!(!asks || grant.scope() == &asked);
            prop_assert!(grant.lifetime() <= Duration::from_secs(life));
            prop_assert!(grant.lifetime() >= Duration::from_secs(1));
            prop_assert!(cap.is_none_or(|cap| grant.lifetime() <= Duration::from_secs(cap)));
            prop_assert!(!bound || grant.jkt() == Some(&key));
            prop_assert_eq!(grant.exchanged().unwrap().subject(), "app");
        }
    }
}
