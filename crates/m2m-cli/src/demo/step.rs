//! The steps as a table: name, what is sent, why it matters.

/// One step of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// RFC 6749 §2.3.1, in the header.
    ClientSecretBasic,
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost,
    /// RFC 7523 with an HMAC.
    ClientSecretJwt,
    /// RFC 7523 with a key pair.
    PrivateKeyJwt,
    /// RFC 8705 §2.1.
    TlsClientAuth,
    /// RFC 8705 §2.2.
    SelfSignedTlsClientAuth,
    /// RFC 9449.
    Dpop,
    /// No `Authorization` header.
    NoToken,
    /// A token that somebody else signed.
    ForgedToken,
    /// A token for another API.
    WrongAudience,
    /// A token with too small a scope.
    SmallScope,
    /// A new token before the old one ends.
    Renewal,
    /// One token withdrawn (RFC 7009).
    RevokedToken,
    /// One instance withdrawn, the other goes on.
    RevokedInstance,
}

impl Step {
    /// Every step, in the order of the story.
    pub const ALL: &[Self] = &[
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::Dpop,
        Self::NoToken,
        Self::ForgedToken,
        Self::WrongAudience,
        Self::SmallScope,
        Self::Renewal,
        Self::RevokedToken,
        Self::RevokedInstance,
    ];

    /// A short name, the same in text and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::Dpop => "dpop",
            Self::NoToken => "no_token",
            Self::ForgedToken => "forged_token",
            Self::WrongAudience => "wrong_audience",
            Self::SmallScope => "small_scope",
            Self::Renewal => "renewal",
            Self::RevokedToken => "revoked_token",
            Self::RevokedInstance => "revoked_instance",
        }
    }

    /// What is sent.
    pub fn sent(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "id and secret in the Authorization header",
            Self::ClientSecretPost => "id and secret in the form",
            Self::ClientSecretJwt => "an assertion signed with the secret (HS256)",
            Self::PrivateKeyJwt => "an assertion signed with a private key (ES256)",
            Self::TlsClientAuth => "a certificate from a trusted authority, in the TLS handshake",
            Self::SelfSignedTlsClientAuth => "a registered certificate, in the TLS handshake",
            Self::Dpop => "a token bound to a key, with a proof; then the same token without",
            Self::NoToken => "an API call without a token",
            Self::ForgedToken => "a token with the right claims, signed by a stranger",
            Self::WrongAudience => "a good token, but for another API",
            Self::SmallScope => "orders:read where orders:write is needed",
            Self::Renewal => "API calls while a token of 3 s grows old",
            Self::RevokedToken => "a token, before and after its revocation",
            Self::RevokedInstance => "calls of two instances, before and after one is revoked",
        }
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "simplest; every token request carries the secret",
            Self::ClientSecretPost => "for servers that read no header; the secret may end in body logs",
            Self::ClientSecretJwt => "the secret never travels, but both sides hold it",
            Self::PrivateKeyJwt => "the server holds nothing that could leak and be used",
            Self::TlsClientAuth => "your PKI speaks for the client; no secret to hand out",
            Self::SelfSignedTlsClientAuth => "the same strength without a PKI",
            Self::Dpop => "a stolen token is useless without its key",
            Self::NoToken => "the API is closed by default",
            Self::ForgedToken => "only the issuer's keys count",
            Self::WrongAudience => "a token leaked by one API opens no other",
            Self::SmallScope => "a caller can do what was granted, not more",
            Self::Renewal => "renewed before it ends, so that no caller waits or fails",
            Self::RevokedToken => "the API asks by introspection, so revocation counts at once",
            Self::RevokedInstance => "one machine is cut off and the service goes on",
        }
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The step.
    pub step: Step,
    /// What was seen; or what was seen instead of what should be.
    pub outcome: Result<String, String>,
}

impl Report {
    /// Whether the step did what it says.
    pub fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Step::ALL.iter().map(|step| step.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Step::ALL.len());
    }
}
