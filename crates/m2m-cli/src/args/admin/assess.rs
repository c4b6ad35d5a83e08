//! Arguments of `m2m admin assess`.

use clap::{Args, ValueEnum};

/// A text that registrations are measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Standard {
    /// OAuth 2.1, a draft
    Oauth21,
    /// RFC 9700 (BCP 240), with the update that is being made of it
    Rfc9700,
    /// FAPI 2.0 Security Profile, Final
    Fapi2,
}

/// `m2m admin assess`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  m2m admin assess
  m2m admin assess --client billing --standard fapi2
  m2m admin assess --json | jq '.subjects[] | select(.missed > 0) | .id'

It reads metadata, key set and admin API, and changes nothing. Shown is what is
missed, and what to do; -v shows every rule. Exit 0: no MUST is missed; exit 14:
one is. What a SHOULD misses is shown, and no failure.")]
pub struct Assess {
    /// This client only, with the server; may be repeated
    #[arg(long, value_name = "ID")]
    pub client: Vec<String>,
    /// By this text only; may be repeated [default: all three]
    #[arg(long, value_name = "NAME")]
    pub standard: Vec<Standard>,
}

impl Standard {
    /// The name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oauth21 => "oauth21",
            Self::Rfc9700 => "rfc9700",
            Self::Fapi2 => "fapi2",
        }
    }

    /// All of them, or those that were typed, each once.
    pub fn chosen(typed: &[Self]) -> Vec<Self> {
        let all = [Self::Oauth21, Self::Rfc9700, Self::Fapi2];
        all.into_iter().filter(|one| typed.is_empty() || typed.contains(one)).collect()
    }
}
