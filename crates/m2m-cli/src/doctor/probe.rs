//! `--probe`: the same question asked in other plausible ways, when the server does not accept the client.
//!
//! Each try is a login that may count as failed, and some servers lock a client out after a few; so nothing here runs
//! unless it is asked for. Only secrets are tried differently; a key or a certificate has one spelling.

use std::sync::Arc;

use http::HeaderValue;
use m2m_client::{Credentials, Error, FixedSecret, Grant, TokenSpec};
use m2m_proto::client_auth::secret::encode_basic;
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod, ClientSecret};
use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::form::decode_component;
use m2m_proto::secret::SecretString;

use super::facts::{Taken, Variant};
use crate::Surroundings;
use crate::connect;
use crate::exit::Failure;
use crate::settings::Settings;

/// What is tried, and how the client is configured.
pub(super) struct Probe<'a> {
    pub(super) settings: &'a Settings,
    pub(super) around: &'a Surroundings,
    pub(super) client_id: &'a ClientId,
    pub(super) secret: &'a str,
    pub(super) method: ClientAuthMethod,
    pub(super) encoding: BasicEncoding,
}

/// One spelling of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spelling {
    Basic(BasicEncoding, String),
    Post(String),
}

/// The configured way; `None` where the secret signs and is not sent.
fn configured(secret: &str, method: ClientAuthMethod, encoding: BasicEncoding) -> Option<Spelling> {
    match method {
        ClientAuthMethod::ClientSecretPost => Some(Spelling::Post(secret.to_owned())),
        ClientAuthMethod::ClientSecretBasic => Some(Spelling::Basic(encoding, secret.to_owned())),
        _ => None,
    }
}

/// The plausible ways other than the configured one.
fn spellings(
    secret: &str,
    method: ClientAuthMethod,
    encoding: BasicEncoding,
) -> Vec<(&'static str, &'static str, Spelling)> {
    let plain = || secret.to_owned();
    let as_configured = |secret: &str| configured(secret, method, encoding);
    let mut all = Vec::new();
    // Sent as Basic, an encoded secret looks like the decoded one in the other encoding: this is the likelier reason.
    if let Ok(decoded) = decode_component(&secret.replace('+', "%2B")) {
        let fix = "store the secret decoded: it is kept in its percent-encoded form";
        all.extend(as_configured(&decoded).map(|spelling| ("the secret decoded once", fix, spelling)));
    }
    let fix = "store the secret without the white space around it";
    all.extend(
        as_configured(secret.trim()).map(|spelling| ("the secret without white space", fix, spelling)),
    );
    let basic = |encoding| Spelling::Basic(encoding, plain());
    let fix = "set client_auth_method = \"client_secret_basic\"";
    all.push(("client_secret_basic", fix, basic(BasicEncoding::Form)));
    let raw = match method {
        ClientAuthMethod::ClientSecretBasic => "set basic_encoding = \"raw\"",
        _ => "set client_auth_method = \"client_secret_basic\" and basic_encoding = \"raw\"",
    };
    all.push(("raw Basic", raw, basic(BasicEncoding::Raw)));
    let fix = "set client_auth_method = \"client_secret_post\"";
    all.push(("client_secret_post", fix, Spelling::Post(plain())));
    let mut seen: Vec<Spelling> = as_configured(secret).into_iter().collect();
    all.retain(|(_, _, spelling)| {
        let known = seen.contains(spelling);
        seen.push(spelling.clone());
        !known
    });
    all
}

/// What the server would see of a spelling.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Basic(HeaderValue),
    Post(String),
}

/// `None` where the secret cannot be sent at all.
fn shown(client_id: &ClientId, spelling: &Spelling) -> Option<Shown> {
    let (Spelling::Basic(_, secret) | Spelling::Post(secret)) = spelling;
    let parsed = ClientSecret::parse(secret).ok()?;
    Some(match spelling {
        Spelling::Basic(encoding, _) => Shown::Basic(encode_basic(client_id, &parsed, *encoding).ok()?),
        Spelling::Post(_) => Shown::Post(secret.clone()),
    })
}

