//! Tokens as real issuers write them: the access token is accepted, the ID token of the same issuer is refused, even
//! where API and client are one registration.

use std::collections::BTreeSet;

use m2m_proto::jose::{HeaderFields, jws};
use m2m_proto::token_profile::TokenProfile;

use super::*;
use crate::{Required, token_profiles};

const TENANT: &str = "9122040d-6c67-4c5b-b112-36a304b66dad";
const API: &str = "ef1da9d4-ff77-4c3e-a005-840c3f830745";

/// How one issuer writes both kinds.
struct Sample {
    profile: TokenProfile,
    issuer: String,
    /// What the API is called there.
    audience: &'static str,
    typ: Option<&'static str>,
    access: Value,
    client: &'static str,
    scope: &'static str,
    id_typ: Option<&'static str>,
    id: Value,
}

fn samples() -> Vec<Sample> {
    let mut samples = of_the_standard();
    samples.extend(of_scopes_and_roles());
    samples.extend(told_by_a_claim());
    samples
}

fn of_the_standard() -> Vec<Sample> {
    vec![
        Sample {
            profile: token_profiles::RFC9068,
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE,
            typ: Some("at+jwt"),
            access: json!({"client_id": "app", "jti": "1", "scope": "read write"}),
            client: "app",
            scope: "read write",
            id_typ: Some("JWT"),
            id: json!({"client_id": "app", "jti": "1"}),
        },
        Sample {
            profile: token_profiles::AUTH0,
            issuer: "https://tenant.auth0.com/".to_owned(),
            audience: AUDIENCE,
            typ: Some("JWT"),
            access: json!({"sub": "app@clients", "azp": "app", "gty": "client-credentials", "scope": "read write"}),
            client: "app",
            scope: "read write",
            id_typ: Some("JWT"),
            id: json!({"name": "Ann", "nickname": "ann", "email": "ann@as.example", "sid": "s"}),
        },
        Sample {
            profile: token_profiles::AUTH0,
            issuer: "https://tenant.auth0.com/".to_owned(),
            audience: AUDIENCE,
            typ: Some("at+jwt"),
            access: json!({"sub": "app", "client_id": "app", "jti": "1", "scope": "read write"}),
            client: "app",
            scope: "read write",
            id_typ: Some("JWT"),
            id: json!({"azp": "app", "nonce": "n", "sid": "s"}),
        },
    ]
}

fn of_scopes_and_roles() -> Vec<Sample> {
    let entra_v1 = format!("https://sts.windows.net/{TENANT}/");
    let entra_v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let app = json!({"appid": "app", "appidacr": "1", "azp": "app", "azpacr": "1"});
    let pick = |names: [&str; 2]| json!({ names[0]: app[names[0]], names[1]: app[names[1]] });
    vec![
        Sample {
            profile: token_profiles::ENTRA_V1,
            issuer: entra_v1,
            audience: "api://orders",
            typ: Some("JWT"),
            access: merged(
                &pick(["appid", "appidacr"]),
                &json!({"ver": "1.0", "idtyp": "app", "oid": "o", "roles": ["Orders.Read"], "tid": TENANT, "uti": "u"}),
            ),
            client: "app",
            scope: "Orders.Read",
            id_typ: Some("JWT"),
            id: json!({"ver": "1.0", "unique_name": "ann", "tid": TENANT, "upn": "ann@as.example"}),
        },
        Sample {
            profile: token_profiles::ENTRA_V2,
            issuer: entra_v2,
            audience: API,
            typ: Some("JWT"),
            access: merged(
                &pick(["azp", "azpacr"]),
                &json!({"ver": "2.0", "oid": "o", "scp": "Orders.Read", "roles": ["Admin"], "tid": TENANT}),
            ),
            client: "app",
            scope: "Orders.Read",
            id_typ: Some("JWT"),
            id: json!({"ver": "2.0", "name": "Ann", "preferred_username": "ann@as.example", "tid": TENANT}),
        },
    ]
}

fn told_by_a_claim() -> Vec<Sample> {
    vec![
        Sample {
            profile: token_profiles::OKTA,
            issuer: "https://dev.okta.com/oauth2/default".to_owned(),
            audience: "api://default",
            typ: None,
            access: json!({"ver": 1, "jti": "AT.1", "cid": "app", "scp": ["orders.read", "orders.write"]}),
            client: "app",
            scope: "orders.read orders.write",
            id_typ: None,
            id: json!({"ver": 1, "jti": "ID.1", "amr": ["pwd"], "idp": "00o", "auth_time": 1}),
        },
        Sample {
            profile: token_profiles::COGNITO,
            issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc".to_owned(),
            audience: AUDIENCE,
            typ: None,
            access: json!({
                "aud": null, "token_use": "access", "scope": "https://orders.example/read", "auth_time": 1,
                "version": 2, "jti": "1", "client_id": "app",
            }),
            client: "app",
            scope: "https://orders.example/read",
            id_typ: None,
            id: json!({"token_use": "id", "auth_time": 1, "jti": "1", "client_id": "app", "cognito:username": "ann"}),
        },
        Sample {
            profile: token_profiles::KEYCLOAK,
            issuer: "https://sso.example/realms/orders".to_owned(),
            audience: "orders",
            typ: Some("JWT"),
            access: json!({
                "aud": ["orders", "account"], "typ": "Bearer", "azp": "app", "acr": "1", "jti": "trrtcc:1",
                "scope": "email read", "clientHost": "10.0.0.1", "preferred_username": "service-account-app",
            }),
            client: "app",
            scope: "email read",
            id_typ: Some("JWT"),
            id: json!({"typ": "ID", "azp": "app", "acr": "1", "jti": "1", "auth_time": 1, "sid": "s"}),
        },
    ]
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut members = one.as_object().unwrap().clone();
    members.extend(other.as_object().unwrap().clone());
    Value::Object(members)
}

