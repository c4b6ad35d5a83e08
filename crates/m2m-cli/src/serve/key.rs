//! The keys of `m2m-server.toml`, with what each one is and what goes where nobody says anything.
//!
//! The parser takes these and no others (`every_key_is_read`); the end of `m2m serve --help` lists them.

/// One key of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// As it is written; the flag, where there is one, is the same with hyphens.
    pub(crate) name: &'static str,
    /// What goes without it.
    pub(crate) default: &'static str,
    /// What it says.
    pub(crate) help: &'static str,
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help }
}

/// Every key at the top of the file. `[egress] allow` and `[[pkcs11]]` are the tables.
pub(crate) const KEYS: [Key; 27] = [
    key("issuer", "listener", "who this server is: https://HOST"),
    key("listen", "127.0.0.1:8400", "where to listen"),
    key("database", "sqlite:m2m-server.db", "or postgres://…, or memory:"),
    key("sealing_key", "-", "a reference: what secrets lie under"),
    key("tls_cert", "-", "certificate chain, PEM file"),
    key("tls_key", "-", "its private key, PEM file"),
    key("mtls_listen", "-", "asks for client certificates"),
    key("mtls_base", "from mtls_listen", "its address, as clients reach it"),
    key("client_ca", "-", "authorities of client certificates"),
    key("behind_tls_proxy", "false", "a proxy in front ends TLS"),
    key("trusted_proxies", "[]", "who may say who calls"),
    key("client_cert_header", "false", "Client-Cert of these is believed"),
    key("metrics_listen", "main listener", "where /metrics is"),
    key("console", "true", "pages for administering: /console/"),
    key("log", "text", "or json"),
    key("audit", "batched", "or durable: the answer waits for it"),
    key("audit_retention", "as built in", "how long it is kept: 90d"),
    key("replay", "node", "or shared, the default on PostgreSQL"),
    key("max_staleness", "10s", "without a database, then 503"),
    key("snapshot_max_age", "1h", "tokens without a database"),
    key("dpop_nonce", "false", "DPoP proofs need a nonce of ours"),
    key("security_profile", "baseline", "or fapi2: bound tokens, no secrets"),
    key("status_ttl", "30s", "how long a status list is kept"),
    key("shutdown_delay", "0s", "/readyz is 503 so long, then the end"),
    key("issuer_files", "[]", "directories: files of issuers"),
    key("egress", "-", "a table, see below"),
    key("pkcs11", "-", "tables, see below"),
];

/// The end of `m2m serve --help`.
pub(crate) fn reference() -> String {
    let row = |name, default, help| format!("  {name:<20}{default:<22}{help}\n");
    let rows = KEYS.iter().map(|key| row(key.name, key.default, key.help));
    let table = [row("key", "default", "")].into_iter().map(|head| format!("{}\n", head.trim_end()));
    REFERENCE.replace("TABLE\n", &table.chain(rows).collect::<String>())
}

const REFERENCE: &str = "\
Without --dev, settings come from flags, then from the file that --config names,
then from defaults. No file is searched for. Paths in it are relative to it:
TABLE

sealing_key is a reference, not the key: { file = \"/path\" }, { env = \"NAME\" },
{ command = [\"op\", \"read\", \"op://v/i\"] } or { systemd = \"name\" }. A database URL
that holds a password is one too: database = { file = \"/path\" }.

trusted_proxies are addresses and networks: [\"10.0.0.5\", \"10.1.0.0/16\"]. Only
their Forwarded, X-Forwarded-For and (client_cert_header) Client-Cert count.

issuer_files are directories whose files trusted issuers may name: keys, root
certificates, bearer tokens. Whoever administers the server can have a bearer
file below them sent to any URL.

[egress] allow = [\"10.0.0.0/8\"] lists origins and address ranges that may be
called although nothing but a client's registration (jwks_uri) names them.

[[pkcs11]] module = \"/usr/lib/…so\", token = \"LABEL\", pin = { file = \"/path\" },
key = \"LABEL\": a security module signs (ES256 or RS256).";
