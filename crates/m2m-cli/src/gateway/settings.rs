//! What the gateway is to do: flags over the table `[gateway]` over defaults, put together and judged by [`check`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use m2m_io::Network;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::Origin;

use super::check;
use super::stated::{Stated, Trust};
use crate::Surroundings;
use crate::args::{Dialect, Gateway, LogFormat};
use crate::exit::Failure;
use crate::listen::Asks;
use crate::proxy::identity::Believed;
use crate::proxy::inbound::Token;
use crate::proxy::rules::{Otherwise, Rules};
use crate::proxy::upstream::{self, ANSWER, Target, connect::CONNECT};
use crate::serve::forwarded::{CertificateHeader, TrustedProxies};
use crate::settings::search::{self, Located, Start};

/// Where to listen where nobody says.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8480);

/// What is done with a request that is let in.
#[derive(Debug)]
pub(crate) enum Work {
    /// It goes on to the program.
    Forward(Target, upstream::Settings),
    /// The proxy that asked is told.
    Answer(Dialect),
}

/// Settings that passed every check that needs no socket.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) work: Work,
    pub(crate) trust: Vec<Trust>,
    pub(crate) rules: Rules,
    pub(crate) believed: Believed,
    pub(crate) token: Token,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) asks: Asks,
    pub(crate) behind_tls_proxy: bool,
    pub(crate) proxies: TrustedProxies,
    pub(crate) dpop_origin: Option<Origin>,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) shutdown_delay: Duration,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) egress: Vec<String>,
    /// The file that holds the table, if one does.
    pub(crate) path: Option<PathBuf>,
}

/// What is stated, and which file says a part of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) stated: Stated,
    pub(crate) egress: Vec<String>,
    pub(crate) path: Option<PathBuf>,
}

/// Reads the nearest file that has the table, and puts the flags over it.
///
/// # Errors
/// Exit 2 for a flag, exit 3 for the file.
pub(crate) fn find(typed: &Gateway, around: &Surroundings) -> Result<Found, Failure> {
    let (config, directory) = (around.global.config.as_deref(), around.directory.as_path());
    let files = search::find(Start { config, directory, environment: &around.environment })?;
    for warning in &files.warnings {
        around.output.warn(warning);
    }
    let with_table = files.located.into_iter().find(|located| located.document.gateway.is_some());
    let (file, egress, path) = match with_table {
        Some(Located { document, trust }) => {
            if !trust.runs_commands() && states_access(typed) {
                return Err(mixed(&document.path));
            }
            (document.gateway.unwrap_or_default(), document.egress, Some(document.path))
        }
        None => (Stated::default(), Vec::new(), None),
    };
    Ok(Found { stated: Stated::typed_over(typed, file)?, egress, path })
}

/// Whether what was typed says who is let in to what.
fn states_access(typed: &Gateway) -> bool {
    let texts = [
        &typed.upstream,
        &typed.issuer,
        &typed.audience,
        &typed.jwks_uri,
        &typed.token_profile,
        &typed.status_list,
        &typed.revocation_feed,
        &typed.introspect,
        &typed.introspect_profile,
    ];
    let lists = [&typed.require_scope, &typed.rule, &typed.public];
    let typed_any = texts.iter().any(|text| text.is_some()) || lists.iter().any(|list| !list.is_empty());
    typed_any || typed.forward_auth.is_some()
}

/// A file that came with somebody's repository may not add an issuer or a public path to what was typed.
fn mixed(path: &Path) -> Failure {
    let path = path.display();
    Failure::configuration(format!("{path} was found, and its [gateway] would be mixed with what was typed"))
        .hint(format!(
            "if you trust that file, name it: --config {path}; or say so: m2m profile trust {path}; else work in \
             another directory"
        ))
}

/// How the log is written, where the settings cannot be read: as typed.
pub(crate) fn log(found: &Result<Found, Failure>, typed: &Gateway) -> LogFormat {
    found.as_ref().ok().and_then(|found| found.stated.log).or(typed.log).unwrap_or_default()
}

impl Settings {
    /// Judges what is stated, and fills in the defaults.
    ///
    /// # Errors
    /// Exit 3 for the first rule that is broken, with what to do.
    pub(crate) fn of(found: Found) -> Result<Self, Failure> {
        let stated = found.stated;
        check::all(&stated)?;
        let wrong = |name: &str, problem: String| Failure::configuration(format!("{name}: {problem}"));
        let work = work(&stated)?;
        let every = stated.require_scope.unwrap_or_else(Scope::empty);
        let without_rules = if stated.rules.is_empty() { Otherwise::Token } else { Otherwise::Refuse };
        let all = stated.rules.into_iter().chain(stated.public).collect();
        let rules = Rules::new(all, &every, stated.otherwise.unwrap_or(without_rules));
        let own = stated.issuer.zip(stated.audience);
        let own = own.map(|(issuer, audience)| Trust { issuer, audience, checks: stated.checks });
        let header =
            if stated.client_cert_header { CertificateHeader::Read } else { CertificateHeader::Ignored };
        Ok(Self {
            listen: stated.listen.unwrap_or(LISTEN),
            work,
            trust: own.into_iter().chain(stated.trust).collect(),
            rules: rules.map_err(|problem| wrong("rules", problem))?,
            believed: Believed::and(&stated.strip_headers)
                .map_err(|problem| wrong("strip_headers", problem))?,
            token: if stated.pass_token { Token::Passed } else { Token::Removed },
            tls: stated.tls_cert.zip(stated.tls_key),
            asks: if stated.client_certs { Asks::ForCertificates } else { Asks::ForNothing },
            behind_tls_proxy: stated.behind_tls_proxy,
            proxies: TrustedProxies::new(stated.trusted_proxies, header),
            dpop_origin: stated.dpop_origin,
            security_profile: stated.security_profile,
            metrics_listen: stated.metrics_listen,
            shutdown_delay: stated.shutdown_delay,
            ca_file: stated.ca_file,
            egress: found.egress,
            path: found.path,
        })
    }

    /// The networks of proxies that are believed.
    pub(crate) fn crowds(&self) -> Vec<Network> {
        self.proxies.networks().to_vec()
    }
}

fn work(stated: &Stated) -> Result<Work, Failure> {
    if let Some(dialect) = stated.forward_auth {
        return Ok(Work::Answer(dialect));
    }
    let text = stated.upstream.as_deref().unwrap_or_default();
    let target = Target::parse(text, stated.upstream_ca.as_deref());
    let target = target.map_err(|problem| Failure::configuration(format!("upstream: {problem}")))?;
    let settings = upstream::Settings {
        connect: CONNECT,
        answer: stated.upstream_timeout.unwrap_or(ANSWER),
        host: stated.upstream_host.clone(),
    };
    Ok(Work::Forward(target, settings))
}
