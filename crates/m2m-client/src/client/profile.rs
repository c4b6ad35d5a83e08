//! The rules of the security profile for the settings of a client. Pure: nothing is read, nothing is sent.
//!
//! Sections: FAPI 2.0 Security Profile §5.3.3.1
//! Enforces, where [`SecurityProfile::Fapi2`] is set: an issuer over https, whose metadata names every endpoint; a key
//! or a certificate of the client's own; the issuer as audience of assertions; tokens that are bound; PS256, ES256 or
//! EdDSA for the keys that are known now.
//! Does not enforce: the algorithm of a key that is read later (`credentials::signing`), nor what the server answers
//! (`mint`).

use m2m_proto::security_profile::{OutsideProfile, SecurityProfile};

use crate::config::{AssertionAudienceRule, ClientBuilder, ServerKind};
use crate::credentials::Credentials;
use crate::dpop::Dpop;

/// All rules, with the credentials apart, which were taken out of the settings.
// spec: FAPI-C1, FAPI-X1, OIDF-C1
pub(super) fn check(settings: &ClientBuilder, credentials: &Credentials) -> Result<(), OutsideProfile> {
    let profile = settings.tuning.security_profile;
    if !profile.restricts() {
        return Ok(());
    }
    match &settings.server.0 {
        ServerKind::Issuer(issuer) => profile.address(issuer.endpoint())?,
        ServerKind::Endpoints(_) => profile.configured_endpoint("token endpoint")?,
    }
    for (set, what) in [
        (settings.introspection.is_some(), "introspection endpoint"),
        (settings.revocation.is_some(), "revocation endpoint"),
    ] {
        if set {
            profile.configured_endpoint(what)?;
        }
    }
    let method = credentials.own_method().ok_or(OutsideProfile::NoMethod)?;
    profile.method(method)?;
    if settings.tuning.assertion_audience != AssertionAudienceRule::Issuer {
        return Err(OutsideProfile::AudienceRule);
    }
    let bound = credentials.uses_certificate() || !matches!(settings.dpop, Dpop::None);
    if !bound || settings.grant.is_self_signed() {
        profile.unbound()?;
    }
    proofs(profile, &settings.dpop)
}

fn proofs(profile: SecurityProfile, dpop: &Dpop) -> Result<(), OutsideProfile> {
    match dpop {
        Dpop::None => Ok(()),
        Dpop::Ephemeral(algorithm) => profile.algorithm(*algorithm),
        Dpop::Key(key) => profile.algorithm(key.algorithm()),
    }
}
