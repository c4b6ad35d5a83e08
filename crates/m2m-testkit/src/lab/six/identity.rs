//! Auth0 and Okta.

use std::sync::Arc;

use m2m_proto::jose::{Algorithm, VerifyingKey};
use serde_json::{Value, json};

use super::{Provider, SECRET};
use crate::FixedKeys;
use crate::lab::{
    Answer, ApiRule, AssertionRule, BasicReading, Behaviour, ClientProof, Discovery, ExpiresIn, JtiRule,
    Place, SharedSecret, SignedToken, Situation, Success,
};

const AUTH0_CLIENT: &str = "svc-orders";
const AUTH0_API: &str = "https://api.example.com";
const OKTA_CLIENT: &str = "0oa1orders";
const OKTA_SERVICE_APP: &str = "0oa1service";
const OPENID: &str = "/.well-known/openid-configuration";

/// The quota header as the service writes it: what is left by the hour and by the day.
const QUOTA: &str = "b=per_hour;q=10;r=7;t=3540,b=per_day;q=100;r=97;t=82740";
const NO_QUOTA: &str = "b=per_hour;q=10;r=0;t=1200,b=per_day;q=100;r=90;t=82740";

pub(super) fn rsa() -> Arc<VerifyingKey> {
    Arc::clone(FixedKeys::signing(Algorithm::Rs256).verifying_key())
}

/// The body parameters; `access_denied` where others say `invalid_client`.
pub(super) fn auth0() -> Provider {
    let client = ClientProof::Parameters(SharedSecret::new(AUTH0_CLIENT, SECRET), Place::Form);
    let behaviour = auth0_behaviour(client)
        .error(Situation::WrongClient, Answer::oauth(401, "access_denied", "Unauthorized"));
    auth0_service("client_secret_post", None, behaviour)
}

pub(super) fn auth0_with_key() -> Provider {
    let mut rule = AssertionRule::private_key_jwt(AUTH0_CLIENT, rsa(), "{origin}/");
    rule.algorithms = vec![Algorithm::Rs256, Algorithm::Rs384, Algorithm::Ps256];
    let behaviour = auth0_behaviour(ClientProof::Assertion(rule));
    auth0_service("private_key_jwt", Some(Algorithm::Rs256), behaviour)
}

fn auth0_service(method: &'static str, algorithm: Option<Algorithm>, behaviour: Behaviour) -> Provider {
    Provider {
        id: "auth0",
        host: "acme.eu.auth0.com",
        variables: vec![("domain", "acme.eu.auth0.com")],
        method,
        client_id: AUTH0_CLIENT,
        scopes: Vec::new(),
        audience: Some(AUTH0_API),
        algorithm,
        behaviour,
    }
}

fn auth0_behaviour(client: ClientProof) -> Behaviour {
    let mut behaviour = Behaviour::new(client).require("audience");
    behaviour.token_path = "/oauth/token".to_owned();
    behaviour.api =
        Some(ApiRule { parameter: "audience".to_owned(), authorized: vec![AUTH0_API.to_owned()] });
    // The default token profile.
    let mut token = SignedToken::new("{origin}/", "{audience}")
        .claim("sub", "{client_id}@clients".into())
        .claim("client_id", Value::Null)
        .claim("scope", Value::Null)
        .claim("azp", "{client_id}".into())
        .claim("gty", "client-credentials".into());
    (token.typ, token.lifetime) = (Some("JWT".to_owned()), 86_400);
    behaviour.success = Success::bearer()
        .expires_in(ExpiresIn::Seconds(86_400))
        .signed(token)
        .header("Auth0-Client-Quota-Limit", QUOTA);
    let discovery = Discovery::default().issuer("{origin}/").methods(&[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
    ]);
    let unauthorized = "Client {client_id} is not authorized to access resource server {audience}.";
    let quota = Answer::oauth(429, "too_many_requests", "Client quota exceeded");
    behaviour
        .discovery(OPENID, &discovery)
        .error(Situation::UnauthorizedApi, Answer::oauth(403, "access_denied", unauthorized))
        .error(Situation::RateLimited, quota.header("Auth0-Client-Quota-Limit", NO_QUOTA))
}

