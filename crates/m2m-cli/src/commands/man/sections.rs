//! What holds for every command, in `m2m.1`: exit status, environment, files.

use super::roff::{Inline, Page};
use crate::doctor::page::exits;
use crate::settings::field::Field;

/// Variables that are no setting of a profile.
const VARIABLES: &[(&str, &str)] = &[
    ("M2M_PROFILE", "The profile to use, as --profile."),
    ("M2M_CLIENT_SECRET_FILE", "A file that holds the client secret, as --secret-file."),
    (
        "M2M_ADMIN_URL, M2M_ADMIN_CLIENT_ID, M2M_ADMIN_CLIENT_SECRET, M2M_ADMIN_CLIENT_SECRET_FILE",
        "Who administers a server with m2m admin: the issuer, the client, and its secret or the file that holds it.",
    ),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "Proxies for requests, and hosts that need none."),
    ("NO_COLOR", "Not empty: no colours."),
    (
        "XDG_CONFIG_HOME, XDG_CACHE_HOME",
        "Where settings and kept tokens are, in place of ~/.config and ~/.cache.",
    ),
    ("CREDENTIALS_DIRECTORY", "Set by systemd: where { systemd = \"NAME\" } is looked for."),
    ("PGPASSFILE", "The password of a PostgreSQL database, for serve and admin init."),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "Where serve and gateway send traces, where they were built to."),
];

const FILES: &[(&str, &str)] = &[
    (
        "m2m.toml",
        "Profiles and [gateway], found from the working directory upwards. Its { command } references run only after \
         m2m profile trust.",
    ),
    ("~/.config/m2m/m2m.toml", "Your own profiles. ~/Library/Application Support/m2m on macOS."),
    ("~/.config/m2m/secrets/", "Secrets that profile add and profile import were given, mode 0600."),
    ("~/.config/m2m/trusted.toml", "Which found files may run their commands: path and SHA-256 of each."),
    ("~/.cache/m2m/tokens/", "Tokens, encrypted under each client's own secret or key."),
    ("m2m-server.toml", "Settings of m2m serve, where --config names it."),
];

/// Writes the three sections.
pub(super) fn write(page: &mut Page) {
    page.section("exit status");
    for (code, kind, first) in exits() {
        page.term(&[Inline::Bold(code), Inline::Roman("  "), Inline::Roman(kind)]);
        page.text(&first.replace('`', ""));
    }
    page.section("environment");
    page.text("Flags win over these variables, and these over m2m.toml.");
    for field in Field::ALL.iter().filter(|field| !field.env().is_empty()) {
        page.term(&[Inline::Bold(field.env())]);
        page.text(field.help());
    }
    entries(page, VARIABLES);
    page.section("files");
    entries(page, FILES);
}

fn entries(page: &mut Page, entries: &[(&str, &str)]) {
    for (name, text) in entries {
        page.term(&[Inline::Bold(name)]);
        page.text(text);
    }
}
