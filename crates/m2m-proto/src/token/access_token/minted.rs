//! The writing half: the claims of a token, signed.
//!
//! Sections: RFC 9068 sections 2.1, 2.2
//! Enforces: a token has an end after its beginning, an audience and a `jti`.
//! Does not enforce: who may have it; the server decided that before.

use super::super::AccessToken;
use super::super::confirmation::Confirmation;
use super::super::object::ObjectWriter;
use super::{Delegation, KIND, StatusReference};
use crate::client_id::ClientId;
use crate::jose::{HeaderFields, JwsError, PreparedHeader, SigningKey, jws};
use crate::names::claim;
use crate::scope::Scope;
use crate::seal::SealError;
use crate::time::UnixTime;
use crate::uri::Issuer;

/// Why an access token was not written: a defect of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// `exp` is not after `iat`, or `aud` or `jti` is empty.
    #[error("the claims to be signed make no token")]
    Unusable,
    /// The key did not sign.
    #[error("the token was not signed: {0}")]
    Jws(#[from] JwsError),
    /// The token was not sealed, see [`crate::token::sealed`].
    #[error("the token was not sealed: {0}")]
    Seal(#[from] SealError),
    /// More bytes than a sealed token may have: too much scope, too many roles.
    #[error("a sealed token of {bytes} bytes, {limit} allowed")]
    TooLong {
        /// Bytes needed.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// The claims of a token to be minted (RFC 9068 section 2.2).
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `sub`: for client credentials, the client.
    pub subject: &'a str,
    /// `client_id`, and `azp`, which older verifiers read instead.
    pub client_id: &'a ClientId,
    /// `aud`: the API; a bare string where there is one.
    pub audience: &'a [&'a str],
    /// `scope`; left out where empty.
    pub scope: &'a Scope,
    /// `iat` and `nbf`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `jti`.
    pub jti: &'a str,
    /// `roles`; left out where empty.
    pub roles: &'a [String],
    /// `permissions`; left out where empty.
    pub permissions: &'a [String],
    /// `cred`: the credential that obtained the token.
    pub credential: Option<&'a str>,
    /// `cnf`.
    pub confirmation: Option<&'a Confirmation>,
    /// `status.status_list`.
    pub status: Option<StatusReference<'a>>,
    /// `act` and `exchanged_from`: for a token that was exchanged.
    pub delegation: Option<&'a Delegation>,
}

impl AccessTokenClaims<'_> {
    /// The header for all access tokens under that key, to be made once.
    // spec: 9068-AS1
    #[must_use]
    pub fn header(key: &SigningKey) -> PreparedHeader {
        PreparedHeader::new(
            &HeaderFields { typ: KIND.typ(), kid: key.key_id(), ..HeaderFields::default() },
            key,
        )
    }

    /// Signs the token. `header` is that of [`AccessTokenClaims::header`] for
    /// the same key.
    ///
    /// # Errors
    /// `Unusable`, and what signing says.
    // spec: 9068-AS1
    pub fn sign(&self, header: &PreparedHeader, key: &SigningKey) -> Result<AccessToken, MintError> {
        let text = jws::sign_prepared(header, self.encode()?.as_bytes(), key)?;
        AccessToken::made(text).map_err(|_| MintError::Unusable)
    }

    /// The payload. Written straight into one string: a map in between would
    /// cost more than all else about a token but its signature.
    ///
    /// # Errors
    /// `Unusable`.
    pub fn encode(&self) -> Result<String, MintError> {
        let usable = self.expires_at > self.issued_at && !self.jti.is_empty() && !self.audience.is_empty();
        if !usable {
            return Err(MintError::Unusable);
        }
        let mut object = ObjectWriter::with_capacity(512);
        object.text(claim::ISS, self.issuer.as_str());
        object.text(claim::SUB, self.subject);
        match self.audience {
            [sole] => object.text(claim::AUD, sole),
            several => object.texts(claim::AUD, several),
        }
        object.number(claim::EXP, self.expires_at.seconds());
        object.number(claim::NBF, self.issued_at.seconds());
        object.number(claim::IAT, self.issued_at.seconds());
        object.text(claim::JTI, self.jti);
        object.text(claim::CLIENT_ID, self.client_id.as_str());
        object.text(claim::AZP, self.client_id.as_str());
        if !self.scope.is_empty() {
            object.words(claim::SCOPE, self.scope.iter().map(crate::scope::ScopeToken::as_str));
        }
        self.encode_optional(&mut object);
        Ok(object.finish())
    }

    fn encode_optional(&self, object: &mut ObjectWriter) {
        if !self.roles.is_empty() {
            object.texts(claim::ROLES, self.roles);
        }
        if !self.permissions.is_empty() {
            object.texts(claim::PERMISSIONS, self.permissions);
        }
        if let Some(credential) = self.credential {
            object.text(claim::CRED, credential);
        }
        if let Some(confirmation) = self.confirmation {
            object.object(claim::CNF, |cnf| confirmation.write(cnf));
        }
        if let Some(status) = self.status {
            object.object(claim::STATUS, |object| status.write(object));
        }
        if let Some(delegation) = self.delegation {
            delegation.write(object);
        }
    }
}
