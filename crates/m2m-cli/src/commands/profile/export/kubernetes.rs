//! `--as kubernetes`: a ConfigMap with the profile, and a Deployment that mounts it and a Secret. The Secret itself is
//! not in the output; the command that makes it is.

use super::mounted::{CONFIGURATION, FILE, Mount, block, of};
use super::{Notes, Plan};
use crate::quote::{shell_word, yaml};
use crate::settings::secret::SecretReference;

/// Not `/run/secrets` itself, below which the platform mounts its own.
const SECRETS: &str = "/run/secrets/m2m";

pub(super) fn write(plan: &Plan<'_>) -> String {
    let mounted = of(plan, SECRETS);
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
    let has_secret = !mounted.mounts.is_empty();
    format!(
        "{}{head}{map}---\n{}",
        notes.comments("#"),
        deployment(&label, has_secret.then_some(&mounted.mounts))
    )
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
        text.push_str(&format!(" \\\n#     --from-file={field}={from}"));
    }
    text + "\n"
}

fn deployment(label: &str, mounts: Option<&Vec<Mount>>) -> String {
    let (app, object) = (yaml(label), yaml(&format!("m2m-{label}")));
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {app}\nspec:\n  selector:\n    matchLabels:\n      \
         app: {app}\n  template:\n    metadata:\n      labels:\n        app: {app}\n    spec:\n      \
         securityContext:\n        runAsNonRoot: true\n        runAsUser: 65532\n        fsGroup: 65532\n      \
         containers:\n        - name: {app}\n          image: registry.example.com/{label}:latest # yours, with m2m \
         in it\n          env:\n            - name: XDG_CONFIG_HOME\n              value: {CONFIGURATION}\n          \
         volumeMounts:\n            - name: profile\n              mountPath: {FILE}\n              \
         subPath: m2m.toml\n              readOnly: true\n"
    );
    if mounts.is_some() {
        text.push_str(&format!(
            "            - name: secret\n              mountPath: {SECRETS}\n              readOnly: true\n"
        ));
    }
    text.push_str(&format!(
        "      volumes:\n        - name: profile\n          configMap:\n            name: {object}\n"
    ));
    if let Some(mounts) = mounts {
        text.push_str(&format!(
            "        - name: secret\n          secret:\n            secretName: {object}\n            \
             defaultMode: 288 # 0440\n            items:\n"
        ));
        for mount in mounts {
            let key = mount.field.key();
            text.push_str(&format!("              - key: {key}\n                path: {key}\n"));
        }
    }
    text
}
