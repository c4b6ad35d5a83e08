//! What an error of a known service really means, by its catalogue entry.
//!
//! Hints know errors by their texts, and services change those: where none
//! fits, the code, and what a request lacked, still lead to the place in the
//! service's own settings that a hint for the same situation names.

use m2m_proto::error::{ErrorCode, ErrorResponse};

use super::hint;
use crate::provider::{Hint, Situation};

/// What the catalogue knows about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The RFC's code for it, where the service sends another.
    pub(crate) means: Option<ErrorCode>,
    /// Whether it passes by itself.
    pub(crate) passes: Passes,
    /// Why, and what to do.
    pub(crate) text: String,
}

/// Whether an error passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    ByItself,
    AsItsCodeSays,
}

impl Advice {
    /// The first hint that fits.
    pub(crate) fn of(hints: &[Hint], status: u16, error: Option<&ErrorResponse>) -> Option<Self> {
        let hint = hints.iter().find(|hint| fits(hint, status, error))?;
        Some(Self {
            means: hint.means.as_deref().and_then(ErrorCode::parse),
            passes: if hint.transient { Passes::ByItself } else { Passes::AsItsCodeSays },
            text: format!("{}: {}", hint.cause, hint.fix),
        })
    }

    /// What can be told by the code alone, where no hint fits: the usual
    /// advice, and what the entry's hint for that situation says to do; or that
    /// hint, where the request lacked what the service requires.
    pub(crate) fn by_code(hints: &[Hint], code: &ErrorCode, asked: Asked) -> Option<Self> {
        let of = |situation| hints.iter().find(|hint| hint.situation == Some(situation));
        let lacking = match code {
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::AccessDenied => asked.lacks.and_then(of),
            _ => None,
        };
        let text = match lacking {
            Some(hint) => format!("{}: {}", hint.cause, hint.fix),
            None => {
                let likely = situations(code, asked.shows).iter().find_map(|situation| of(*situation))?;
                format!("{}; here: {}", hint::refused(code), likely.fix)
            }
        };
        Some(Self { means: None, passes: Passes::AsItsCodeSays, text })
    }

    /// What to do about clocks that differ, where no error of the service says
    /// so. What the entry gives as cause belongs to its own errors.
    pub(crate) fn about_clocks(hints: &[Hint]) -> Option<Self> {
        let hint = hints.iter().find(|hint| hint.situation == Some(Situation::Clock))?;
        let text = format!("this machine's clock and the service's differ: {}", hint.fix);
        Some(Self { means: None, passes: Passes::AsItsCodeSays, text })
    }
}

/// What is known of the request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The situation of hints about what the service requires and the request
    /// lacked.
    pub(crate) lacks: Option<Situation>,
    pub(crate) shows: Shows,
}

/// What proves who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// A secret, or something else than a key.
    Secret,
    /// A client assertion that a key has signed.
    Key,
    /// The same as the grant: then a wrong key is an invalid grant.
    KeyAsGrant,
}

/// The situations of hints that a code most likely belongs to, the likeliest
/// first.
fn situations(code: &ErrorCode, shows: Shows) -> &'static [Situation] {
    match (code, shows) {
        (ErrorCode::InvalidClient, Shows::Secret) => &[Situation::WrongSecret],
        (ErrorCode::InvalidClient, _) | (ErrorCode::InvalidGrant, Shows::KeyAsGrant) => {
            &[Situation::WrongKey, Situation::WrongSecret]
        }
        (ErrorCode::InvalidScope, _) => &[Situation::MissingScope],
        (ErrorCode::InvalidTarget, _) => &[Situation::MissingAudience],
        (ErrorCode::AccessDenied | ErrorCode::UnauthorizedClient, _) => &[Situation::UnauthorizedApi],
        _ => &[],
    }
}

fn fits(hint: &Hint, status: u16, error: Option<&ErrorResponse>) -> bool {
    let code = error.map(|error| error.error.as_str());
    let description = error.and_then(|error| error.error_description.as_deref()).unwrap_or_default();
    hint.status.is_none_or(|wanted| wanted == status)
        && hint.code.as_deref().is_none_or(|wanted| code == Some(wanted))
        && hint.contains.as_deref().is_none_or(|wanted| description.contains(wanted))
        // A hint without conditions would fit everything.
        && (hint.status.is_some() || hint.code.is_some() || hint.contains.is_some())
}
