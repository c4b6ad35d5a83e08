//! What checks: the verifier of the settings, and the gate around it.

use std::sync::Arc;

use m2m_io::reqwest::ReqwestHttp;
use m2m_io::{Clock, EgressRules, HttpClient};
use m2m_resource_server::error::Error;
use m2m_resource_server::{Dpop, KeysFrom, TrustedIssuer, Verifier};

use super::settings::Settings;
use super::stated::Trust;
use crate::connect::http_failure;
use crate::exit::Failure;

/// The verifier. Nothing is fetched yet.
///
/// # Errors
/// Exit 3: a file of roots, an issuer in the clear, an issuer twice.
pub(super) fn verifier(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Verifier, Failure> {
    let mut builder = Verifier::builder()
        .http(http(settings)?)
        .clock(Arc::clone(clock))
        .security_profile(settings.security_profile);
    for trust in &settings.trust {
        builder = builder.trust_with(trusted(trust));
    }
    if let Some(origin) = &settings.dpop_origin {
        builder = builder.dpop(Dpop::new(origin.clone()));
    }
    builder.build().map_err(|error| {
        let hint = match &error {
            Error::OutsideProfile(_) => {
                "status_list = \"required\" reads what the issuer withdrew; docs/security-profile.md"
            }
            _ => "--issuer URL is whose tokens are accepted, over https",
        };
        Failure::configuration(error.to_string()).hint(hint)
    })
}

fn trusted(trust: &Trust) -> TrustedIssuer {
    let mut issuer = TrustedIssuer::new(trust.issuer.clone()).audience(trust.audience.as_str());
    if let Some(url) = &trust.jwks_uri {
        issuer = issuer.keys(KeysFrom::Url(url.clone()));
    }
    if let Some(profile) = &trust.profile {
        issuer = issuer.profile(*profile);
    }
    if let Some(check) = trust.status_list {
        issuer = issuer.status_list(check);
    }
    if let Some(url) = &trust.revocation_feed {
        issuer = issuer.revocation_feed(url.clone());
    }
    issuer
}

fn http(settings: &Settings) -> Result<Arc<dyn HttpClient>, Failure> {
    let mut http = ReqwestHttp::builder();
    if let Some(path) = &settings.ca_file {
        http = http.ca_file(path).map_err(|error| Failure::configuration(format!("ca_file: {error}")))?;
    }
    let mut egress = EgressRules::new();
    for rule in &settings.egress {
        egress =
            egress.allow(rule).map_err(|error| Failure::configuration(format!("egress.allow: {error}")))?;
    }
    let http = http.egress(egress).build().map_err(|error| http_failure(&error))?;
    Ok(Arc::new(http))
}
