//! What checks: the verifier of the settings, and the gate around it.

use std::path::Path;
use std::sync::Arc;

use m2m_client::Client;
use m2m_io::reqwest::ReqwestHttp;
use m2m_io::{EgressRules, HttpClient};
use m2m_proto::uri::Issuer;
use m2m_resource_server::error::Error;
use m2m_resource_server::{Dpop, KeysFrom, TrustedIssuer, Verifier};

use super::settings::Settings;
use super::stated::Trust;
use crate::Surroundings;
use crate::args::{Global, ProfileFlags};
use crate::connect::{self, Keep, Need, http_failure};
use crate::exit::Failure;
use crate::settings::field::Field;
use crate::settings::{self, Inputs};

/// The verifier. Nothing is fetched yet.
///
/// # Errors
/// Exit 3: a file of roots, an issuer in the clear, an issuer twice, a profile to ask as that is not there.
pub(super) async fn verifier(settings: &Settings, around: &Surroundings) -> Result<Verifier, Failure> {
    let mut builder = Verifier::builder()
        .http(http(settings)?)
        .clock(Arc::clone(&around.clock))
        .security_profile(settings.security_profile);
    for trust in &settings.trust {
        let mut issuer = trusted(trust);
        if let Some((which, profile)) =
            trust.checks.introspect.zip(trust.checks.introspect_profile.as_deref())
        {
            issuer = issuer.introspection(
                asking(&trust.issuer, profile, settings.path.as_deref(), around).await?,
                which,
            );
        }
        builder = builder.trust_with(issuer);
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
    let checks = &trust.checks;
    if let Some(url) = &checks.jwks_uri {
        issuer = issuer.keys(KeysFrom::Url(url.clone()));
    }
    if let Some(profile) = &checks.profile {
        issuer = issuer.profile(*profile);
    }
    if let Some(check) = checks.status_list {
        issuer = issuer.status_list(check);
    }
    if let Some(url) = &checks.revocation_feed {
        issuer = issuer.revocation_feed(url.clone());
    }
    if let Some(prefix) = &checks.opaque_prefix {
        issuer = issuer.opaque_prefix(prefix);
    }
    issuer
}

/// The client that asks `issuer` about tokens. Its profile counts as it is written: what `M2M_*` says is for programs
/// that get tokens.
async fn asking(
    issuer: &Issuer,
    profile: &str,
    path: Option<&Path>,
    around: &Surroundings,
) -> Result<Client, Failure> {
    let global = Global { profile: Some(profile.to_owned()), ..around.global.clone() };
    let (flags, directory) = (ProfileFlags::default(), around.directory.as_path());
    let inputs = Inputs { global: &global, flags: &flags, environment: &around.environment, directory };
    let settings = settings::Settings::resolve_without_variables(inputs)?;
    settings.warnings().iter().for_each(|warning| around.output.warn(warning));
    vouched(&settings, profile, path)?;
    match settings.text(Field::Issuer) {
        Some(named) if named == issuer.as_str() => {}
        named => {
            let whose =
                named.map_or_else(|| "names no issuer".to_owned(), |named| format!("is a client of {named}"));
            let problem =
                format!("introspect_profile: {profile} {whose}, and tokens of {issuer} are asked about");
            return Err(Failure::configuration(problem)
                .hint("tokens are shown to nobody but their issuer: give the profile its issuer"));
        }
    }
    connect::client(
        &settings,
        around,
        &Need { keep: Keep::Nothing, destination: None, signed_answers: false },
    )
    .await
}

/// Who answers for the issuer is said where the gateway's settings are, or in a file that is trusted: not by one that
/// only lies in the working directory.
fn vouched(settings: &settings::Settings, profile: &str, path: Option<&Path>) -> Result<(), Failure> {
    let Some((file, trust)) = settings.file() else { return Ok(()) };
    if path == Some(file) || trust.runs_commands() {
        return Ok(());
    }
    let file = file.display();
    Err(Failure::configuration(format!("introspect_profile: {profile} is in {file}, which was only found"))
        .hint(format!(
            "if you trust that file, name it: --config {file}; or say so: m2m profile trust {file}"
        )))
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
