//! `--as kubernetes`: a ConfigMap with the profile, and a Deployment that mounts it and a Secret. The Secret itself is
//! not in the output; the command that makes it is.

use m2m_client::AssertionAudienceRule;
use m2m_proto::uri::EndpointUri;

use super::mounted::{CONFIGURATION, FILE, Mount, block, of};
use super::{Notes, Plan};
use crate::exit::Failure;
use crate::output::printable;
use crate::quote::{shell_word, yaml};
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

/// Not `/run/secrets` itself, below which the platform mounts its own.
const SECRETS: &str = "/run/secrets/m2m";

pub(super) fn write(plan: &Plan<'_>) -> Result<String, Failure> {
    let mounted = of(plan, SECRETS)?;
    let label = plan.label();
    let mut notes = Notes::default();
    for mount in &mounted.mounts {
        notes.add(format!("{} comes from {}", mount.field, mount.source));
    }
    notes.0.extend(mounted.notes.0);
    let head = match mounted.mounts.as_slice() {
        [] => String::new(),
        mounts => format!("# The Secret is not in here; this makes it:\n{}", command(&label, mounts)),
    };
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  m2m.toml: {toml}",
        name = yaml(&format!("m2m-{label}")),
        toml = block(&mounted.toml, 4),
    );
    let volumes = Volumes { secret: &mounted.mounts, token: Token::of(plan) };
    Ok(format!("{}{head}{map}---\n{}", notes.comments("#"), deployment(&label, &volumes)))
}

/// A service account token that the platform writes, and renews, for the token service.
struct Token {
    directory: String,
    file: String,
    audience: String,
}

impl Token {
    fn of(plan: &Plan<'_>) -> Option<Self> {
        let settings = plan.settings;
        let Some(SecretReference::Kubernetes(path)) = settings.secret(Field::WorkloadToken) else {
            return None;
        };
        let server = settings.text(Field::Issuer).or_else(|| settings.text(Field::TokenUrl));
        let server = server.unwrap_or_default();
        let stated = settings.text(Field::AssertionAudience).map(AssertionAudienceRule::parse);
        let audience = match stated.unwrap_or_default() {
            AssertionAudienceRule::Issuer | AssertionAudienceRule::Endpoint => server.to_owned(),
            AssertionAudienceRule::Host => host(settings.text(Field::TokenUrl).unwrap_or(server)),
            AssertionAudienceRule::Literal(text) => text,
        };
        Some(Self {
            directory: path.parent()?.to_string_lossy().into_owned(),
            file: path.file_name()?.to_string_lossy().into_owned(),
            audience,
        })
    }
}

/// The host of a URL; a URL that is none stays as it is, for whoever reads the form.
fn host(url: &str) -> String {
    EndpointUri::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().host().to_owned())
}

/// What is mounted besides the profile.
struct Volumes<'a> {
    secret: &'a [Mount],
    token: Option<Token>,
}

/// `kubectl create secret`, with nothing secret among its arguments.
fn command(label: &str, mounts: &[Mount]) -> String {
    let mut text = format!("#   kubectl create secret generic {}", shell_word(&format!("m2m-{label}")));
    for Mount { field, source } in mounts {
        let from = match (source, Plan::program(source)) {
            (_, Some(argv)) => {
                let words: Vec<String> = argv.into_iter().map(shell_word).collect();
                format!("<({})", words.join(" "))
            }
            (SecretReference::File(path), _) => shell_word(&path.to_string_lossy()),
            (SecretReference::Env(name), _) => format!("<(printenv {} | tr -d '\\n')", shell_word(name)),
            _ => format!("/path/to/{field}"),
        };
        text.push_str(&format!(" \\\n#     --from-file={field}={}", printable(&from)));
    }
    text + "\n"
}

fn deployment(label: &str, volumes: &Volumes<'_>) -> String {
    let (app, object) = (yaml(label), yaml(&format!("m2m-{label}")));
    let mounts: String = volumes.mounts().into_iter().map(|(name, path)| mount(name, &path)).collect();
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  selector:
    matchLabels:
      app: {app}
  template:
    metadata:
      labels:
        app: {app}
    spec:
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        fsGroup: 65532
      containers:
        - name: {app}
          image: registry.example.com/{label}:latest # yours, with m2m in it
          env:
            - name: XDG_CONFIG_HOME
              value: {CONFIGURATION}
          volumeMounts:
            - name: profile
              mountPath: {FILE}
              subPath: m2m.toml
              readOnly: true
{mounts}      volumes:
        - name: profile
          configMap:
            name: {object}
{}",
        volumes.sources(&object)
    )
}

fn mount(name: &str, path: &str) -> String {
    format!(
        "            - name: {name}\n              mountPath: {}\n              readOnly: true\n",
        yaml(path)
    )
}

impl Volumes<'_> {
    /// Name and directory of each.
    fn mounts(&self) -> Vec<(&'static str, String)> {
        let secret = (!self.secret.is_empty()).then(|| ("secret", SECRETS.to_owned()));
        let token = self.token.as_ref().map(|token| ("token", token.directory.clone()));
        secret.into_iter().chain(token).collect()
    }

    /// Where each comes from.
    fn sources(&self, object: &str) -> String {
        let mut text = String::new();
        if !self.secret.is_empty() {
            text.push_str(&format!(
                "        - name: secret
          secret:
            secretName: {object}
            defaultMode: 288 # 0440
            items:
"
            ));
        }
        for key in self.secret.iter().map(|mount| mount.field.key()) {
            text.push_str(&format!("              - key: {key}\n                path: {key}\n"));
        }
        if let Some(Token { file, audience, .. }) = &self.token {
            text.push_str(&format!(
                "        - name: token
          projected:
            sources:
              - serviceAccountToken:
                  path: {}
                  audience: {}
                  expirationSeconds: 3600
",
                yaml(file),
                yaml(audience)
            ));
        }
        text
    }
}
