//! The six services that most people meet first, as they answer: Auth0, Okta (both of its servers), Entra, Google
//! service accounts, Cognito and Salesforce.
//!
//! Each [`Provider`] is a behaviour and the one client that it knows. What services say in their own words stands here
//! as far as it is documented; where it is not, they answer in the form of RFC 6749. With
//! [`Provider::with_recorded`] they use the words of the catalogue's recorded answers instead.
//!
//! A test that asks as `service` says gets a token. It gets the service's errors with another secret or key, without
//! the audience or scope, and from [`Provider::unauthorized`] and [`Provider::clock_off`].

mod identity;
mod platform;

use std::sync::OnceLock;

use m2m_proto::jose::Algorithm;
use rcgen::{CertificateParams, DnType, KeyPair};

use super::behaviour::{Behaviour, GrantProof};
use super::errors::Situation;
use super::recorded;
use crate::FixedKeys;
use crate::certificates::Identity;

/// The secret of every client here. Has nothing in it that needs encoding.
pub const SECRET: &str = "s3cret-for-tests";

/// A service and the one client that it knows.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its id in the catalogue.
    pub id: &'static str,
    /// Its host, for tests that go through a [`Tunnel`](super::Tunnel).
    pub host: &'static str,
    /// The catalogue's variables that lead to that host, with their values.
    pub variables: Vec<(&'static str, &'static str)>,
    /// How the client proves itself, by the name of the method; `none` where an assertion is the grant.
    pub method: &'static str,
    /// The client.
    pub client_id: &'static str,
    /// The scopes that it asks for.
    pub scopes: Vec<&'static str>,
    /// The audience that it asks for.
    pub audience: Option<&'static str>,
    /// With which algorithm its key signs, where it has one: the fixed RSA key, [`Self::key_pem`].
    pub algorithm: Option<Algorithm>,
    /// What the service does.
    pub behaviour: Behaviour,
}

impl Provider {
    /// Where tokens are asked for under the real host.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("https://{}{}", self.host, self.behaviour.token_path)
    }

    /// The client's private key, PKCS#8 PEM; `None` for a client with a secret.
    #[must_use]
    pub fn key_pem(&self) -> Option<&'static str> {
        self.algorithm.map(FixedKeys::pem)
    }

    /// With the words of these recorded answers, in the form of the catalogue's files. Tokens are still made by the
    /// behaviour. What was recorded for a secret is not said to a client with a key: `wrong_key` is, if there is one.
    ///
    /// # Panics
    ///
    /// If the text is not such a file.
    #[must_use]
    pub fn with_recorded(mut self, text: &str) -> Self {
        let success = self.behaviour.success.clone();
        let (wrong, others): (Vec<_>, Vec<_>) = super::recorded(text)
            .into_iter()
            .partition(|(name, _)| name == "wrong_secret" || name == "wrong_key");
        let same = recorded::method(text).is_none_or(|method| method.ends_with("_jwt") == self.shows_key());
        let fitting = if same { "wrong_secret" } else { "wrong_key" };
        let situation = match self.behaviour.grant.proof {
            GrantProof::None => Situation::WrongClient,
            _ => Situation::WrongGrant,
        };
        self.behaviour = self.behaviour.recorded(others);
        self.behaviour.success = success;
        for (name, answer) in wrong {
            if name == fitting {
                self.behaviour.errors.set(situation.clone(), answer.clone());
            }
            self.behaviour.named.insert(name, answer);
        }
        self
    }

    fn shows_key(&self) -> bool {
        self.method.ends_with("_jwt")
    }

    /// The service before anybody has allowed the client to call the API.
    #[must_use]
    pub fn unauthorized(mut self) -> Self {
        self.behaviour.denies = Some(Situation::UnauthorizedApi);
        self
    }

    /// The service five minutes behind the client: what the client signs now is signed in the future. Services that
    /// take a secret do not notice; their `Date` header tells.
    #[must_use]
    pub fn clock_off(mut self) -> Self {
        self.behaviour.clock_offset = -300;
        self
    }
}

/// All of them, once for each method that is usual there.
#[must_use]
pub fn all() -> Vec<Provider> {
    vec![
        identity::auth0(),
        identity::auth0_with_key(),
        identity::okta_custom(),
        identity::okta_custom_with_key(),
        identity::okta_org(),
        platform::entra(),
        platform::entra_with_certificate(),
        platform::google_service_account(),
        platform::cognito(),
        platform::salesforce(),
    ]
}

/// The one of this id and method.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn find(id: &str, method: &str) -> Provider {
    let found = all().into_iter().find(|service| service.id == id && service.method == method);
    found.unwrap_or_else(|| panic!("no {id} by {method}"))
}

/// A certificate of the fixed RSA key, PEM: what Entra was given, and whose thumbprint it wants.
///
/// # Panics
///
/// If it cannot be made.
#[must_use]
pub fn certificate_pem() -> String {
    certificate().chain_pem.clone()
}

/// The base64url SHA-256 of that certificate: `x5t#S256`.
#[must_use]
pub fn certificate_thumbprint() -> String {
    certificate().peer().thumbprint().to_text().to_string()
}

fn certificate() -> &'static Identity {
    static MADE: OnceLock<Identity> = OnceLock::new();
    MADE.get_or_init(|| {
        let key = KeyPair::from_pem(FixedKeys::pem(Algorithm::Ps256)).expect("the fixed key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "orders");
        Identity::of(&params.self_signed(&key).expect("a certificate"), &key)
    })
}
