//! What a server may not be told to do, with what to do instead. Pure.
//!
//! Enforces, in this order: no plain HTTP beyond this machine, unless a proxy in front ends TLS; an issuer that clients
//! can reach and that is https beyond this machine; a certificate with its key; client certificates only where
//! something can show and something can hand them over; one listener per address; what the database needs.
//! Does not enforce: that files can be read and ports be had, which is seen when they are opened.

use std::net::SocketAddr;
use std::time::Duration;

use super::database::Database;
use super::settings::LISTEN;
use super::stated::{Replay, Stated};
use crate::exit::Failure;

const MAX_SHUTDOWN_DELAY: Duration = Duration::from_secs(300);

/// All rules.
///
/// # Errors
/// Exit 3 for the first that is broken.
pub(crate) fn all(stated: &Stated) -> Result<(), Failure> {
    for rule in [pair, transport, issuer, mutual_tls, proxies, listeners, database, shutdown] {
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

fn has_tls(stated: &Stated) -> bool {
    stated.tls_cert.is_some()
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

// spec: 6749-AS9
fn transport(stated: &Stated) -> Result<(), Failure> {
    if has_tls(stated) && stated.behind_tls_proxy {
        return refuse(
            "behind_tls_proxy and tls_cert contradict each other",
            "with tls_cert this server speaks TLS to the proxy too: leave behind_tls_proxy out",
        );
    }
    if listen(stated).ip().is_loopback() || has_tls(stated) || stated.behind_tls_proxy {
        return Ok(());
    }
    refuse(
        format!("plain HTTP at {} would carry secrets and tokens in the clear", listen(stated)),
        "give --tls-cert and --tls-key; or --behind-tls-proxy and an https --issuer, where a proxy in front ends \
         TLS; or listen on 127.0.0.1",
    )
}

fn issuer(stated: &Stated) -> Result<(), Failure> {
    let stays_here = listen(stated).ip().is_loopback() && !stated.behind_tls_proxy;
    let advice = "--issuer https://HOST is the URL at which clients reach this server";
    let Some(issuer) = &stated.issuer else {
        return if stays_here { Ok(()) } else { refuse("no issuer is named", advice) };
    };
    if issuer.endpoint().is_https() {
        return Ok(());
    }
    if stated.behind_tls_proxy || has_tls(stated) {
        return refuse(
            format!("issuer: {} is not https, but its clients speak TLS", issuer.as_str()),
            advice,
        );
    }
    if !stays_here || !issuer.origin().is_loopback() {
        return refuse(
            format!("issuer: {} is plain HTTP, which is for this machine alone", issuer.as_str()),
            advice,
        );
    }
    Ok(())
}

fn mutual_tls(stated: &Stated) -> Result<(), Failure> {
    if stated.mtls_listen.is_some() && !has_tls(stated) {
        return refuse(
            "mtls_listen needs tls_cert and tls_key",
            "client certificates are shown in the TLS handshake: give --tls-cert and --tls-key; where a proxy ends \
             TLS, client_cert_header takes them from it instead",
        );
    }
    let arrives = stated.mtls_listen.is_some() || stated.client_cert_header;
    for (name, is_set) in
        [("client_ca", stated.client_ca.is_some()), ("mtls_base", stated.mtls_base.is_some())]
    {
        if is_set && !arrives {
            return refuse(
                format!("{name} is for client certificates, and none can arrive"),
                "--mtls-listen ADDR asks for them; client_cert_header = true takes them from a trusted proxy",
            );
        }
    }
    Ok(())
}

// spec: 8705-RS2
fn proxies(stated: &Stated) -> Result<(), Failure> {
    if stated.client_cert_header && stated.trusted_proxies.is_empty() {
        return refuse(
            "client_cert_header needs trusted_proxies",
            "anybody can write a header: trusted_proxies = [\"10.0.0.5\"] names the proxies whose Client-Cert counts",
        );
    }
    Ok(())
}

fn listeners(stated: &Stated) -> Result<(), Failure> {
    let (main, mtls, metrics) = (Some(listen(stated)), stated.mtls_listen, stated.metrics_listen);
    let pairs = [
        ("mtls_listen", mtls, "listen", main),
        ("metrics_listen", metrics, "listen", main),
        ("metrics_listen", metrics, "mtls_listen", mtls),
    ];
    for (name, address, other_name, other) in pairs {
        if address.is_some_and(|address| address.port() != 0) && address == other {
            return refuse(format!("{name} and {other_name} are the same address"), "give each its own port");
        }
    }
    Ok(())
}

fn database(stated: &Stated) -> Result<(), Failure> {
    let is_local = matches!(stated.database, None | Some(Database::Memory | Database::Sqlite(_)));
    if is_local && stated.tuning.replay == Some(Replay::Shared) {
        return refuse(
            "replay = \"shared\" needs a database that is shared",
            "with one process, \"node\" forgets nothing: leave replay out, or name a postgres:// database",
        );
    }
    if matches!(stated.database, Some(Database::Postgres(_))) && stated.sealing_key.is_none() {
        return refuse(
            "a PostgreSQL database needs sealing_key",
            "every node needs the same one: sealing_key = { file = \"/path\" } in the file that --config names",
        );
    }
    Ok(())
}

fn shutdown(stated: &Stated) -> Result<(), Failure> {
    if stated.shutdown_delay > MAX_SHUTDOWN_DELAY {
        return refuse(
            "shutdown_delay is longer than 5m",
            "5s is enough for most load balancers to look away",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
