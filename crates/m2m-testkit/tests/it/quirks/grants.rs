//! What stands for a grant: an assertion with scope in it, a token for a token, a bearer JWT, or nothing at all.

use std::sync::Arc;

use m2m_client::{Credentials, ErrorKind, Grant, SecretSource, TokenSpec};
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::jose::{Compact, base64url};
use m2m_testkit::ManualClock;
use m2m_testkit::lab::{
    AssertionRule, Behaviour, ClientProof, GrantProof, GrantRule, JtiRule, Lab, Outcome, ScopePlace,
    Situation, Subject,
};
use serde_json::{Value, json};

use super::{
    CLIENT, STANDARD_SERVICE, WORKLOAD_TOKEN, ask, builder, does_not, gets, key, lab, missing, named, preset,
    rsa, rsa_source, scope, secret,
};

const JWT_BEARER: &str = "[request]\ngrant = \"urn:ietf:params:oauth:grant-type:jwt-bearer\"\n\
                          [assertion]\ngrant = true\nplace = \"assertion\"\naudience = \"token_endpoint\"";
const TOKEN_EXCHANGE: &str = "[request]\ngrant = \"urn:ietf:params:oauth:grant-type:token-exchange\"";

fn grant_rule() -> AssertionRule {
    AssertionRule { subject: Subject::Any, ..AssertionRule::jwt_bearer(CLIENT, rsa(), "{origin}/token") }
}

fn wants(rule: AssertionRule) -> Behaviour {
    Behaviour { grant: GrantRule::jwt_bearer(rule), ..Behaviour::new(ClientProof::None) }
}