/// Basic, compared as it is.
pub(super) fn okta_custom() -> Provider {
    let client = ClientProof::Basic(SharedSecret::new(OKTA_CLIENT, SECRET), BasicReading::Raw);
    okta_custom_service("client_secret_basic", None, client)
}

pub(super) fn okta_custom_with_key() -> Provider {
    let rule = okta_rule(OKTA_CLIENT, "{origin}/oauth2/default/v1/token");
    okta_custom_service("private_key_jwt", Some(Algorithm::Rs256), ClientProof::Assertion(rule))
}

fn okta_custom_service(method: &'static str, algorithm: Option<Algorithm>, client: ClientProof) -> Provider {
    let mut behaviour = okta_behaviour(client, "/oauth2/default", &["orders.read", "orders.write"]);
    let token = SignedToken::new("{origin}/oauth2/default", "api://default")
        .claim("client_id", Value::Null)
        .claim("scope", Value::Null)
        .claim("cid", "{client_id}".into())
        .claim("scp", json!(["{scope}"]));
    behaviour.success = okta_success().signed(SignedToken { typ: None, ..token });
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let discovery = Discovery::default().issuer("{origin}/oauth2/default").methods(&methods);
    Provider {
        id: "okta-custom",
        host: "acme.okta.com",
        variables: vec![("domain", "acme.okta.com"), ("auth_server", "default")],
        method,
        client_id: OKTA_CLIENT,
        scopes: vec!["orders.read"],
        audience: None,
        algorithm,
        behaviour: behaviour
            .discovery("/oauth2/default/.well-known/openid-configuration", &discovery)
            .discovery("/.well-known/oauth-authorization-server/oauth2/default", &discovery)
            .error(Situation::UnauthorizedApi, Answer::oauth(400, "access_denied", "no matching policy")),
    }
}

/// A key is the only method; the token is opaque.
pub(super) fn okta_org() -> Provider {
    let rule = okta_rule(OKTA_SERVICE_APP, "{origin}/oauth2/v1/token");
    let scopes = ["okta.users.read", "okta.groups.read"];
    let mut behaviour = okta_behaviour(ClientProof::Assertion(rule), "/oauth2", &scopes);
    behaviour.success = okta_success();
    let discovery = Discovery::default().methods(&["private_key_jwt"]);
    Provider {
        id: "okta-org",
        host: "acme.okta.com",
        variables: vec![("domain", "acme.okta.com")],
        method: "private_key_jwt",
        client_id: OKTA_SERVICE_APP,
        scopes: vec!["okta.users.read"],
        audience: None,
        algorithm: Some(Algorithm::Rs256),
        behaviour: behaviour
            .discovery(OPENID, &discovery)
            .discovery("/.well-known/oauth-authorization-server", &discovery)
            .error(
                Situation::UnauthorizedApi,
                Answer::oauth(400, "invalid_scope", "the scope is not granted"),
            ),
    }
}

fn okta_rule(client_id: &str, audience: &str) -> AssertionRule {
    AssertionRule {
        max_lifetime: Some(3600),
        jti: JtiRule::Optional,
        algorithms: vec![
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
        ],
        ..AssertionRule::private_key_jwt(client_id, rsa(), audience)
    }
}

fn okta_success() -> Success {
    Success::bearer().member("scope", "{scope}".into())
}

/// A client that it does not know gets its own envelope instead of an OAuth error.
fn okta_behaviour(client: ClientProof, prefix: &str, scopes: &[&str]) -> Behaviour {
    let mut behaviour = Behaviour::new(client);
    behaviour.token_path = format!("{prefix}/v1/token");
    behaviour.scope.required = true;
    behaviour.scope.known = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let envelope = json!({
        "errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter.",
        "errorLink": "invalid_client", "errorId": "oae-test", "errorCauses": [],
    });
    let missing = Situation::MissingParameter("scope".to_owned());
    behaviour
        .error(Situation::UnknownClient, Answer::json(401, &envelope))
        .error(Situation::WrongClient, Answer::oauth(401, "invalid_client", "client authentication failed"))
        .error(missing, Answer::oauth(400, "invalid_scope", "'scope' must be provided"))
}
