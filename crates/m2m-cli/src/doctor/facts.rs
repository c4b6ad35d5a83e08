//! What was seen, before anybody judges it: plain values, so that each check is a pure function of them.

use std::net::{IpAddr, SocketAddr};

use http::StatusCode;
use m2m_client::{Error, ErrorKind};
use m2m_io::HttpError;
use m2m_io::file::Exposure;
use m2m_proto::client_auth::ClientAuthMethod::{ClientSecretJwt, PrivateKeyJwt};
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;
use serde_json::{Map, Value};

use super::answer::{Answer, TokenAnswer};
use super::record::Exchange;
use crate::connect::credentials::Method;
use crate::exit::{Exit, Failure};
use crate::settings::field::Field;

/// Everything that was seen in one run.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// This machine's clock at the end.
    pub now: UnixTime,
    /// What is configured.
    pub settings: Asked,
    /// The client secrets that were read.
    pub secrets: Vec<SecretFacts>,
    /// Each secret, key and certificate that was read, and from where.
    pub read: Vec<String>,
    /// Files that hold secrets or keys, and who may read them.
    pub files: Vec<(String, Exposure)>,
    /// The keys that were read: what they are, or why they cannot be used.
    pub keys: Vec<(Field, Result<String, String>)>,
    /// The client certificate, if there is one.
    pub certificate: Option<CertificateFacts>,
    /// The server that is asked first.
    pub server: Option<Server>,
    /// The proxy that applies to it.
    pub proxy: Option<ProxyFacts>,
    /// The proxy that would apply if the server were not on this machine.
    pub bypassed: Option<ProxyFacts>,
    /// Addresses of its name; `None` where nobody looked.
    pub addresses: Option<Result<Vec<IpAddr>, String>>,
    /// Whether something listens; `None` where nobody looked.
    pub connection: Option<Result<SocketAddr, String>>,
    /// The certificates that servers showed.
    pub handshakes: Vec<Handshake>,
    /// What the engine exchanged.
    pub exchanges: Vec<Exchange>,
    /// The server's metadata, believed or not.
    pub metadata: Option<Metadata>,
    /// How the token request ended; `None` if there was no client to make it.
    pub outcome: Option<Result<(), Trouble>>,
    /// The fetch of the server's keys.
    pub keys_fetch: Option<Exchange>,
    /// Tries with other spellings and methods, if they were asked for.
    pub probes: Option<Vec<Variant>>,
}

/// What is configured, as far as checks compare it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Each value that somebody set, and where.
    pub sources: Vec<String>,
    /// The settings contradict themselves.
    pub unresolved: Option<Failure>,
    /// No client can be made of them.
    pub unusable: Option<Failure>,
    /// The issuer, where discovery is used.
    pub issuer: Option<String>,
    /// The method that is used.
    pub method: Option<Method>,
    /// The service of the catalogue, if one is named.
    pub service: Option<Known>,
    /// What signs assertions.
    pub algorithm: Option<String>,
    /// Whether the audience of assertions is stated.
    pub assertion_audience: Option<String>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// Audiences and resources asked for.
    pub audiences: Vec<String>,
    /// The life assumed where the answer names none, if somebody set it, in seconds.
    pub fallback: Option<u64>,
    /// Origins that may receive the token.
    pub destinations: Vec<String>,
    /// Whether tokens are to be bound to a key.
    pub binding: Binding,
}

/// What the catalogue says of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// The methods that it takes.
    pub methods: Vec<String>,
    /// The life of its tokens where the answer names none, in seconds.
    pub lifetime: Option<u64>,
}

/// Whether tokens are to be bound to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// Bearer tokens.
    #[default]
    None,
    /// DPoP tokens.
    Dpop,
}

/// A client secret, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFacts {
    /// Which.
    pub field: Field,
    /// Where it is.
    pub place: String,
    /// What stood around it.
    pub around: Around,
    /// How many `%XX` escapes it holds, if all its percent signs begin one.
    pub escapes: usize,
}

/// What stands around a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Nothing.
    Nothing,
    /// One line end, which was removed.
    LineEnd,
    /// Spaces, which are sent.
    Spaces,
    /// More than one line end, or another control character, which cannot be sent.
    Control,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Where it is.
    pub place: String,
    /// Its first and last second, if it can be read.
    pub validity: Option<(UnixTime, UnixTime)>,
}

