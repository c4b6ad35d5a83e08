//! Why an external token is accepted or refused: every check with its verdict, for an administrator. Pure.
//!
//! Enforces: the same checks as `federation::verify`, on the same values; the token itself is never repeated.
//! Does not enforce: anything: a dry run consumes nothing and lets nobody in.
//! Limits: 16 mappings are told, the nearest first; values of 256 bytes.

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::kind::KindError;
use m2m_proto::time::UnixTime;
use m2m_proto::workload_token::{Expect, UnverifiedWorkloadToken, WorkloadTokenError};

use super::conditions::{Condition, shortened};
use crate::registry::{
    Credential, CredentialId, IssuerId, Material, Registration, Registry, Reuse, Status, TrustedIssuer,
};

/// The most mappings that are told.
const MAX_TOLD: usize = 16;

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It could not be made.
    NotChecked,
}

impl Outcome {
    /// Its name: `passed`, `failed`, `not_checked`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "this is where a truth becomes a word")]
    fn of(holds: bool) -> Self {
        if holds { Self::Passed } else { Self::Failed }
    }
}

/// One check and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Which: `issuer`, `issuer_status`, `signature`, `audience`…, or `condition CLAIM`.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What must be.
    pub expected: Option<String>,
    /// What is; absent where it is missing.
    pub found: Option<String>,
}

impl Check {
    fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        Self { name: name.into(), outcome, expected: None, found: None }
    }

    fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(shortened(&found.into()));
        self
    }

    fn of_condition(condition: &Condition, token: &UnverifiedWorkloadToken) -> Self {
        let judged = condition.judge(token.claims());
        Self {
            name: format!("condition {}", judged.claim),
            outcome: Outcome::of(judged.holds),
            expected: Some(judged.expected),
            found: judged.found,
        }
    }
}

/// One credential of the issuer, and whether the token stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappingVerdict {
    /// Whose it is.
    pub client_id: ClientId,
    /// Which.
    pub credential: CredentialId,
    /// Its checks.
    pub checks: Vec<Check>,
}

impl MappingVerdict {
    fn failures(&self) -> usize {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed).count()
    }
}

/// What is to be said of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The trusted issuer, if the token names one.
    pub issuer: Option<IssuerId>,
    /// Whom the token speaks of.
    pub subject: Option<String>,
    /// The checks of the token and of its issuer, in their order.
    pub checks: Vec<Check>,
    /// The credentials of the issuer, those with the fewest failed checks first.
    pub mappings: Vec<MappingVerdict>,
    /// The client and credential that the token stands for, if it is accepted.
    pub stands_for: Option<(ClientId, CredentialId)>,
    /// The names of the failed checks: of the token and its issuer, else of the nearest credential.
    pub failed: Vec<String>,
}

/// What is known of the signature.
#[derive(Debug, Clone)]
pub(crate) enum Signature {
    Right,
    Wrong(String),
    /// The keys could not be had.
    Unknown(String),
}

/// What the explanation is made of.
pub(crate) struct Facts<'a> {
    pub(crate) token: &'a UnverifiedWorkloadToken,
    pub(crate) issuer: &'a TrustedIssuer,
    pub(crate) expect: Expect<'a>,
    pub(crate) signature: Signature,
    pub(crate) registry: &'a Registry,
    pub(crate) client: Option<&'a ClientId>,
    pub(crate) now: UnixTime,
}

/// Of a text that is no token at all.
pub(crate) fn of_no_token(error: &WorkloadTokenError) -> Explanation {
    refused(None, Check::new("shape", Outcome::Failed).expected("a signed JWT").found(error.to_string()))
}

/// Of a token that names nobody who is trusted.
pub(crate) fn of_stranger(token: &UnverifiedWorkloadToken) -> Explanation {
    let domain = token.spiffe_id().map(|id| format!("spiffe://{}", id.trust_domain()));
    let named = token.claims().iss.clone().or(domain);
    let check = Check::new("issuer", Outcome::Failed).expected("a trusted issuer or trust domain");
    let check = match named {
        Some(named) => check.found(named),
        None => check,
    };
    refused(token.claims().sub.as_deref(), check)
}

fn refused(subject: Option<&str>, check: Check) -> Explanation {
    let failed = vec![check.name.clone()];
    Explanation { subject: subject.map(shortened), checks: vec![check], failed, ..Explanation::default() }
}

/// Every check of a token whose issuer is registered.
pub(crate) fn of_token(facts: &Facts<'_>) -> Explanation {
    let Facts { token, issuer, .. } = facts;
    let mut checks = vec![
        Check::new("issuer", Outcome::Passed).found(issuer.named.as_str()),
        Check::new("issuer_status", Outcome::of(issuer.status == Status::Active))
            .expected(Status::Active.name())
            .found(issuer.status.name()),
        signature(&facts.signature),
        claims(facts),
    ];
    checks.extend(issuer.conditions.iter().map(|condition| Check::of_condition(condition, token)));
    if issuer.reuse == Reuse::Once {
        let check = Check::new("single_use", Outcome::of(token.claims().jti.is_some()));
        checks.push(check.expected("a jti, which is good once"));
    }
    let mut mappings: Vec<MappingVerdict> = facts
        .registry
        .mapped_to(&issuer.id)
        .filter(|(registration, _)| facts.client.is_none_or(|client| registration.client().id == *client))
        .filter_map(|(registration, credential)| mapping(facts, registration, credential))
        .collect();
    mappings.sort_by_key(MappingVerdict::failures);
    if mappings.is_empty() {
        checks.push(nobody(facts));
    }
    let subject = token.claims().sub.as_deref().map(shortened);
    concluded(Explanation {
        issuer: Some(issuer.id.clone()),
        subject,
        checks,
        mappings,
        ..Explanation::default()
    })
}

