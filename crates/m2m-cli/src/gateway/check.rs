//! What a gateway may not be told to do, with what to do instead. Pure.
//!
//! Enforces, in this order: one thing to do, and whose tokens count; a certificate with its key; no tokens in the clear
//! beyond this machine, unless a proxy in front ends TLS; client certificates only where something can show them and
//! something can hand them over; one listener per address.
//! Does not enforce: that files can be read and ports be had, which is seen when they are opened.

use std::net::SocketAddr;
use std::time::Duration;

use super::settings::LISTEN;
use super::stated::Stated;
use m2m_resource_server::Introspect;

use crate::exit::Failure;

const MAX_SHUTDOWN_DELAY: Duration = Duration::from_secs(300);

/// All rules.
///
/// # Errors
/// Exit 3 for the first that is broken.
pub(crate) fn all(stated: &Stated) -> Result<(), Failure> {
    for rule in
        [work, issuers, introspection, profile, pair, transport, certificates, upstream, listeners, times]
    {
        rule(stated)?;
    }
    Ok(())
}

fn refuse(problem: impl Into<String>, advice: &str) -> Result<(), Failure> {
    Err(Failure::configuration(problem).hint(advice))
}

fn listen(stated: &Stated) -> SocketAddr {
    stated.listen.unwrap_or(LISTEN)
}

fn work(stated: &Stated) -> Result<(), Failure> {
    match (&stated.upstream, stated.forward_auth) {
        (Some(_), Some(_)) => refuse(
            "upstream and forward_auth exclude each other",
            "with an upstream this is the proxy; forward_auth answers another proxy's question: run two",
        ),
        (None, None) => refuse(
            "nothing to do: no upstream and no forward_auth",
            "--upstream http://127.0.0.1:3000 is the program to protect; --forward-auth nginx answers a proxy",
        ),
        _ => Ok(()),
    }
}

fn issuers(stated: &Stated) -> Result<(), Failure> {
    let advice = "--issuer URL is whose tokens are accepted, --audience AUD the API that they must be for";
    match (&stated.issuer, &stated.audience) {
        (None, None) if stated.trust.is_empty() => refuse("no issuer is trusted", advice),
        (None, Some(_)) => refuse("audience needs issuer", advice),
        (Some(issuer), None) => {
            refuse(format!("no audience is set for tokens of {}", issuer.as_str()), advice)
        }
        // What says something about the one issuer, and not about those in `trust`.
        (None, None) => match stated.checks.any() {
            Some(name) => refuse(format!("{name} needs issuer"), advice),
            None => Ok(()),
        },
        (Some(_), Some(_)) => Ok(()),
    }
}

