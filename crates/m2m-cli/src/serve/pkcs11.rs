//! `[[pkcs11]]` of `m2m-server.toml`: signing keys that a security module holds.
//!
//! Enforces: all four members are there; the PIN is a reference that not everybody on this machine can read; a
//! binary without the feature `pkcs11` refuses the table instead of signing with a key of its own.
//! Does not enforce: what the module does (`m2m_authorization_server::keys::pkcs11`).
//! Limits: 8 keys.

use std::path::PathBuf;

use m2m_authorization_server::ServerBuilder;
use toml::de::DeTable;

use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::file::{Parser, Spanned};
use crate::settings::secret::SecretReference;

const NAME: &str = "pkcs11";
const MEMBERS: [&str; 4] = ["module", "token", "pin", "key"];
const MAX_KEYS: usize = 8;

/// One key in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldKey {
    /// The vendor's library.
    pub(crate) module: PathBuf,
    /// The label of the token.
    pub(crate) token: String,
    /// Where the PIN is.
    pub(crate) pin: SecretReference,
    /// The label of the key.
    pub(crate) key: String,
}

/// Reads the tables.
///
/// # Errors
/// Exit 3, naming file, line and key.
pub(super) fn parse(parser: &Parser<'_>, (at, value): Spanned<'_, '_>) -> Result<Vec<HeldKey>, Failure> {
    let expected = || parser.error(at, NAME, "expected tables: [[pkcs11]]");
    let list = value.as_array().ok_or_else(expected)?;
    if list.len() > MAX_KEYS {
        return Err(parser.error(at, NAME, &format!("more than {MAX_KEYS} keys")));
    }
    list.iter()
        .map(|one| {
            let table = one.get_ref().as_table().ok_or_else(expected)?;
            one_key(parser, one.span().start, table)
        })
        .collect()
}

fn one_key(parser: &Parser<'_>, at: usize, table: &DeTable<'_>) -> Result<HeldKey, Failure> {
    let (mut module, mut token, mut pin, mut key) = (None, None, None, None);
    for (name, value) in table {
        let path = format!("{NAME}.{}", name.get_ref());
        let value = (value.span().start, value.get_ref());
        match name.get_ref().as_ref() {
            "module" => module = Some(parser.directory().join(parser.string(value, &path)?)),
            "token" => token = Some(parser.string(value, &path)?),
            "pin" => pin = Some(parser.secret(value, &path)?),
            "key" => key = Some(parser.string(value, &path)?),
            _ => return Err(parser.error(name.span().start, &path, "unknown key")),
        }
    }
    match (module, token, pin, key) {
        (Some(module), Some(token), Some(pin), Some(key)) => Ok(HeldKey { module, token, pin, key }),
        _ => Err(parser.error(at, NAME, &format!("needs all of {}", MEMBERS.join(", ")))),
    }
}

/// Opens the keys and hands them to the server.
///
/// # Errors
/// Exit 3: a key cannot be opened, or this binary cannot open any. Exit 4: the PIN cannot be read.
#[cfg(feature = "pkcs11")]
pub(super) async fn open(
    keys: &[HeldKey],
    mut builder: ServerBuilder,
    around: &Surroundings,
) -> Result<ServerBuilder, Failure> {
    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::Arc;

    use m2m_authorization_server::keys::pkcs11::{Pkcs11Error, Token, TokenLocation};
    use m2m_proto::secret::SecretString;
    let mut tokens: HashMap<(&Path, &str), (SecretString, Arc<Token>)> = HashMap::new();
    for held in keys {
        let pin = pin(&held.pin, around).await?;
        let place = (held.module.as_path(), held.token.as_str());
        let known = tokens.get(&place);
        if known.is_some_and(|(known, _)| known.expose() != pin.expose()) {
            let text = format!("two PINs are given for the token {:?}", held.token);
            return Err(Failure::configuration(text).hint("a token has one login, for all of its keys"));
        }
        let known = known.map(|(_, token)| Arc::clone(token));
        let location =
            TokenLocation { module: held.module.clone(), token: held.token.clone(), pin: pin.clone() };
        let (clock, label) = (Arc::clone(&around.clock), held.key.clone());
        let open = move || -> Result<_, Pkcs11Error> {
            let token = known.map_or_else(|| Token::open(location, clock), Ok)?;
            let key = token.signing_key(&label)?;
            Ok((token, key))
        };
        let opened = m2m_io::task::blocking("security module", open).await;
        let opened = opened.ok_or_else(|| Failure::internal("the security module broke the thread"))?;
        let (token, key) =
            opened.map_err(|error| Failure::configuration(format!("pkcs11 key {:?}: {error}", held.key)))?;
        tracing::info!(key = held.key, algorithm = key.algorithm().name(), "a security module signs");
        builder = builder.signing_key(key);
        tokens.insert(place, (pin, token));
    }
    Ok(builder)
}