/// Why there is nothing to judge: the client that is asked about is none, or nothing maps to the issuer.
fn nobody(facts: &Facts<'_>) -> Check {
    let id = &facts.issuer.id;
    match facts.client {
        Some(client) if facts.registry.registration(client).is_none() => {
            Check::new("client", Outcome::Failed).expected("a registered client").found(client.as_str())
        }
        Some(client) => Check::new("mapping", Outcome::Failed)
            .expected(format!("a credential of {} that maps to {id}", client.as_str()))
            .found("none"),
        None => Check::new("mapping", Outcome::Failed)
            .expected(format!("a credential that maps to {id}"))
            .found("none"),
    }
}

fn concluded(mut explanation: Explanation) -> Explanation {
    let failed = |checks: &[Check]| -> Vec<String> {
        let not_passed = checks.iter().filter(|check| check.outcome != Outcome::Passed);
        not_passed.map(|check| check.name.clone()).collect()
    };
    explanation.failed = failed(&explanation.checks);
    let fitting = explanation.mappings.iter().filter(|mapping| mapping.failures() == 0).count();
    match (fitting, explanation.mappings.first()) {
        (1, Some(mapping)) if explanation.failed.is_empty() => {
            explanation.stands_for = Some((mapping.client_id.clone(), mapping.credential.clone()));
        }
        (1, _) => {}
        (0, Some(nearest)) if explanation.failed.is_empty() => explanation.failed = failed(&nearest.checks),
        (0, Some(_)) => {}
        // A check of its own says so.
        (0, None) => {}
        _ => explanation.failed.push("ambiguous_mapping".to_owned()),
    }
    explanation.mappings.truncate(MAX_TOLD);
    explanation
}

fn signature(verdict: &Signature) -> Check {
    let check = |outcome| Check::new("signature", outcome).expected("by a key of the issuer");
    match verdict {
        Signature::Right => Check::new("signature", Outcome::Passed),
        Signature::Wrong(why) => check(Outcome::Failed).found(why.as_str()),
        Signature::Unknown(why) => check(Outcome::NotChecked).found(why.as_str()),
    }
}

/// The first rule of the token itself that is broken, by its name.
fn claims(facts: &Facts<'_>) -> Check {
    let claims = facts.token.claims();
    let Err(error) = facts.token.check(&facts.expect) else {
        return Check::new("claims", Outcome::Passed);
    };
    let failed = |name: &str| Check::new(name, Outcome::Failed);
    match &error {
        WorkloadTokenError::Kind(KindError::WrongAudience) => {
            let check = failed("audience").expected(facts.expect.audience.join(" or "));
            match serde_json::to_string(&claims.aud) {
                Ok(found) => check.found(found),
                Err(_) => check,
            }
        }
        WorkloadTokenError::Kind(KindError::MissingClaim(name)) => {
            failed("required_claims").expected(name.as_str())
        }
        WorkloadTokenError::Kind(KindError::LivesTooLong { limit }) => {
            failed("max_lifetime").expected(format!("at most {} s", limit.as_secs())).found(error.to_string())
        }
        WorkloadTokenError::Kind(
            KindError::Expired { .. } | KindError::NotYetValid { .. } | KindError::IssuedInFuture { .. },
        ) => failed("time").expected("valid now").found(error.to_string()),
        WorkloadTokenError::Bound => {
            failed("confirmation").expected("no cnf").found("the token is bound to a key")
        }
        WorkloadTokenError::Subject => failed("subject").expected("a subject of this issuer"),
        _ => failed("claims").found(error.to_string()),
    }
}

fn mapping(
    facts: &Facts<'_>,
    registration: &Registration,
    credential: &Credential,
) -> Option<MappingVerdict> {
    let Material::Federated(mapping) = &credential.material else { return None };
    let subject = facts.token.claims().sub.as_deref().unwrap_or_default();
    let client = registration.client();
    let usable = if credential.usable(facts.now) { "usable" } else { "revoked, expired or not valid yet" };
    let mut checks = vec![
        Check::new("client_status", Outcome::of(client.status == Status::Active))
            .expected(Status::Active.name())
            .found(client.status.name()),
        Check::new("credential", Outcome::of(credential.usable(facts.now))).expected("usable").found(usable),
        Check::new("external_subject", Outcome::of(mapping.subject.matches(subject)))
            .expected(mapping.subject.as_str())
            .found(subject),
    ];
    checks.extend(mapping.conditions.iter().map(|condition| Check::of_condition(condition, facts.token)));
    Some(MappingVerdict { client_id: client.id.clone(), credential: credential.id.clone(), checks })
}
