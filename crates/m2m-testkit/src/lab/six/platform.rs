//! Entra, Google service accounts, Cognito and Salesforce.

use std::sync::Arc;

use m2m_proto::jose::Algorithm;
use serde_json::{Value, json};

use super::identity::rsa;
use super::{Provider, SECRET, certificate_thumbprint};
use crate::FixedKeys;
use crate::lab::{
    Answer, AssertionRule, BasicReading, Behaviour, ClientProof, Discovery, ExpiresIn, GrantRule, Place,
    Required, ScopePlace, SharedSecret, SignedToken, Situation, Success, TokenText, TypRule,
};

const ENTRA_CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const ENTRA_SCOPE: &str = "api://orders.example.com/.default";
const ACCOUNT: &str = "orders@acme-prod.iam.gserviceaccount.com";
const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const COGNITO_CLIENT: &str = "1example23456789";
const POOL: &str = "eu-west-1_example";
const SALESFORCE_CLIENT: &str = "3MVG9orders";

pub(super) fn entra() -> Provider {
    let client = ClientProof::Parameters(SharedSecret::new(ENTRA_CLIENT, SECRET), Place::Form);
    entra_service("client_secret_post", None, client)
}

/// A certificate's key; its thumbprint stands in the header, and the assertion may live as long as it likes.
pub(super) fn entra_with_certificate() -> Provider {
    let audience = format!("{{origin}}/{TENANT}/oauth2/v2.0/token");
    let rule = AssertionRule {
        max_lifetime: None,
        typ: TypRule::Exactly("JWT".to_owned()),
        algorithms: vec![Algorithm::Ps256, Algorithm::Rs256],
        x5t_s256: Some(certificate_thumbprint()),
        // A verifying key takes one algorithm only.
        keys: [Algorithm::Ps256, Algorithm::Rs256]
            .map(|algorithm| Arc::clone(FixedKeys::signing(algorithm).verifying_key()))
            .to_vec(),
        ..AssertionRule::private_key_jwt(ENTRA_CLIENT, rsa(), &audience)
    };
    entra_service("private_key_jwt", Some(Algorithm::Ps256), ClientProof::Assertion(rule))
}

fn entra_service(method: &'static str, algorithm: Option<Algorithm>, client: ClientProof) -> Provider {
    let mut behaviour = entra_errors(Behaviour::new(client), algorithm);
    behaviour.token_path = format!("/{TENANT}/oauth2/v2.0/token");
    let client_id = Some(ENTRA_CLIENT.to_owned());
    behaviour.required.push(Required { name: "client_id".to_owned(), value: client_id, place: None });
    behaviour.scope.required = true;
    // One API, and all that was granted for it: two scopes are not two known ones.
    behaviour.scope.separator = "\n".to_owned();
    behaviour.scope.known = vec![ENTRA_SCOPE.to_owned()];
    behaviour.success = Success::bearer().expires_in(ExpiresIn::Seconds(3920));
    let methods = ["client_secret_post", "private_key_jwt", "client_secret_basic"];
    let discovery = Discovery::default().issuer(&format!("{{origin}}/{TENANT}/v2.0")).methods(&methods);
    let metadata = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    Provider {
        id: "entra",
        host: "login.microsoftonline.com",
        variables: vec![("tenant", TENANT)],
        method,
        client_id: ENTRA_CLIENT,
        scopes: vec![ENTRA_SCOPE],
        audience: None,
        algorithm,
        behaviour: behaviour.discovery(&metadata, &discovery),
    }
}

fn entra_errors(behaviour: Behaviour, algorithm: Option<Algorithm>) -> Behaviour {
    let scope = "AADSTS70011: The provided value for the input parameter 'scope' is not valid.";
    let missing = entra_error(400, "invalid_request", "The parameter 'scope' is missing.", None);
    let permission = "The application has no permission for this API.";
    let behaviour = behaviour
        .error(Situation::UnknownScope, entra_error(400, "invalid_scope", scope, Some(70_011)))
        .error(Situation::MissingParameter("scope".to_owned()), missing)
        .error(Situation::UnauthorizedApi, entra_error(400, "unauthorized_client", permission, None))
        .error(Situation::RateLimited, entra_throttled());
    if algorithm.is_some() {
        let clock = "The client assertion is not within its valid time range.";
        let wrong = "The client assertion is not acceptable.";
        return behaviour
            .error(Situation::WrongClient, entra_error(401, "invalid_client", wrong, None))
            .error(Situation::Clock, entra_error(401, "invalid_client", clock, None));
    }
    let secret =
        "AADSTS7000215: Invalid client secret provided. Ensure that it is the secret's value, not its id.";
    behaviour.error(Situation::WrongClient, entra_error(401, "invalid_client", secret, Some(7_000_215)))
}

/// Several lines of description, and members that others do not have.
fn entra_error(status: u16, error: &str, text: &str, code: Option<u32>) -> Answer {
    let (trace, correlation) =
        ("0000aaaa-11bb-cccc-dd22-eeeeee333333", "aaaa0000-bb11-2222-33cc-444444dddddd");
    let description =
        format!("{text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {{date}}");
    Answer::json(
        status,
        &json!({
            "error": error, "error_description": description, "error_codes": code.into_iter().collect::<Vec<_>>(),
            "timestamp": "{date}", "trace_id": trace, "correlation_id": correlation,
        }),
    )
}

