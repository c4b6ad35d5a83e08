//! What there is to know of secrets, keys, certificates and their files without keeping them.

use std::path::Path;

use m2m_io::file::{Exposure, TrailingNewline};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::mutual_tls::validity;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::secret::SecretBytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::facts::{Around, CertificateFacts, Facts, SecretFacts};
use super::record::SecretRead;
use crate::connect::credentials::{self, Method};
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

/// Files that hold secrets; a certificate is none.
pub(super) fn files(settings: &Settings) -> Vec<(String, Exposure)> {
    let references = Field::ALL.iter().filter(|field| **field != Field::Certificate);
    let paths = references.filter_map(|field| match settings.secret(*field)? {
        SecretReference::File(path) => Some(path),
        _ => None,
    });
    paths.filter_map(|path| Some((path.display().to_string(), exposure(path)?))).collect()
}

#[cfg(unix)]
fn exposure(path: &Path) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    // The mode of a pipe says nothing about who can read it.
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(match metadata.mode() {
        mode if mode & 0o004 != 0 => Exposure::Everybody,
        mode if mode & 0o040 != 0 => Exposure::Group,
        _ => Exposure::Private,
    })
}

#[cfg(not(unix))]
fn exposure(_: &Path) -> Option<Exposure> {
    None
}

/// What there is to know of secrets, keys and certificates without keeping them.
pub(super) fn secrets(settings: &Settings, reads: &[SecretRead], facts: &mut Facts) {
    let algorithm = credentials::algorithm(settings).ok().flatten();
    let place = |field| settings.secret(field).map(ToString::to_string).unwrap_or_default();
    for read in reads {
        facts.read.push(format!("{} from {}", read.field, place(read.field)));
        match read.field {
            Field::ClientSecret | Field::NextClientSecret => {
                facts.secrets.push(of_secret(read, place(read.field)));
                if facts.settings.method == Some(Method::Registered(ClientAuthMethod::ClientSecretJwt)) {
                    let algorithm = algorithm.unwrap_or(Algorithm::Hs256);
                    facts.settings.algorithm = Some(algorithm.to_string());
                    let bytes = SecretBytes::from(read.secret.expose().as_bytes());
                    let key = SigningKey::hmac(&bytes, algorithm).map_err(|error| error.to_string());
                    facts.keys.push((read.field, key.map(|_| algorithm.to_string())));
                }
            }
            Field::PrivateKey | Field::Dpop => {
                let wanted = algorithm.filter(|_| read.field == Field::PrivateKey);
                let key = credentials::parse_key(&read.secret, wanted);
                if let (Field::PrivateKey, Ok(key)) = (read.field, &key) {
                    facts.settings.algorithm = Some(key.algorithm().to_string());
                }
                facts.keys.push((read.field, key.map(|key| key.algorithm().to_string())));
            }
            Field::Certificate => {
                let der = CertificateDer::from_pem_slice(read.secret.expose().as_bytes());
                let validity = der.ok().and_then(|der| validity(&der));
                facts.certificate = Some(CertificateFacts { place: place(read.field), validity });
            }
            _ => {}
        }
    }
}

fn of_secret(read: &SecretRead, place: String) -> SecretFacts {
    let text = read.secret.expose();
    let around = if text.chars().any(char::is_control) {
        Around::Control
    } else if text.trim().len() != text.len() {
        Around::Spaces
    } else if read.newline == TrailingNewline::Removed {
        Around::LineEnd
    } else {
        Around::Nothing
    };
    SecretFacts { field: read.field, place, around, escapes: escapes(text) }
}

/// How many `%XX` a text holds; none if a percent sign stands for itself somewhere.
fn escapes(text: &str) -> usize {
    let mut parts = text.split('%').skip(1);
    let is_escape =
        |part: &str| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if parts.clone().all(is_escape) { parts.by_ref().count() } else { 0 }
}

#[cfg(test)]
mod tests {
    use m2m_proto::secret::SecretString;

    use super::*;

    #[test]
    fn what_stands_around_a_secret() {
        let check = |text: &str, newline, around| {
            let read = SecretRead { field: Field::ClientSecret, newline, secret: SecretString::from(text) };
            assert_eq!(of_secret(&read, String::new()).around, around, "{text:?}");
        };
        check("s", TrailingNewline::Absent, Around::Nothing);
        check("s", TrailingNewline::Removed, Around::LineEnd);
        check("s\n", TrailingNewline::Removed, Around::Control);
        check("s\r", TrailingNewline::Absent, Around::Control);
        check("s ", TrailingNewline::Removed, Around::Spaces);
        check(" s", TrailingNewline::Absent, Around::Spaces);
        check("s t", TrailingNewline::Absent, Around::Nothing);
    }

    #[test]
    fn escapes_are_counted_where_all_percent_signs_begin_one() {
        let check = |text, expect| assert_eq!(escapes(text), expect, "{text}");
        check("p%40ss%2Fword", 2);
        check("p%40ss%2fword", 2);
        check("p@ss/word", 0);
        check("100%", 0);
        check("%zz%40", 0);
        check("%4", 0);
    }
}
