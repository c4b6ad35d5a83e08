//! What can be wrong with a token request, and what the service says then.
//!
//! Sections: RFC 6749 section 5.2 for what is said unless a behaviour says otherwise.

use std::collections::BTreeMap;

use super::answer::Answer;

/// Why a token request is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// The method, the media type or a repeated parameter.
    Malformed,
    /// Too many requests.
    RateLimited,
    /// Another `grant_type` than this service has.
    UnsupportedGrant,
    /// A client that is not registered.
    UnknownClient,
    /// The client did not prove itself: wrong secret, wrong method, two methods, wrong assertion.
    WrongClient,
    /// The assertion or token that stands for the grant is refused.
    WrongGrant,
    /// An assertion is not valid now by the service's clock, or valid for too long.
    Clock,
    /// An assertion was used before.
    Replayed,
    /// This parameter or header is missing or is not what it must be.
    MissingParameter(String),
    /// A scope that does not exist.
    UnknownScope,
    /// An API that this client may not call.
    UnauthorizedApi,
}

impl Situation {
    /// The situation that a recorded answer of this name shows, by the names that the provider catalogue uses;
    /// `missing_` is followed by the parameter's name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "malformed" => Self::Malformed,
            "rate_limited" | "quota" | "throttled" => Self::RateLimited,
            "unsupported_grant" => Self::UnsupportedGrant,
            "unknown_client" | "wrong_client_id" => Self::UnknownClient,
            "wrong_secret" | "wrong_client" => Self::WrongClient,
            "wrong_grant" => Self::WrongGrant,
            "clock" => Self::Clock,
            "replayed" => Self::Replayed,
            "unknown_scope" | "wrong_scope" => Self::UnknownScope,
            "unauthorized_api" => Self::UnauthorizedApi,
            other => Self::MissingParameter(other.strip_prefix("missing_")?.to_owned()),
        })
    }

    /// What else may speak for it, where the service has no own answer.
    fn broader(&self, grant: Grants) -> Option<Self> {
        match (self, grant) {
            (Self::UnknownClient, _) | (Self::Clock | Self::Replayed, Grants::Plain) => {
                Some(Self::WrongClient)
            }
            (Self::Clock | Self::Replayed, Grants::Proven) => Some(Self::WrongGrant),
            _ => None,
        }
    }

    fn standard(&self) -> Answer {
        match self {
            Self::Malformed => Answer::oauth(400, "invalid_request", "the request is malformed"),
            Self::RateLimited => {
                Answer::oauth(429, "too_many_requests", "too many requests").header("retry-after", "30")
            }
            Self::UnsupportedGrant => Answer::oauth(400, "unsupported_grant_type", ""),
            Self::UnknownClient | Self::WrongClient => {
                Answer::oauth(401, "invalid_client", "client authentication failed")
            }
            Self::WrongGrant => Answer::oauth(400, "invalid_grant", "the assertion is not acceptable"),
            Self::Clock => Answer::oauth(400, "invalid_grant", "the assertion is not valid now"),
            Self::Replayed => Answer::oauth(400, "invalid_grant", "the assertion was used before"),
            Self::MissingParameter(_) => Answer::oauth(400, "invalid_request", "{parameter} is missing"),
            Self::UnknownScope => Answer::oauth(400, "invalid_scope", "the scope is unknown"),
            Self::UnauthorizedApi => Answer::oauth(403, "access_denied", "not authorized for this API"),
        }
    }
}

/// What an assertion stands for: the client, or the grant as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grants {
    /// The grant needs no proof.
    Plain,
    /// The grant is an assertion or a token.
    Proven,
}

/// A service's own words, by situation. What it has none for is said as RFC 6749 says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(BTreeMap<Situation, Answer>);

impl Errors {
    /// The answer of a service that has no own words for any missing parameter: this is the name under which a
    /// behaviour may give one for all of them.
    pub const ANY: &str = "*";

    /// Says this in that situation.
    pub fn set(&mut self, situation: Situation, answer: Answer) {
        self.0.insert(situation, answer);
    }

    /// What is said. A client's unknown name is answered as its wrong secret, a clock or a replay as whatever the
    /// assertion stands for, unless there are own words.
    pub(super) fn answer(&self, situation: &Situation, grants: Grants) -> Answer {
        if let Some(own) = self.own(situation) {
            return own.clone();
        }
        match situation.broader(grants) {
            Some(broader) => self.own(&broader).cloned().unwrap_or_else(|| broader.standard()),
            None => situation.standard(),
        }
    }

    fn own(&self, situation: &Situation) -> Option<&Answer> {
        self.0.get(situation).or_else(|| match situation {
            Situation::MissingParameter(_) => self.0.get(&Situation::MissingParameter(Self::ANY.to_owned())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Errors, Grants, Situation};

    #[test]
    fn own_words_come_first_then_broader_ones_then_the_standard() {
        let own = |code: &str| Answer::oauth(400, code, "own");
        let mut errors = Errors::default();
        let says = |errors: &Errors, situation: &Situation, grants: Grants, expect: &str| {
            assert!(errors.answer(situation, grants).body.contains(expect), "{situation:?}");
        };
        says(&errors, &Situation::Clock, Grants::Plain, "invalid_client");
        says(&errors, &Situation::Clock, Grants::Proven, "invalid_grant");
        errors.set(Situation::WrongClient, own("access_denied"));
        says(&errors, &Situation::UnknownClient, Grants::Plain, "access_denied");
        says(&errors, &Situation::Replayed, Grants::Plain, "access_denied");
        errors.set(Situation::Replayed, own("replayed"));
        says(&errors, &Situation::Replayed, Grants::Plain, "replayed");
        let missing = |name: &str| Situation::MissingParameter(name.to_owned());
        says(&errors, &missing("scope"), Grants::Plain, "invalid_request");
        errors.set(missing(Errors::ANY), own("any"));
        errors.set(missing("audience"), own("audience"));
        says(&errors, &missing("scope"), Grants::Plain, "any");
        says(&errors, &missing("audience"), Grants::Plain, "audience");
    }

    #[test]
    fn recorded_names_are_situations() {
        assert_eq!(Situation::named("wrong_secret"), Some(Situation::WrongClient));
        assert_eq!(
            Situation::named("missing_audience"),
            Some(Situation::MissingParameter("audience".to_owned()))
        );
        assert_eq!(Situation::named("success"), None);
    }
}
