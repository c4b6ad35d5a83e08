//! Secrets that another system made, by the hashes it kept of them: bcrypt, PBKDF2, Argon2id.
//!
//! Sections: RFC 8018 §5.2, RFC 9106 §3
//! Enforces: what a check may cost, when the hash is read: bcrypt cost 4 to 14, PBKDF2 1 to 2,000,000 iterations
//! of HMAC-SHA256, -384 or -512, Argon2id 64 MiB, 10 passes and 4 lanes at most. So an import cannot make the
//! server work without end. Hashes are compared in constant time.
//! Does not enforce: that few are checked at once (`authenticate::imported`), nor that a hash goes away (the change
//! [`RehashCredential`](super::Change::RehashCredential)).
//! Limits: hashes of 512 characters; bcrypt sees the first 72 bytes of a secret, as everywhere.

use std::fmt;
use std::num::NonZeroU32;

use m2m_proto::jose::alg::Hash;
use m2m_proto::jose::{base64url, crypto};
use m2m_proto::secret::{Secret, SecretBytes, constant_time_eq};

const MAX_CHARS: usize = 512;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;
const BCRYPT_BYTES: usize = 72;
const MAX_ITERATIONS: u32 = 2_000_000;
/// 64 MiB, in the unit of Argon2.
const MAX_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 4;
/// Shorter ones are guessed; longer ones cost another round of PBKDF2 each.
const DERIVED_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=64;

/// Why a text is not the hash of a secret that this server can check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlowHashError {
    /// Another kind of hash, or none.
    #[error(
        "it is neither bcrypt ($2a$, $2b$, $2y$), nor PBKDF2 ($pbkdf2-sha256$, -sha384, -sha512), nor $argon2id$"
    )]
    Kind,
    /// Of a known kind, and malformed.
    #[error("the hash is malformed: {0}")]
    Malformed(&'static str),
    /// Checking it would cost more than one request may.
    #[error("checking the hash would cost too much: {0}")]
    TooCostly(&'static str),
}

/// What is kept of an imported secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportedHash {
    /// The hash that it came with: until it is used for the first time.
    Slow(SlowHash),
    /// HMAC-SHA256 under a key of the server.
    Keyed([u8; 32]),
}

impl ImportedHash {
    /// Its name: `bcrypt`, `pbkdf2`, `argon2id`, `keyed`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Slow(slow) => slow.name(),
            Self::Keyed(_) => "keyed",
        }
    }
}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A hash that is meant to be slow, within what a check may cost.
#[derive(Clone, PartialEq, Eq)]
pub struct SlowHash {
    text: String,
    parts: Parts,
}

#[derive(Clone, PartialEq, Eq)]
enum Parts {
    Bcrypt { cost: u32, salt: [u8; 16], derived: [u8; 23] },
    Pbkdf2 { hash: Hash, iterations: NonZeroU32, salt: Vec<u8>, derived: Vec<u8> },
    Argon2id { memory: u32, passes: u32, lanes: u32, salt: Vec<u8>, derived: Vec<u8> },
}

impl fmt::Debug for SlowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl SlowHash {
    /// Reads `$2a$…`, `$pbkdf2-sha256$i=…,l=…$salt$hash` (also without `l`) and `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// [`SlowHashError`]; none repeats any of the text.
    pub fn parse(text: &str) -> Result<Self, SlowHashError> {
        if text.len() > MAX_CHARS {
            return Err(SlowHashError::Malformed("it has more than 512 characters"));
        }
        let mut fields = text.split('$');
        if fields.next() != Some("") {
            return Err(SlowHashError::Kind);
        }
        let parts = match (fields.next(), fields.collect::<Vec<_>>().as_slice()) {
            (Some("2a" | "2b" | "2y"), [cost, rest]) => bcrypt_parts(cost, rest)?,
            (Some(name), [parameters, salt, derived]) if name.starts_with("pbkdf2-") => {
                pbkdf2_parts(name, parameters, (salt, derived))?
            }
            (Some("argon2id"), ["v=19", parameters, salt, derived]) => {
                argon2_parts(parameters, (salt, derived))?
            }
            (Some("2a" | "2b" | "2y" | "argon2id"), _) => {
                return Err(SlowHashError::Malformed("a part is missing"));
            }
            _ => return Err(SlowHashError::Kind),
        };
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The hash as it was read, for stores that write it down.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its name: `bcrypt`, `pbkdf2`, `argon2id`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.parts {
            Parts::Bcrypt { .. } => "bcrypt",
            Parts::Pbkdf2 { .. } => "pbkdf2",
            Parts::Argon2id { .. } => "argon2id",
        }
    }

    /// Whether it is the hash of `secret`. Takes up to a second or two: not for a worker that answers requests.
    #[must_use]
    pub fn check(&self, secret: &str) -> bool {
        let secret = secret.as_bytes();
        match &self.parts {
            Parts::Bcrypt { cost, salt, derived } => {
                let made = bcrypt::bcrypt(*cost, *salt, as_bcrypt_reads(secret).expose());
                made.get(..derived.len()).is_some_and(|made| constant_time_eq(made, derived))
            }
            Parts::Pbkdf2 { hash, iterations, salt, derived } => {
                crypto::pbkdf2_verify(*hash, *iterations, salt, secret, derived)
            }
            Parts::Argon2id { memory, passes, lanes, salt, derived } => {
                let mut made = vec![0; derived.len()];
                let parameters = argon2::Params::new(*memory, *passes, *lanes, Some(derived.len()));
                parameters.is_ok_and(|parameters| {
                    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters)
                        .hash_password_into(secret, salt, &mut made)
                        .is_ok()
                }) && constant_time_eq(&made, derived)
            }
        }
    }
}

