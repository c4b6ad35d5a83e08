//! The estate that an export is drawn as, and what of the export has no place in it.

use std::collections::{BTreeMap, BTreeSet};

use m2m_authorization_server::registry::{ApiIdentifier, SlowHash};
use m2m_proto::client_auth::ClientSecret;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Jwk, VerifyingKey};
use m2m_proto::scope::ScopeToken;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use serde_json::{Value, json};

use crate::commands::admin::estate::{
    Estate, Members, Place, WantedApi, WantedClient, WantedCredential, api_defaults, client_defaults, names,
};
use crate::exit::Failure;

/// What admin API takes of names and of longer texts.
const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 1024;
/// The longest life of a token.
const MAX_LIFE: u64 = 24 * 60 * 60;
/// The longest that a credential is valid; ten years.
const LONGEST: u64 = 10 * 366 * 24 * 60 * 60;
/// What is guessed in less is worth a word.
const WEAK: usize = 16;

/// A sentence about something in the export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Remark {
    pub(super) about: String,
    pub(super) text: String,
}

/// What has no place in the estate.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Of clients and APIs that are carried over.
    pub(super) lost: Vec<Remark>,
    /// Clients that are not carried over at all.
    pub(super) skipped: Vec<Remark>,
}

/// An estate in the making.
#[derive(Debug)]
pub(super) struct Drawn {
    source: &'static str,
    /// The API of what names no audience.
    fallback: Option<String>,
    pub(super) now: UnixTime,
    apis: BTreeMap<String, WantedApi>,
    clients: Vec<WantedClient>,
    ids: BTreeSet<String>,
    told: Told,
    said: BTreeSet<Remark>,
}

/// A client in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) members: Members,
    grants: BTreeMap<String, Members>,
    credentials: Vec<WantedCredential>,
}

