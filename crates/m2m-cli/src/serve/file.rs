//! `m2m-server.toml` as text: every key known, every value of its shape. Nothing is opened here.
//!
//! A message names file, line and key and says what is expected. An unknown key is an error that names the nearest
//! one: a misspelt `trusted_proxies` that is skipped in silence leaves the failure budget to strangers.
//! Limits: 1 MiB, 256 trusted proxies.

use std::path::{Path, PathBuf};

use m2m_io::Network;

use super::database::Database;
use super::key::KEYS;
use super::network::{self, MAX_NETWORKS};
use super::pkcs11;
use super::stated::{self, Stated};
use crate::exit::Failure;
use crate::settings::field::nearest;
use crate::settings::file::{Parser, Spanned};

/// What the file at this path states.
///
/// # Errors
/// Exit 3, as the header says.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Stated, Failure> {
    let reader = Reader { parser: Parser::of(path, text) };
    let table = reader.parser.table(text)?;
    let mut stated = Stated::default();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        if !KEYS.iter().any(|key| key.name == name) {
            return Err(reader.unknown(key.span().start, name));
        }
        reader.read(name, (value.span().start, value.get_ref()), &mut stated)?;
    }
    Ok(stated)
}

struct Reader<'a> {
    parser: Parser<'a>,
}

impl Reader<'_> {
    fn unknown(&self, at: usize, name: &str) -> Failure {
        let failure = self.parser.error(at, name, "unknown key");
        match nearest(name, KEYS.iter().map(|key| key.name)) {
            Some(key) => failure.hint(format!("did you mean {key}")),
            None => failure.hint("`m2m serve --help` lists every key"),
        }
    }

    fn read(&self, name: &str, value: Spanned<'_, '_>, into: &mut Stated) -> Result<(), Failure> {
        match name {
            "issuer" => into.issuer = Some(self.parsed(value, name, stated::issuer)?),
            "listen" => into.listen = Some(self.parsed(value, name, stated::address)?),
            "database" => into.database = Some(self.database(value, name)?),
            "sealing_key" => into.sealing_key = Some(self.parser.secret(value, name)?),
            "tls_cert" => into.tls_cert = Some(self.path(value, name)?),
            "tls_key" => into.tls_key = Some(self.path(value, name)?),
            "mtls_listen" => into.mtls_listen = Some(self.parsed(value, name, stated::address)?),
            "mtls_base" => into.mtls_base = Some(self.parsed(value, name, stated::https)?),
            "client_ca" => into.client_ca = Some(self.path(value, name)?),
            "behind_tls_proxy" => into.behind_tls_proxy = self.switch(value, name)?,
            "trusted_proxies" => into.trusted_proxies = self.networks(value, name)?,
            "client_cert_header" => into.client_cert_header = self.switch(value, name)?,
            "metrics_listen" => into.metrics_listen = Some(self.parsed(value, name, stated::address)?),
            "log" => into.log = Some(self.parsed(value, name, stated::log)?),
            "audit" => into.tuning.audit = Some(self.parsed(value, name, stated::audit)?),
            "audit_retention" => into.tuning.audit_retention = Some(self.parser.time(value, name)?),
            "replay" => into.tuning.replay = Some(self.parsed(value, name, stated::replay)?),
            "max_staleness" => into.tuning.max_staleness = Some(self.parser.time(value, name)?),
            "snapshot_max_age" => into.tuning.snapshot_max_age = Some(self.parser.time(value, name)?),
            "console" => into.console = Some(self.switch(value, name)?),
            "dpop_nonce" => into.dpop_nonce = self.switch(value, name)?,
            "security_profile" => into.security_profile = self.parsed(value, name, stated::profile)?,
            "status_ttl" => into.tuning.status_ttl = Some(self.parser.time(value, name)?),
            "shutdown_delay" => into.shutdown_delay = self.parser.time(value, name)?,
            "issuer_files" => into.issuer_files = self.directories(value, name)?,
            "egress" => into.egress = self.parser.egress(value)?,
            "pkcs11" => into.pkcs11 = pkcs11::parse(&self.parser, value)?,
            other => return Err(Failure::internal(format!("nobody reads the key {other}"))),
        }
        Ok(())
    }

    fn parsed<T>(
        &self,
        value: Spanned<'_, '_>,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let text = self.parser.string(value, name)?;
        parse(&text).map_err(|problem| self.parser.error(value.0, name, &problem))
    }

    fn path(&self, value: Spanned<'_, '_>, name: &str) -> Result<PathBuf, Failure> {
        Ok(self.parser.directory().join(self.parser.string(value, name)?))
    }

    /// Relative to the file, as all paths in it.
    fn directories(&self, value: Spanned<'_, '_>, name: &str) -> Result<Vec<PathBuf>, Failure> {
        let list = self.parser.list(value, name)?;
        Ok(list.into_iter().map(|path| self.parser.directory().join(path)).collect())
    }

    fn switch(&self, (at, value): Spanned<'_, '_>, name: &str) -> Result<bool, Failure> {
        value.as_bool().ok_or_else(|| self.parser.error(at, name, "expected true or false"))
    }

    fn database(&self, value: Spanned<'_, '_>, name: &str) -> Result<Database, Failure> {
        if value.1.is_table() {
            return self.parser.secret(value, name).map(Database::Kept);
        }
        self.parsed(value, name, |text| Database::parse(text, self.parser.directory()))
    }

    fn networks(&self, value: Spanned<'_, '_>, name: &str) -> Result<Vec<Network>, Failure> {
        let list = self.parser.list(value, name)?;
        if list.len() > MAX_NETWORKS {
            return Err(self.parser.error(value.0, name, &format!("more than {MAX_NETWORKS} entries")));
        }
        let parse = |text: &String| {
            network::parse(text).map_err(|problem| self.parser.error(value.0, name, &problem))
        };
        list.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests;
