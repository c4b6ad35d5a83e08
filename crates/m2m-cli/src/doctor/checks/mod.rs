//! The judgements: facts in, finding out. Nothing here asks the world anything.

mod answer;
mod claims;
mod credential;
mod discovery;
mod keys;
mod network;
mod settings;
#[cfg(test)]
mod tests;

use super::catalogue::{Check, TABLE};
use super::facts::Facts;
use super::finding::{Finding, Report, Status};

/// Judges everything, causes before effects.
pub(super) fn judge(facts: &Facts) -> Report {
    let mut report = Report::default();
    for row in TABLE {
        let blocked = report.0.iter().find(|(_, finding)| finding.status == Status::Fail);
        let blocked = blocked.map(|(check, _)| *check);
        let finding = look(row.check, facts, blocked);
        report.0.push((row.check, finding));
    }
    report
}

/// One check. `blocked` is the first that failed before it.
fn look(check: Check, facts: &Facts, blocked: Option<Check>) -> Finding {
    let finding = match check {
        Check::SettingsSource => Some(settings::source(facts)),
        Check::SettingsComplete => settings::complete(facts),
        Check::SecretReadable => credential::readable(facts),
        Check::SecretTrailingNewline => credential::trailing_newline(facts),
        Check::SecretFileMode => credential::file_mode(facts),
        Check::SecretDoubleEncoded => credential::double_encoded(facts),
        Check::KeyUsable => credential::key_usable(facts),
        Check::CertificateExpiry => credential::certificate_expiry(facts),
        Check::Proxy => network::proxy(facts),
        Check::Dns => network::dns(facts),
        Check::TcpConnect => network::connect(facts),
        Check::TlsChain => network::tls_chain(facts),
        Check::TlsExpired => network::tls_expired(facts),
        // Whoever cannot be reached offers no metadata either; once is enough.
        Check::DiscoveryReachable if blocked.is_some_and(is_on_the_way) => None,
        Check::DiscoveryReachable => discovery::reachable(facts),
        Check::DiscoveryIssuer => discovery::issuer(facts),
        Check::AuthMethod => discovery::method(facts),
        Check::AuthProbe => discovery::probe(facts),
        Check::ClockOffset => answer::clock(facts),
        Check::TokenNotJson => answer::not_json(facts),
        Check::TokenRequest => answer::request(facts, blocked),
        Check::TokenExpiresIn => answer::expires_in(facts),
        Check::TokenType => answer::token_type(facts),
        Check::TokenScope => answer::scope(facts),
        Check::TokenAudience => claims::audience(facts),
        Check::TokenIssuer => claims::issuer(facts),
        Check::TokenTyp => claims::typ(facts),
        Check::TokenLifetime => claims::lifetime(facts),
        Check::JwksUnreachable => keys::unreachable(facts),
        Check::JwksKeys => keys::keys(facts),
        Check::Quota => answer::quota(facts),
        Check::Destinations => settings::destinations(facts),
    };
    finding.unwrap_or_else(|| match blocked {
        Some(check) => Finding::skip(format!("cannot be looked at before {} is in order", check.id())),
        None => Finding::skip("does not apply"),
    })
}

/// Checks of the way to the server.
fn is_on_the_way(check: Check) -> bool {
    matches!(check, Check::Proxy | Check::Dns | Check::TcpConnect | Check::TlsChain | Check::TlsExpired)
}
