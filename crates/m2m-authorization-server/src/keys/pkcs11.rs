//! Signing keys in a security module, by PKCS#11 (OASIS, version 2.40): the private key never leaves it.
//!
//! Sections: PKCS#11 §2.3.1 (CKM_ECDSA), §2.1.8 (CKM_SHA256_RSA_PKCS); RFC 7518 §3.3, §3.4
//! Enforces: one token of that label, one private key and one public key of that name on it; a key for
//! ES256 (P-256) or RS256 (from 2048 bits); that both halves belong together, by one signature that is
//! checked when the key is opened.
//! Does not enforce: that the module keeps the key from being exported (`CKA_EXTRACTABLE`), which whoever
//! makes the key decides; rotation: the key signs for as long as the configuration names it.
//! Limits: [`SESSIONS`] signatures at a time. A module that lost its sessions is not logged in to again:
//! signing fails, and the process has to be started anew.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::jose::{Algorithm, ExternalSigner, ExternalSignerError, Jwk, KeyError, SigningKey, base64url};
use m2m_proto::secret::SecretString;
use serde_json::json;

/// Signatures at a time, for each key; further ones wait.
pub const SESSIONS: usize = 4;

/// The object identifier of P-256, as `CKA_EC_PARAMS` holds it.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Where a key is, and what opens it.
#[derive(Debug, Clone)]
pub struct KeyLocation {
    /// The vendor's library, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The user PIN.
    pub pin: SecretString,
    /// `CKA_LABEL` of both halves of the key.
    pub key: String,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module does not load, or refuses a call.
    #[error("the PKCS#11 module {module}: {reason}")]
    Module {
        /// Which module.
        module: String,
        /// What it or the loader said.
        reason: String,
    },
    /// Not exactly one token has that label.
    #[error("{found} tokens are labelled {label:?}, one is needed")]
    Token {
        /// The label.
        label: String,
        /// How many there are.
        found: usize,
    },
    /// The PIN is wrong, or locked.
    #[error("the PIN is refused: {0}")]
    Pin(String),
    /// Not exactly one key of that name.
    #[error("{found} {half} keys are labelled {label:?}, one is needed")]
    Key {
        /// Private or public.
        half: &'static str,
        /// The label.
        label: String,
        /// How many there are.
        found: usize,
    },
    /// Neither P-256 nor RSA.
    #[error("the key {0:?} is neither on P-256 nor RSA")]
    Type(String),
    /// The key makes no signing key: too short, or its halves do not belong together.
    #[error("the key cannot sign: {0}")]
    Unusable(#[from] KeyError),
}

/// Opens the key: a signing key for [`crate::ServerBuilder::signing_key`]. Blocks.
///
/// # Errors
/// [`Pkcs11Error`].
pub fn signing_key(location: &KeyLocation) -> Result<SigningKey, Pkcs11Error> {
    let refused = |error: ModuleError| Pkcs11Error::Module {
        module: location.module.display().to_string(),
        reason: error.to_string(),
    };
    let module = Pkcs11::new(&location.module).map_err(refused)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another key of this process is in the same module.
        Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(refused(error)),
    }
    let slot = slot(&module, &location.token).map_err(refused)??;
    let sessions = sessions(&module, slot, &location.pin).map_err(refused)??;
    let first = sessions.first().ok_or_else(|| refused(ModuleError::NotSupported))?;
    let found = |half, class| find(first, half, class, &location.key);
    let private = found("private", ObjectClass::PRIVATE_KEY).map_err(refused)??;
    let public = found("public", ObjectClass::PUBLIC_KEY).map_err(refused)??;
    let (public, mechanism) = read_public(first, public)
        .map_err(refused)?
        .ok_or_else(|| Pkcs11Error::Type(location.key.clone()))?;
    let sessions = sessions.into_iter().map(Mutex::new).collect();
    let held = HeldKey { sessions, next: AtomicUsize::new(0), private, mechanism };
    Ok(SigningKey::external(Arc::new(held), &public)?)
}

type Found<T> = Result<Result<T, Pkcs11Error>, ModuleError>;

fn slot(module: &Pkcs11, label: &str) -> Found<Slot> {
    let mut found = Vec::new();
    for slot in module.get_slots_with_initialized_token()? {
        if module.get_token_info(slot)?.label().trim_end() == label {
            found.push(slot);
        }
    }
    Ok(match found.as_slice() {
        [slot] => Ok(*slot),
        several => Err(Pkcs11Error::Token { label: label.to_owned(), found: several.len() }),
    })
}