/// A secret as an export has it.
pub(super) enum Exported<'a> {
    Plain(&'a str),
    Hashed(&'a str),
}

impl Drawn {
    /// Nothing yet. `fallback` is the API of scopes and clients that name no audience.
    ///
    /// # Errors
    /// Exit 2: it cannot be an API.
    pub(super) fn of(source: &'static str, fallback: Option<&str>, now: UnixTime) -> Result<Self, Failure> {
        if let Some(identifier) = fallback {
            ApiIdentifier::parse(identifier)
                .map_err(|error| Failure::usage(format!("--api {identifier}: {error}")))?;
        }
        Ok(Self {
            source,
            fallback: fallback.map(str::to_owned),
            now,
            apis: BTreeMap::new(),
            clients: Vec::new(),
            ids: BTreeSet::new(),
            told: Told::default(),
            said: BTreeSet::new(),
        })
    }

    /// The estate, its APIs by name, and what was left out.
    pub(super) fn finish(self) -> (Estate, Told) {
        (
            Estate { apis: self.apis.into_values().collect(), clients: self.clients, ..Estate::default() },
            self.told,
        )
    }

    pub(super) fn lost(&mut self, about: &str, text: impl Into<String>) {
        let remark = Remark { about: about.to_owned(), text: text.into() };
        if self.said.insert(remark.clone()) {
            self.told.lost.push(remark);
        }
    }

    pub(super) fn skip(&mut self, client: &str, why: impl Into<String>) {
        self.told.skipped.push(Remark { about: client.to_owned(), text: why.into() });
    }

    pub(super) fn fallback(&self) -> Option<String> {
        self.fallback.clone()
    }

    /// The API of that name, made where it is not there; `None` where it cannot be one.
    pub(super) fn api(&mut self, identifier: &str) -> Option<&mut WantedApi> {
        if let Err(error) = ApiIdentifier::parse(identifier) {
            self.lost(&format!("audience {identifier}"), format!("it cannot be an API: {error}"));
            return None;
        }
        let made = || WantedApi {
            identifier: identifier.to_owned(),
            members: api_defaults(identifier),
            place: Place::default(),
        };
        Some(self.apis.entry(identifier.to_owned()).or_insert_with(made))
    }

    /// Sets a member of an API; a text as the admin API takes it.
    pub(super) fn set(&mut self, identifier: &str, member: &str, value: impl Into<Value>) {
        let value = match value.into() {
            Value::String(text) => Value::from(words(&text, MAX_NAME)),
            other => other,
        };
        if let Some(api) = self.api(identifier) {
            api.members.insert(member.to_owned(), value);
        }
    }

    /// Adds a scope to an API; says whether it is there now.
    pub(super) fn scope(&mut self, identifier: &str, scope: &str, description: &str) -> bool {
        if let Err(error) = ScopeToken::parse(scope) {
            self.lost(&format!("scope {scope}"), format!("it cannot be a scope: {error}"));
            return false;
        }
        let Some(api) = self.api(identifier) else { return false };
        if !names(api.members.get("scopes"), "scope").contains(&scope)
            && let Some(Value::Array(scopes)) = api.members.get_mut("scopes")
        {
            scopes.push(json!({"scope": scope, "description": words(description, MAX_TEXT)}));
        }
        true
    }

    /// Begins a client; `None` where it is skipped, and said so.
    pub(super) fn client(&mut self, id: &str) -> Option<Draft> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if let Err(error) = ClientId::parse(id) {
            self.skip(id, format!("its id cannot be one here: {error}"));
            return None;
        }
        if !id.bytes().all(plain) {
            self.skip(id, "its id has characters other than letters, digits and -._~");
            return None;
        }
        if !self.ids.insert(id.to_owned()) {
            self.skip(id, "the export has it twice");
            return None;
        }
        Some(Draft {
            id: id.to_owned(),
            members: client_defaults(id),
            grants: BTreeMap::new(),
            credentials: Vec::new(),
        })
    }

    /// Tells of a client whose tokens were for several APIs at once.
    pub(super) fn tell_of_several(&mut self, draft: &Draft) {
        if draft.grants.len() > 1 {
            let text =
                "its tokens were for all of its audiences; here a request names one (resource or audience)";
            self.lost(&draft.id, text);
        }
    }

    /// A client as it was drawn. One that can get no token or has no credential is carried over, and told.
    pub(super) fn add(&mut self, mut draft: Draft) {
        if draft.grants.is_empty() {
            let text = "it names no audience, so that it gets no token yet: --api IDENTIFIER gives it one";
            self.lost(&draft.id, text);
        }
        if draft.credentials.is_empty() {
            self.lost(&draft.id, "no credential could be carried over: give it a new one");
        }
        let grants = draft.grants.into_values().map(Value::Object).collect();
        draft.members.insert("grants".to_owned(), Value::Array(grants));
        self.clients.push(WantedClient {
            id: draft.id,
            members: draft.members,
            credentials: draft.credentials,
            place: Place::default(),
        });
    }

    /// A secret that the old server has, under the label `imported from SOURCE`, with `what` behind it.
    pub(super) fn secret(
        &mut self,
        draft: &mut Draft,
        what: &str,
        exported: &Exported<'_>,
        expires_at: Option<u64>,
    ) {
        let given = match exported {
            Exported::Plain(text) => match ClientSecret::parse(text) {
                Ok(_) if text.len() < WEAK => {
                    self.lost(&draft.id, "its secret is short enough to be guessed: rotate it soon");
                    Ok(("client_secret", text))
                }
                Ok(_) => Ok(("client_secret", text)),
                Err(error) => Err(error.to_string()),
            },
            Exported::Hashed(text) => {
                SlowHash::parse(text).map(|_| ("secret_hash", text)).map_err(|error| error.to_string())
            }
        };
        let (member, text) = match given {
            Ok(given) => given,
            Err(why) => return self.lost(&draft.id, format!("its secret{what} cannot be taken: {why}")),
        };
        let mut members = Members::new();
        match expires_at.map(|at| at.saturating_sub(self.now.seconds())) {
            None => {}
            Some(0) => return self.lost(&draft.id, format!("its secret{what} has expired")),
            Some(left) => {
                members.insert("expires_in".to_owned(), Value::from(left.min(LONGEST)));
            }
        }
        let given = Some((member, SecretString::from(*text)));
        self.credential(draft, what, ("client_secret", members, given));
    }

    /// Public keys, or where they are.
    pub(super) fn keys(&mut self, draft: &mut Draft, jwks: Option<&Value>, jwks_uri: Option<&str>) {
        let mut members = Members::new();
        if let Some(uri) = jwks_uri {
            members.insert("jwks_uri".to_owned(), Value::from(uri));
        } else {
            let keys = jwks.and_then(|set| set.get("keys")).and_then(Value::as_array);
            let mut usable = Vec::new();
            for (index, key) in keys.into_iter().flatten().enumerate() {
                match public(key) {
                    Ok(key) => usable.push(key),
                    Err(why) => self.lost(&draft.id, format!("key {}: {why}", index + 1)),
                }
            }
            if usable.is_empty() {
                return self.lost(&draft.id, "it signs its requests, and the export has no key of it");
            }
            members.insert("jwks".to_owned(), json!({"keys": usable}));
        }
        // As the old server took them. Where clients can do better, m2m admin apply says so.
        for rule in ["accept_token_endpoint_audience", "accept_untyped_assertion"] {
            members.insert(rule.to_owned(), Value::Bool(true));
        }
        self.credential(draft, " (key)", ("private_key_jwt", members, None));
    }

    /// A name in certificates.
    pub(super) fn subject(&mut self, draft: &mut Draft, member: &str, value: &str) {
        let members = Members::from_iter([(member.to_owned(), Value::from(value))]);
        self.credential(draft, " (certificate)", ("tls_client_auth", members, None));
    }

    fn credential(
        &mut self,
        draft: &mut Draft,
        what: &str,
        (method, members, given): (&str, Members, Option<(&'static str, SecretString)>),
    ) {
        draft.credentials.push(WantedCredential {
            label: format!("imported from {}{what}", self.source),
            method: method.to_owned(),
            members,
            given,
            secret_file: None,
            place: Place::default(),
        });
    }
}

impl Draft {
    /// Lets the client ask for this scope of that API, by default or on demand.
    pub(super) fn grant(&mut self, api: &str, scope: Option<&str>, given: Given) {
        let empty = || {
            let lists =
                json!({"api": api, "scopes": [], "default_scopes": [], "roles": [], "permissions": []});
            lists.as_object().cloned().unwrap_or_default()
        };
        let grant = self.grants.entry(api.to_owned()).or_insert_with(empty);
        if let Some(scope) = scope {
            push(grant, "scopes", scope);
            if given == Given::Unasked {
                push(grant, "default_scopes", scope);
            }
        }
    }

    pub(super) fn role(&mut self, api: &str, role: &str) {
        self.grant(api, None, Given::Asked);
        if let Some(grant) = self.grants.get_mut(api) {
            push(grant, "roles", role);
        }
    }

    /// The APIs that it may ask for.
    pub(super) fn apis(&self) -> BTreeSet<&str> {
        self.grants.keys().map(String::as_str).collect()
    }

    /// Sets a member to a text, where there is one.
    pub(super) fn say(&mut self, member: &str, text: Option<&str>) {
        let most = if member == "purpose" { MAX_TEXT } else { MAX_NAME };
        if let Some(text) = text.map(|text| words(text, most)).filter(|text| !text.is_empty()) {
            self.members.insert(member.to_owned(), Value::from(text));
        }
    }

    /// Sets the longest life of its tokens, in seconds.
    pub(super) fn cap(&mut self, seconds: u64) {
        if seconds > 0 {
            self.members.insert("lifetime_cap".to_owned(), Value::from(seconds.min(MAX_LIFE)));
        }
    }
}

/// When a client gets a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Also where it asks for none.
    Unasked,
    /// Where it asks for it.
    Asked,
}

fn push(grant: &mut Members, member: &str, text: &str) {
    if let Some(Value::Array(list)) = grant.get_mut(member)
        && !list.iter().any(|known| known == text)
    {
        list.push(Value::from(text));
    }
}

/// The public half of a key that can be used here.
fn public(key: &Value) -> Result<Value, String> {
    let object = key.as_object().ok_or("it is not an object")?;
    let key = Jwk::from_object(object).map_err(|error| error.to_string())?;
    VerifyingKey::from_jwk(&key).map_err(|error| error.to_string())?;
    Ok(Value::Object(key.to_public_json()))
}

/// A text that the admin API takes: one line, not too long.
fn words(text: &str, most: usize) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(most)
        .collect::<String>()
        .trim()
        .to_owned()
}
