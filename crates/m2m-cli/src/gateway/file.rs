//! The table `[gateway]` of `m2m.toml`: every key known, every value of its shape. Nothing is opened here.
//!
//! A message names file, line and key and says what is expected. An unknown key is an error that names the nearest
//! one: a misspelt `rules` that is skipped in silence leaves the program open.
//! Limits: 1 MiB, 256 trusted proxies, 16 issuers.

use std::path::PathBuf;

use m2m_io::Network;
use toml::de::DeValue;

use super::key::{KEYS, TRUST_KEYS};
use super::stated::{self, Stated, Trust};
use crate::exit::Failure;
use crate::proxy::rules::Rule;
use crate::serve::network::{self, MAX_NETWORKS};
use crate::serve::stated as server;
use crate::settings::field::nearest;
use crate::settings::file::{Parser, Spanned};

const MAX_TRUST: usize = 16;

/// What the table states.
///
/// # Errors
/// Exit 3, as the header says.
pub(crate) fn parse(parser: &Parser<'_>, (at, value): Spanned<'_, '_>) -> Result<Stated, Failure> {
    let table = value.as_table().ok_or_else(|| parser.error(at, "gateway", "expected a table: [gateway]"))?;
    let reader = Reader { parser };
    let mut stated = Stated::default();
    for (key, value) in table {
        let name: &str = key.get_ref().as_ref();
        let path = format!("gateway.{name}");
        if !KEYS.iter().any(|key| key.name == name) {
            return Err(reader.unknown(key.span().start, &path, KEYS.iter().map(|key| key.name)));
        }
        reader.read(name, &path, (value.span().start, value.get_ref()), &mut stated)?;
    }
    Ok(stated)
}

struct Reader<'a, 'p> {
    parser: &'a Parser<'p>,
}

