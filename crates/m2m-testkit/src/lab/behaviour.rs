//! A token service as data: how it must be asked, and what it answers.
//!
//! Enforces: nothing by itself; the module `judge` applies it.

use std::collections::BTreeMap;

use http::Method;

use super::answer::Answer;
use super::asked::Place;
use super::assertion::AssertionRule;
use super::certificate::ServerCertificate;
use super::client_proof::{ClientProof, SharedSecret};
use super::discovery::{Discovery, Document};
use super::errors::{Errors, Situation};
use super::success::Success;

/// What a token service does. Start with [`Self::new`] and change fields.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Where tokens are asked for; default `/token`.
    pub token_path: String,
    /// How they are asked for; default POST.
    pub method: Method,
    /// Where parameters stand; default in a form.
    pub place: Place,
    /// How the client proves itself.
    pub client: ClientProof,
    /// What `grant_type` must say, and what must come with it.
    pub grant: GrantRule,
    /// Parameters that must be there.
    pub required: Vec<Required>,
    /// Headers that must be there with these values.
    pub headers: Vec<(String, String)>,
    /// Which scopes there are; default: whatever is asked for, or none.
    pub scope: ScopeRule,
    /// For which APIs this client may have a token; default: whatever is asked for, or none.
    pub api: Option<ApiRule>,
    /// What a good request is answered.
    pub success: Success,
    /// What others are answered.
    pub errors: Errors,
    /// What can be fetched besides tokens.
    pub documents: Vec<Document>,
    /// Seconds by which the service's clock is ahead of the system's (negative: behind). Assertions are judged by
    /// it, and the `Date` header of every answer tells it.
    pub clock_offset: i64,
    /// So many token requests are answered, those after them are [`Situation::RateLimited`].
    pub allowance: Option<usize>,
    /// Which certificate is shown by HTTPS; default a good one.
    pub certificate: ServerCertificate,
    /// What is said to a request that is good otherwise: the service's side is not set up (no grant for the API, no
    /// scope, no user to run as). Default: it is.
    pub denies: Option<Situation>,
    /// Answers by name, for [`Self::playing`]. Filled by [`Self::recorded`].
    pub named: BTreeMap<String, Answer>,
    /// The name of the answer that every token request gets, whatever it says.
    pub playing: Option<String>,
}

/// What `grant_type` must say.
#[derive(Clone, Debug)]
pub struct GrantRule {
    /// The text; empty: there must be no `grant_type`.
    pub text: String,
    /// Where it stands, if not where the other parameters do.
    pub place: Option<Place>,
    /// What must come with it.
    pub proof: GrantProof,
}

/// What must come with a grant type.
#[derive(Clone, Debug)]
pub enum GrantProof {
    /// Nothing: the client asks for itself.
    None,
    /// `assertion`, signed (RFC 7523 section 2.1).
    Assertion(AssertionRule),
    /// `subject_token` of this `subject_token_type` (RFC 8693 section 2.1), signed.
    SubjectJwt(AssertionRule, String),
    /// `subject_token` of this `subject_token_type`, exactly this text.
    SubjectToken(String, String),
}

/// A parameter that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Its name.
    pub name: String,
    /// Its value; `None`: any that is not empty.
    pub value: Option<String>,
    /// Where it stands, if not where the other parameters do.
    pub place: Option<Place>,
}

/// Where a service reads the scopes that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopePlace {
    /// In the parameter `scope`.
    Parameter,
    /// In the claim `scope` of the grant's assertion; a parameter `scope` is [`Situation::Malformed`].
    Claim,
}

/// Which scopes can be asked for.
#[derive(Clone, Debug)]
pub struct ScopeRule {
    /// Where they are read.
    pub place: ScopePlace,
    /// What stands between two.
    pub separator: String,
    /// The scopes that there are; empty: all.
    pub known: Vec<String>,
    /// Scopes that stand for an API that this client may not call.
    pub unauthorized: Vec<String>,
    /// Whether at least one must be asked for.
    pub required: bool,
}

/// For which APIs this client may have a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRule {
    /// The parameter that names them: `audience`, `resource`, or the service's own. It is [`Required`] only if that
    /// says so.
    pub parameter: String,
    /// The names, compared as they are.
    pub authorized: Vec<String>,
}

impl Behaviour {
    /// RFC 6749 section 4.4 at `/token`: client credentials in a form, any scope and API, a fresh opaque Bearer token
    /// for an hour, standard errors.
    #[must_use]
    pub fn new(client: ClientProof) -> Self {
        Self {
            token_path: "/token".to_owned(),
            method: Method::POST,
            place: Place::Form,
            client,
            grant: GrantRule::plain("client_credentials"),
            required: Vec::new(),
            headers: Vec::new(),
            scope: ScopeRule::default(),
            api: None,
            success: Success::bearer(),
            errors: Errors::default(),
            documents: Vec::new(),
            clock_offset: 0,
            allowance: None,
            certificate: ServerCertificate::Valid,
            denies: None,
            named: BTreeMap::new(),
            playing: None,
        }
    }

    /// The same for a client with a secret that goes into the form.
    #[must_use]
    pub fn with_secret(client_id: &str, secret: &str) -> Self {
        Self::new(ClientProof::Parameters(SharedSecret::new(client_id, secret), Place::Form))
    }

    /// With these recorded answers: `success` is what a good request gets, to the byte; a name that
    /// [`Situation::named`] knows is what is said in that situation; every name can be played.
    #[must_use]
    pub fn recorded(mut self, answers: impl IntoIterator<Item = (String, Answer)>) -> Self {
        for (name, answer) in answers {
            if name == "success" {
                self.success = Success::verbatim(answer.clone());
            } else if let Some(situation) = Situation::named(&name) {
                self.errors.set(situation, answer.clone());
            }
            self.named.insert(name, answer);
        }
        self
    }

    /// With a parameter that must be there, any value but the empty one.
    #[must_use]
    pub fn require(mut self, name: &str) -> Self {
        self.required.push(Required { name: name.to_owned(), value: None, place: None });
        self
    }

    /// With an own answer to a situation.
    #[must_use]
    pub fn error(mut self, situation: Situation, answer: Answer) -> Self {
        self.errors.set(situation, answer);
        self
    }

    /// With one more document.
    #[must_use]
    pub fn document(mut self, document: Document) -> Self {
        self.documents.push(document);
        self
    }

    /// With metadata at this path, and the keys that it names.
    #[must_use]
    pub fn discovery(mut self, path: &str, discovery: &Discovery) -> Self {
        self.documents.extend(discovery.documents(path, &self.token_path));
        self
    }
}

impl GrantRule {
    /// This text where the other parameters stand, with nothing else.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), place: None, proof: GrantProof::None }
    }

    /// The `jwt-bearer` grant.
    #[must_use]
    pub fn jwt_bearer(rule: AssertionRule) -> Self {
        let proof = GrantProof::Assertion(rule);
        Self { proof, ..Self::plain("urn:ietf:params:oauth:grant-type:jwt-bearer") }
    }

    /// The token exchange grant.
    #[must_use]
    pub fn token_exchange(proof: GrantProof) -> Self {
        Self { proof, ..Self::plain("urn:ietf:params:oauth:grant-type:token-exchange") }
    }
}

impl Default for ScopeRule {
    fn default() -> Self {
        Self {
            place: ScopePlace::Parameter,
            separator: " ".to_owned(),
            known: Vec::new(),
            unauthorized: Vec::new(),
            required: false,
        }
    }
}