fn claims_of(jwt: &str) -> Value {
    serde_json::from_slice(&base64url::decode(jwt.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn sent(lab: &Lab) -> Value {
    claims_of(&lab.record().last().form("assertion").remove(0))
}

#[tokio::test]
async fn a_signed_assertion_is_the_grant_with_the_scope_in_it() {
    let in_claim = &format!("{JWT_BEARER}\nscope_claim = true\njti = false\nsubject = \"{{subject}}\"");
    let client = |lab: &Lab, says: &str| {
        named(lab, says).credentials(Credentials::none()).scope(scope("https://scopes.example/a"))
    };
    for (place, right, wrong, refusal) in [
        (ScopePlace::Claim, in_claim.as_str(), JWT_BEARER, Situation::Malformed),
        (ScopePlace::Parameter, JWT_BEARER, in_claim, missing("scope")),
    ] {
        let mut behaviour = wants(grant_rule());
        (behaviour.scope.place, behaviour.scope.required) = (place, true);
        behaviour.scope.known = vec!["https://scopes.example/a".to_owned()];
        let lab = lab(behaviour).await;
        gets("right", &lab, client(&lab, right)).await;
        let stated = sent(&lab).get("scope").is_some();
        assert_eq!(stated, place == ScopePlace::Claim);
        does_not("wrong", &lab, client(&lab, wrong), &refusal).await;
        // The key proves the client to no service that wants a grant.
        let standard = client(&lab, STANDARD_SERVICE).credentials(key());
        does_not("client credentials", &lab, standard, &Situation::UnsupportedGrant).await;
    }
}

#[tokio::test]
async fn its_life_and_claims_are_as_the_service_wants_them() {
    let hour = format!("{JWT_BEARER}\nlifetime = 3600\nmax_lifetime = 3600");
    let none = || Credentials::none();
    let lab = lab(wants(AssertionRule { max_lifetime: Some(60), ..grant_rule() })).await;
    gets("a minute", &lab, named(&lab, JWT_BEARER).credentials(none())).await;
    does_not("an hour", &lab, named(&lab, &hour).credentials(none()), &Situation::Clock).await;
    lab.change(|behaviour| behaviour.grant = GrantRule::jwt_bearer(grant_rule()));
    gets("an hour", &lab, named(&lab, &hour).credentials(none())).await;

    // Who is spoken for: nobody, the client, somebody named, somebody who has to be named.
    let with_subject = |subject: &str| format!("{JWT_BEARER}\nsubject = \"{subject}\"");
    let check = async |says: &str, stated: Option<&str>, expect: Option<&str>| {
        let mut client = named(&lab, says).credentials(none());
        if let Some(stated) = stated {
            client = client.param("sub", stated);
        }
        gets(says, &lab, client).await;
        assert_eq!(sent(&lab).get("sub"), expect.map(Value::from).as_ref(), "{says} {stated:?}");
        assert!(lab.record().last().form("sub").is_empty(), "it is no parameter");
    };
    check(&with_subject("{client_id}"), None, Some(CLIENT)).await;
    check(&with_subject("{subject}"), None, None).await;
    check(&with_subject("{subject}"), Some("user@example.com"), Some("user@example.com")).await;
    check(&with_subject("{param:sub}"), Some("user-1"), Some("user-1")).await;
    check(&with_subject(""), None, None).await;
    let nobody = named(&lab, &with_subject("{param:sub}")).credentials(none());
    let error = ask(nobody).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("sub"), "{error}");

    let mut demanding = grant_rule();
    demanding.claims.insert("box_sub_type".to_owned(), json!("enterprise"));
    lab.change(|behaviour| behaviour.grant = GrantRule::jwt_bearer(demanding));
    let says = format!("{JWT_BEARER}\n[assertion.claims]\nbox_sub_type = \"{{param:box_subject_type}}\"");
    let client = |says: &str| named(&lab, says).credentials(none()).param("box_subject_type", "enterprise");
    gets("claim", &lab, client(&says)).await;
    does_not("no claim", &lab, client(JWT_BEARER), &Situation::WrongGrant).await;
}

/// Somebody else signed it: it is sent as it is.
#[tokio::test]
async fn a_foreign_assertion_is_the_grant() {
    let lab = lab(wants(AssertionRule { jti: JtiRule::Unchecked, ..grant_rule() })).await;
    let own = named(&lab, JWT_BEARER).credentials(Credentials::none());
    gets("own", &lab, own).await;
    let foreign = lab.record().last().form("assertion").remove(0);
    let with = |text: &str| {
        let preset = preset(&lab, JWT_BEARER);
        let source: Arc<dyn SecretSource> = secret(text);
        let client = named(&lab, JWT_BEARER).credentials(Credentials::none());
        client.grant(Grant::of(&preset, None, Some(source)).unwrap())
    };
    gets("foreign", &lab, with(&format!("{foreign}\n"))).await;
    assert_eq!(lab.record().last().form("assertion"), [foreign]);
    does_not("other", &lab, with(WORKLOAD_TOKEN), &Situation::WrongGrant).await;
    // With nothing to show there is no such grant.
    let error = Grant::of(&preset(&lab, JWT_BEARER), None, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_token_is_given_for_a_token() {
    let of_type = |uri: &str| {
        let proof = GrantProof::SubjectToken(WORKLOAD_TOKEN.to_owned(), uri.to_owned());
        Behaviour { grant: GrantRule::token_exchange(proof), ..Behaviour::new(ClientProof::None) }
    };
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    let stated = format!("{TOKEN_EXCHANGE}\n[request.params]\nsubject_token_type = \"{id_token}\"");
    let nobody = |lab: &Lab, says: &str| builder(lab, says).credentials(Credentials::none());
    for (wanted, right, wrong) in
        [(jwt, TOKEN_EXCHANGE, stated.as_str()), (id_token, &stated, TOKEN_EXCHANGE)]
    {
        let lab = lab(of_type(wanted)).await;
        gets(wanted, &lab, nobody(&lab, right)).await;
        let request = lab.record().last();
        assert_eq!(request.form("subject_token_type"), [wanted], "once");
        assert!(request.form("client_id").is_empty(), "nobody has a name");
        does_not(wanted, &lab, nobody(&lab, wrong), &Situation::WrongGrant).await;
        let standard = named(&lab, STANDARD_SERVICE).credentials(Credentials::none());
        does_not(wanted, &lab, standard, &Situation::UnsupportedGrant).await;
        let other = Grant::token_exchange(secret("another"), TokenTypeUri::parse(wanted), None);
        does_not(wanted, &lab, nobody(&lab, right).grant(other), &Situation::WrongGrant).await;
    }
}

#[tokio::test]
async fn a_token_exchange_may_name_its_client_and_its_target() {
    let proof = GrantProof::SubjectToken(
        WORKLOAD_TOKEN.to_owned(),
        "urn:ietf:params:oauth:token-type:jwt".to_owned(),
    );
    let behaviour =
        Behaviour { grant: GrantRule::token_exchange(proof), ..Behaviour::new(ClientProof::None) };
    let lab = lab(behaviour.require("client_id").require("audience")).await;
    let says = format!("{TOKEN_EXCHANGE}\n[auth]\nclient_id_in_body = true");
    let client =
        |says: &str| named(&lab, says).credentials(Credentials::none()).audience("//iam.example/pool");
    gets("named", &lab, client(&says)).await;
    does_not("unnamed", &lab, client(TOKEN_EXCHANGE), &missing("client_id")).await;
}

/// A service that takes a signed JWT as if it were an access token.
#[tokio::test]
async fn a_jwt_is_the_bearer() {
    let rule = AssertionRule {
        jti: JtiRule::Unchecked,
        ..AssertionRule::private_key_jwt(CLIENT, rsa(), "https://api.example")
    };
    let lab =
        lab(Behaviour { grant: GrantRule::plain(""), ..Behaviour::new(ClientProof::Bearer(rule)) }).await;
    let says = "[request]\ngrant = \"\"\n[assertion]\nplace = \"bearer\"\naudience = \"https://api.example\"";
    gets("bearer", &lab, named(&lab, says).credentials(key())).await;
    let request = lab.record().last();
    assert!(request.header("authorization").unwrap().starts_with("Bearer eyJ"));
    assert!(request.form("client_assertion").is_empty());
    let standard = "[request]\ngrant = \"\"\n[assertion]\naudience = \"https://api.example\"";
    does_not("assertion", &lab, named(&lab, standard).credentials(key()), &Situation::WrongClient).await;
    let usual = super::lab(Behaviour::new(ClientProof::Assertion(AssertionRule::private_key_jwt(
        CLIENT,
        rsa(),
        "https://api.example",
    ))))
    .await;
    let elsewhere = "[assertion]\nplace = \"bearer\"\naudience = \"https://api.example\"";
    does_not("elsewhere", &usual, named(&usual, elsewhere).credentials(key()), &Situation::WrongClient).await;
}

/// Nobody is asked: what the key signs is the token.
#[tokio::test]
async fn a_signed_jwt_is_the_token() {
    let lab = lab(Behaviour::new(ClientProof::None)).await;
    let says = "[assertion]\nself_signed = true\ngrant = true\nscope_claim = true\nlifetime = 3600\n\
                max_lifetime = 3600\njti = false\naudience = \"https://storage.example/\"";
    let none = Credentials::none;
    let token = gets("signed", &lab, named(&lab, says).credentials(none()).scope(scope("a"))).await;
    assert_eq!((lab.record().count(), token.life().as_secs()), (0, 3600));
    let text = token.access_token().expose().to_string();
    assert!(Compact::parse(&text).unwrap().verify(&rsa()).is_ok());
    let now = ManualClock::START.seconds();
    let expected = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": "https://storage.example/", "scope": "a", "iat": now, "exp": now + 3600,
    });
    assert_eq!(claims_of(&text), expected);
    // The other way asks.
    let client = named(&lab, STANDARD_SERVICE).credentials(none()).grant(Grant::client_credentials());
    gets("asked", &lab, client).await;
    assert_eq!(lab.outcomes(), [Outcome::Granted]);
    // Without a text of its own, the audience is the API's.
    let open = says.replace("https://storage.example/", "issuer");
    let client = named(&lab, &open).credentials(none()).grant(Grant::self_signed(rsa_source()));
    let client = client.assertion_audience(m2m_client::AssertionAudienceRule::Issuer).build().unwrap();
    let token = client.token(&TokenSpec::new().audience("https://own.example")).await.unwrap();
    assert_eq!(claims_of(token.access_token().expose())["aud"], "https://own.example");
}
