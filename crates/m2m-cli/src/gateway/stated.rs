//! What flags and file say, before it is put together and judged: all optional, nothing checked against the rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use m2m_io::Network;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use m2m_resource_server::{Introspect, StatusCheck, token_profiles};

use crate::args::{Dialect, Gateway, LogFormat};
use crate::exit::Failure;
use crate::proxy::rules::{Otherwise, Rule};
use crate::serve::{network, stated};

/// The keys of `[gateway]`, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stated {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) upstream: Option<String>,
    pub(crate) forward_auth: Option<Dialect>,
    pub(crate) issuer: Option<Issuer>,
    pub(crate) audience: Option<String>,
    /// Of tokens of `issuer`.
    pub(crate) checks: Checks,
    pub(crate) trust: Vec<Trust>,
    pub(crate) require_scope: Option<Scope>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) public: Vec<Rule>,
    pub(crate) otherwise: Option<Otherwise>,
    pub(crate) pass_token: bool,
    pub(crate) strip_headers: Vec<String>,
    pub(crate) upstream_host: Option<HeaderValue>,
    pub(crate) upstream_ca: Option<PathBuf>,
    pub(crate) upstream_timeout: Option<Duration>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_certs: bool,
    pub(crate) behind_tls_proxy: bool,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) client_cert_header: bool,
    pub(crate) dpop_origin: Option<Origin>,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) log: Option<LogFormat>,
    pub(crate) shutdown_delay: Duration,
    pub(crate) ca_file: Option<PathBuf>,
}

/// An issuer, and how its tokens are checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trust {
    pub(crate) issuer: Issuer,
    pub(crate) audience: String,
    pub(crate) checks: Checks,
}

/// How the tokens of one issuer are checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checks {
    pub(crate) jwks_uri: Option<EndpointUri>,
    /// How its tokens look; `None`: RFC 9068.
    pub(crate) profile: Option<TokenProfile>,
    /// `None`: no list is read.
    pub(crate) status_list: Option<StatusCheck>,
    pub(crate) revocation_feed: Option<EndpointUri>,
    /// Which of its tokens it is asked about; `None`: none, and opaque ones are refused.
    pub(crate) introspect: Option<Introspect>,
    /// The client that asks: a profile of `m2m.toml`.
    pub(crate) introspect_profile: Option<String>,
    /// How its opaque tokens begin.
    pub(crate) opaque_prefix: Option<String>,
}

impl Checks {
    /// The first key that says anything.
    pub(crate) fn any(&self) -> Option<&'static str> {
        let keys = [
            ("jwks_uri", self.jwks_uri.is_some()),
            ("profile", self.profile.is_some()),
            ("status_list", self.status_list.is_some()),
            ("revocation_feed", self.revocation_feed.is_some()),
            ("introspect", self.introspect.is_some()),
            ("introspect_profile", self.introspect_profile.is_some()),
            ("opaque_prefix", self.opaque_prefix.is_some()),
        ];
        keys.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }
}

impl Stated {
    /// What was typed, over what the file says.
    ///
    /// # Errors
    /// Exit 2, naming the flag.
    pub(crate) fn typed_over(typed: &Gateway, mut file: Self) -> Result<Self, Failure> {
        if typed.upstream.is_some() || typed.forward_auth.is_some() {
            (file.upstream, file.forward_auth) = (typed.upstream.clone(), typed.forward_auth);
        }
        wins(typed.listen, &mut file.listen);
        let issuer = flag("--issuer", typed.issuer.as_ref(), stated::issuer)?;
        if issuer.as_ref().is_some_and(|typed| file.issuer.as_ref().is_some_and(|other| other != typed)) {
            // What the file says of its issuer holds for no other: its keys would speak for this one.
            (file.audience, file.checks) = (None, Checks::default());
        }
        wins(issuer, &mut file.issuer);
        wins(typed.audience.clone(), &mut file.audience);
        typed_checks(typed, &mut file.checks)?;
        wins(typed.tls_cert.clone(), &mut file.tls_cert);
        wins(typed.tls_key.clone(), &mut file.tls_key);
        wins(typed.metrics_listen, &mut file.metrics_listen);
        wins(typed.log, &mut file.log);
        wins(typed.ca_file.clone(), &mut file.ca_file);
        wins(typed.upstream_ca.clone(), &mut file.upstream_ca);
        wins(flag("--dpop-origin", typed.dpop_origin.as_ref(), origin)?, &mut file.dpop_origin);
        file.pass_token |= typed.pass_token;
        file.client_certs |= typed.client_certs;
        file.behind_tls_proxy |= typed.behind_tls_proxy;
        if !typed.require_scope.is_empty() {
            file.require_scope = flag("--require-scope", Some(&typed.require_scope.join(" ")), scope)?;
        }
        replaces("--rule", &typed.rule, Rule::parse, &mut file.rules)?;
        replaces("--public", &typed.public, Rule::public, &mut file.public)?;
        replaces("--strip-header", &typed.strip_header, |name| Ok(name.to_owned()), &mut file.strip_headers)?;
        replaces("--trusted-proxy", &typed.trusted_proxy, network::parse, &mut file.trusted_proxies)?;
        Ok(file)
    }
}

