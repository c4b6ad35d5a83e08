//! The settings of whoever administers an authorization server: `M2M_ADMIN_*`, else the profile `admin`.
//!
//! Enforces: these settings come from one place. `M2M_ISSUER`, `M2M_CLIENT_ID` and their like belong to applications
//! and are not read, so that a shell that is set up for one does not change who administers; of a shell only
//! `M2M_CA_FILE` and `M2M_TIMEOUT` are taken along.

use super::env::Environment;
use super::field::Field;
use super::file::Profile;
use super::secret::SecretReference;
use super::value::{Origin, Sourced, Value, parse_time};
use super::{Inputs, Settings};
use crate::args::Global;
use crate::exit::Failure;

/// The profile that is used where nobody names another.
pub const PROFILE: &str = "admin";

const URL: &str = "M2M_ADMIN_URL";
const CLIENT_ID: &str = "M2M_ADMIN_CLIENT_ID";
const SECRET: &str = "M2M_ADMIN_CLIENT_SECRET";
const SECRET_FILE: &str = "M2M_ADMIN_CLIENT_SECRET_FILE";

impl Settings {
    /// The settings for the admin API: the profile that was typed, or `admin` of the file that was; else `M2M_ADMIN_*`,
    /// as soon as one of them is set; else the profile `admin`. Opens `m2m.toml` files, and no secret.
    ///
    /// # Errors
    /// Exit 3: one of `M2M_ADMIN_*` is missing, or there is no such profile; and as [`Settings::resolve`].
    pub fn resolve_admin(inputs: Inputs<'_>) -> Result<Self, Failure> {
        let typed = inputs.global.profile.is_some() || inputs.global.config.is_some();
        if !typed && let Some(profile) = of_environment(inputs.environment)? {
            return Self::of(profile);
        }
        let profile = inputs.global.profile.clone().or_else(|| Some(PROFILE.to_owned()));
        let global = Global { profile, ..inputs.global.clone() };
        let resolved = Self::resolve_without_variables(Inputs { global: &global, ..inputs });
        let environment = inputs.environment;
        match resolved.and_then(|settings| settings.with_surroundings(environment)) {
            Err(failure) if inputs.global.profile.is_none() && failure.message() == no_profile() => {
                Err(Failure::configuration("nobody is named who may administer").hint(format!(
                    "set {URL} (the issuer), {CLIENT_ID} and {SECRET}, or write a profile {PROFILE}; \
                     m2m admin init makes one, and --config names its file"
                )))
            }
            resolved => resolved,
        }
    }

    /// The same with what belongs to the machine and not to whoever administers, where the profile does not say it.
    fn with_surroundings(mut self, environment: &Environment) -> Result<Self, Failure> {
        for (field, sourced) in surroundings(environment)? {
            self.values.entry(field).or_insert(sourced);
        }
        Ok(self)
    }
}

fn surroundings(environment: &Environment) -> Result<Profile, Failure> {
    let mut profile = Profile::new();
    let mut put = |field: Field, value: Value| {
        profile.insert(field, Sourced { value, origin: Origin::Env(field.env()) });
    };
    if let Some(path) = environment.text(Field::CaFile.env()) {
        put(Field::CaFile, Value::Text(path.to_owned()));
    }
    if let Some(time) = environment.text(Field::Timeout.env()) {
        let wrong = |problem| Failure::configuration(format!("{}: {problem}", Field::Timeout.env()));
        put(Field::Timeout, Value::Time(parse_time(time).map_err(wrong)?));
    }
    Ok(profile)
}

fn no_profile() -> String {
    format!("there is no profile {PROFILE}")
}