#[cfg(feature = "pkcs11")]
async fn pin(
    reference: &SecretReference,
    around: &Surroundings,
) -> Result<m2m_proto::secret::SecretString, Failure> {
    use m2m_io::file::Exposure;
    let read = reference.read(&around.environment, around.clock.as_ref()).await?;
    if read.exposure == Exposure::Everybody {
        let text = format!("the PIN, {reference}, can be read by everybody on this machine");
        return Err(Failure::configuration(text).hint("chmod 600 it, and change it if others were there"));
    }
    Ok(read.secret)
}

/// As above, in a binary that has no PKCS#11.
///
/// # Errors
/// Exit 3 where there are keys.
#[cfg(not(feature = "pkcs11"))]
pub(super) async fn open(
    keys: &[HeldKey],
    builder: ServerBuilder,
    _: &Surroundings,
) -> Result<ServerBuilder, Failure> {
    match keys {
        [] => Ok(builder),
        [first, ..] => Err(Failure::configuration(format!(
            "[[pkcs11]] names the key {:?} of the token {:?} in {} (PIN: {}), and this m2m was built without PKCS#11",
            first.key,
            first.token,
            first.module.display(),
            first.pin,
        ))
        .hint("cargo install m2m-cli --features pkcs11, or take the table out")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file;
    use super::*;
    use crate::exit::Exit;

    fn read(text: &str) -> Result<Vec<HeldKey>, Failure> {
        file::parse(Path::new("/etc/m2m/m2m-server.toml"), text).map(|stated| stated.pkcs11)
    }

    const WHOLE: &str = "[[pkcs11]]\nmodule = \"/usr/lib/softhsm/libsofthsm2.so\"\ntoken = \"m2m\"\n\
                         pin = { file = \"pin\" }\nkey = \"es256\"\n";

    #[test]
    fn each_table_is_a_key() {
        let two = read(&format!("{WHOLE}{}", WHOLE.replace("es256", "rs256"))).unwrap();
        assert_eq!(two.iter().map(|held| held.key.as_str()).collect::<Vec<_>>(), ["es256", "rs256"]);
        assert_eq!(two[0].pin, SecretReference::File("/etc/m2m/pin".into()));
        assert_eq!(two[0].module, Path::new("/usr/lib/softhsm/libsofthsm2.so"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |text: &str, expect: &str| {
            let failure = read(text).unwrap_err();
            assert_eq!(failure.exit(), Exit::Configuration, "{text}");
            assert!(failure.message().contains(expect), "{text}: {}", failure.message());
        };
        check("pkcs11 = true", "expected tables");
        check("pkcs11 = [1]", "expected tables");
        check("[[pkcs11]]\ntoken = 'm2m'", "needs all of module, token, pin, key");
        check(&format!("{WHOLE}slot = 1\n"), "pkcs11.slot");
        check(&WHOLE.replace("{ file = \"pin\" }", "\"1234\""), "a secret in a file is refused");
        check(&WHOLE.repeat(MAX_KEYS + 1), "more than 8 keys");
    }
}
