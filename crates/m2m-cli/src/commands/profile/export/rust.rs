//! `--as rust`: a function that makes the client, for a program with `m2m-client`.
//!
//! The text is compiled by the tests of this crate, in each of its variants.

mod tuning;

use std::collections::{BTreeMap, BTreeSet};

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::names::{grant_type, param};

use super::{Notes, Plan};
use crate::connect::credentials::shows_svid;
use crate::connect::{self, Method};
use crate::exit::Failure;
use crate::quote::rust as quoted;
use crate::settings::field::Field;
use crate::settings::grant;
use crate::settings::secret::SecretReference;

/// What goes around the client, with the modules that it needs.
#[derive(Default)]
struct Code {
    uses: BTreeSet<&'static str>,
    body: String,
    functions: BTreeSet<&'static str>,
    notes: Notes,
}

const PRINTED: &str = "
/// What a program prints, without its line end.
fn printed(argv: &[&str]) -> Result<SecretString, Box<dyn Error>> {
    let [program, arguments @ ..] = argv else { return Err(\"no program\".into()) };
    let output = std::process::Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!(\"{program}: {}\", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(SecretString::from(text.trim_end_matches(['\\r', '\\n'])))
}
";

pub(super) fn write(plan: &Plan<'_>) -> Result<String, Failure> {
    let mut code = Code::default();
    code.needs(&["m2m_client::Client", "std::error::Error"]);
    let server = code.server(plan)?;
    let mut calls = code.preset(plan);
    calls.extend(code.client_id(plan));
    calls.push(format!("credentials({})", code.credentials(plan)?));
    calls.extend(code.grant(plan)?);
    let mut builder = format!("    let builder = Client::builder({server})");
    for call in calls.into_iter().chain(code.ask(plan)).chain(code.tune(plan)) {
        builder.push_str(&format!("\n        .{call}"));
    }
    let connection = code.connection(plan);
    Ok(format!(
        "{}// needs the crates m2m-client, m2m-io and m2m-proto\n{}\n/// Gives access tokens for the profile {}. \
         Make one, and keep it while the program runs.\npub fn client() -> Result<Client, Box<dyn Error>> {{\n{}{builder};\n\
         {connection}    Ok(builder.build()?)\n}}\n{}",
        code.notes.comments("//"),
        code.imports(),
        plan.name(),
        code.body,
        code.functions.into_iter().collect::<String>(),
    ))
}

impl Code {
    fn needs(&mut self, paths: &[&'static str]) {
        self.uses.extend(paths);
    }

    /// One `use` for each module.
    fn imports(&self) -> String {
        let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (module, name) in self.uses.iter().filter_map(|path| path.rsplit_once("::")) {
            modules.entry(module).or_default().push(name);
        }
        let line = |(module, names): (&str, Vec<&str>)| match names.as_slice() {
            [name] => format!("use {module}::{name};\n"),
            names => format!("use {module}::{{{}}};\n", names.join(", ")),
        };
        modules.into_iter().map(line).collect()
    }

    /// A variable of the function.
    fn variable(&mut self, name: &str, value: &str) -> String {
        self.body.push_str(&format!("    let {name} = {value};\n"));
        name.to_owned()
    }

    fn server(&mut self, plan: &Plan<'_>) -> Result<String, Failure> {
        self.needs(&["m2m_client::Server"]);
        let settings = plan.settings;
        if let Some(issuer) = settings.text(Field::Issuer) {
            self.needs(&["m2m_proto::uri::Issuer"]);
            return Ok(format!("Server::issuer(Issuer::parse({})?)", quoted(issuer)));
        }
        let token = settings.text(Field::TokenUrl).ok_or_else(|| {
            Failure::configuration("no token service is named")
                .hint("write issuer or token_url into the profile")
        })?;
        self.needs(&["m2m_client::Endpoints", "m2m_proto::uri::EndpointUri"]);
        let mut fields = String::new();
        for (name, field) in
            [("introspection", Field::IntrospectionUrl), ("revocation", Field::RevocationUrl)]
        {
            if let Some(url) = settings.text(field) {
                fields.push_str(&format!("        {name}: Some(EndpointUri::parse({})?),\n", quoted(url)));
            }
        }
        let token = format!("Endpoints::token(EndpointUri::parse({})?)", quoted(token));
        let endpoints = match fields.as_str() {
            "" => token,
            fields => format!("Endpoints {{\n{fields}        ..{token}\n    }}"),
        };
        let endpoints = self.variable("endpoints", &endpoints);
        Ok(format!("Server::endpoints({endpoints})"))
    }

    /// What the catalogue knows of the server.
    fn preset(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let Some(preset) = plan.settings.preset() else { return Vec::new() };
        self.needs(&["m2m_client::provider"]);
        let pair =
            |(name, value): &(String, String)| format!("({}.into(), {}.into())", quoted(name), quoted(value));
        let variables: Vec<String> = plan.settings.pairs(Field::Variables).iter().map(pair).collect();
        let elsewhere =
            [Field::Issuer, Field::TokenUrl].iter().any(|field| plan.stated_text(*field).is_some());
        let resolve = if elsewhere { "resolve_elsewhere" } else { "resolve" };
        let id = quoted(&preset.provider().id);
        self.variable("provider", &format!("provider::find({id}).ok_or(\"no such provider\")?"));
        self.variable("preset", &format!("provider.{resolve}(&[{}])?", variables.join(", ")));
        vec!["preset(&preset)?".to_owned()]
    }

    fn client_id(&mut self, plan: &Plan<'_>) -> Option<String> {
        let id = quoted(plan.settings.text(Field::ClientId)?);
        self.needs(&["m2m_proto::client_id::ClientId"]);
        Some(format!("client_id(ClientId::parse({id})?)"))
    }

    /// The grant, where it is another than `client_credentials`.
    fn grant(&mut self, plan: &Plan<'_>) -> Result<Option<String>, Failure> {
        let settings = plan.settings;
        let stated = settings.text(Field::Grant).unwrap_or(grant_type::CLIENT_CREDENTIALS);
        let name = grant::name_of(stated);
        if name == grant_type::CLIENT_CREDENTIALS {
            return Ok(None);
        }
        let has = |field| settings.secret(field).is_some();
        let of_key = has(Field::PrivateKey).then(|| self.key(plan)).transpose()?;
        let of_token =
            has(Field::WorkloadToken).then(|| self.source(plan, Field::WorkloadToken)).transpose()?;
        self.needs(&["m2m_client::Grant"]);
        if settings.preset().is_some() && plan.stated_text(Field::Grant).is_none() {
            let (key, token) = (optional(of_key), optional(of_token));
            return Ok(Some(format!("grant(Grant::of(&preset, {key}, {token})?)")));
        }
        let grant = match (name, of_key, of_token) {
            (grant::JWT_BEARER, Some(key), _) => format!("Grant::jwt_bearer({key})"),
            (grant::JWT_BEARER, None, Some(token)) => {
                format!("Grant::assertion({token})")
            }
            (grant::TOKEN_EXCHANGE, _, Some(token)) => {
                let (subject, requested) = self.token_types(plan);
                format!("Grant::token_exchange({token}, {subject}, {requested})")
            }
            (grant::SELF_SIGNED, Some(key), _) => format!("Grant::self_signed({key})"),
            _ => format!("Grant::named({})", quoted(stated)),
        };
        Ok(Some(format!("grant({grant})")))
    }

    /// What is exchanged, and for what: as `params` state it (RFC 8693 section 2.1).
    fn token_types(&mut self, plan: &Plan<'_>) -> (String, String) {
        self.needs(&["m2m_proto::grant::token_exchange::TokenTypeUri"]);
        let stated = |name: &str| {
            let found = plan.settings.pairs(Field::Params).iter().find(|(param, _)| param == name);
            found.map(|(_, value)| format!("TokenTypeUri::parse({})", quoted(value)))
        };
        (
            stated(param::SUBJECT_TOKEN_TYPE).unwrap_or_else(|| "TokenTypeUri::Jwt".to_owned()),
            optional(stated(param::REQUESTED_TOKEN_TYPE)),
        )
    }

    /// The private key with its algorithm and id.
    fn key(&mut self, plan: &Plan<'_>) -> Result<String, Failure> {
        self.needs(&["m2m_client::KeySource"]);
        let key = self.source(plan, Field::PrivateKey)?;
        let algorithm = optional(self.algorithm(plan));
        let id = optional(plan.settings.text(Field::KeyId).map(|id| format!("{}.to_owned()", quoted(id))));
        Ok(format!("KeySource::text({key}, {algorithm}, {id})"))
    }

    fn credentials(&mut self, plan: &Plan<'_>) -> Result<String, Failure> {
        use ClientAuthMethod as M;
        self.needs(&["m2m_client::Credentials"]);
        let method = match connect::method(plan.settings)? {
            Method::Registered(method) => method,
            Method::Federated => return self.workload(plan),
            Method::None => return Ok("Credentials::none()".to_owned()),
        };
        let next = match plan.settings.secret(Field::NextClientSecret) {
            Some(_) => Some(self.source(plan, Field::NextClientSecret)?),
            None => None,
        };
        let next = optional(next);
        Ok(match method {
            M::ClientSecretBasic | M::ClientSecretPost => {
                let secret = self.source(plan, Field::ClientSecret)?;
                format!("Credentials::secret({secret}, {next}, {})", self.method(method))
            }
            M::ClientSecretJwt => {
                let secret = self.source(plan, Field::ClientSecret)?;
                let algorithm = self.algorithm(plan).unwrap_or_else(|| "Algorithm::Hs256".to_owned());
                self.needs(&["m2m_proto::jose::Algorithm"]);
                format!("Credentials::client_secret_jwt({secret}, {next}, {algorithm})")
            }
            M::PrivateKeyJwt
                if plan.settings.secret(Field::PrivateKey).is_none()
                    && plan.settings.secret(Field::WorkloadToken).is_some() =>
            {
                self.workload(plan)?
            }
            M::PrivateKeyJwt if plan.settings.secret(Field::Certificate).is_some() => {
                let (key, certificate) = (self.key(plan)?, self.source(plan, Field::Certificate)?);
                match plan.settings.secret(Field::CertificateKey) {
                    None => format!("Credentials::key_of_certificate({key}, {certificate})"),
                    Some(_) => {
                        self.needs(&["m2m_client::CertificateSource"]);
                        let own = self.source(plan, Field::CertificateKey)?;
                        let shown = format!("CertificateSource::new({certificate}, {own})");
                        format!(
                            "Credentials::key_of_certificate({key}, {certificate}.clone()).bound_to({shown})"
                        )
                    }
                }
            }
            M::PrivateKeyJwt => format!("Credentials::key({})", self.key(plan)?),
            M::TlsClientAuth | M::SelfSignedTlsClientAuth => {
                self.needs(&["m2m_client::CertificateSource"]);
                let (chain, key) =
                    (self.source(plan, Field::Certificate)?, self.source(plan, Field::CertificateKey)?);
                let method = self.method(method);
                format!("Credentials::certificate(CertificateSource::new({chain}, {key}), {method})")
            }
        })
    }

    fn workload(&mut self, plan: &Plan<'_>) -> Result<String, Failure> {
        let token = self.source(plan, Field::WorkloadToken)?;
        Ok(match shows_svid(plan.settings) {
            true => format!("Credentials::jwt_svid({token})"),
            false => format!("Credentials::assertion({token})"),
        })
    }

    fn method(&mut self, method: ClientAuthMethod) -> String {
        self.needs(&["m2m_proto::client_auth::ClientAuthMethod"]);
        format!("ClientAuthMethod::{method:?}")
    }

    fn algorithm(&mut self, plan: &Plan<'_>) -> Option<String> {
        let name = plan.settings.text(Field::Algorithm)?;
        self.needs(&["m2m_proto::jose::Algorithm"]);
        Some(format!("Algorithm::parse({}).ok_or(\"no such algorithm\")?", quoted(name)))
    }

    /// A variable for where a secret is.
    fn source(&mut self, plan: &Plan<'_>, field: Field) -> Result<String, Failure> {
        let reference = plan.settings.secret(field);
        let reference = reference.ok_or_else(|| {
            Failure::configuration(format!("no {field} is named"))
                .hint("name where it is in the profile, or by a flag")
        })?;
        self.needs(&["std::sync::Arc"]);
        let source = self.expression(plan, field, reference);
        Ok(self.variable(field.key(), &source))
    }

    fn expression(&mut self, plan: &Plan<'_>, field: Field, reference: &SecretReference) -> String {
        if let Some(argv) = Plan::program(reference) {
            let words: Vec<String> = argv.into_iter().map(quoted).collect();
            self.functions.insert(PRINTED);
            return self.fixed(&format!("printed(&[{}])?", words.join(", ")));
        }
        match reference {
            SecretReference::File(path)
            | SecretReference::Kubernetes(path)
            | SecretReference::Spiffe(path) => {
                self.file(&quoted(&plan.directory.join(path).to_string_lossy()))
            }
            SecretReference::Systemd(name) => {
                let path = "std::path::PathBuf::from(std::env::var(\"CREDENTIALS_DIRECTORY\")?)";
                self.file(&format!("{path}.join({})", quoted(name)))
            }
            SecretReference::Env(name) => {
                self.fixed(&format!("SecretString::new(std::env::var({})?)", quoted(name)))
            }
            other => {
                self.notes
                    .add(format!("{field} comes from {other}: put a SecretSource of yours in its place"));
                self.file(&quoted(&format!("/path/to/{field}")))
            }
        }
    }

    fn file(&mut self, path: &str) -> String {
        self.needs(&["m2m_client::FileSecret"]);
        format!("Arc::new(FileSecret::new({path}))")
    }

    fn fixed(&mut self, secret: &str) -> String {
        self.needs(&["m2m_client::FixedSecret", "m2m_proto::secret::SecretString"]);
        format!("Arc::new(FixedSecret::new({secret}))")
    }
}

/// An `Option` of Rust.
fn optional(code: Option<String>) -> String {
    code.map_or_else(|| "None".to_owned(), |code| format!("Some({code})"))
}