fn typed_checks(typed: &Gateway, file: &mut Checks) -> Result<(), Failure> {
    wins(flag("--jwks-uri", typed.jwks_uri.as_ref(), endpoint)?, &mut file.jwks_uri);
    wins(flag("--token-profile", typed.token_profile.as_ref(), token_profile)?, &mut file.profile);
    wins(flag("--status-list", typed.status_list.as_ref(), status_check)?, &mut file.status_list);
    wins(flag("--revocation-feed", typed.revocation_feed.as_ref(), endpoint)?, &mut file.revocation_feed);
    wins(flag("--introspect", typed.introspect.as_ref(), introspect)?, &mut file.introspect);
    wins(typed.introspect_profile.clone(), &mut file.introspect_profile);
    Ok(())
}

fn wins<T>(typed: Option<T>, place: &mut Option<T>) {
    if typed.is_some() {
        *place = typed;
    }
}

fn flag<T>(
    name: &str,
    typed: Option<&String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    typed.map(|text| parse(text).map_err(|problem| wrong(name, &problem))).transpose()
}

fn replaces<T>(
    name: &str,
    typed: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
    place: &mut Vec<T>,
) -> Result<(), Failure> {
    if typed.is_empty() {
        return Ok(());
    }
    let parsed: Result<_, String> = typed.iter().map(|text| parse(text)).collect();
    *place = parsed.map_err(|problem| wrong(name, &problem))?;
    Ok(())
}

fn wrong(flag: &str, problem: &str) -> Failure {
    Failure::usage(format!("{flag}: {problem}")).hint("`m2m gateway --help` says what each setting is")
}

/// Where keys are.
pub(crate) fn endpoint(text: &str) -> Result<EndpointUri, String> {
    EndpointUri::parse(text)
        .map_err(|error| format!("expected a URL such as https://login.example.com/jwks: {error}"))
}

/// How tokens look, by name.
pub(crate) fn token_profile(text: &str) -> Result<TokenProfile, String> {
    token_profiles::named(text).ok_or_else(|| {
        let names: Vec<&str> = token_profiles::ALL.iter().map(|profile| profile.name).collect();
        format!("expected one of {}, found {text:?}", names.join(", "))
    })
}

/// Whether lists of what was withdrawn are read.
pub(crate) fn status_check(text: &str) -> Result<StatusCheck, String> {
    match text {
        "follow" => Ok(StatusCheck::Follow),
        "required" => Ok(StatusCheck::Required),
        _ => Err(format!("expected \"follow\" or \"required\", found {text:?}")),
    }
}

/// Which tokens the issuer is asked about.
pub(crate) fn introspect(text: &str) -> Result<Introspect, String> {
    match text {
        "opaque" => Ok(Introspect::Opaque),
        "jwt" => Ok(Introspect::Jwt),
        "always" => Ok(Introspect::Always),
        _ => Err(format!("expected \"opaque\", \"jwt\" or \"always\", found {text:?}")),
    }
}

/// What clients write into their proofs before the path.
pub(crate) fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text)
        .map_err(|error| format!("expected an origin such as https://api.example.com: {error}"))
}

/// Scopes with spaces between.
pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).map_err(|error| error.to_string())
}

/// What happens where no rule holds.
pub(crate) fn otherwise(text: &str) -> Result<Otherwise, String> {
    match text {
        "refuse" => Ok(Otherwise::Refuse),
        "token" => Ok(Otherwise::Token),
        _ => Err(format!("expected \"refuse\" or \"token\", found {text:?}")),
    }
}

/// For which proxy.
pub(crate) fn dialect(text: &str) -> Result<Dialect, String> {
    <Dialect as clap::ValueEnum>::from_str(text, false)
        .map_err(|_| format!("expected \"nginx\", \"traefik\", \"caddy\" or \"envoy\", found {text:?}"))
}

/// `Host` towards the program.
pub(crate) fn host(text: &str) -> Result<HeaderValue, String> {
    let parsed = text.parse::<http::uri::Authority>().ok().filter(|name| !name.as_str().contains('@'));
    let value = parsed.and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    value.ok_or_else(|| format!("expected a host such as app.internal:3000, found {text:?}"))
}
