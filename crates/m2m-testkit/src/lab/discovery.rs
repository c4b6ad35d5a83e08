//! What a service publishes: metadata, keys, and whatever else stands at a path.
//!
//! Sections: RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3, RFC 7517 section 5
//! Enforces: nothing; an issuer may be wrong and a key set dead on purpose.

use m2m_proto::jose::Algorithm;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::FixedKeys;

/// Something at a path that is fetched with GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its path, compared as it is.
    pub path: String,
    /// What is there; `None`: the connection is closed without a word.
    pub answer: Option<Answer>,
}

impl Document {
    /// This answer at this path.
    #[must_use]
    pub fn new(path: &str, answer: Answer) -> Self {
        Self { path: path.to_owned(), answer: Some(answer) }
    }

    /// A path at which the connection is closed without a word.
    #[must_use]
    pub fn dead(path: &str) -> Self {
        Self { path: path.to_owned(), answer: None }
    }
}

/// Where the keys are said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksUri {
    /// Not said.
    Absent,
    /// At this path, and they are there.
    Here(String),
    /// At this path, where nobody answers.
    Dead(String),
    /// At this URL, which may hold `{origin}`.
    At(String),
}

/// The metadata of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// `issuer`; default `{origin}`.
    pub issuer: String,
    /// `token_endpoint_auth_methods_supported`; empty leaves it out.
    pub methods: Vec<String>,
    /// `token_endpoint_auth_signing_alg_values_supported`; empty leaves it out.
    pub algorithms: Vec<String>,
    /// `jwks_uri`; default `/jwks`.
    pub jwks_uri: JwksUri,
    /// The key set's text; default the fixed RSA key as RS256.
    pub jwks: String,
    /// Other members, or other values of these.
    pub members: Map<String, Value>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            issuer: "{origin}".to_owned(),
            methods: Vec::new(),
            algorithms: Vec::new(),
            jwks_uri: JwksUri::Here("/jwks".to_owned()),
            jwks: Self::keys(&[Algorithm::Rs256]),
            members: Map::new(),
        }
    }
}

impl Discovery {
    /// The fixed public keys of these algorithms, as a key set document.
    ///
    /// # Panics
    ///
    /// If there is no such public key.
    #[must_use]
    pub fn keys(algorithms: &[Algorithm]) -> String {
        String::from_utf8(FixedKeys::set(algorithms)).expect("JSON")
    }

    /// With these authentication methods.
    #[must_use]
    pub fn methods(mut self, methods: &[&str]) -> Self {
        self.methods = methods.iter().map(|method| (*method).to_owned()).collect();
        self
    }

    /// With this issuer.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), ..self }
    }

    /// The documents: the metadata at `path`, and the keys where they are here.
    pub(super) fn documents(&self, path: &str, token_path: &str) -> Vec<Document> {
        let here = |path: &str| Some(format!("{{origin}}{path}"));
        let (jwks_uri, keys) = match &self.jwks_uri {
            JwksUri::Absent => (None, None),
            JwksUri::At(url) => (Some(url.clone()), None),
            JwksUri::Dead(path) => (here(path), Some(Document::dead(path))),
            JwksUri::Here(path) => {
                let answer = Answer::new(200, "application/jwk-set+json", self.jwks.as_str());
                (here(path), Some(Document::new(path, answer)))
            }
        };
        let mut metadata =
            json!({ "issuer": self.issuer, "token_endpoint": format!("{{origin}}{token_path}") });
        let lists = [
            ("token_endpoint_auth_methods_supported", &self.methods),
            ("token_endpoint_auth_signing_alg_values_supported", &self.algorithms),
        ];
        for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            metadata[name] = json!(values);
        }
        if let Some(url) = jwks_uri {
            metadata["jwks_uri"] = url.into();
        }
        for (name, value) in &self.members {
            metadata[name.as_str()] = value.clone();
        }
        let metadata = Document::new(path, Answer::json(200, &metadata));
        std::iter::once(metadata).chain(keys).collect()
    }
}
