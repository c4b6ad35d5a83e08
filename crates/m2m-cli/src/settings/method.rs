//! The table of client authentication methods in the words of a profile: what each needs, what may go with it, what
//! it means. Schema, conversation, catalogue page and checks all read it.
//!
//! Sections: RFC 7591 section 2 (`token_endpoint_auth_method`), RFC 8705 section 2, RFC 7523 section 2.2

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::ClientAuthMethod as M;
use m2m_proto::names::auth_method;

use super::field::Field;
use super::grant;

/// `client_auth_method` of a client that shows a workload token as its assertion (RFC 7523 section 2.2).
pub const FEDERATED: &str = "federated";

/// How the client proves who it is: a registered method, or one of the two ways that have no name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A method of RFC 7591.
    Registered(ClientAuthMethod),
    /// `federated`: a workload token is the client assertion (RFC 7523 section 2.2).
    Federated,
    /// `none`: the grant says who we are.
    None,
}

impl Method {
    /// Every way to prove who the client is.
    pub const ALL: [Self; 8] = [
        Self::Registered(M::ClientSecretBasic),
        Self::Registered(M::ClientSecretPost),
        Self::Registered(M::ClientSecretJwt),
        Self::Registered(M::PrivateKeyJwt),
        Self::Registered(M::TlsClientAuth),
        Self::Registered(M::SelfSignedTlsClientAuth),
        Self::Federated,
        Self::None,
    ];

    /// Its name in a profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered(method) => method.as_str(),
            Self::Federated => FEDERATED,
            Self::None => auth_method::NONE,
        }
    }

    /// The method of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// What has to be named for it.
    pub const fn needs(self) -> &'static [Field] {
        match self {
            Self::Registered(M::ClientSecretBasic | M::ClientSecretPost | M::ClientSecretJwt) => {
                &[Field::ClientSecret]
            }
            Self::Registered(M::PrivateKeyJwt) => &[Field::PrivateKey],
            Self::Registered(M::TlsClientAuth | M::SelfSignedTlsClientAuth) => {
                &[Field::Certificate, Field::CertificateKey]
            }
            Self::Federated => &[Field::WorkloadToken],
            Self::None => &[],
        }
    }

    /// What may go with it.
    pub const fn optional(self) -> &'static [Field] {
        match self {
            Self::Registered(M::ClientSecretBasic) => &[Field::NextClientSecret, Field::BasicEncoding],
            Self::Registered(M::ClientSecretPost) => &[Field::NextClientSecret],
            Self::Registered(M::ClientSecretJwt) => {
                &[Field::NextClientSecret, Field::Algorithm, Field::AssertionAudience]
            }
            Self::Registered(M::PrivateKeyJwt) => &[Field::KeyId, Field::Algorithm, Field::AssertionAudience],
            Self::Registered(M::TlsClientAuth | M::SelfSignedTlsClientAuth)
            | Self::Federated
            | Self::None => &[],
        }
    }

    /// One line for who has to choose, without a capital.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Registered(M::ClientSecretBasic) => {
                "the secret goes to the server, in a header; what most servers expect"
            }
            Self::Registered(M::ClientSecretPost) => "the secret goes to the server, in the body",
            Self::Registered(M::ClientSecretJwt) => {
                "the secret signs and does not travel; the server knows it too"
            }
            Self::Registered(M::PrivateKeyJwt) => "your key signs; the server knows its public half only",
            Self::Registered(M::TlsClientAuth) => "a certificate of an authority that the server trusts",
            Self::Registered(M::SelfSignedTlsClientAuth) => "your own certificate, registered at the server",
            Self::Federated => "a token of the platform stands for a secret: nothing to keep",
            Self::None => "nothing is shown besides the grant itself",
        }
    }
}

/// Of these names, the first for which there is what it needs; else the first. A name that is not in the table needs
/// nothing that we know of.
pub fn fitting(methods: &[String], has: impl Fn(Field) -> bool) -> Option<&str> {
    let fits = |name: &&String| {
        Method::parse(name).is_none_or(|method| method.needs().iter().all(|field| has(*field)))
    };
    methods.iter().find(fits).or_else(|| methods.first()).map(String::as_str)
}

/// What method and grant need, each field once, with the name of what needs it. A workload token that is named
/// stands for the private key, for somebody else has signed it; but never where the token itself is self-signed.
pub fn needed(method: Method, grant: &str, has: impl Fn(Field) -> bool) -> Vec<(Field, &str)> {
    let signed = has(Field::WorkloadToken);
    let by_method = method.needs().iter().map(|field| (*field, method.as_str(), signed));
    let by_grant =
        grant::needs(grant).iter().map(|field| (*field, grant, signed && grant != grant::SELF_SIGNED));
    let mut needed: Vec<(Field, &str)> = Vec::new();
    for (field, what, signed) in by_method.chain(by_grant) {
        let replaced = signed && field == Field::PrivateKey;
        if !replaced && needed.iter().all(|(known, _)| *known != field) {
            needed.push((field, what));
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Method = Method::Registered(M::PrivateKeyJwt);

    #[test]
    fn every_method_has_one_name() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
        }
        for method in ClientAuthMethod::ALL {
            assert!(Method::ALL.contains(&Method::Registered(method)), "{method:?}");
        }
        assert_eq!(Method::parse("client_secret"), None);
    }

    #[test]
    fn no_field_is_both_needed_and_optional() {
        for method in Method::ALL {
            assert!(method.optional().iter().all(|field| !method.needs().contains(field)), "{method:?}");
        }
    }

    #[test]
    fn the_first_method_that_fits() {
        let check = |methods: &[&str], given: &[Field], expect: Option<&str>| {
            let methods: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
            assert_eq!(fitting(&methods, |field| given.contains(&field)), expect, "{methods:?} {given:?}");
        };
        let certificate = ["client_secret_post", "tls_client_auth"];
        check(&certificate, &[Field::Certificate, Field::CertificateKey], Some("tls_client_auth"));
        check(&certificate, &[Field::Certificate], Some("client_secret_post"));
        check(&certificate, &[], Some("client_secret_post"));
        check(&["federated", "none"], &[], Some("none"));
        check(&["client_secret_post", "of_tomorrow"], &[], Some("of_tomorrow"));
        check(&[], &[Field::ClientSecret], None);
    }

    #[test]
    fn method_and_grant_need_their_own() {
        let check = |method: Method, grant: &str, given: &[Field], expect: &[(Field, &str)]| {
            assert_eq!(needed(method, grant, |field| given.contains(&field)), expect, "{method:?} {grant}");
        };
        let post = Method::Registered(M::ClientSecretPost);
        let secret = (Field::ClientSecret, "client_secret_post");
        check(post, "client_credentials", &[], &[secret]);
        check(post, grant::JWT_BEARER, &[], &[secret, (Field::PrivateKey, "jwt_bearer")]);
        check(KEY, grant::JWT_BEARER, &[], &[(Field::PrivateKey, "private_key_jwt")]);
        check(Method::None, grant::TOKEN_EXCHANGE, &[], &[(Field::WorkloadToken, "token_exchange")]);
        // Signed by somebody else.
        check(KEY, grant::JWT_BEARER, &[Field::WorkloadToken], &[]);
        check(
            Method::None,
            grant::SELF_SIGNED,
            &[Field::WorkloadToken],
            &[(Field::PrivateKey, "self_signed")],
        );
    }
}