/// A server by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Scheme, host and port as they are written.
    pub origin: String,
    /// The host.
    pub host: String,
    /// Whether TLS is spoken.
    pub scheme: Scheme,
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// A proxy that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFacts {
    /// Its URL without credentials.
    pub url: String,
    /// The variable that most likely names it.
    pub variable: &'static str,
    /// What it did.
    pub reaction: Reaction,
}

/// What a proxy did when it was asked to connect to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It was not asked: plain HTTP needs no tunnel.
    NotAsked,
    /// It made the connection.
    Connected,
    /// It cannot be reached.
    Unreachable(String),
    /// It answered something else than 200.
    Refused {
        /// The status.
        status: StatusCode,
        /// The content type without parameters.
        content_type: Option<String>,
    },
    /// It spoke no HTTP.
    Garbage,
}

/// The certificates that a server showed. Nothing about them is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Who was asked.
    pub origin: String,
    /// First and last second of each certificate, the server's own first.
    pub validities: Vec<(UnixTime, UnixTime)>,
}

/// Server metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Where it was.
    pub url: String,
    /// All of it.
    pub members: Map<String, Value>,
}

/// Why there is no token, in the engine's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The exit code of `m2m token`.
    pub exit: Exit,
    /// Whose turn it is.
    pub kind: ErrorKind,
    /// The OAuth error.
    pub code: Option<ErrorCode>,
    /// The server's sentence, with our secrets blacked out.
    pub description: Option<String>,
    /// What happened.
    pub message: String,
    /// What the library says to do.
    pub hint: String,
}

/// One try of `--probe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What was tried.
    pub what: &'static str,
    /// What to set if it is the right one.
    pub setting: &'static str,
    /// Whether the server accepted the client.
    pub taken: Taken,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The client was accepted, with or without a token.
    Accepted,
    /// It was refused, or nothing useful answered: status or reason.
    Refused(String),
}

impl Trouble {
    /// What the engine says.
    pub fn of(error: &Error) -> Self {
        let failure = Failure::from(error.clone());
        Self {
            exit: failure.exit(),
            kind: error.kind(),
            code: error.code().cloned(),
            description: error.description().map(str::to_owned),
            message: failure.message().to_owned(),
            hint: error.hint(),
        }
    }

    /// Whether the server does not accept the client.
    pub fn refuses_client(&self) -> bool {
        self.code == Some(ErrorCode::InvalidClient)
    }

    /// Whether the server's words hold one of these.
    pub fn speaks_of(&self, words: &[&str]) -> bool {
        let said = self.description.as_deref().unwrap_or_default().to_lowercase();
        words.iter().any(|word| said.contains(word))
    }
}

impl Facts {
    /// Why there is no token, if the engine asked for one and got none.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.outcome.as_ref()?.as_ref().err()
    }

    /// Whether the server does not accept the client.
    pub fn client_is_refused(&self) -> bool {
        self.trouble().is_some_and(Trouble::refuses_client)
    }

    /// Whether method or grant makes assertions.
    pub fn makes_assertions(&self) -> bool {
        let signs = matches!(self.settings.method, Some(Method::Registered(ClientSecretJwt | PrivateKeyJwt)));
        signs || self.keys.iter().any(|(field, _)| *field == Field::PrivateKey)
    }

    /// The last request for a token.
    pub fn token_request(&self) -> Option<&Exchange> {
        self.exchanges.iter().rfind(|exchange| exchange.is_token_request())
    }

    /// Its answer.
    pub fn token_response(&self) -> Option<&Answer> {
        self.token_request()?.answer()
    }

    /// Its answer, if that is JSON.
    pub fn token_answer(&self) -> Option<&TokenAnswer> {
        self.token_response()?.token()
    }

    /// Exchanges of the engine that ended without an answer.
    pub fn network_errors(&self) -> impl Iterator<Item = (&Exchange, &HttpError)> {
        self.exchanges.iter().filter_map(|exchange| Some((exchange, exchange.outcome.as_ref().err()?)))
    }

    /// A list of texts in the metadata.
    pub fn advertised(&self, member: &str) -> Option<Vec<&str>> {
        let list = self.metadata.as_ref()?.members.get(member)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }

    /// A text in the metadata.
    pub fn stated(&self, member: &str) -> Option<&str> {
        self.metadata.as_ref()?.members.get(member)?.as_str()
    }
}
