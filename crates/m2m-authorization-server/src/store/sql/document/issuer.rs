//! Trusted issuers as they are stored, and the mappings to them. Paths of files are among the members, never what is in
//! them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::jose::JwkSet;
use m2m_proto::spiffe::TrustDomain;
use m2m_proto::time::UnixTime;
use m2m_proto::uri::EndpointUri;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status;
use crate::federation::{ClaimPath, Condition, Literal, Pattern, Test};
use crate::registry::{
    ExternalSubject, Federated, FetchFiles, IssuerId, IssuerKeys, Named, Reuse, TrustedIssuer,
};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredNamed {
    Issuer { issuer: String },
    TrustDomain { trust_domain: String },
}

#[derive(Serialize, Deserialize)]
struct StoredFiles {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bearer_file: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredKeys {
    Url {
        url: String,
        #[serde(flatten)]
        files: StoredFiles,
    },
    Discovery {
        #[serde(flatten)]
        files: StoredFiles,
    },
    File {
        path: PathBuf,
    },
    Set {
        jwks: Value,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredTest {
    Equals(Value),
    OneOf(Vec<Value>),
    Matches(String),
}

/// A condition, wherever it stands.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredCondition {
    claim: String,
    test: StoredTest,
}

impl StoredCondition {
    fn of(condition: &Condition) -> Self {
        let test = match condition.test() {
            Test::Equals(literal) => StoredTest::Equals(literal.to_json()),
            Test::OneOf(literals) => StoredTest::OneOf(literals.iter().map(Literal::to_json).collect()),
            Test::Matches(pattern) => StoredTest::Matches(pattern.as_str().to_owned()),
        };
        Self { claim: condition.claim().to_string(), test }
    }

    fn restore(self) -> Option<Condition> {
        let test = match self.test {
            StoredTest::Equals(value) => Test::Equals(Literal::of(&value)?),
            StoredTest::OneOf(values) => Test::OneOf(values.iter().map(Literal::of).collect::<Option<_>>()?),
            StoredTest::Matches(pattern) => Test::Matches(Pattern::parse(&pattern).ok()?),
        };
        Condition::new(ClaimPath::parse(&self.claim).ok()?, test).ok()
    }
}

fn stored(conditions: &[Condition]) -> Vec<StoredCondition> {
    conditions.iter().map(StoredCondition::of).collect()
}

fn restored(conditions: Vec<StoredCondition>) -> Option<Vec<Condition>> {
    conditions.into_iter().map(StoredCondition::restore).collect()
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    id: String,
    name: String,
    named: StoredNamed,
    keys: StoredKeys,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    audiences: Vec<String>,
    max_lifetime: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    single_use: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<StoredCondition>,
    status: String,
    created_at: u64,
    version: u64,
}

impl Stored {
    pub(super) fn of(issuer: &TrustedIssuer) -> Self {
        Self {
            id: issuer.id.as_str().to_owned(),
            name: issuer.name.clone(),
            named: match &issuer.named {
                Named::Issuer(issuer) => StoredNamed::Issuer { issuer: issuer.clone() },
                Named::TrustDomain(domain) => {
                    StoredNamed::TrustDomain { trust_domain: domain.as_str().to_owned() }
                }
            },
            keys: StoredKeys::of(&issuer.keys),
            audiences: issuer.audiences.clone(),
            max_lifetime: issuer.max_lifetime.as_secs(),
            single_use: issuer.reuse == Reuse::Once,
            conditions: stored(&issuer.conditions),
            status: issuer.status.name().to_owned(),
            created_at: issuer.created_at.millis(),
            version: issuer.version,
        }
    }

    pub(super) fn restore(self) -> Option<TrustedIssuer> {
        let named = match self.named {
            StoredNamed::Issuer { issuer } => Named::issuer(&issuer)?,
            StoredNamed::TrustDomain { trust_domain } => {
                Named::TrustDomain(TrustDomain::parse(&trust_domain).ok()?)
            }
        };
        Some(TrustedIssuer {
            name: self.name,
            audiences: self.audiences,
            max_lifetime: Duration::from_secs(self.max_lifetime),
            reuse: if self.single_use { Reuse::Once } else { Reuse::Allowed },
            conditions: restored(self.conditions)?,
            status: status(&self.status)?,
            created_at: UnixTime::from_millis(self.created_at),
            version: self.version,
            ..TrustedIssuer::new(IssuerId::parse(&self.id)?, named, self.keys.restore()?)
        })
    }
}

impl StoredKeys {
    fn of(keys: &IssuerKeys) -> Self {
        let files = |files: &FetchFiles| StoredFiles {
            ca_file: files.ca_file.clone(),
            bearer_file: files.bearer_file.clone(),
        };
        match keys {
            IssuerKeys::Url(url, with) => Self::Url { url: url.as_str().to_owned(), files: files(with) },
            IssuerKeys::Discovery(with) => Self::Discovery { files: files(with) },
            IssuerKeys::File(path) => Self::File { path: path.clone() },
            IssuerKeys::Set(set) => {
                let encoded = JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
                Self::Set { jwks: serde_json::from_slice(&encoded).unwrap_or_default() }
            }
        }
    }

    fn restore(self) -> Option<IssuerKeys> {
        let files =
            |files: StoredFiles| FetchFiles { ca_file: files.ca_file, bearer_file: files.bearer_file };
        Some(match self {
            Self::Url { url, files: with } => IssuerKeys::Url(EndpointUri::parse(&url).ok()?, files(with)),
            Self::Discovery { files: with } => IssuerKeys::Discovery(files(with)),
            Self::File { path } => IssuerKeys::File(path),
            Self::Set { jwks } => {
                IssuerKeys::Set(Arc::new(JwkSet::decode(jwks.to_string().as_bytes()).ok()?))
            }
        })
    }
}

/// A mapping, as a credential has it.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredMapping {
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<StoredCondition>,
}

impl StoredMapping {
    pub(super) fn of(mapping: &Federated) -> Self {
        let (subject, subject_pattern) = match &mapping.subject {
            ExternalSubject::Exact(subject) => (Some(subject.clone()), None),
            ExternalSubject::Matching(pattern) => (None, Some(pattern.as_str().to_owned())),
        };
        let conditions = stored(&mapping.conditions);
        Self { issuer: mapping.issuer.as_str().to_owned(), subject, subject_pattern, conditions }
    }

    pub(super) fn restore(self) -> Option<Federated> {
        let subject = match (self.subject, self.subject_pattern) {
            (Some(subject), None) => ExternalSubject::Exact(subject),
            (None, Some(pattern)) => ExternalSubject::Matching(Pattern::parse(&pattern).ok()?),
            _ => return None,
        };
        let conditions = restored(self.conditions)?;
        Some(Federated { conditions, ..Federated::new(IssuerId::parse(&self.issuer)?, subject) })
    }
}
