//! The checks of the OpenID Foundation's conformance suite for FAPI 2.0 with client credentials, restated: both sides,
//! each combination of client authentication and sender constraint that it certifies.
//!
//! Of `fapi2-security-profile-final-test-plan` and `fapi2-security-profile-final-client-test-plan`, these are the
//! modules that apply to `fapi_profile=fapi_client_credentials_grant` (unsigned requests, plain responses), each with
//! the name that it has there and its checks in our own words. Everything goes over TLS, as the suite's requests do.
//! Modules of the same rules that the suite runs at other endpoints only (PAR) stand here too, and say so.
//! Not here: versions and ciphers of TLS, which are a deployment's; what is left out of this grant by the suite itself.

mod client;
mod judge;
mod message;
mod place;
mod proofs;
mod token_endpoint;

/// How the client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    PrivateKeyJwt,
    Mtls,
}

/// What tokens are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constrain {
    Dpop,
    Mtls,
}

/// A combination that the suite certifies.
type Variant = (Auth, Constrain);

const ALL: [Variant; 4] = [
    (Auth::PrivateKeyJwt, Constrain::Dpop),
    (Auth::PrivateKeyJwt, Constrain::Mtls),
    (Auth::Mtls, Constrain::Dpop),
    (Auth::Mtls, Constrain::Mtls),
];

/// Those with this constraint: some modules are for proofs alone.
fn with_constraint(constrain: Constrain) -> impl Iterator<Item = Variant> {
    ALL.into_iter().filter(move |(_, own)| *own == constrain)
}

/// Those with this authentication: some modules are for assertions alone.
fn with_auth(auth: Auth) -> impl Iterator<Item = Variant> {
    ALL.into_iter().filter(move |(own, _)| *own == auth)
}
