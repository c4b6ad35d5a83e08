//! The keys of `[gateway]` in `m2m.toml`, with what each one is and what goes where nobody says anything.
//!
//! The parser takes these and no others (`every_key_is_read`); the end of `m2m gateway --help` lists them.

use m2m_resource_server::token_profiles;

/// One key of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// As it is written; the flag, where there is one, is the same with hyphens (but `--token-profile` for `profile`).
    pub(crate) name: &'static str,
    /// What goes without it.
    pub(crate) default: &'static str,
    /// What it says.
    pub(crate) help: &'static str,
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help }
}

/// Every key of the table.
pub(crate) const KEYS: [Key; 34] = [
    key("listen", "127.0.0.1:8480", "where to listen"),
    key("upstream", "-", "the program: http, https, h2c, unix"),
    key("forward_auth", "-", "or: nginx, traefik, caddy, envoy"),
    key("issuer", "-", "whose tokens are accepted"),
    key("audience", "-", "the API that they must be for"),
    key("jwks_uri", "from metadata", "where the issuer's keys are"),
    key("profile", "rfc9068", "how its tokens look, see below"),
    key("status_list", "-", "follow or required: withdrawn tokens"),
    key("revocation_feed", "-", "where it lists single ones"),
    key("introspect", "-", "opaque, jwt or always: ask the issuer"),
    key("introspect_profile", "-", "as the client of this profile"),
    key("opaque_prefix", "-", "how its opaque tokens begin"),
    key("trust", "[]", "more issuers, see below"),
    key("require_scope", "[]", "wherever a token is needed"),
    key("rules", "[]", "METHOD PATH SCOPE…, see below"),
    key("public", "[]", "METHOD PATH, without a token"),
    key("otherwise", "refuse", "or token: where no rule holds"),
    key("pass_token", "false", "the program sees the token"),
    key("strip_headers", "[]", "remove these too: X-Acme-*"),
    key("upstream_host", "the client's", "Host towards the program"),
    key("upstream_ca", "the system's", "authorities of an https upstream"),
    key("upstream_timeout", "60s", "without an answer, then 504"),
    key("tls_cert", "-", "certificate chain, PEM file"),
    key("tls_key", "-", "its private key, PEM file"),
    key("client_certs", "false", "ask for client certificates"),
    key("behind_tls_proxy", "false", "a proxy in front ends TLS"),
    key("trusted_proxies", "[]", "who may say who calls"),
    key("client_cert_header", "false", "Client-Cert of these is believed"),
    key("dpop_origin", "-", "accept DPoP for https://HOST"),
    key("security_profile", "baseline", "or fapi2: bound tokens alone"),
    key("metrics_listen", "-", "/metrics, /livez and /readyz"),
    key("log", "text", "or json"),
    key("shutdown_delay", "0s", "/readyz is 503 so long, then the end"),
    key("ca_file", "the system's", "authorities of the issuer"),
];

/// Keys of one entry of `trust`.
pub(crate) const TRUST_KEYS: [&str; 9] = [
    "issuer",
    "audience",
    "jwks_uri",
    "profile",
    "status_list",
    "revocation_feed",
    "introspect",
    "introspect_profile",
    "opaque_prefix",
];

/// The end of `m2m gateway --help`.
pub(crate) fn reference() -> String {
    let row = |name, default, help| format!("  {name:<20}{default:<17}{help}\n");
    let rows = KEYS.iter().map(|key| row(key.name, key.default, key.help));
    let table = [row("key", "default", "")].into_iter().map(|head| format!("{}\n", head.trim_end()));
    let profiles: Vec<&str> = token_profiles::ALL.iter().map(|profile| profile.name).collect();
    REFERENCE
        .replace("TABLE\n", &table.chain(rows).collect::<String>())
        .replace("PROFILES", &profiles.join(", "))
}

const REFERENCE: &str = "\
Settings come from flags, then from the table [gateway] of m2m.toml, then from
defaults. Paths in the file are relative to it. Lists that are typed replace
those of the file:
TABLE

A rule is METHOD PATH SCOPE…: one method, several with commas, or * (GET holds
for HEAD too); in PATH * is one segment, ** at the end any number. The most
special rule decides, in whatever order they stand. With rules, a request for
which none holds is refused; otherwise = \"token\" asks for a valid token instead.
Paths that can be read in two ways (//, .., %2f, ;) are answered with 400.

trust = [{ issuer = \"https://…\", audience = \"…\", profile = \"…\" }]
jwks_uri, status_list, revocation_feed, introspect and what belongs to it go
there too. Profiles:
PROFILES.

The program finds X-M2M-Client-Id, X-M2M-Subject, X-M2M-Scope and X-M2M-Issuer.
What a client sends under such a name, or under one that other proxies use, is
removed from every request, in every spelling.";