fn introspection(stated: &Stated) -> Result<(), Failure> {
    for checks in stated.trust.iter().map(|trust| &trust.checks).chain([&stated.checks]) {
        match (checks.introspect, &checks.introspect_profile, &checks.opaque_prefix) {
            (Some(_), None, _) => {
                return refuse(
                    "introspect needs introspect_profile",
                    "name the profile of m2m.toml whose client may ask about tokens: introspect_profile = \"orders-api\"",
                );
            }
            (None, Some(_), _) => {
                return refuse(
                    "introspect_profile needs introspect",
                    "say about which tokens: introspect = \"opaque\"",
                );
            }
            (None | Some(Introspect::Jwt), _, Some(_)) => {
                return refuse(
                    "opaque_prefix needs introspect = \"opaque\" or \"always\"",
                    "an opaque token can only be asked about: introspect = \"opaque\"",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether any token could ever be accepted.
fn profile(stated: &Stated) -> Result<(), Failure> {
    let binds = stated.dpop_origin.is_some() || stated.client_certs || stated.client_cert_header;
    if !stated.security_profile.demands_binding() || binds {
        return Ok(());
    }
    refuse(
        "security_profile = \"fapi2\" takes bound tokens alone, and nothing says how possession is shown",
        "dpop_origin = \"https://HOST\" takes DPoP proofs; client_certs or client_cert_header takes certificates",
    )
}

fn pair(stated: &Stated) -> Result<(), Failure> {
    match (&stated.tls_cert, &stated.tls_key) {
        (Some(_), None) => {
            refuse("tls_cert needs tls_key", "name the certificate's private key: --tls-key FILE")
        }
        (None, Some(_)) => refuse("tls_key needs tls_cert", "name the key's certificate: --tls-cert FILE"),
        _ => Ok(()),
    }
}

fn transport(stated: &Stated) -> Result<(), Failure> {
    let has_tls = stated.tls_cert.is_some();
    if has_tls && stated.behind_tls_proxy {
        return refuse(
            "behind_tls_proxy and tls_cert contradict each other",
            "with tls_cert this gateway speaks TLS to the proxy too: leave behind_tls_proxy out",
        );
    }
    if listen(stated).ip().is_loopback() || has_tls || stated.behind_tls_proxy {
        return Ok(());
    }
    refuse(
        format!("plain HTTP at {} would carry tokens in the clear", listen(stated)),
        "give --tls-cert and --tls-key; or --behind-tls-proxy, where a proxy in front ends TLS; or listen on 127.0.0.1",
    )
}

// spec: 8705-RS2
fn certificates(stated: &Stated) -> Result<(), Failure> {
    if stated.client_certs && stated.tls_cert.is_none() {
        return refuse(
            "client_certs needs tls_cert and tls_key",
            "client certificates are shown in the TLS handshake; where a proxy ends TLS, client_cert_header takes \
             them from it instead",
        );
    }
    if stated.client_cert_header && stated.trusted_proxies.is_empty() {
        return refuse(
            "client_cert_header needs trusted_proxies",
            "anybody can write a header: trusted_proxies = [\"10.0.0.5\"] names the proxies whose Client-Cert counts",
        );
    }
    Ok(())
}

fn upstream(stated: &Stated) -> Result<(), Failure> {
    let settings = [
        ("upstream_host", stated.upstream_host.is_some()),
        ("upstream_ca", stated.upstream_ca.is_some()),
        ("upstream_timeout", stated.upstream_timeout.is_some()),
    ];
    match settings.into_iter().find(|(_, is_set)| *is_set && stated.upstream.is_none()) {
        Some((name, _)) => refuse(format!("{name} is for an upstream, and there is none"), "leave it out"),
        None => Ok(()),
    }
}

fn listeners(stated: &Stated) -> Result<(), Failure> {
    let metrics = stated.metrics_listen.filter(|address| address.port() != 0);
    if metrics == Some(listen(stated)) {
        return refuse("metrics_listen and listen are the same address", "give each its own port");
    }
    Ok(())
}

fn times(stated: &Stated) -> Result<(), Failure> {
    if stated.shutdown_delay > MAX_SHUTDOWN_DELAY {
        return refuse(
            "shutdown_delay is longer than 5m",
            "5s is enough for most load balancers to look away",
        );
    }
    if stated.upstream_timeout == Some(Duration::ZERO) {
        return refuse("upstream_timeout is nothing", "the program needs some time to answer: 60s");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use m2m_proto::uri::Issuer;

    use super::super::stated::Checks;
    use super::*;

    fn good() -> Stated {
        Stated {
            upstream: Some("http://127.0.0.1:3000".to_owned()),
            issuer: Some(Issuer::parse("https://as.example").unwrap()),
            audience: Some("orders".to_owned()),
            ..Stated::default()
        }
    }

    #[test]
    fn each_rule_refuses_what_it_names() {
        let check = |change: &dyn Fn(&mut Stated), expect: Option<&str>| {
            let mut stated = good();
            change(&mut stated);
            let problem = all(&stated).err().map(|failure| failure.message().to_owned());
            assert_eq!(problem.as_deref(), expect);
        };
        check(&|_| {}, None);
        check(&|stated| stated.upstream = None, Some("nothing to do: no upstream and no forward_auth"));
        check(&|stated| stated.audience = None, Some("no audience is set for tokens of https://as.example"));
        check(&|stated| stated.issuer = None, Some("audience needs issuer"));
        check(&|stated| (stated.issuer, stated.audience) = (None, None), Some("no issuer is trusted"));
        let feed = m2m_proto::uri::EndpointUri::parse("https://as.example/feed").unwrap();
        let elsewhere = super::super::stated::Trust {
            issuer: Issuer::parse("https://b.example").unwrap(),
            audience: "b".to_owned(),
            checks: Checks::default(),
        };
        check(
            &|stated| {
                (stated.issuer, stated.audience) = (None, None);
                (stated.trust, stated.checks.revocation_feed) = (vec![elsewhere.clone()], Some(feed.clone()));
            },
            Some("revocation_feed needs issuer"),
        );
        let asks = |which, profile: Option<&str>, prefix: Option<&str>| Checks {
            introspect: which,
            introspect_profile: profile.map(str::to_owned),
            opaque_prefix: prefix.map(str::to_owned),
            ..Checks::default()
        };
        let opaque = Some(Introspect::Opaque);
        check(&|stated| stated.checks = asks(opaque, Some("rs"), Some("ory_at_")), None);
        check(
            &|stated| stated.checks = asks(opaque, None, None),
            Some("introspect needs introspect_profile"),
        );
        check(
            &|stated| stated.checks = asks(None, Some("rs"), None),
            Some("introspect_profile needs introspect"),
        );
        check(
            &|stated| stated.checks = asks(Some(Introspect::Jwt), Some("rs"), Some("ory_at_")),
            Some("opaque_prefix needs introspect = \"opaque\" or \"always\""),
        );
        check(&|stated| stated.tls_key = Some("k".into()), Some("tls_key needs tls_cert"));
        check(&|stated| stated.tls_cert = Some("c".into()), Some("tls_cert needs tls_key"));
        let fapi2 = m2m_proto::security_profile::SecurityProfile::Fapi2;
        check(
            &|stated| stated.security_profile = fapi2,
            Some(
                "security_profile = \"fapi2\" takes bound tokens alone, and nothing says how possession is shown",
            ),
        );
        let origin = m2m_proto::uri::Origin::parse("https://orders.example").ok();
        check(&|stated| (stated.security_profile, stated.dpop_origin) = (fapi2, origin.clone()), None);
        let everywhere = "0.0.0.0:80".parse().ok();
        let clear = Some("plain HTTP at 0.0.0.0:80 would carry tokens in the clear");
        check(&|stated| stated.listen = everywhere, clear);
        check(&|stated| (stated.listen, stated.behind_tls_proxy) = (everywhere, true), None);
        check(&|stated| stated.client_certs = true, Some("client_certs needs tls_cert and tls_key"));
        check(&|stated| stated.client_cert_header = true, Some("client_cert_header needs trusted_proxies"));
        let same = Some("metrics_listen and listen are the same address");
        check(&|stated| stated.metrics_listen = Some(LISTEN), same);
        check(&|stated| stated.upstream_timeout = Some(Duration::ZERO), Some("upstream_timeout is nothing"));
    }
}
