//! Exit codes, and the failure that carries one to the end of the program.
//!
//! Scripts depend on these numbers. They are decided here and nowhere else: [`Exit::of`] is the one map from
//! an error of the client library to a code.

use m2m_client::{Error, ErrorKind};
use m2m_proto::error::ErrorCode;

/// How the process ends. The numbers are part of the scriptable surface and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked is done.
    Ok = 0,
    /// The command line cannot be understood.
    Usage = 2,
    /// Settings are missing, contradictory or not allowed.
    Configuration = 3,
    /// A secret that the settings refer to cannot be read.
    SecretUnavailable = 4,
    /// The peer cannot be reached, or answers 5xx.
    Unreachable = 5,
    /// The TLS connection cannot be made.
    Tls = 6,
    /// The token service does not accept this client (`invalid_client` at any status).
    ClientRefused = 7,
    /// The token service refuses the request with another OAuth error.
    RequestRefused = 8,
    /// Any answer with status 429.
    RateLimited = 9,
    /// An answer that breaks the protocol: HTML, a redirect, bad JSON.
    Malformed = 10,
    /// A token that does not verify.
    VerificationFailed = 11,
    /// A token that is inactive or expired.
    Inactive = 12,
    /// `--plan` of `m2m admin apply` and `import`: there is something to do.
    Changes = 13,
    /// `m2m admin assess`: a MUST is missed.
    Missed = 14,
    /// `m2m request --fail`: the API answered with status 400 or above.
    ApiStatus = 22,
    /// Our bug.
    Internal = 70,
    /// A signal ended `m2m serve` before it was ready, or a second one before it had stopped by itself.
    Interrupted = 130,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind that `--json` names beside this code.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Usage => "usage",
            Self::Configuration => "misconfigured",
            Self::SecretUnavailable => "secret_unavailable",
            Self::Unreachable | Self::Tls | Self::RateLimited => "unreachable",
            Self::ClientRefused | Self::RequestRefused => "refused",
            Self::Malformed => "peer_misbehaved",
            Self::VerificationFailed | Self::Inactive => "verification_failed",
            Self::Changes => "changes",
            Self::Missed => "missed",
            Self::ApiStatus => "api_status",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        }
    }

    /// The code for an error of the client library. A 429 is always "rate limited" and a TLS failure always
    /// "TLS", whatever the kind; the rest goes by kind.
    pub fn of(error: &Error) -> Self {
        if error.is_rate_limited() {
            return Self::RateLimited;
        }
        if error.is_tls() {
            return Self::Tls;
        }
        Self::of_kind(error.kind(), error.code())
    }

    fn of_kind(kind: ErrorKind, code: Option<&ErrorCode>) -> Self {
        match kind {
            ErrorKind::Refused if code == Some(&ErrorCode::InvalidClient) => Self::ClientRefused,
            ErrorKind::Refused => Self::RequestRefused,
            ErrorKind::PeerMisbehaved => Self::Malformed,
            ErrorKind::Unreachable => Self::Unreachable,
            ErrorKind::Misconfigured => Self::Configuration,
            ErrorKind::SecretUnavailable => Self::SecretUnavailable,
            _ => Self::Internal,
        }
    }
}

/// A failure on its way to the person or program that ran `m2m`: what happened, what to do, which code.
/// Carries no secret and no token text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    kind: &'static str,
    code: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure of this machine-readable kind with a message in the voice of the tool: lower case, no full stop.
    /// The system's error numbers are left out.
    pub fn of(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, code: None, message: without_numbers(&message.into()), hint: None }
    }

    /// The command line cannot be understood (2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(Exit::Usage, "usage", message)
    }

    /// Settings are wrong (3).
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::of(Exit::Configuration, "misconfigured", message)
    }

    /// A secret cannot be read (4).
    pub fn secret(message: impl Into<String>) -> Self {
        Self::of(Exit::SecretUnavailable, "secret_unavailable", message)
    }

    /// Something that no input should cause (70).
    pub fn internal(message: impl Into<String>) -> Self {
        Self::of(Exit::Internal, "internal", message)
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = (!hint.is_empty()).then_some(hint);
        self
    }

    /// The same failure with the error code that a peer sent, or that verification decided.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same failure in other words.
    #[must_use]
    pub fn says(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What happened, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The line that a program reads: `{"error":{"kind","code","message","hint","exit"}}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"error": {
            "kind": self.kind,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "exit": self.exit.code(),
        }})
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Refused => "refused",
            ErrorKind::PeerMisbehaved => "peer_misbehaved",
            ErrorKind::Unreachable => "unreachable",
            ErrorKind::Misconfigured => "misconfigured",
            ErrorKind::SecretUnavailable => "secret_unavailable",
            _ => "internal",
        };
        let failure = Self::of(Exit::of(&error), kind, chain(&error)).hint(error.hint());
        match error.code() {
            Some(code) => failure.code(code.as_str()),
            None => failure,
        }
    }
}

/// Without ` (os error 111)`: the words before it say the same.
fn without_numbers(message: &str) -> String {
    let mut parts = message.split(" (os error ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        match rest.strip_prefix(')').filter(|_| rest.len() < part.len()) {
            Some(rest) => text.push_str(rest),
            None => text.extend([" (os error ", part]),
        }
    }
    text
}

/// The error and its causes on one line; a cause that the line already says is not repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_documented_number() {
        let check = |kind, code: Option<ErrorCode>, expect: u8| {
            assert_eq!(Exit::of_kind(kind, code.as_ref()).code(), expect, "{kind:?} {code:?}");
        };
        check(ErrorKind::Misconfigured, None, 3);
        check(ErrorKind::SecretUnavailable, None, 4);
        check(ErrorKind::Unreachable, None, 5);
        check(ErrorKind::Refused, Some(ErrorCode::InvalidClient), 7);
        check(ErrorKind::Refused, Some(ErrorCode::InvalidScope), 8);
        check(ErrorKind::Refused, None, 8);
        check(ErrorKind::PeerMisbehaved, None, 10);
        check(ErrorKind::Internal, None, 70);
    }

    #[test]
    fn the_systems_numbers_are_left_out() {
        let check = |typed: &str, expect: &str| assert_eq!(Failure::usage(typed).message(), expect);
        check("connect: Connection refused (os error 111)", "connect: Connection refused");
        check("a (os error 2): b (os error 13), c", "a: b, c");
        check("a (os error ) (os error x) (os error 5", "a (os error ) (os error x) (os error 5");
    }

    #[test]
    fn the_json_line_has_the_five_members() {
        let failure = Failure::configuration("no issuer").hint("give --issuer").code("x");
        assert_eq!(
            failure.to_json().to_string(),
            r#"{"error":{"code":"x","exit":3,"hint":"give --issuer","kind":"misconfigured","message":"no issuer"}}"#
        );
    }
}
