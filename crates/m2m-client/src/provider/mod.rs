//! The catalogue of token services met in practice: one file each below
//! `providers/`, read once, never fetched.
//!
//! A [`Provider`] is what the file says. [`Provider::resolve`] fills in the
//! variables (a tenant, a region) and gives a [`Preset`]: the endpoints, and
//! everything that this service wants done otherwise than RFC 6749 says.
//!
//! ```
//! use m2m_client::provider;
//!
//! let provider = provider::find("salesforce").expect("it is in the catalogue");
//! let preset = provider.resolve(&[("my_domain".to_owned(), "acme.my.salesforce.com".to_owned())])?;
//! assert_eq!(preset.token_url(), Some("https://acme.my.salesforce.com/services/oauth2/token"));
//! # Ok::<(), provider::PresetError>(())
//! ```

mod entry;
mod preset;
mod recognise;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use entry::{
    Assertion, AssertionPlace, Auth, BasicForm, Confidence, Endpoints, ErrorPointers, GrantPlace, Hint,
    HttpMethod, KeyFile, KeyIdRule, Provider, ProviderKind, Quota, Request, RequestPlace, Response,
    Situation, Trap, Unit, Variable, VariableKind,
};
pub use preset::{Preset, PresetError, Urls};
pub use recognise::{Recognised, recognise};

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// Every provider, by id.
///
/// # Panics
/// If a file of the catalogue is broken, which a test excludes.
#[must_use]
pub fn all() -> &'static [Provider] {
    static ALL: OnceLock<Vec<Provider>> = OnceLock::new();
    ALL.get_or_init(|| FILES.iter().map(|(id, text)| parsed(id, text)).collect())
}

#[expect(clippy::panic, reason = "the files are part of this program, and every one is tested")]
fn parsed(id: &str, text: &str) -> Provider {
    match Provider::parse(text) {
        Ok(provider) => provider,
        Err(error) => panic!("providers/{id}.toml: {error}"),
    }
}

/// The provider with this id or alias, without regard to case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Provider> {
    let is = |other: &String| other.eq_ignore_ascii_case(name);
    all()
        .iter()
        .find(|provider| is(&provider.id))
        .or_else(|| all().iter().find(|provider| provider.aliases.iter().any(is)))
}

/// The provider whose key file says this of its `type`.
#[must_use]
pub fn of_key_file(kind: &str) -> Option<(&'static Provider, &'static KeyFile)> {
    let mut files = all().iter().filter_map(|provider| Some((provider, provider.key_file.as_ref()?)));
    files.find(|(_, file)| file.kind == kind)
}
