//! Signing keys in a security module, by PKCS#11 (OASIS, version 2.40): the private key never leaves it.
//!
//! Sections: PKCS#11 §2.3.1 (CKM_ECDSA), §2.1.8 (CKM_SHA256_RSA_PKCS), version 3.0 §2.3.14 (CKM_EDDSA);
//! RFC 7518 §3.3, §3.4, RFC 8037 §3.1
//! Enforces: one token of that label, one private key and one public key of that name on it; a key for
//! ES256 (P-256), EdDSA (Ed25519) or RS256 (from 2048 bits); that both halves belong together, by a
//! signature that is checked when the key is found, and found again; that it is the same key then.
//! Does not enforce: that the module keeps the key from being exported (`CKA_EXTRACTABLE`), which whoever
//! makes the key decides; rotation: the key signs for as long as the configuration names it.
//! Limits: [`SESSIONS`] signatures at a time for all keys of a token. Sessions that were lost are opened anew at
//! most once a second, after failures less and less often, down to once a minute; a login that is refused then is
//! not tried again, because modules count.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use m2m_io::Clock;
use m2m_proto::jose::{KeyError, SigningKey};
use m2m_proto::secret::SecretString;

mod held;
mod public;

/// Signatures at a time, for each token; further ones wait.
pub const SESSIONS: usize = 4;
/// Between two attempts to open a token anew, at first and at most.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Where a token is, and what opens it.
#[derive(Debug, Clone)]
pub struct TokenLocation {
    /// The vendor's library, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The user PIN.
    pub pin: SecretString,
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
    /// The PIN is wrong, or locked, or the login is refused for another reason than a module that is away.
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
    /// The key makes no signing key: too short, or its halves do not belong together.
    #[error("the key cannot sign: {0}")]
    Unusable(#[from] KeyError),
}

/// A token that is logged in to. All its keys share its sessions and its login.
pub struct Token {
    module: Pkcs11,
    location: TokenLocation,
    clock: Arc<dyn Clock>,
    opened: RwLock<Opened>,
}

/// What a module can lose.
struct Opened {
    /// `None` while it cannot be opened.
    sessions: Option<Sessions>,
    /// Counts how often it was opened anew: handles of another generation are worth nothing.
    generation: u64,
    /// When it may be opened anew, by the monotonic clock.
    not_before: Duration,
    wait: Duration,
    /// The login was refused: trying on would lock it.
    gave_up: bool,
}

struct Sessions {
    all: Vec<Mutex<Session>>,
    next: AtomicUsize,
}

impl Sessions {
    /// A session that nobody uses, or the next one in turn.
    fn one(&self) -> Option<MutexGuard<'_, Session>> {
        let idle = self.all.iter().find_map(|session| session.try_lock().ok());
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.all.len())?;
        idle.or_else(|| Some(self.all.get(turn)?.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Token {
    /// Loads the module and logs in. Blocks.
    ///
    /// # Errors
    /// `Module`, `Token` and `Pin`.
    pub fn open(location: TokenLocation, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Pkcs11Error> {
        let module = Pkcs11::new(&location.module).map_err(|error| location.refused(&error))?;
        let sessions = Some(log_in(&module, &location)?);
        let [wait, _] = WAITS;
        let opened = Opened { sessions, generation: 0, not_before: Duration::ZERO, wait, gave_up: false };
        Ok(Arc::new(Self { module, location, clock, opened: RwLock::new(opened) }))
    }

    /// Finds the key of that label (`CKA_LABEL` of both halves): a signing key for
    /// [`crate::ServerBuilder::signing_key`]. Blocks.
    ///
    /// # Errors
    /// `Key`, `Type`, `Unusable` and `Module`.
    pub fn signing_key(self: &Arc<Self>, label: &str) -> Result<SigningKey, Pkcs11Error> {
        held::signing_key(self, label)
    }

    fn opened(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the sessions of a generation that failed, if it is time to, and says whether there are others now;
    /// whoever comes later finds that done. The old ones are closed first, because a module may give their
    /// handles to the new ones.
    fn open_anew(&self, failed: u64) -> bool {
        // Asked before the wait for whoever does it: what he learned counts for those who waited.
        let now = self.clock.monotonic();
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.generation != failed {
            return true;
        }
        if opened.gave_up || now < opened.not_before {
            return false;
        }
        opened.sessions = None;
        let [first, _] = WAITS;
        let token = &self.location.token;
        let done = match log_in(&self.module, &self.location) {
            Ok(sessions) => {
                tracing::info!(token, "the security module was opened anew");
                opened.sessions = Some(sessions);
                opened.generation = opened.generation.wrapping_add(1);
                opened.wait = first;
                true
            }
            Err(error) => {
                tracing::error!(%error, token, "the security module cannot be opened anew");
                opened.gave_up = matches!(error, Pkcs11Error::Pin(_));
                opened.wait = longer(opened.wait);
                false
            }
        };
        opened.not_before = self.clock.monotonic() + opened.wait;
        done
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("location", &self.location).finish_non_exhaustive()
    }
}

impl TokenLocation {
    fn refused(&self, error: &ModuleError) -> Pkcs11Error {
        Pkcs11Error::Module { module: self.module.display().to_string(), reason: error.to_string() }
    }
}

/// After one more failure.
fn longer(wait: Duration) -> Duration {
    let [_, longest] = WAITS;
    (wait * 2).min(longest)
}

/// Whether new sessions may do what these did not.
fn is_loss(error: &ModuleError) -> bool {
    use RvError as Rv;
    let ModuleError::Pkcs11(reason, _) = error else { return false };
    matches!(
        reason,
        Rv::CryptokiNotInitialized
            | Rv::DeviceError
            | Rv::DeviceRemoved
            | Rv::GeneralError
            | Rv::KeyHandleInvalid
            | Rv::ObjectHandleInvalid
            | Rv::SessionClosed
            | Rv::SessionHandleInvalid
            | Rv::TokenNotPresent
            | Rv::UserNotLoggedIn
    )
}

type Found<T> = Result<Result<T, Pkcs11Error>, ModuleError>;

/// Initializes the module if nobody did, and opens sessions, which are all logged in by the first one: a login is
/// the application's.
fn log_in(module: &Pkcs11, location: &TokenLocation) -> Result<Sessions, Pkcs11Error> {
    let refused = |error: ModuleError| location.refused(&error);
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another token of this process is in the same module.
        Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(refused(error)),
    }
    let slot = slot(module, &location.token).map_err(refused)??;
    let all = (0..SESSIONS).map(|_| module.open_ro_session(slot)).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(refused)?;
    if let Some(session) = all.first() {
        let pin = AuthPin::from(location.pin.expose().as_str());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) if is_loss(&error) => return Err(refused(error)),
            Err(ModuleError::Pkcs11(reason, _)) => return Err(Pkcs11Error::Pin(reason.to_string())),
            Err(error) => return Err(Pkcs11Error::Pin(error.to_string())),
        }
    }
    Ok(Sessions { all: all.into_iter().map(Mutex::new).collect(), next: AtomicUsize::new(0) })
}

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

fn find(session: &Session, half: &'static str, class: ObjectClass, label: &str) -> Found<ObjectHandle> {
    let wanted = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
    let found = session.find_objects(&wanted)?;
    Ok(match found.as_slice() {
        [key] => Ok(*key),
        several => Err(Pkcs11Error::Key { half, label: label.to_owned(), found: several.len() }),
    })
}

#[cfg(test)]
mod tests;
