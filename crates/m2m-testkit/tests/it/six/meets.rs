//! What the clients of the six services meet when something is wrong: how the binary ends, and which place of the
//! service's own settings its hint names.

use m2m_testkit::lab::Situation;

/// Exit code, code, and the service's own name for where it is put right.
pub(super) type Says = (i32, &'static str, &'static str);

/// What a service's client meets.
pub(super) struct Meets {
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) wrong_secret: Says,
    pub(super) missing: Says,
    /// What is missing at the service and not in the request; `None`: the client leaves it out.
    pub(super) missing_there: Option<Situation>,
    pub(super) unauthorized: Says,
    /// With a secret: what is said of a token that is over when it arrives. `None`: tokens are not for clients to read;
    /// nothing tells, and nothing is wrong.
    pub(super) clock: Option<Says>,
}

/// One row for each service and method.
pub(super) fn all() -> Vec<Meets> {
    identity().into_iter().chain(platform()).collect()
}

fn identity() -> Vec<Meets> {
    vec![
        Meets {
            id: "auth0",
            method: "client_secret_post",
            wrong_secret: (7, "invalid_client", "Applications > Applications > your application > Settings"),
            missing: (8, "invalid_request", "Default Audience"),
            missing_there: None,
            unauthorized: (8, "access_denied", "Machine to Machine Applications"),
            clock: Some((10, "", "Applications > your application > Credentials")),
        },
        Meets {
            id: "auth0",
            method: "private_key_jwt",
            wrong_secret: (7, "invalid_client", "Applications > your application > Credentials"),
            missing: (8, "invalid_request", "Default Audience"),
            missing_there: None,
            unauthorized: (8, "access_denied", "Machine to Machine Applications"),
            clock: Some((7, "invalid_client", "Applications > your application > Credentials")),
        },
        Meets {
            id: "okta-custom",
            method: "client_secret_basic",
            wrong_secret: (7, "invalid_client", "General > Client Credentials"),
            missing: (8, "invalid_scope", "Security > API > Authorization Servers"),
            missing_there: None,
            unauthorized: (8, "access_denied", "Access Policies"),
            clock: Some((10, "", "Applications > the app > General")),
        },
        Meets {
            id: "okta-custom",
            method: "private_key_jwt",
            wrong_secret: (7, "invalid_client", "General > Client Credentials"),
            missing: (8, "invalid_scope", "Security > API > Authorization Servers"),
            missing_there: None,
            unauthorized: (8, "access_denied", "Access Policies"),
            clock: Some((7, "invalid_client", "public keys under Applications > the app")),
        },
        Meets {
            id: "okta-org",
            method: "private_key_jwt",
            wrong_secret: (7, "invalid_client", "Public key / Private key"),
            missing: (8, "invalid_scope", "Okta API Scopes"),
            missing_there: None,
            unauthorized: (8, "invalid_scope", "Okta API Scopes"),
            clock: Some((7, "invalid_client", "public keys under Applications > the app")),
        },
    ]
}

fn platform() -> Vec<Meets> {
    vec![
        Meets {
            id: "entra",
            method: "client_secret_post",
            wrong_secret: (7, "invalid_client", "Certificates & secrets > Client secrets"),
            missing: (8, "invalid_request", "App registrations > the API > Expose an API"),
            missing_there: None,
            unauthorized: (8, "invalid_grant", "Grant admin consent"),
            clock: None,
        },
        Meets {
            id: "entra",
            method: "private_key_jwt",
            wrong_secret: (7, "invalid_client", "Certificates & secrets > Certificates"),
            missing: (8, "invalid_request", "App registrations > the API > Expose an API"),
            missing_there: None,
            unauthorized: (8, "invalid_grant", "Grant admin consent"),
            clock: Some((7, "invalid_client", "App registrations > the app")),
        },
        Meets {
            id: "google-sa",
            method: "none",
            wrong_secret: (7, "invalid_client", "IAM & Admin > Service Accounts > the account > Keys"),
            missing: (8, "invalid_scope", "https://www.googleapis.com/auth/cloud-platform"),
            missing_there: None,
            unauthorized: (8, "unauthorized_client", "Domain-wide delegation"),
            clock: Some((8, "invalid_grant", "IAM & Admin > Service Accounts > the account > Keys")),
        },
        Meets {
            id: "cognito",
            method: "client_secret_basic",
            wrong_secret: (7, "invalid_client", "User pools > the pool > App clients"),
            missing: (8, "invalid_scope", "Custom scopes"),
            missing_there: Some(Situation::UnknownScope),
            unauthorized: (8, "unauthorized_client", "OAuth grant types"),
            clock: Some((10, "", "Access token expiration under App clients")),
        },
        Meets {
            id: "salesforce-cc",
            method: "client_secret_post",
            wrong_secret: (7, "invalid_client", "Consumer Key and Secret"),
            missing: (8, "invalid_scope", "Setup > External Client App Manager"),
            missing_there: Some(Situation::MissingParameter("scope".to_owned())),
            unauthorized: (8, "unauthorized_client", "Run As"),
            clock: None,
        },
    ]
}
