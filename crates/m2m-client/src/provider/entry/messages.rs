//! The part of a catalogue file that says how messages look: client
//! authentication, request, assertion, response.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How clients prove who they are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Auth {
    /// In order of preference: names of RFC 7591, `none`, or `federated` (a
    /// workload token as client assertion).
    pub methods: Vec<String>,
    /// How Basic carries id and secret.
    pub basic_encoding: BasicForm,
    /// The client id is a parameter, too, whatever the method.
    pub client_id_in_body: bool,
}

/// How Basic carries id and secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BasicForm {
    /// Form-encoded (RFC 6749 section 2.3.1).
    #[default]
    Form,
    /// As they are.
    Raw,
}

/// What a token request looks like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Request {
    /// `grant_type` as it is sent; empty: none is.
    pub grant: String,
    /// The method.
    pub http_method: HttpMethod,
    /// Where parameters go.
    pub place: RequestPlace,
    /// Where `grant_type` goes.
    pub grant_place: GrantPlace,
    /// What stands between two scopes.
    pub scope_separator: String,
    /// Asked for where a profile names none.
    pub scopes: Vec<String>,
    /// Whether a scope must be named.
    pub scope_required: bool,
    /// The parameter for the audience; empty: there is none.
    pub audience: String,
    /// Whether an audience must be named.
    pub audience_required: bool,
    /// Whether a resource must be named.
    pub resource_required: bool,
    /// Always sent.
    pub params: BTreeMap<String, String>,
    /// What a profile's `params` must have.
    pub required_params: Vec<String>,
    /// What they may have.
    pub optional_params: Vec<String>,
    /// Headers, always sent.
    pub headers: BTreeMap<String, String>,
    /// The parameter for the secret with `client_secret_post`.
    pub secret_param: String,
    /// Whether the client id is a parameter with `client_secret_post`.
    pub client_id: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            grant: m2m_proto::names::grant_type::CLIENT_CREDENTIALS.to_owned(),
            http_method: HttpMethod::Post,
            place: RequestPlace::Form,
            grant_place: GrantPlace::Body,
            scope_separator: " ".to_owned(),
            scopes: Vec::new(),
            scope_required: false,
            audience: m2m_proto::names::param::AUDIENCE.to_owned(),
            audience_required: false,
            resource_required: false,
            params: BTreeMap::new(),
            required_params: Vec::new(),
            optional_params: Vec::new(),
            headers: BTreeMap::new(),
            secret_param: m2m_proto::names::param::CLIENT_SECRET.to_owned(),
            client_id: true,
        }
    }
}

/// The method of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// POST.
    Post,
    /// GET.
    Get,
}

/// Where parameters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestPlace {
    /// Into a form.
    Form,
    /// Into the URL's query.
    Query,
    /// Into a JSON object.
    Json,
}

/// Where `grant_type` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantPlace {
    /// To the other parameters.
    Body,
    /// Into the URL's query.
    Query,
}

/// What an assertion looks like: the client's own, or that of a grant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Assertion {
    /// The key signs the grant (RFC 7523 section 2.1) and not the client.
    pub grant: bool,
    /// Nothing is asked for: the signed assertion is the token.
    pub self_signed: bool,
    /// Where it goes.
    pub place: AssertionPlace,
    /// `aud`: `issuer`, `token_endpoint`, `host`, or a text.
    pub audience: String,
    /// `iss`.
    pub issuer: String,
    /// `sub`; empty: none.
    pub subject: String,
    /// Seconds from now to `exp`.
    pub lifetime: u64,
    /// Seconds that the service allows.
    pub max_lifetime: u64,
    /// Seconds that `iat` lies in the past.
    pub backdate: u64,
    /// Accepted algorithms, the preferred one first; empty: any.
    pub algorithms: Vec<String>,
    /// `typ`; empty: none.
    pub typ: String,
    /// Whether there is a `jti`.
    pub jti: bool,
    /// Scopes go into the claim `scope` and not into the form.
    pub scope_claim: bool,
    /// Further claims.
    pub claims: BTreeMap<String, String>,
    /// Header `x5t#S256`, from the profile's certificate.
    pub x5t_s256: bool,
    /// Whether a key id is needed.
    pub key_id: KeyIdRule,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            grant: false,
            self_signed: false,
            place: AssertionPlace::ClientAssertion,
            audience: "issuer".to_owned(),
            issuer: "{client_id}".to_owned(),
            subject: "{client_id}".to_owned(),
            lifetime: 60,
            max_lifetime: 300,
            backdate: 0,
            algorithms: Vec::new(),
            typ: m2m_proto::names::typ::CLIENT_AUTHENTICATION_JWT.to_owned(),
            jti: true,
            scope_claim: false,
            claims: BTreeMap::new(),
            x5t_s256: false,
            key_id: KeyIdRule::Optional,
        }
    }
}

/// Where an assertion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionPlace {
    /// `client_assertion` (RFC 7521 section 4.2).
    ClientAssertion,
    /// `assertion` (RFC 7521 section 4.1).
    Assertion,
    /// The `Authorization` header, as a bearer token.
    Bearer,
}

/// Whether a key id is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyIdRule {
    /// It helps.
    Optional,
    /// Without it the service finds no key.
    Required,
}

/// What a token response looks like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Response {
    /// The member that holds the token.
    pub token: String,
    /// The member that holds its life; empty: there is none.
    pub expires_in: String,
    /// The unit of that.
    pub unit: Unit,
    /// The member that holds the moment of its end; empty: there is none.
    pub expires_at: String,
    /// Seconds to assume where the answer says nothing.
    pub lifetime: Option<u64>,
    /// Values of `token_type` that mean Bearer.
    pub token_types: Vec<String>,
    /// `DPoP` is said of tokens that are bound to a certificate.
    pub dpop_without_proof: bool,
    /// All who ask get one token, with what is left of its life.
    pub shared: bool,
    /// Tokens are not to be looked into.
    pub opaque: bool,
    /// Members that callers need.
    pub kept: Vec<String>,
    /// What stands between two scopes.
    pub scope_separator: String,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            token: m2m_proto::names::param::ACCESS_TOKEN.to_owned(),
            expires_in: m2m_proto::names::param::EXPIRES_IN.to_owned(),
            unit: Unit::Seconds,
            expires_at: String::new(),
            lifetime: None,
            token_types: Vec::new(),
            dpop_without_proof: false,
            shared: false,
            opaque: false,
            kept: Vec::new(),
            scope_separator: " ".to_owned(),
        }
    }
}

/// The unit of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// As RFC 6749 says.
    Seconds,
    /// A thousandth of that.
    Milliseconds,
}
