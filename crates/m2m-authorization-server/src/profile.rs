//! The gate of the security profile: what it lets in, on top of what is right anyway. Pure.
//!
//! Sections: FAPI 2.0 Security Profile §5.3.2.1
//! Enforces, where [`SecurityProfile::Fapi2`] is set:
//! - before anybody is looked up: no secret, no assertion with another algorithm or another `aud` than the issuer's
//!   bare string ([`presented`]), at each endpoint where clients authenticate
//! - no token that is bound to nothing: `policy` asks [`SecurityProfile::demands_binding`] through `Held`
//! - no token under another algorithm ([`granted`]), though its API was registered before the profile was set
//! - no new credential and no new API that could not be used ([`credential`], [`api`])
//! - settings that keep the clock rules, https, and no signing key of another algorithm ([`settings`])
//!
//! Does not enforce: the signature and the other claims of an assertion (`authenticate`), the proof (`endpoints::token`,
//! which takes the algorithms from here).

use m2m_proto::client_auth::{ClientAuthMethod, Presented, PresentedKind};
use m2m_proto::security_profile::{OutsideProfile, SecurityProfile};
use m2m_proto::uri::Issuer;

use crate::authenticate::AuthenticatedClient;
use crate::config::ServerBuilder;
use crate::policy::{Denied, Grant};
use crate::registry::{AcceptedAudience, Api, Credential, CredentialSpec, Material, Proof, TokenFormat};

/// Judges what a request presents by itself: nothing that is said depends on what is registered.
// spec: FAPI-AS1, FAPI-AS2, FAPI-X1, OIDF-AS9, OIDF-AS12
pub(crate) fn presented(
    profile: SecurityProfile,
    presented: &Presented,
    issuer: &Issuer,
) -> Result<(), OutsideProfile> {
    match presented.kind() {
        PresentedKind::SecretBasic(_) => profile.method(ClientAuthMethod::ClientSecretBasic),
        PresentedKind::SecretPost(_) => profile.method(ClientAuthMethod::ClientSecretPost),
        PresentedKind::Assertion { assertion, .. } => {
            profile.algorithm(assertion.algorithm())?;
            profile.audience(assertion.audience(), issuer)
        }
        PresentedKind::Certificate { .. } => Ok(()),
        // Whatever else there may come to be is not of the profile until it says so.
        _ if profile.restricts() => Err(OutsideProfile::NoMethod),
        _ => Ok(()),
    }
}

/// Judges who was believed: what somebody else signed is no key of the client's own, whatever carried it.
pub(crate) fn believed(profile: SecurityProfile, client: &AuthenticatedClient) -> Result<(), OutsideProfile> {
    if profile.restricts() && client.external().is_some() { Err(OutsideProfile::NoMethod) } else { Ok(()) }
}

/// Judges the token that would be made.
// spec: FAPI-X1
pub(crate) fn granted(profile: SecurityProfile, grant: &Grant) -> Result<(), Denied> {
    api(profile, grant.api()).map_err(|_| Denied::ApiAlgorithm)
}

/// Judges an API: sealed tokens are signed by nobody.
pub(crate) fn api(profile: SecurityProfile, api: &Api) -> Result<(), OutsideProfile> {
    match api.format {
        TokenFormat::Jwt => profile.algorithm(api.algorithm),
        TokenFormat::Opaque => Ok(()),
    }
}

/// Judges the order for a credential.
// spec: FAPI-AS1
pub(crate) fn credential(profile: SecurityProfile, spec: &CredentialSpec) -> Result<(), OutsideProfile> {
    if profile.restricts() && spec.accepted_audience == AcceptedAudience::IssuerOrTokenEndpoint {
        return Err(OutsideProfile::AudienceRule);
    }
    match &spec.proof {
        Proof::ClientSecret(_) | Proof::ImportedHash(..) | Proof::ImportedSecret(..) => {
            profile.method(ClientAuthMethod::ClientSecretBasic)
        }
        Proof::Federated(_) if profile.restricts() => Err(OutsideProfile::NoMethod),
        Proof::ClientSecretJwt => profile.method(ClientAuthMethod::ClientSecretJwt),
        Proof::PublicKeys(set) => {
            let signs = |key: &std::sync::Arc<m2m_proto::jose::VerifyingKey>| {
                key.algorithms().any(|algorithm| profile.algorithm(algorithm).is_ok())
            };
            if set.keys().iter().any(signs) || !profile.restricts() {
                Ok(())
            } else {
                Err(OutsideProfile::NoKey)
            }
        }
        Proof::Federated(_) | Proof::JwksUri(_) | Proof::CertificateSubject(_) | Proof::Certificate(_) => {
            Ok(())
        }
    }
}

/// Whether what is registered could authenticate anybody.
pub(crate) fn serves(profile: SecurityProfile, credential: &Credential) -> bool {
    if !profile.restricts() {
        return true;
    }
    match &credential.material {
        Material::PublicKeys(set) => set
            .keys()
            .iter()
            .flat_map(|key| key.algorithms())
            .any(|algorithm| profile.algorithm(algorithm).is_ok()),
        Material::Federated(_) => false,
        _ => profile.method(credential.method()).is_ok(),
    }
}

/// Judges the settings of a server.
// spec: FAPI-AS3, FAPI-X1
pub(crate) fn settings(settings: &ServerBuilder) -> Result<(), OutsideProfile> {
    let profile = settings.security_profile;
    profile.address(settings.issuer.endpoint())?;
    let alias = settings.mutual_tls.as_ref().and_then(|mutual_tls| mutual_tls.alias_base.as_ref());
    alias.map_or(Ok(()), |alias| profile.address(alias))?;
    profile.tolerance(settings.skew)?;
    settings.signing_keys.iter().try_for_each(|key| profile.algorithm(key.algorithm()))
}

#[cfg(test)]
mod tests;
