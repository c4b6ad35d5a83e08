//! Signing keys in a security module, by PKCS#11 (OASIS, version 2.40): the private key never leaves it.
//!
//! Sections: PKCS#11 §2.3.1 (CKM_ECDSA), §2.1.8 (CKM_SHA256_RSA_PKCS), version 3.0 §2.3.14 (CKM_EDDSA);
//! RFC 7518 §3.3, §3.4, RFC 8037 §3.1
//! Enforces: one token of that label, one private key and one public key of that name on it; a key for
//! ES256 (P-256), EdDSA (Ed25519) or RS256 (from 2048 bits); that both halves belong together, by one
//! signature that is checked when the key is opened; that it is the same key when it is opened anew.
//! Does not enforce: that the module keeps the key from being exported (`CKA_EXTRACTABLE`), which whoever
//! makes the key decides; rotation: the key signs for as long as the configuration names it; that a module
//! which other code of the process finalizes comes back with several keys, whose sessions it may confuse.
//! Limits: [`SESSIONS`] signatures at a time. A signature that fails opens all sessions anew and is tried
//! once more; a PIN that is refused then is not tried again, because modules count.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use m2m_proto::jose::{ExternalSigner, ExternalSignerError, Jwk, KeyError, SigningKey};
use m2m_proto::secret::SecretString;
use public::Way;

mod public;

/// Signatures at a time, for each key; further ones wait.
pub const SESSIONS: usize = 4;

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
    /// None of P-256, Ed25519 and RSA.
    #[error("the key {0:?} is neither on P-256 or Ed25519 nor RSA")]
    Type(String),
    /// Another key has taken the place of the one that was opened first.
    #[error("the key {0:?} is another one than before")]
    Replaced(String),
    /// The key makes no signing key: too short, or its halves do not belong together.
    #[error("the key cannot sign: {0}")]
    Unusable(#[from] KeyError),
}

/// Opens the key: a signing key for [`crate::ServerBuilder::signing_key`]. Blocks.
///
/// # Errors
/// [`Pkcs11Error`].
pub fn signing_key(location: &KeyLocation) -> Result<SigningKey, Pkcs11Error> {
    let module = Pkcs11::new(&location.module).map_err(|error| location.refused(&error))?;
    let (opened, public) = open(&module, location)?;
    let sessions = RwLock::new(Sessions { opened: Some(opened), generation: 0, gave_up: false });
    let held = HeldKey { module, location: location.clone(), public: public.clone(), sessions };
    Ok(SigningKey::external(Arc::new(held), &public)?)
}

impl KeyLocation {
    fn refused(&self, error: &ModuleError) -> Pkcs11Error {
        Pkcs11Error::Module { module: self.module.display().to_string(), reason: error.to_string() }
    }
}

/// Initializes the module if nobody did, logs in, and finds both halves of the key.
fn open(module: &Pkcs11, location: &KeyLocation) -> Result<(Opened, Jwk), Pkcs11Error> {
    let refused = |error: ModuleError| location.refused(&error);
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another key of this process is in the same module.
        Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(refused(error)),
    }
    let slot = slot(module, &location.token).map_err(refused)??;
    let sessions = sessions(module, slot, &location.pin).map_err(refused)??;
    let first = sessions.first().ok_or_else(|| refused(ModuleError::NotSupported))?;
    let found = |half, class| find(first, half, class, &location.key);
    let private = found("private", ObjectClass::PRIVATE_KEY).map_err(refused)??;
    let public = found("public", ObjectClass::PUBLIC_KEY).map_err(refused)??;
    let (public, way) = public::read(first, public)
        .map_err(refused)?
        .ok_or_else(|| Pkcs11Error::Type(location.key.clone()))?;
    let sessions = sessions.into_iter().map(Mutex::new).collect();
    Ok((Opened { sessions, next: AtomicUsize::new(0), private, way }, public))
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

/// A private key, with sessions to use it in.
struct Opened {
    sessions: Vec<Mutex<Session>>,
    next: AtomicUsize,
    private: ObjectHandle,
    way: Way,
}

impl Opened {
    /// A session that nobody uses, or the next one in turn.
    fn session(&self) -> Option<MutexGuard<'_, Session>> {
        let idle = self.sessions.iter().find_map(|session| session.try_lock().ok());
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.sessions.len())?;
        idle.or_else(|| Some(self.sessions.get(turn)?.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let session = self.session().ok_or(ModuleError::NotSupported)?;
        self.way.sign(&session, self.private, message)
    }
}

/// What a module can lose.
struct Sessions {
    /// `None` while it cannot be opened.
    opened: Option<Opened>,
    /// Counts how often it was opened anew.
    generation: u64,
    /// The PIN was refused: trying on would lock it.
    gave_up: bool,
}

/// A key of a module, and what opens it anew.
struct HeldKey {
    module: Pkcs11,
    location: KeyLocation,
    public: Jwk,
    sessions: RwLock<Sessions>,
}

impl HeldKey {
    /// The signature, or of which generation the sessions were that did not make it.
    fn try_to_sign(&self, message: &[u8]) -> Result<Vec<u8>, u64> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let opened = sessions.opened.as_ref().ok_or(sessions.generation)?;
        opened.sign(message).map_err(|error| {
            tracing::error!(%error, key = self.location.key, "the security module did not sign");
            sessions.generation
        })
    }

    /// Replaces the sessions of a generation that failed; whoever comes later finds that done. The old
    /// ones are closed first, because a module may give their handles to the new ones.
    fn open_anew(&self, failed: u64) -> Result<(), Pkcs11Error> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.gave_up || sessions.generation != failed {
            return Ok(());
        }
        sessions.opened = None;
        let anew = open(&self.module, &self.location).and_then(|(opened, public)| {
            let same = public.thumbprint() == self.public.thumbprint();
            if same { Ok(opened) } else { Err(Pkcs11Error::Replaced(self.location.key.clone())) }
        });
        sessions.gave_up = matches!(anew, Err(Pkcs11Error::Pin(_)));
        sessions.opened = Some(anew?);
        sessions.generation = sessions.generation.wrapping_add(1);
        tracing::info!(key = self.location.key, "the security module was opened anew");
        Ok(())
    }
}

impl ExternalSigner for HeldKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
        let failed = match self.try_to_sign(message) {
            Ok(signature) => return Ok(signature),
            Err(failed) => failed,
        };
        self.open_anew(failed).map_err(|error| {
            tracing::error!(%error, key = self.location.key, "the security module cannot be opened anew");
            ExternalSignerError
        })?;
        self.try_to_sign(message).map_err(|_| ExternalSignerError)
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("location", &self.location).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