/// All of them are logged in by the first one: a login is the application's.
fn sessions(module: &Pkcs11, slot: Slot, pin: &SecretString) -> Found<Vec<Session>> {
    let sessions = (0..SESSIONS).map(|_| module.open_ro_session(slot)).collect::<Result<Vec<_>, _>>()?;
    if let Some(session) = sessions.first() {
        let pin = AuthPin::from(pin.expose().as_str());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(ModuleError::Pkcs11(
                reason @ (RvError::PinIncorrect
                | RvError::PinLocked
                | RvError::PinExpired
                | RvError::PinLenRange),
                _,
            )) => return Ok(Err(Pkcs11Error::Pin(reason.to_string()))),
            Err(error) => return Err(error),
        }
    }
    Ok(Ok(sessions))
}

fn find(session: &Session, half: &'static str, class: ObjectClass, label: &str) -> Found<ObjectHandle> {
    let wanted = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
    let found = session.find_objects(&wanted)?;
    Ok(match found.as_slice() {
        [key] => Ok(*key),
        several => Err(Pkcs11Error::Key { half, label: label.to_owned(), found: several.len() }),
    })
}

/// How a key signs.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// CKM_ECDSA, which takes the hash.
    Ecdsa,
    /// CKM_SHA256_RSA_PKCS, which takes the message.
    RsaPkcs1,
}

/// The public half, and how its key signs; `None` for a key of another type.
fn read_public(session: &Session, key: ObjectHandle) -> Result<Option<(Jwk, Way)>, ModuleError> {
    let wanted = [
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
    ];
    let (mut params, mut point, mut modulus, mut exponent) = (None, None, None, None);
    for attribute in session.get_attributes(key, &wanted)? {
        match attribute {
            Attribute::EcParams(bytes) => params = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    Ok(match (params.zip(point), modulus.zip(exponent)) {
        (Some((params, point)), _) if params == P256 => p256(&point).map(|jwk| (jwk, Way::Ecdsa)),
        (None, Some((n, e))) => rsa(&n, &e).map(|jwk| (jwk, Way::RsaPkcs1)),
        _ => None,
    })
}

/// `CKA_EC_POINT`: an uncompressed point, in a DER octet string as the standard wants, or bare as some
/// modules have it.
fn p256(point: &[u8]) -> Option<Jwk> {
    let bare = match point {
        [0x04, 0x41, bare @ ..] if bare.len() == 65 => bare,
        bare => bare,
    };
    let (x, y) = bare.strip_prefix(&[0x04]).filter(|rest| rest.len() == 64)?.split_at_checked(32)?;
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    jwk(&json!({"kty": "EC", "crv": "P-256", "alg": Algorithm::Es256.name(), "use": "sig", "x": x, "y": y}))
}

fn rsa(n: &[u8], e: &[u8]) -> Option<Jwk> {
    let plain = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        base64url::encode(number.get(start..).unwrap_or_default())
    };
    jwk(&json!({"kty": "RSA", "alg": Algorithm::Rs256.name(), "use": "sig", "n": plain(n), "e": plain(e)}))
}

fn jwk(members: &serde_json::Value) -> Option<Jwk> {
    Jwk::parse(members.to_string().as_bytes()).ok()
}

/// A private key of a module, with sessions to use it in.
struct HeldKey {
    sessions: Vec<Mutex<Session>>,
    next: AtomicUsize,
    private: ObjectHandle,
    mechanism: Way,
}

impl HeldKey {
    /// A session that nobody uses, or the next one in turn.
    fn session(&self) -> Option<std::sync::MutexGuard<'_, Session>> {
        let idle = self.sessions.iter().find_map(|session| session.try_lock().ok());
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.sessions.len())?;
        idle.or_else(|| Some(self.sessions.get(turn)?.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl ExternalSigner for HeldKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
        let session = self.session().ok_or(ExternalSignerError)?;
        let signed = match self.mechanism {
            Way::Ecdsa => session.sign(&Mechanism::Ecdsa, self.private, &sha256(message)),
            Way::RsaPkcs1 => session.sign(&Mechanism::Sha256RsaPkcs, self.private, message),
        };
        signed.map_err(|error| {
            tracing::error!(%error, "the security module did not sign");
            ExternalSignerError
        })
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
