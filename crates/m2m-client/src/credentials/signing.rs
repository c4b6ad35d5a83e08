//! The assertions of one request: the client's own, that of a grant, or the
//! bearer JWT of services that have neither.
//!
//! Sections: RFC 7523 sections 2.1 and 2.2, RFC 10070

use std::borrow::Cow;
use std::time::Duration;

use m2m_proto::client_auth::assertion::MAX_LIFETIME_ELSEWHERE;
use m2m_proto::client_auth::{
    AssertionAudience, AssertionType, BasicEncoding, CertificateThumbprint, ClientAssertion,
};
use m2m_proto::client_id::ClientId;
use m2m_proto::grant::jwt_bearer::{AuthorizationGrant, GrantTyp};
use m2m_proto::jose::SigningKey;
use m2m_proto::names::claim;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::UnixTime;

use crate::dialect::{AssertionRules, Dialect, Jti, ScopePlace, Thumbprint};
use crate::error::Error;
use crate::provider::KeyIdRule;
use crate::spec::TokenSpec;
use crate::template::fill;

/// What a proof depends on besides the credential. Fresh for every attempt.
pub(crate) struct ProofInput<'a> {
    pub(crate) client_id: &'a ClientId,
    pub(crate) audience: &'a AssertionAudience,
    pub(crate) dialect: &'a Dialect,
    pub(crate) basic_encoding: BasicEncoding,
    pub(crate) assertion_type: AssertionType,
    pub(crate) assertion_lifetime: Duration,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) now: UnixTime,
    pub(crate) jti: String,
    /// What is asked for, where a token is.
    pub(crate) spec: Option<&'a TokenSpec>,
}

impl ProofInput<'_> {
    fn rules(&self) -> &AssertionRules {
        &self.dialect.assertion
    }

    fn jti(&self) -> Option<&str> {
        (self.rules().jti == Jti::Fresh).then_some(self.jti.as_str())
    }

    /// The client's own assertion.
    // spec: 7523-C1
    // spec: 7523-C2
    pub(super) fn client_assertion(
        &self,
        key: &SigningKey,
        certificate: Option<CertificateThumbprint>,
    ) -> Result<String, Error> {
        let rules = self.rules();
        check_key_id(rules, key)?;
        self.security_profile
            .algorithm(key.algorithm())
            .map_err(|outside| Error::misconfigured(outside.to_string()))?;
        let claims = self.claims(rules)?;
        let certificate = match (rules.thumbprint, certificate) {
            (Thumbprint::Absent, _) => None,
            (Thumbprint::Certificate, Some(certificate)) => Some(certificate),
            (Thumbprint::Certificate, None) => {
                return Err(Error::misconfigured(
                    "this service finds the private key by its certificate: name that too",
                ));
            }
        };
        let assertion = ClientAssertion {
            jti: self.jti(),
            lifetime: self.assertion_lifetime,
            longest_life: Duration::from_secs(rules.longest_seconds).min(MAX_LIFETIME_ELSEWHERE),
            backdate: Duration::from_secs(rules.backdate_seconds),
            typ: self.assertion_type,
            x5t_s256: certificate,
            claims: &claims,
            ..ClientAssertion::new(self.client_id, self.audience, &self.jti, self.now)
        };
        assertion.build(key).map_err(|error| unsigned(&error))
    }

    /// The assertion of a grant; also the token of a grant without request, and
    /// the bearer JWT that a service has in place of client authentication.
    pub(crate) fn grant_assertion(&self, key: &SigningKey) -> Result<String, Error> {
        let rules = self.rules();
        check_key_id(rules, key)?;
        let claims = self.claims(rules)?;
        let (issuer, subject) = (self.text(&rules.issuer)?, self.subject()?);
        let scope = self.spec.and_then(|spec| spec.scope.as_ref());
        let grant = AuthorizationGrant {
            subject: subject.as_deref(),
            lifetime: self.assertion_lifetime,
            backdate: Duration::from_secs(rules.backdate_seconds),
            jti: self.jti(),
            scope: scope.filter(|_| rules.scope == ScopePlace::Claim),
            claims: &claims,
            typ: match self.assertion_type {
                AssertionType::Absent => GrantTyp::Absent,
                _ => GrantTyp::Jwt,
            },
            ..AuthorizationGrant::new(&issuer, self.audience.as_str(), self.now)
        };
        grant.build(key).map_err(|error| unsigned(&error))
    }

    fn claims(&self, rules: &AssertionRules) -> Result<Vec<(String, String)>, Error> {
        rules.claims.iter().map(|(name, text)| Ok((name.clone(), self.text(text)?))).collect()
    }

    /// `sub`: the extra parameter of that name where the rule leaves room for
    /// it, else what the rule says. Not every service wants one.
    fn subject(&self) -> Result<Option<String>, Error> {
        let rule = self.rules().subject.as_str();
        let open = rule == AssertionRules::OPTIONAL_SUBJECT || rule == AssertionRules::default().subject;
        let subject = match self.param(claim::SUB).filter(|_| open) {
            Some(stated) => stated.to_owned(),
            None if rule == AssertionRules::OPTIONAL_SUBJECT => return Ok(None),
            None => self.text(rule)?,
        };
        Ok((!subject.is_empty()).then_some(subject))
    }

    fn param(&self, name: &str) -> Option<&str> {
        let params = self.spec.map_or(&[][..], |spec| &spec.params);
        params.iter().find(|(param, _)| param == name).map(|(_, value)| value.as_str())
    }

    fn text(&self, template: &str) -> Result<String, Error> {
        let value = |name: &str| match name {
            "client_id" => Some(Cow::Borrowed(self.client_id.as_str())),
            "subject" => self.param(claim::SUB).map(Cow::Borrowed),
            other => other.strip_prefix("param:").and_then(|name| self.param(name)).map(Cow::Borrowed),
        };
        fill(template, value).map_err(|name| {
            let name = name.strip_prefix("param:").unwrap_or(match name.as_str() {
                "subject" => claim::SUB,
                other => other,
            });
            Error::misconfigured(format!("the assertion needs the extra parameter {name}"))
        })
    }
}

/// A service that finds keys by their ids would answer that it knows none.
fn check_key_id(rules: &AssertionRules, key: &SigningKey) -> Result<(), Error> {
    match (rules.key_id, key.key_id()) {
        (KeyIdRule::Required, None) => {
            Err(Error::misconfigured("this service finds the private key by its id: set key_id"))
        }
        _ => Ok(()),
    }
}

fn unsigned(error: &dyn std::error::Error) -> Error {
    Error::misconfigured(format!("the assertion cannot be made: {error}"))
}
