//! A profile in the making, or one that is in a file, as the console works on it.
//!
//! Enforces: a result belongs to the settings that it was made with ([`Draft::fingerprint`]); a profile of a file that
//! was only found runs no command from here.

use std::path::PathBuf;
use std::sync::Arc;

use m2m_client::provider::{self, Provider};
use m2m_proto::jose::crypto;
use m2m_proto::uri::PlainHttp;

use super::discovered::Discovered;
use crate::Surroundings;
use crate::commands::profile::wish::Wish;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::keyring::hexadecimal;
use crate::settings::search::{self, Files, Located, Start};
use crate::settings::secret::SecretReference;
use crate::settings::value::{Profile, Value};

/// Whether the profile is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not yet.
    New,
    /// It is, as it was before these changes or as it is.
    Kept,
}

/// A profile that is worked on.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Its name in addresses of this session.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The file that it is in or goes into.
    pub(crate) file: PathBuf,
    pub(crate) standing: Standing,
    /// Whether what it says differs from its file.
    pub(crate) changed: bool,
    pub(crate) wish: Wish,
    /// A pasted secret goes into the keyring.
    pub(crate) keyring: bool,
    /// What the issuer's metadata say, or why there are none.
    pub(crate) discovered: Option<Result<Arc<Discovered>, String>>,
    /// A URL that was typed, where the catalogue knows whose it is.
    pub(crate) recognised: Option<String>,
    /// Why its commands may not run, with what to do.
    pub(crate) commands: Option<String>,
    /// What its file does that is to be known before it is used.
    pub(crate) warning: Option<String>,
    /// What the file said of it when it was read or written, to notice what others change.
    pub(crate) read: Option<String>,
    /// Where its file lets documents lead.
    pub(crate) egress: Vec<String>,
    /// The settings of its last test.
    pub(crate) tested: Option<String>,
    /// What was done last, in sentences.
    pub(crate) done: Vec<String>,
}

impl Draft {
    /// Nothing yet, for this file.
    pub(crate) fn new(id: String, file: PathBuf) -> Self {
        Self {
            id,
            name: String::new(),
            file,
            standing: Standing::New,
            changed: true,
            wish: Wish::default(),
            keyring: false,
            discovered: None,
            recognised: None,
            commands: None,
            warning: None,
            read: None,
            egress: Vec::new(),
            tested: None,
            done: Vec::new(),
        }
    }

    /// A profile of a file; `None` when there is none of that name.
    pub(crate) fn of(id: String, name: &str, located: &Located, around: &Surroundings) -> Option<Self> {
        let values = located.document.profiles.get(name)?.clone();
        let path = around.directory.join(&located.document.path);
        let believed = located.trust.runs_commands();
        let warning = Settings::of(values.clone()).ok().and_then(|settings| settings.warning_of(located));
        let refusal = || {
            let path = path.display();
            format!(
                "{path} was found by searching, and may have come with a repository. If you trust it, say so: m2m profile trust {path}"
            )
        };
        Some(Self {
            name: name.to_owned(),
            standing: Standing::Kept,
            changed: false,
            warning,
            read: Some(said_by(&values)),
            wish: Wish { values, ..Wish::default() },
            commands: (!believed).then(refusal),
            egress: if believed { located.document.egress.clone() } else { Vec::new() },
            ..Self::new(id, path)
        })
    }

    /// What names it in addresses, whatever its own name is: 64 bits of file and name.
    pub(crate) fn address(&self) -> String {
        let text = [self.file.as_os_str().as_encoded_bytes(), b"\0", self.name.as_bytes()].concat();
        hexadecimal(&crypto::sha256(&text)).chars().take(16).collect()
    }

    /// The service of the catalogue that it names.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        self.wish.text(Field::Provider).and_then(provider::find)
    }

    /// What the issuer's metadata say.
    pub(crate) fn metadata(&self) -> Option<&Arc<Discovered>> {
        self.discovered.as_ref()?.as_ref().ok()
    }

    /// Whether URLs may be plain HTTP.
    pub(crate) fn plain_http(&self) -> PlainHttp {
        let allowed = matches!(
            self.wish.values.get(&Field::AllowHttp).map(|sourced| &sourced.value),
            Some(Value::Switch(true))
        );
        if allowed { PlainHttp::Allowed } else { PlainHttp::LoopbackOnly }
    }

    /// The settings that it stands for.
    ///
    /// # Errors
    /// Exit 2 or 3: they cannot stand together.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::of(self.wish.values.clone())?.with_egress(self.egress.clone()))
    }

    /// The settings to be used: no command of a file that was only found.
    ///
    /// # Errors
    /// As [`Draft::settings`]; exit 3: such a command.
    pub(crate) fn usable(&self) -> Result<Settings, Failure> {
        let is_command = |value: &Value| matches!(value, Value::Secret(SecretReference::Command(_)));
        match &self.commands {
            Some(why) if self.wish.values.values().any(|sourced| is_command(&sourced.value)) => {
                Err(Failure::configuration("a command in a file that was found by searching is not run")
                    .hint(why))
            }
            _ => self.settings(),
        }
    }

    /// What tells its settings from any others: 256 bits in hexadecimal, of use in this session only. Pasted secrets
    /// count by a hash with the session's key.
    pub(crate) fn fingerprint(&self, key: &[u8]) -> String {
        let mut text = format!("{} {:?}", said_by(&self.wish.values), self.egress);
        for (field, secret) in &self.wish.secrets {
            text.push_str(&format!(
                "{field} {}",
                hexadecimal(&crypto::hmac_sha256(key, secret.expose().as_bytes()))
            ));
        }
        hexadecimal(&crypto::hmac_sha256(key, text.as_bytes()))
    }
}

/// Values without their origins, as a text to compare.
pub(crate) fn said_by(values: &Profile) -> String {
    let values: Vec<_> = values.iter().map(|(field, sourced)| (field, &sourced.value)).collect();
    format!("{values:?}")
}

/// The files that apply.
///
/// # Errors
/// Exit 3: one is broken.
pub(crate) fn files(around: &Surroundings) -> Result<Files, Failure> {
    search::find(Start {
        config: around.global.config.as_deref(),
        directory: &around.directory,
        environment: &around.environment,
    })
}