impl Reader<'_, '_> {
    fn unknown<'n>(&self, at: usize, path: &str, known: impl Iterator<Item = &'n str>) -> Failure {
        let failure = self.parser.error(at, path, "unknown key");
        match nearest(path.rsplit('.').next().unwrap_or(path), known) {
            Some(key) => failure.hint(format!("did you mean {key}")),
            None => failure.hint("`m2m gateway --help` lists every key"),
        }
    }

    fn read(&self, name: &str, path: &str, value: Spanned<'_, '_>, into: &mut Stated) -> Result<(), Failure> {
        match name {
            "listen" => into.listen = Some(self.parsed(value, path, server::address)?),
            "upstream" => into.upstream = Some(self.parser.string(value, path)?),
            "forward_auth" => into.forward_auth = Some(self.parsed(value, path, stated::dialect)?),
            "issuer" => into.issuer = Some(self.parsed(value, path, server::issuer)?),
            "audience" => into.audience = Some(self.parser.string(value, path)?),
            "jwks_uri" => into.checks.jwks_uri = Some(self.parsed(value, path, stated::endpoint)?),
            "profile" => into.checks.profile = Some(self.parsed(value, path, stated::token_profile)?),
            "status_list" => {
                into.checks.status_list = Some(self.parsed(value, path, stated::status_check)?);
            }
            "revocation_feed" => {
                into.checks.revocation_feed = Some(self.parsed(value, path, stated::endpoint)?);
            }
            "introspect" => into.checks.introspect = Some(self.parsed(value, path, stated::introspect)?),
            "introspect_profile" => into.checks.introspect_profile = Some(self.parser.string(value, path)?),
            "opaque_prefix" => into.checks.opaque_prefix = Some(self.parser.string(value, path)?),
            "trust" => into.trust = self.trust(value, path)?,
            "require_scope" => {
                let joined = self.parser.list(value, path)?.join(" ");
                let scope =
                    stated::scope(&joined).map_err(|problem| self.parser.error(value.0, path, &problem))?;
                into.require_scope = Some(scope);
            }
            "rules" => into.rules = self.lines(value, path, Rule::parse)?,
            "public" => into.public = self.lines(value, path, Rule::public)?,
            "otherwise" => into.otherwise = Some(self.parsed(value, path, stated::otherwise)?),
            "strip_headers" => into.strip_headers = self.parser.list(value, path)?,
            "upstream_host" => into.upstream_host = Some(self.parsed(value, path, stated::host)?),
            "upstream_timeout" => into.upstream_timeout = Some(self.parser.time(value, path)?),
            "trusted_proxies" => into.trusted_proxies = self.networks(value, path)?,
            "security_profile" => into.security_profile = self.parsed(value, path, server::profile)?,
            "dpop_origin" => into.dpop_origin = Some(self.parsed(value, path, stated::origin)?),
            "metrics_listen" => into.metrics_listen = Some(self.parsed(value, path, server::address)?),
            "log" => into.log = Some(self.parsed(value, path, server::log)?),
            "shutdown_delay" => into.shutdown_delay = self.parser.time(value, path)?,
            _ => return self.plain(name, path, value, into),
        }
        Ok(())
    }

    /// Paths and switches.
    fn plain(
        &self,
        name: &str,
        path: &str,
        value: Spanned<'_, '_>,
        into: &mut Stated,
    ) -> Result<(), Failure> {
        match name {
            "upstream_ca" => into.upstream_ca = Some(self.path(value, path)?),
            "tls_cert" => into.tls_cert = Some(self.path(value, path)?),
            "tls_key" => into.tls_key = Some(self.path(value, path)?),
            "ca_file" => into.ca_file = Some(self.path(value, path)?),
            "pass_token" => into.pass_token = self.switch(value, path)?,
            "client_certs" => into.client_certs = self.switch(value, path)?,
            "behind_tls_proxy" => into.behind_tls_proxy = self.switch(value, path)?,
            "client_cert_header" => into.client_cert_header = self.switch(value, path)?,
            other => return Err(Failure::internal(format!("nobody reads the key {other}"))),
        }
        Ok(())
    }

    fn parsed<T>(
        &self,
        value: Spanned<'_, '_>,
        path: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let text = self.parser.string(value, path)?;
        parse(&text).map_err(|problem| self.parser.error(value.0, path, &problem))
    }

    /// Each line where it stands, so that a wrong rule among hundreds is found.
    fn lines<T>(
        &self,
        value: Spanned<'_, '_>,
        path: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Failure> {
        let DeValue::Array(items) = value.1 else { return Ok(vec![self.parsed(value, path, parse)?]) };
        items.iter().map(|item| self.parsed((item.span().start, item.get_ref()), path, &parse)).collect()
    }

    fn path(&self, value: Spanned<'_, '_>, path: &str) -> Result<PathBuf, Failure> {
        Ok(self.parser.directory().join(self.parser.string(value, path)?))
    }

    fn switch(&self, (at, value): Spanned<'_, '_>, path: &str) -> Result<bool, Failure> {
        value.as_bool().ok_or_else(|| self.parser.error(at, path, "expected true or false"))
    }

    fn networks(&self, value: Spanned<'_, '_>, path: &str) -> Result<Vec<Network>, Failure> {
        let networks = self.lines(value, path, network::parse)?;
        if networks.len() > MAX_NETWORKS {
            return Err(self.parser.error(value.0, path, &format!("more than {MAX_NETWORKS} entries")));
        }
        Ok(networks)
    }

    fn trust(&self, (at, value): Spanned<'_, '_>, path: &str) -> Result<Vec<Trust>, Failure> {
        let expected = "expected an array of tables such as { issuer = \"https://…\", audience = \"…\" }";
        let DeValue::Array(items) = value else { return Err(self.parser.error(at, path, expected)) };
        if items.len() > MAX_TRUST {
            return Err(self.parser.error(at, path, &format!("more than {MAX_TRUST} entries")));
        }
        items.iter().map(|item| self.trusted(item, path, expected)).collect()
    }

    fn trusted(
        &self,
        item: &toml::Spanned<DeValue<'_>>,
        path: &str,
        expected: &str,
    ) -> Result<Trust, Failure> {
        let wrong = || self.parser.error(item.span().start, path, expected);
        // The same keys as in the table, read by the same code.
        let mut stated = Stated::default();
        for (key, value) in item.get_ref().as_table().ok_or_else(wrong)? {
            let (name, path) = (key.get_ref().as_ref(), format!("{path}.{}", key.get_ref()));
            if !TRUST_KEYS.contains(&name) {
                return Err(self.unknown(key.span().start, &path, TRUST_KEYS.into_iter()));
            }
            self.read(name, &path, (value.span().start, value.get_ref()), &mut stated)?;
        }
        let (issuer, audience) = stated.issuer.zip(stated.audience).ok_or_else(wrong)?;
        Ok(Trust { issuer, audience, checks: stated.checks })
    }
}

#[cfg(test)]
mod tests;