impl Probe<'_> {
    /// Tries them one after the other, and stops at the first that is accepted.
    pub(super) async fn run(&self) -> Vec<Variant> {
        let mut tried = Vec::new();
        let configured = configured(self.secret, self.method, self.encoding);
        let mut seen: Vec<_> = configured.iter().map(|spelling| shown(self.client_id, spelling)).collect();
        for (what, setting, spelling) in spellings(self.secret, self.method, self.encoding) {
            let shown = shown(self.client_id, &spelling);
            // Ids and secrets of plain characters look the same in both encodings.
            if shown.is_none() || seen.contains(&shown) {
                continue;
            }
            seen.push(shown);
            let taken = self.ask(spelling).await;
            let accepted = taken == Taken::Accepted;
            tried.push(Variant { what, setting, taken });
            if accepted {
                break;
            }
        }
        tried
    }

    async fn ask(&self, spelling: Spelling) -> Taken {
        match self.token(spelling).await {
            Ok(Ok(())) => Taken::Accepted,
            Ok(Err(error)) => match error.code() {
                // Who is told that the scope is wrong has been let in.
                Some(ErrorCode::InvalidScope | ErrorCode::InvalidTarget) => Taken::Accepted,
                Some(code) => Taken::Refused(code.as_str().to_owned()),
                None => Taken::Refused(error.to_string()),
            },
            Err(failure) => Taken::Refused(failure.message().to_owned()),
        }
    }

    /// Asks as the client that it would be with this setting.
    ///
    /// # Errors
    /// The settings make no client, which they did before.
    async fn token(&self, spelling: Spelling) -> Result<Result<(), Error>, Failure> {
        let (method, encoding, secret) = match spelling {
            Spelling::Basic(encoding, secret) => (ClientAuthMethod::ClientSecretBasic, encoding, secret),
            Spelling::Post(secret) => (ClientAuthMethod::ClientSecretPost, self.encoding, secret),
        };
        let source = Arc::new(FixedSecret::new(SecretString::from(secret)));
        let stand_in = Arc::<FixedSecret>::clone(&source);
        let client = connect::with_stand_in(self.settings, self.around, stand_in)
            .await?
            .credentials(Credentials::secret(source, None, method))
            .grant(Grant::client_credentials())
            .basic_encoding(encoding)
            .build()?;
        Ok(client.token(&TokenSpec::default()).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_spelling_is_not_tried_again() {
        let check = |secret: &str, method, expect: &[&str]| {
            let tried = spellings(secret, method, BasicEncoding::Form);
            let names: Vec<&str> = tried.iter().map(|(what, ..)| *what).collect();
            assert_eq!(names, expect, "{secret}");
        };
        let (basic, post) = (ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost);
        check("plain", basic, &["raw Basic", "client_secret_post"]);
        check("plain", post, &["client_secret_basic", "raw Basic"]);
        let all =
            ["the secret decoded once", "the secret without white space", "raw Basic", "client_secret_post"];
        check("p%40ss ", basic, &all);
        let jwt = ClientAuthMethod::ClientSecretJwt;
        check("p%40ss ", jwt, &["client_secret_basic", "raw Basic", "client_secret_post"]);
    }

    #[test]
    fn what_looks_the_same_is_one_login() {
        let id = ClientId::parse("svc").unwrap();
        let basic = |encoding, secret: &str| shown(&id, &Spelling::Basic(encoding, secret.to_owned()));
        let check = |secret: &str, same| {
            let (form, raw) = (basic(BasicEncoding::Form, secret), basic(BasicEncoding::Raw, secret));
            assert_eq!(form == raw, same, "{secret}");
            assert_ne!(form, shown(&id, &Spelling::Post(secret.to_owned())), "{secret}");
        };
        check("plain", true);
        check("a/b+c", false);
        assert_eq!(basic(BasicEncoding::Raw, "two\nlines"), None);
    }
}