/// What `M2M_ADMIN_*` says; `None` where none of them is set.
fn of_environment(environment: &Environment) -> Result<Option<Profile>, Failure> {
    if [URL, CLIENT_ID, SECRET, SECRET_FILE].iter().all(|name| environment.text(name).is_none()) {
        return Ok(None);
    }
    let missing = |name: &str| {
        Failure::configuration(format!("{name} is not set, though others of M2M_ADMIN_* are"))
            .hint("set it, or unset the others to use the profile admin")
    };
    let text = |name: &'static str| environment.text(name).ok_or_else(|| missing(name));
    let mut profile = Profile::new();
    let mut put = |field: Field, name: &'static str, value: Value| {
        profile.insert(field, Sourced { value, origin: Origin::Env(name) });
    };
    put(Field::Issuer, URL, Value::Text(text(URL)?.to_owned()));
    put(Field::ClientId, CLIENT_ID, Value::Text(text(CLIENT_ID)?.to_owned()));
    match (environment.text(SECRET), environment.text(SECRET_FILE)) {
        (Some(_), Some(_)) => {
            return Err(Failure::configuration(format!("{SECRET} and {SECRET_FILE} are both set"))
                .hint("unset one of them"));
        }
        (None, None) => return Err(missing(SECRET)),
        (Some(_), None) => {
            put(Field::ClientSecret, SECRET, Value::Secret(SecretReference::Env(SECRET.to_owned())));
        }
        (None, Some(path)) => {
            put(Field::ClientSecret, SECRET_FILE, Value::Secret(SecretReference::File(path.into())));
        }
    }
    profile.extend(surroundings(environment)?);
    Ok(Some(profile))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::args::ProfileFlags;
    use crate::exit::Exit;

    const ALL: [(&str, &str); 3] =
        [(URL, "https://as.example"), (CLIENT_ID, "root"), (SECRET, "hunter2-hunter2")];

    fn resolve(global: &Global, environment: &Environment, directory: &Path) -> Result<Settings, Failure> {
        let flags = ProfileFlags::default();
        Settings::resolve_admin(Inputs { global, flags: &flags, environment, directory })
    }

    #[test]
    fn variables_win_over_the_profile_and_lose_against_a_typed_one() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("admin.toml");
        std::fs::write(
            &file,
            "[profiles.admin]\nissuer = \"https://file.example\"\nclient_id = \"a\"\n\
             client_secret = { env = \"X\" }\n",
        )
        .unwrap();
        let config = Some(file);
        let typed = Global { profile: Some("admin".to_owned()), config: config.clone(), ..Global::default() };
        let named = Global { config, ..Global::default() };
        std::fs::copy(named.config.as_ref().unwrap(), place.path().join("m2m.toml")).unwrap();
        let default = Global::default();
        let check = |global: &Global, environment: &Environment, issuer: &str, client: &str| {
            let settings = resolve(global, environment, place.path()).unwrap();
            assert_eq!(settings.text(Field::Issuer), Some(issuer));
            assert_eq!(settings.text(Field::ClientId), Some(client));
        };
        check(&default, &Environment::of(ALL), "https://as.example", "root");
        check(&typed, &Environment::of(ALL), "https://file.example", "a");
        check(&named, &Environment::of(ALL), "https://file.example", "a");
        // What applications are set up with changes nothing.
        let other = Environment::of([("M2M_ISSUER", "https://other.example"), ("M2M_CLIENT_ID", "svc")]);
        check(&default, &other, "https://file.example", "a");
    }

    #[test]
    fn the_authorities_of_the_machine_are_trusted_with_a_profile_too() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("admin.toml");
        let check = |more: &str, expect: &str| {
            let text =
                format!("[profiles.admin]\nissuer = \"https://file.example\"\nclient_id = \"a\"\n{more}");
            std::fs::write(&file, text).unwrap();
            let global = Global { config: Some(file.clone()), ..Global::default() };
            let environment = Environment::of([("M2M_CA_FILE", "/etc/ca.pem")]);
            let settings = resolve(&global, &environment, place.path()).unwrap();
            assert_eq!(settings.text(Field::CaFile), Some(expect));
        };
        check("", "/etc/ca.pem");
        check("ca_file = \"/own.pem\"\n", "/own.pem");
    }

    #[test]
    fn what_is_missing_is_named() {
        let place = tempfile::tempdir().unwrap();
        let global = Global::default();
        let check = |environment: Environment, message: &str| {
            let failure = resolve(&global, &environment, place.path()).unwrap_err();
            assert_eq!((failure.exit(), failure.message()), (Exit::Configuration, message));
            assert!(failure.advice().is_some());
        };
        check(Environment::default(), "nobody is named who may administer");
        check(
            Environment::of([(URL, "https://as.example")]),
            "M2M_ADMIN_CLIENT_ID is not set, though others of M2M_ADMIN_* are",
        );
        check(
            Environment::of([(URL, "https://as.example"), (CLIENT_ID, "root")]),
            "M2M_ADMIN_CLIENT_SECRET is not set, though others of M2M_ADMIN_* are",
        );
        check(
            Environment::of([ALL[0], ALL[1], ALL[2], (SECRET_FILE, "f")]),
            "M2M_ADMIN_CLIENT_SECRET and M2M_ADMIN_CLIENT_SECRET_FILE are both set",
        );
    }
}
