//! What an error of a known service really means, by its catalogue entry.

use m2m_proto::error::{ErrorCode, ErrorResponse};

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

    /// What to do about clocks that differ, where no error of the service says
    /// so. What the entry gives as cause belongs to its own errors.
    pub(crate) fn about_clocks(hints: &[Hint]) -> Option<Self> {
        let hint = hints.iter().find(|hint| hint.situation == Some(Situation::Clock))?;
        let text = format!("this machine's clock and the service's differ: {}", hint.fix);
        Some(Self { means: None, passes: Passes::AsItsCodeSays, text })
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