/// With what all of them have.
fn written(sample: &Sample, key: &SigningKey, typ: Option<&str>, claims: &Value) -> String {
    let now = NOW.seconds();
    let every = json!({
        "iss": sample.issuer, "sub": "subject", "aud": sample.audience, "iat": now, "nbf": now, "exp": now + 600,
    });
    let mut claims = merged(&every, claims);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let fields = HeaderFields { typ, kid: key.key_id(), ..HeaderFields::default() };
    jws::sign(&fields, claims.to_string().as_bytes(), key).unwrap()
}

fn trusting(sample: &Sample, key: &SigningKey) -> Verifier {
    let trusted = TrustedIssuer::new(Issuer::parse(&sample.issuer).unwrap())
        .audience(sample.audience)
        .profile(sample.profile)
        .keys(KeysFrom::Fixed(set(&[key])));
    Verifier::builder().trust_with(trusted).clock(FixedClock::new()).build().unwrap()
}

async fn status(verifier: &Verifier, text: &str) -> u16 {
    match verifier.verify(&Asked::bearer(text).parts()).await {
        Ok(_) => 200,
        Err(rejection) => rejection.to_response().status().as_u16(),
    }
}

// spec-test: JWT-V3, 9068-RS1
#[tokio::test]
async fn the_access_token_is_accepted_and_the_id_token_refused() {
    let key = key(Algorithm::Rs256, "k1");
    for sample in samples() {
        let name = sample.profile.name;
        let verifier = trusting(&sample, &key);
        let access = written(&sample, &key, sample.typ, &sample.access);
        let accepted = verifier.verify(&Asked::bearer(&access).parts()).await;
        let accepted = accepted.unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(accepted.client_id(), Some(sample.client), "{name}");
        assert_eq!(accepted.scope().to_string(), sample.scope, "{name}");
        // As it is: for the client. And as the worst case is: API and client are one.
        for audience in ["app", sample.audience] {
            let id = merged(&sample.id, &json!({ "aud": audience }));
            assert_eq!(
                status(&verifier, &written(&sample, &key, sample.id_typ, &id)).await,
                401,
                "{name} {audience}"
            );
        }
        // An ID token that comes with the claims of an access token is still marked as one.
        let both = merged(&sample.access, &json!({ "nonce": "n" }));
        let expect = if name == "rfc9068" { 200 } else { 401 };
        assert_eq!(status(&verifier, &written(&sample, &key, sample.typ, &both)).await, expect, "{name}");
    }
}

/// What a route demands is found where the profile has it.
#[tokio::test]
async fn a_route_finds_its_audience_where_the_profile_has_it() {
    let key = key(Algorithm::Rs256, "k1");
    for sample in samples() {
        let name = sample.profile.name;
        let access = written(&sample, &key, sample.typ, &sample.access);
        let accepted = trusting(&sample, &key).verify(&Asked::bearer(&access).parts()).await.unwrap();
        accepted.require(&Required::nothing().audience(sample.audience)).unwrap();
        assert!(accepted.is_for(sample.audience), "{name}");
        let other = Required::nothing().audience("https://bills.example");
        let refused = accepted.require(&other).unwrap_err();
        assert_eq!(refused.to_response().status(), 401, "{name}");
    }
}

/// A profile says how a token looks, and loosens nothing.
#[tokio::test]
async fn no_profile_is_looser_than_another() {
    let signing = key(Algorithm::Rs256, "k1");
    let stranger = key(Algorithm::Rs256, "k1");
    let now = NOW.seconds();
    for sample in samples() {
        let verifier = trusting(&sample, &signing);
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("exp", json!(now - 31)),
            ("exp", Value::Null),
            ("nbf", json!(now + 31)),
            ("aud", json!("https://bills.example")),
        ] {
            let changed = merged(&sample.access, &json!({ name: value }));
            let text = written(&sample, &signing, sample.typ, &changed);
            assert_eq!(status(&verifier, &text).await, 401, "{} {name} {value}", sample.profile.name);
        }
        let forged = written(&sample, &stranger, sample.typ, &sample.access);
        assert_eq!(status(&verifier, &forged).await, 401, "{}", sample.profile.name);
        for typ in ["client-authentication+jwt", "dpop+jwt", "statuslist+jwt", "logout+jwt"] {
            let text = written(&sample, &signing, Some(typ), &sample.access);
            assert_eq!(status(&verifier, &text).await, 401, "{} {typ}", sample.profile.name);
        }
    }
}

#[test]
fn profiles_have_names_and_all_are_tried() {
    let names: BTreeSet<&str> = token_profiles::ALL.iter().map(|profile| profile.name).collect();
    assert_eq!(names.len(), token_profiles::ALL.len());
    let tried: BTreeSet<&str> = samples().iter().map(|sample| sample.profile.name).collect();
    assert_eq!(tried, names);
    for profile in token_profiles::ALL {
        assert_eq!(token_profiles::named(profile.name), Some(profile));
    }
    assert_eq!(token_profiles::named("RFC9068"), None);
}