/// The text with its NUL, cut at 72 bytes.
fn as_bcrypt_reads(secret: &[u8]) -> SecretBytes {
    let mut bytes = Vec::with_capacity(BCRYPT_BYTES);
    bytes.extend(secret.iter().copied().chain([0]).take(BCRYPT_BYTES));
    Secret::new(bytes)
}

fn bcrypt_parts(cost: &str, rest: &str) -> Result<Parts, SlowHashError> {
    let malformed = || SlowHashError::Malformed("bcrypt is $2a$, two digits, and 53 characters");
    let cost: u32 = cost.parse().ok().filter(|_| cost.len() == 2).ok_or_else(malformed)?;
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(SlowHashError::TooCostly("bcrypt has a cost of 4 to 14"));
    }
    let (salt, derived) = rest.split_at_checked(22).filter(|_| rest.len() == 53).ok_or_else(malformed)?;
    let salt = bcrypt_letters(salt).and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
    let derived = bcrypt_letters(derived).and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
    Ok(Parts::Bcrypt { cost, salt, derived })
}

/// The alphabet of bcrypt, most significant bit first; bits beyond the last whole byte mean nothing.
fn bcrypt_letters(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'.' => 0,
            b'/' => 1,
            b'A'..=b'Z' => letter - b'A' + 2,
            b'a'..=b'z' => letter - b'a' + 28,
            b'0'..=b'9' => letter - b'0' + 54,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xfff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn pbkdf2_parts(name: &str, parameters: &str, encoded: (&str, &str)) -> Result<Parts, SlowHashError> {
    let hash = match name {
        "pbkdf2-sha256" => Hash::Sha256,
        "pbkdf2-sha384" => Hash::Sha384,
        "pbkdf2-sha512" => Hash::Sha512,
        _ => return Err(SlowHashError::Kind),
    };
    let malformed = || SlowHashError::Malformed("PBKDF2 is $pbkdf2-sha256$i=N,l=N$SALT$HASH");
    let (mut iterations, mut length) = (None, None);
    for parameter in parameters.split(',') {
        match parameter.split_once('=') {
            Some(("i", number)) if iterations.is_none() => iterations = number.parse::<NonZeroU32>().ok(),
            Some(("l", number)) if length.is_none() => {
                length = Some(number.parse::<usize>().map_err(|_| malformed())?);
            }
            _ => return Err(malformed()),
        }
    }
    let iterations = iterations.ok_or_else(malformed)?;
    if iterations.get() > MAX_ITERATIONS {
        return Err(SlowHashError::TooCostly("PBKDF2 has at most 2,000,000 iterations"));
    }
    let (salt, derived) = salt_and_derived(encoded)?;
    if length.is_some_and(|length| length != derived.len()) {
        return Err(SlowHashError::Malformed("the hash has not the length that it says"));
    }
    Ok(Parts::Pbkdf2 { hash, iterations, salt, derived })
}

fn argon2_parts(parameters: &str, encoded: (&str, &str)) -> Result<Parts, SlowHashError> {
    let malformed = || SlowHashError::Malformed("Argon2id is $argon2id$v=19$m=N,t=N,p=N$SALT$HASH");
    let numbers: Vec<(&str, u32)> = parameters
        .split(',')
        .map(|parameter| parameter.split_once('=').and_then(|(name, text)| Some((name, text.parse().ok()?))))
        .collect::<Option<_>>()
        .ok_or_else(malformed)?;
    let [("m", memory), ("t", passes), ("p", lanes)] = numbers.as_slice() else { return Err(malformed()) };
    if *memory > MAX_MEMORY_KIB || *passes > MAX_PASSES || *lanes > MAX_LANES {
        return Err(SlowHashError::TooCostly("Argon2id has at most 64 MiB, 10 passes and 4 lanes"));
    }
    let (salt, derived) = salt_and_derived(encoded)?;
    argon2::Params::new(*memory, *passes, *lanes, Some(derived.len())).map_err(|_| malformed())?;
    Ok(Parts::Argon2id { memory: *memory, passes: *passes, lanes: *lanes, salt, derived })
}

/// Base64 without padding, in either alphabet.
fn salt_and_derived((salt, derived): (&str, &str)) -> Result<(Vec<u8>, Vec<u8>), SlowHashError> {
    let decode = |text: &str| {
        let text: String = text
            .trim_end_matches('=')
            .chars()
            .map(|letter| match letter {
                '+' => '-',
                '/' => '_',
                other => other,
            })
            .collect();
        base64url::decode(&text).map_err(|_| SlowHashError::Malformed("salt and hash are Base64"))
    };
    let (salt, derived) = (decode(salt)?, decode(derived)?);
    match SALT_BYTES.contains(&salt.len()) && DERIVED_BYTES.contains(&derived.len()) {
        true => Ok((salt, derived)),
        false => Err(SlowHashError::Malformed("a salt has 8 to 64 bytes, a hash 16 to 64")),
    }
}

#[cfg(test)]
mod tests;
