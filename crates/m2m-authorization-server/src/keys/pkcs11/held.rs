//! One key of a token: found by its label, signing in the sessions of its token, and found again when those are
//! opened anew.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::error::Error as ModuleError;
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use m2m_proto::jose::{ExternalSigner, ExternalSignerError, Jwk, SigningKey};

use super::public::{self, Way};
use super::{Found, Pkcs11Error, Sessions, Token, find, is_loss};

/// A private key, in the sessions of one generation.
#[derive(Clone, Copy)]
struct Bound {
    generation: u64,
    private: ObjectHandle,
    way: Way,
}

struct HeldKey {
    token: Arc<Token>,
    label: String,
    public: Jwk,
    bound: Mutex<Bound>,
}

/// Why there is no signature.
enum NotSigned {
    /// The sessions of that generation are not there any more.
    Lost(u64),
    /// New ones would not help.
    Refused,
}

/// As [`Token::signing_key`].
pub(super) fn signing_key(token: &Arc<Token>, label: &str) -> Result<SigningKey, Pkcs11Error> {
    let refused = |error: ModuleError| token.location.refused(&error);
    let opened = token.opened();
    let sessions = opened.sessions.as_ref().and_then(Sessions::one);
    let session = sessions.ok_or_else(|| refused(ModuleError::NotSupported))?;
    let (private, public, way) = both(&session, label).map_err(refused)??;
    let bound = Mutex::new(Bound { generation: opened.generation, private, way });
    drop(session);
    drop(opened);
    let held = HeldKey { token: Arc::clone(token), label: label.to_owned(), public: public.clone(), bound };
    Ok(SigningKey::external(Arc::new(held), &public)?)
}

/// Both halves of a key, and how it signs.
fn both(session: &Session, label: &str) -> Found<(ObjectHandle, Jwk, Way)> {
    let half = |name, class| find(session, name, class, label);
    let halves = (half("private", ObjectClass::PRIVATE_KEY)?, half("public", ObjectClass::PUBLIC_KEY)?);
    let (private, public) = match halves {
        (Ok(private), Ok(public)) => (private, public),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let read = public::read(session, public)?.map(|(public, way)| (private, public, way));
    Ok(read.ok_or_else(|| Pkcs11Error::Type(label.to_owned())))
}

impl HeldKey {
    fn try_to_sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let opened = self.token.opened();
        let generation = opened.generation;
        let sessions = opened.sessions.as_ref().and_then(Sessions::one);
        let session = sessions.ok_or(NotSigned::Lost(generation))?;
        let bound = *self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = if bound.generation == generation {
            bound.way.sign(&session, bound.private, message).map(Some)
        } else {
            self.find_again(&session, generation, message)
        };
        match signed {
            Ok(signature) => signature.ok_or(NotSigned::Refused),
            Err(error) => {
                tracing::error!(%error, key = self.label, "the security module did not sign");
                Err(if is_loss(&error) { NotSigned::Lost(generation) } else { NotSigned::Refused })
            }
        }
    }

    /// Signs with what has the label now, if that is still the same key by its public half; whether the private half
    /// is, every signature is checked for.
    fn find_again(
        &self,
        session: &Session,
        generation: u64,
        message: &[u8],
    ) -> Result<Option<Vec<u8>>, ModuleError> {
        let (private, public, way) = match both(session, &self.label)? {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the security module holds the key no longer");
                return Ok(None);
            }
        };
        if public.thumbprint() != self.public.thumbprint() {
            tracing::error!(key = self.label, "another key has taken its place in the security module");
            return Ok(None);
        }
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Bound { generation, private, way };
        way.sign(session, private, message).map(Some)
    }
}

impl ExternalSigner for HeldKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
        match self.try_to_sign(message) {
            Ok(signature) => Ok(signature),
            Err(NotSigned::Lost(generation)) if self.token.open_anew(generation) => {
                self.try_to_sign(message).map_err(|_| ExternalSignerError)
            }
            Err(_) => Err(ExternalSignerError),
        }
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("label", &self.label).finish_non_exhaustive()
    }
}
