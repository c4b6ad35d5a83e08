//! Client secrets: made here, recognizable by scanners, found by one lookup.
//!
//! Shape: `m2m_sk_` id `_` secret checksum, every character of `a-z2-7` and `_`, so that no
//! client's form encoding changes a byte (RFC 6749 §2.3.1, RFC 3986 §2.3). The id is that of the
//! credential (80 bits), the secret has 260 random bits, the checksum 30 bits of SHA-256 over all
//! that stands before it, so that a scanner has no false alarms.
//!
//! Does not enforce: that the secret is right, nor its checksum, which would cost as much as the check.
//! [`ParsedSecret`] only says which credential it claims to be; `authenticate` compares the keyed hash.

use m2m_io::Random;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::secret::{Secret, SecretString};

use super::credential::CredentialId;

/// What every client secret made here begins with.
pub const SECRET_PREFIX: &str = "m2m_sk_";

const ID_CHARS: usize = 16;
const SECRET_CHARS: usize = 52;
const CHECKSUM_CHARS: usize = 6;
const TOTAL_CHARS: usize = SECRET_PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;

/// RFC 4648 §6 in lower case: 5 bits a character, nothing that needs encoding anywhere.
fn letter(byte: u8) -> char {
    let value = byte & 31;
    char::from(if value < 26 { b'a' + value } else { b'2' + (value - 26) })
}

fn is_letter(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

/// One character per byte, five bits of each: bytes are uniform, so characters are.
fn letters(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(letter).collect()
}

/// `length` characters of fresh randomness, five bits each.
pub(crate) fn random_letters(random: &dyn Random, length: usize) -> String {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    letters(bytes)
}

/// A fresh credential id: 16 characters, 80 random bits.
pub(crate) fn generate_id(random: &dyn Random) -> CredentialId {
    CredentialId::from_letters(&random_letters(random, ID_CHARS))
}

/// A fresh client secret for the credential `id`: 260 random bits.
pub(crate) fn generate(id: &CredentialId, random: &dyn Random) -> SecretString {
    let mut text = String::with_capacity(TOTAL_CHARS);
    text.push_str(SECRET_PREFIX);
    text.push_str(id.as_str());
    text.push('_');
    text.push_str(&random_letters(random, SECRET_CHARS));
    let sum = checksum(&text);
    text.push_str(&sum);
    Secret::new(text)
}

fn checksum(text: &str) -> String {
    letters(sha256(text.as_bytes()).into_iter().take(CHECKSUM_CHARS))
}

/// A text in the shape of a client secret of this server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParsedSecret<'a> {
    /// The credential it claims to be.
    pub(crate) id: &'a str,
}

impl<'a> ParsedSecret<'a> {
    /// Reads the credential id out of a secret; `None` when it was not made by a server like this.
    ///
    /// Takes time by the shape only: nothing secret is compared.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(SECRET_PREFIX)?;
        let (id, random) = rest.split_once('_')?;
        let well_formed = text.len() == TOTAL_CHARS
            && id.len() == ID_CHARS
            && id.bytes().chain(random.bytes()).all(is_letter);
        if !well_formed {
            return None;
        }
        Some(Self { id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::SeededRandom;

    fn made() -> (CredentialId, String) {
        let random = SeededRandom::new(7);
        let id = generate_id(&random);
        let text = generate(&id, &random).expose().clone();
        (id, text)
    }

    #[test]
    fn a_made_secret_names_its_credential() {
        let (id, text) = made();
        assert_eq!(text.len(), TOTAL_CHARS);
        assert!(text.starts_with(SECRET_PREFIX));
        assert_eq!(ParsedSecret::parse(&text), Some(ParsedSecret { id: id.as_str() }));
    }

    #[test]
    fn no_encoding_changes_it() {
        let (_, text) = made();
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
    }

    #[test]
    fn every_single_typo_breaks_the_checksum() {
        let (_, text) = made();
        let fits = |text: &str| {
            let (body, sum) = text.split_at(TOTAL_CHARS - CHECKSUM_CHARS);
            checksum(body) == sum
        };
        assert!(fits(&text));
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'a' { b'b' } else { b'a' };
            assert!(!fits(&String::from_utf8(bytes).unwrap()), "position {position}");
        }
    }

    #[test]
    fn strangers_texts_are_not_ours() {
        for text in
            ["", "m2m_sk_", "hunter2", "m2m_sk_aaaaaaaaaaaaaaaa_", &"m2m_sk_".repeat(40), "m2m_sk_ä_ö"]
        {
            assert_eq!(ParsedSecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_secret_part_has_256_bits_at_least() {
        let all: std::collections::BTreeSet<char> = (0..=255).map(letter).collect();
        assert_eq!(all.len(), 32, "five bits a character");
        assert!(all.iter().all(|one| is_letter(u8::try_from(*one).unwrap())));
        let (bits, least) = (SECRET_CHARS * 5, 256);
        assert!(bits >= least, "{bits}");
    }
}
