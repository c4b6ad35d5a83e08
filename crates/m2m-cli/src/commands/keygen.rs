//! `m2m keygen`: a key pair with its JWK and JWK set, or with a self-signed certificate.
//!
//! The private key is written with mode 0600 and never shown. Nothing is replaced: a key that somebody still uses
//! cannot be made again.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::names;
use serde_json::{Map, Value, json};

use crate::Surroundings;
use crate::args::{Keygen, KeygenKind};
use crate::certificate::{Wish, public_pem, self_signed};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

/// A file to write.
struct Planned {
    path: PathBuf,
    what: &'static str,
    bytes: Vec<u8>,
    mode: u32,
}

pub(crate) fn run(typed: &Keygen, around: &Surroundings) -> Result<Exit, Failure> {
    let key = generate(typed)?;
    let plan = Plan { typed, key: &key };
    let (files, summary) = match typed.kind {
        KeygenKind::Key => plan.pair()?,
        KeygenKind::Certificate => plan.certificate(around)?,
    };
    if let Some(taken) = files.iter().find(|file| file.path.symlink_metadata().is_ok()) {
        return Err(Failure::usage(format!("{} exists and is not replaced", taken.path.display()))
            .hint("choose another --out, or move the files away"));
    }
    for file in &files {
        write_new(file)?;
    }
    report(&files, summary, around)?;
    Ok(Exit::Ok)
}

fn generate(typed: &Keygen) -> Result<SigningKey, Failure> {
    let algorithm =
        Algorithm::parse(&typed.alg).filter(|algorithm| !algorithm.is_symmetric()).ok_or_else(|| {
            let names: Vec<_> =
                Algorithm::ALL.iter().filter(|row| !row.is_symmetric()).map(|row| row.name()).collect();
            Failure::usage(format!("--alg: {} is not an algorithm of key pairs", typed.alg))
                .hint(format!("one of {}", names.join(", ")))
        })?;
    let key = SigningKey::generate(algorithm).map_err(|error| Failure::internal(error.to_string()))?;
    let id = typed.key_id.clone().unwrap_or_else(|| key.thumbprint().as_str().to_owned());
    Ok(key.with_key_id(id))
}

struct Plan<'a> {
    typed: &'a Keygen,
    key: &'a SigningKey,
}

impl Plan<'_> {
    fn pair(&self) -> Result<(Vec<Planned>, Map<String, Value>), Failure> {
        let jwk = self.key.public_jwk().ok_or_else(|| Failure::internal("the key has no public half"))?;
        let jwk = Value::Object(jwk.to_public_json());
        let set = JwkSet::encode([self.key.verifying_key().as_ref()]);
        let files = vec![
            self.private_key()?,
            self.public("pub.pem", "public key", public_pem(self.key)?.into_bytes()),
            self.public("jwk.json", "public JWK", format!("{jwk}\n").into_bytes()),
            self.public("jwks.json", "JWK set", [set.as_slice(), b"\n"].concat()),
        ];
        Ok((files, self.summary()))
    }

    fn certificate(&self, around: &Surroundings) -> Result<(Vec<Planned>, Map<String, Value>), Failure> {
        let subject = self.typed.subject.clone();
        let names = if is_host(&subject) { vec![subject.clone()] } else { Vec::new() };
        if names.is_empty() {
            around.output.warn(&format!(
                "{subject:?} is no host name and no address: the certificate is good for a client, not for a server"
            ));
        }
        let certified = self_signed(
            &Wish {
                names,
                subject,
                // A peer whose clock is a little behind must not find it "not yet valid".
                not_before: around.clock.wall().saturating_sub(Duration::from_secs(300)),
                valid_for: Duration::from_secs(u64::from(self.typed.days) * 86_400),
            },
            self.key,
        )?;
        let mut summary = self.summary();
        let thumbprint = CertificateThumbprint::of(&certified.certificate_der).to_text();
        summary.insert(names::jose::X5T_S256.to_owned(), Value::String(thumbprint));
        let certificate = certified.certificate_pem.into_bytes();
        Ok((vec![self.private_key()?, self.public("cert.pem", "certificate", certificate)], summary))
    }

    fn private_key(&self) -> Result<Planned, Failure> {
        let pem = self.key.to_pkcs8_pem().map_err(|error| Failure::internal(error.to_string()))?;
        let bytes = pem.expose().clone().into_bytes();
        Ok(Planned { path: self.path("key.pem"), what: "private key, mode 0600", bytes, mode: 0o600 })
    }

    fn public(&self, extension: &str, what: &'static str, bytes: Vec<u8>) -> Planned {
        Planned { path: self.path(extension), what, bytes, mode: 0o644 }
    }

    fn path(&self, extension: &str) -> PathBuf {
        let mut path = self.typed.out.clone().into_os_string();
        path.push(".");
        path.push(extension);
        PathBuf::from(path)
    }

    fn summary(&self) -> Map<String, Value> {
        let mut summary = Map::new();
        summary.insert("algorithm".to_owned(), json!(self.key.algorithm().name()));
        summary.insert("key_id".to_owned(), json!(self.key.key_id()));
        summary.insert("thumbprint".to_owned(), json!(self.key.thumbprint().as_str()));
        summary
    }
}

/// Whether a server could be reached by this name: an IP address, or a DNS name, of which `*` may be the first label.
fn is_host(subject: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty() && label.len() <= 63 && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    let labels = subject.strip_prefix("*.").unwrap_or(subject);
    subject.parse::<std::net::IpAddr>().is_ok() || labels.split('.').all(is_label)
}

fn write_new(file: &Planned) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::configuration(format!("cannot write {}: {error}", path.display()))
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(file.mode);
    }
    let mut opened = options.open(&file.path).map_err(|error| failed(&file.path, error))?;
    opened.write_all(&file.bytes).and_then(|()| opened.sync_all()).map_err(|error| failed(&file.path, error))
}

fn report(files: &[Planned], mut summary: Map<String, Value>, around: &Surroundings) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        let paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
        summary.insert("files".to_owned(), json!(paths));
        return around.output.json(&Value::Object(summary));
    }
    for file in files {
        around.output.result(&format!("{}  {}", file.path.display(), file.what))?;
    }
    for (name, value) in &summary {
        around.output.note(&format!("{name} {}", value.as_str().unwrap_or_default()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_can_be_called() {
        for host in [
            "localhost",
            "m2m",
            "login.example.com",
            "*.example.com",
            "127.0.0.1",
            "::1",
            "xn--bro-hoa.example",
        ] {
            assert!(is_host(host), "{host}");
        }
        for other in
            ["", "Billing service", "a..b", "-a.example", "a_b", "a.*.example", "büro.example", "CN=a"]
        {
            assert!(!is_host(other), "{other}");
        }
    }
}
