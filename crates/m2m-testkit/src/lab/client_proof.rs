//! How a service wants the client to prove itself: in exactly one way, and in this one.
//!
//! Sections: RFC 6749 sections 2.3.1 and appendix B, RFC 7617, RFC 7523 section 2.2
//! Enforces: that nothing else than the one proof stands in the request, in whatever place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use m2m_proto::form::decode_component;
use m2m_proto::secret::SecretString;

use super::asked::{Asked, Place};
use super::assertion::{AssertionRule, Fault, Moment, Used};
use super::errors::Situation;
use crate::record::Recorded;

/// A client's name and secret, and under which names they are sent where they are parameters.
#[derive(Clone, Debug)]
pub struct SharedSecret {
    /// The client's name.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// The parameter with the name; `None`: the secret alone is sent.
    pub id_parameter: Option<String>,
    /// The parameter with the secret.
    pub secret_parameter: String,
}

impl SharedSecret {
    /// `client_id` and `client_secret`.
    #[must_use]
    pub fn new(client_id: &str, secret: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            secret: SecretString::from(secret),
            id_parameter: Some("client_id".to_owned()),
            secret_parameter: "client_secret".to_owned(),
        }
    }
}

/// What a service makes of the two halves of Basic credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BasicReading {
    /// Compares them as they are: a client that encodes `%` or `+` is refused.
    Raw,
    /// Decodes each as a form first: a client that does not encode those is refused.
    FormDecoded,
    /// Decodes them if this header is sent with the value `true`, compares them as they are if not.
    FormDecodedIf(String),
}

/// How the client proves itself.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// `client_secret_basic`. A `client_id` parameter may stand beside it, if it is the same.
    Basic(SharedSecret, BasicReading),
    /// `client_secret_post`, or the same in another place.
    Parameters(SharedSecret, Place),
    /// `private_key_jwt` or `client_secret_jwt`: `client_assertion` and its type.
    Assertion(AssertionRule),
    /// A JWT of the client's in `Authorization: Bearer`.
    Bearer(AssertionRule),
    /// Not at all.
    None,
}

/// Something in a request that proves, or could prove, who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Basic,
    Bearer,
    OtherScheme,
    Secret(Place),
    Assertion(Place),
}

impl ClientProof {
    /// The client, if this service knows it by a name of its own.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Basic(shared, _) | Self::Parameters(shared, _) => Some(&shared.client_id),
            Self::Assertion(rule) | Self::Bearer(rule) => Some(&rule.issuer),
            Self::None => None,
        }
    }

    /// Whether this request shows the one proof, and nothing else.
    pub(super) fn check(
        &self,
        request: &Recorded,
        (asked, place): (&Asked, Place),
        at: &Moment,
        used: &mut Used,
    ) -> Result<(), Situation> {
        let shown = self.shown(request, asked);
        let expected = match self {
            Self::Basic(..) => vec![Shown::Basic],
            Self::Parameters(_, place) => vec![Shown::Secret(*place)],
            Self::Assertion(_) => vec![Shown::Assertion(place)],
            Self::Bearer(_) => vec![Shown::Bearer],
            Self::None => Vec::new(),
        };
        if shown != expected {
            return Err(Situation::WrongClient);
        }
        let credentials = request.header("authorization").and_then(|value| value.split_once(' '));
        let credentials = credentials.map_or("", |(_, credentials)| credentials);
        match self {
            Self::Basic(shared, reading) => {
                let named = Place::ALL.into_iter().flat_map(|place| asked.get(place, "client_id"));
                let (client_id, secret) = basic(credentials, reading, request, shared)?;
                shared.check(&client_id, &secret)?;
                named.into_iter().try_for_each(|named| shared.check(named, &secret))
            }
            Self::Parameters(shared, place) => {
                let secret = asked.get(*place, &shared.secret_parameter).unwrap_or_default();
                let client_id = shared.id_parameter.as_deref().map(|name| asked.get(*place, name));
                shared.check(client_id.map_or(&shared.client_id, Option::unwrap_or_default), secret)
            }
            Self::Assertion(rule) => {
                if asked.get(place, "client_assertion_type") != Some(&rule.assertion_type) {
                    return Err(Situation::WrongClient);
                }
                verify(rule, asked.get(place, "client_assertion").unwrap_or_default(), at, used)
            }
            Self::Bearer(rule) => verify(rule, credentials, at, used),
            Self::None => Ok(()),
        }
    }

    fn shown(&self, request: &Recorded, asked: &Asked) -> Vec<Shown> {
        let schemes = request.headers.get_all("authorization").iter().map(|value| {
            let scheme = value.to_str().unwrap_or_default().split(' ').next().unwrap_or_default();
            match scheme.to_ascii_lowercase().as_str() {
                "basic" => Shown::Basic,
                "bearer" => Shown::Bearer,
                _ => Shown::OtherScheme,
            }
        });
        let own = match self {
            Self::Parameters(shared, _) => Some(shared.secret_parameter.as_str()),
            _ => None,
        };
        let names = own.filter(|own| *own != "client_secret").into_iter().chain(["client_secret"]);
        let places = names.flat_map(|name| Place::ALL.map(|place| (name, place)));
        let secrets = places.filter(|(name, place)| asked.get(*place, name).is_some());
        let secrets = secrets.map(|(_, place)| Shown::Secret(place));
        let assertion = |place: &Place| asked.get(*place, "client_assertion").is_some();
        let assertions = Place::ALL.into_iter().filter(assertion).map(Shown::Assertion);
        schemes.chain(secrets).chain(assertions).collect()
    }
}

impl SharedSecret {
    fn check(&self, client_id: &str, secret: &str) -> Result<(), Situation> {
        if client_id != self.client_id {
            return Err(Situation::UnknownClient);
        }
        if secret == self.secret.expose() { Ok(()) } else { Err(Situation::WrongClient) }
    }
}

/// The two halves as the service reads them.
fn basic(
    credentials: &str,
    reading: &BasicReading,
    request: &Recorded,
    shared: &SharedSecret,
) -> Result<(String, String), Situation> {
    let decoded = STANDARD.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or(Situation::WrongClient)?;
    let decodes = match reading {
        BasicReading::Raw => false,
        BasicReading::FormDecoded => true,
        BasicReading::FormDecodedIf(header) => request.header(header) == Some("true"),
    };
    if decodes {
        let (client_id, secret) = decoded.split_once(':').ok_or(Situation::WrongClient)?;
        let decode = |half: &str| -> Result<String, Situation> {
            decode_component(half).map(Into::into).map_err(|_| Situation::WrongClient)
        };
        return Ok((decode(client_id)?, decode(secret)?));
    }
    // A name with a colon in it still compares as it is.
    let own = decoded.strip_prefix(&shared.client_id).and_then(|rest| rest.strip_prefix(':'));
    let pair = own.map(|secret| (shared.client_id.as_str(), secret)).or_else(|| decoded.split_once(':'));
    let (client_id, secret) = pair.ok_or(Situation::WrongClient)?;
    Ok((client_id.to_owned(), secret.to_owned()))
}

fn verify(rule: &AssertionRule, token: &str, at: &Moment, used: &mut Used) -> Result<(), Situation> {
    rule.check(token, at, used).map(drop).map_err(|fault| match fault {
        Fault::Wrong => Situation::WrongClient,
        Fault::Clock => Situation::Clock,
        Fault::Replayed => Situation::Replayed,
    })
}