fn entra_throttled() -> Answer {
    entra_error(429, "temporarily_unavailable", "Too many requests.", None).header("retry-after", "17")
}

/// The assertion is the grant: scopes are in it, and there is no client beside it.
pub(super) fn google_service_account() -> Provider {
    let rule = AssertionRule {
        algorithms: vec![Algorithm::Rs256],
        ..AssertionRule::jwt_bearer(ACCOUNT, rsa(), "{origin}/token")
    };
    let mut behaviour = Behaviour::new(ClientProof::None);
    behaviour.grant = GrantRule::jwt_bearer(rule);
    behaviour.scope.place = ScopePlace::Claim;
    behaviour.scope.required = true;
    behaviour.scope.known = vec![CLOUD_PLATFORM.to_owned()];
    behaviour.success = Success::bearer().expires_in(ExpiresIn::Seconds(3599));
    let clock = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                 Check your iat and exp values in the JWT claim.";
    let unauthorized = "the client is not authorized for any of the scopes requested";
    let missing = Situation::MissingParameter("scope".to_owned());
    let mut discovery = Discovery::default();
    discovery.members.insert("token_endpoint".to_owned(), "https://oauth2.googleapis.com/token".into());
    Provider {
        id: "google-sa",
        host: "oauth2.googleapis.com",
        variables: Vec::new(),
        method: "none",
        client_id: ACCOUNT,
        scopes: vec![CLOUD_PLATFORM],
        audience: None,
        algorithm: Some(Algorithm::Rs256),
        behaviour: behaviour
            .discovery("/.well-known/openid-configuration", &discovery)
            .error(Situation::Clock, Answer::oauth(400, "invalid_grant", clock))
            .error(missing, Answer::oauth(400, "invalid_scope", "no scope was asked for"))
            .error(Situation::UnauthorizedApi, Answer::oauth(401, "unauthorized_client", unauthorized)),
    }
}

/// The issuer has another host than the token endpoint; the token has no audience.
pub(super) fn cognito() -> Provider {
    let client = ClientProof::Basic(SharedSecret::new(COGNITO_CLIENT, SECRET), BasicReading::FormDecoded);
    let mut behaviour = Behaviour::new(client);
    behaviour.token_path = "/oauth2/token".to_owned();
    behaviour.scope.known = ["orders/read", "orders/write"].map(str::to_owned).to_vec();
    let issuer = format!("https://cognito-idp.eu-west-1.amazonaws.com/{POOL}");
    let token = SignedToken::new(&issuer, "")
        .claim("aud", Value::Null)
        .claim("sub", "{client_id}".into())
        .claim("token_use", "access".into());
    behaviour.success = Success::bearer().signed(SignedToken { typ: None, ..token });
    let mut discovery = Discovery::default().issuer(&issuer);
    let endpoint = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token";
    discovery.members.insert("token_endpoint".to_owned(), endpoint.into());
    Provider {
        id: "cognito",
        host: "acme.auth.eu-west-1.amazoncognito.com",
        variables: vec![("domain", "acme.auth.eu-west-1.amazoncognito.com")],
        method: "client_secret_basic",
        client_id: COGNITO_CLIENT,
        scopes: vec!["orders/read"],
        audience: None,
        algorithm: None,
        behaviour: behaviour
            .discovery(&format!("/{POOL}/.well-known/openid-configuration"), &discovery)
            .error(Situation::WrongClient, Answer::oauth(400, "invalid_client", ""))
            .error(Situation::UnknownScope, Answer::oauth(400, "invalid_scope", ""))
            .error(Situation::MissingParameter("scope".to_owned()), Answer::oauth(400, "invalid_scope", ""))
            .error(Situation::UnauthorizedApi, Answer::oauth(400, "unauthorized_client", "")),
    }
}

/// No scope, no lifetime, a token that is not token68, and the API's address beside it.
pub(super) fn salesforce() -> Provider {
    let client = ClientProof::Parameters(SharedSecret::new(SALESFORCE_CLIENT, SECRET), Place::Form);
    let mut behaviour = Behaviour::new(client);
    behaviour.token_path = "/services/oauth2/token".to_owned();
    behaviour.success = Success::bearer()
        .expires_in(ExpiresIn::Absent)
        .token(TokenText::Given("00D000000000001!AQ0AQ.salesforce-test-token".to_owned()))
        .member("signature", "c2lnbmF0dXJl".into())
        .member("token_format", "opaque".into())
        .member("instance_url", "{origin}".into())
        .member("id", "{origin}/id/00D000000000001/005000000000001".into())
        .member("issued_at", "{now_ms}".into());
    let discovery = Discovery::default();
    let no_user = "no client credentials user enabled";
    Provider {
        id: "salesforce-cc",
        host: "acme.my.salesforce.com",
        variables: vec![("my_domain", "acme.my.salesforce.com")],
        method: "client_secret_post",
        client_id: SALESFORCE_CLIENT,
        scopes: Vec::new(),
        audience: None,
        algorithm: None,
        behaviour: behaviour
            .discovery("/.well-known/openid-configuration", &discovery)
            .error(Situation::WrongClient, Answer::oauth(400, "invalid_client", "invalid client credentials"))
            .error(Situation::UnauthorizedApi, Answer::oauth(400, "invalid_grant", no_user)),
    }
}
