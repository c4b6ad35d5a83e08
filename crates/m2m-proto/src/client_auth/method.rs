//! The names of client authentication methods, as IANA registers them.
//!
//! Sections: RFC 7591 section 2, RFC 8705 section 2, RFC 8414 section 2

use std::fmt;

use crate::names::auth_method;

/// How a client proves who it is at the token, introspection and revocation
/// endpoints.
///
/// Public clients (`none`) have no variant: a machine always has a credential
/// (RFC 6749 section 4.4: confidential clients only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientAuthMethod {
    /// The secret in the `Authorization` header (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// The secret in the request body (RFC 6749 section 2.3.1).
    ClientSecretPost,
    /// An assertion under a key made of the secret (RFC 7523, HS256 to HS512).
    ClientSecretJwt,
    /// An assertion under the client's private key (RFC 7523).
    PrivateKeyJwt,
    /// A certificate of a trusted authority, by its subject (RFC 8705 section 2.1).
    TlsClientAuth,
    /// A certificate known in advance (RFC 8705 section 2.2).
    SelfSignedTlsClientAuth,
}

impl ClientAuthMethod {
    /// Every method, in the order in which metadata lists them.
    pub const ALL: [Self; 6] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
    ];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => auth_method::CLIENT_SECRET_BASIC,
            Self::ClientSecretPost => auth_method::CLIENT_SECRET_POST,
            Self::ClientSecretJwt => auth_method::CLIENT_SECRET_JWT,
            Self::PrivateKeyJwt => auth_method::PRIVATE_KEY_JWT,
            Self::TlsClientAuth => auth_method::TLS_CLIENT_AUTH,
            Self::SelfSignedTlsClientAuth => auth_method::SELF_SIGNED_TLS_CLIENT_AUTH,
        }
    }

    /// The method of that registered name, compared exactly; `None` for `none`
    /// and for names unknown here.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether the method needs a client certificate in the TLS handshake.
    #[must_use]
    pub const fn uses_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}

impl fmt::Display for ClientAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_exactly() {
        for method in ClientAuthMethod::ALL {
            assert_eq!(ClientAuthMethod::parse(method.as_str()), Some(method));
            assert_eq!(ClientAuthMethod::parse(&method.as_str().to_uppercase()), None);
        }
        assert_eq!(ClientAuthMethod::parse("private_key_jwt"), Some(ClientAuthMethod::PrivateKeyJwt));
    }

    #[test]
    fn two_methods_need_a_certificate() {
        let needs = ClientAuthMethod::ALL.into_iter().filter(|method| method.uses_certificate());
        let needs: Vec<_> = needs.map(ClientAuthMethod::as_str).collect();
        assert_eq!(needs, ["tls_client_auth", "self_signed_tls_client_auth"]);
    }

    #[test]
    fn public_clients_have_no_method() {
        assert_eq!(ClientAuthMethod::parse(auth_method::NONE), None);
    }
}
