//! The table of profile fields: key in `m2m.toml`, environment variable, flag, shape. One row each; file parser,
//! environment reader and messages all read it.

use std::fmt;

/// What a value looks like in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A path; in a file, relative to that file.
    Path,
    /// An array of strings; a single string counts as one.
    List,
    /// Seconds as a number, or a string such as `"5m"`.
    Time,
    /// `true` or `false`.
    Switch,
    /// A table of strings.
    Pairs,
    /// A reference to a secret.
    Secret,
    /// `"ephemeral"` or a reference to a key.
    KeyOrEphemeral,
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $field:ident $key:literal $env:literal $flag:literal $shape:ident;)+) => {
        /// A field of a profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[doc = $doc])+ $field,)+
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$field,)+];

            /// Its key in `m2m.toml`.
            pub fn key(self) -> &'static str {
                match self { $(Self::$field => $key,)+ }
            }

            /// Its environment variable; empty when there is none.
            pub fn env(self) -> &'static str {
                match self { $(Self::$field => $env,)+ }
            }

            /// Its flag; empty when there is none.
            pub fn flag(self) -> &'static str {
                match self { $(Self::$field => $flag,)+ }
            }

            /// What its value looks like in the file.
            pub fn shape(self) -> Shape {
                match self { $(Self::$field => Shape::$shape,)+ }
            }

            /// What it is, in one sentence for a person.
            pub fn help(self) -> &'static str {
                match self { $(Self::$field => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

fields! {
    /// A token service of the catalogue, which fills in what it can.
    Provider "provider" "M2M_PROVIDER" "--provider" Text;
    /// What the provider's URLs leave open, such as a tenant.
    Variables "variables" "M2M_VAR" "--var" Pairs;
    /// Issuer identifier; discovery finds the endpoints.
    Issuer "issuer" "M2M_ISSUER" "--issuer" Text;
    /// Token endpoint without discovery.
    TokenUrl "token_url" "M2M_TOKEN_URL" "--token-url" Text;
    /// Introspection endpoint, where metadata names none.
    IntrospectionUrl "introspection_url" "M2M_INTROSPECTION_URL" "--introspection-url" Text;
    /// Revocation endpoint, where metadata names none.
    RevocationUrl "revocation_url" "M2M_REVOCATION_URL" "--revocation-url" Text;
    /// Client identifier, as the server registered it.
    ClientId "client_id" "M2M_CLIENT_ID" "--client-id" Text;
    /// How the client proves who it is.
    ClientAuthMethod "client_auth_method" "M2M_CLIENT_AUTH_METHOD" "--client-auth-method" Text;
    /// Client secret.
    ClientSecret "client_secret" "M2M_CLIENT_SECRET" "--secret-file" Secret;
    /// The secret that replaces it during a rotation.
    NextClientSecret "next_client_secret" "" "" Secret;
    /// Private key for assertions.
    PrivateKey "private_key" "M2M_PRIVATE_KEY_FILE" "--private-key-file" Secret;
    /// Key id in assertions.
    KeyId "key_id" "M2M_KEY_ID" "--key-id" Text;
    /// Algorithm of assertions.
    Algorithm "algorithm" "M2M_ALGORITHM" "--algorithm" Text;
    /// Client certificate chain.
    Certificate "certificate" "M2M_CERTIFICATE_FILE" "--certificate-file" Secret;
    /// Private key of the client certificate.
    CertificateKey "certificate_key" "M2M_CERTIFICATE_KEY_FILE" "--certificate-key-file" Secret;
    /// An assertion that somebody else signs.
    WorkloadToken "workload_token" "M2M_WORKLOAD_TOKEN_FILE" "--workload-token-file" Secret;
    /// Scopes to ask for.
    Scopes "scopes" "M2M_SCOPE" "--scope" List;
    /// The API that the token is for.
    Audience "audience" "M2M_AUDIENCE" "--audience" Text;
    /// Resource indicators (RFC 8707), URLs of the APIs.
    Resource "resource" "M2M_RESOURCE" "--resource" List;
    /// Extra parameters of the token request.
    Params "params" "" "--param" Pairs;
    /// On what ground tokens are asked for.
    Grant "grant" "M2M_GRANT" "--grant" Text;
    /// Key that tokens are bound to.
    Dpop "dpop" "M2M_DPOP" "--dpop" KeyOrEphemeral;
    /// What the client holds itself to: baseline, fapi2.
    SecurityProfile "security_profile" "M2M_SECURITY_PROFILE" "" Text;
    /// Life assumed when the answer names none.
    FallbackLifetime "fallback_lifetime" "M2M_FALLBACK_LIFETIME" "" Time;
    /// How long before expiry a token is renewed.
    RefreshLead "refresh_lead" "M2M_REFRESH_LEAD" "" Time;
    /// How Basic carries id and secret.
    BasicEncoding "basic_encoding" "M2M_BASIC_ENCODING" "--basic-encoding" Text;
    /// Audience of assertions.
    AssertionAudience "assertion_audience" "M2M_ASSERTION_AUDIENCE" "--assertion-audience" Text;
    /// Origins that may receive the token.
    Destinations "destinations" "M2M_DESTINATION" "--destination" List;
    /// Certificates to trust besides the system's.
    CaFile "ca_file" "M2M_CA_FILE" "--ca-file" Path;
    /// Time for one answer.
    Timeout "timeout" "M2M_TIMEOUT" "--timeout" Time;
    /// Whether a look at the token's claims may refuse it: off, warn, error.
    Inspect "inspect" "M2M_INSPECT" "" Text;
    /// Plain HTTP beyond this machine; secrets and tokens travel unencrypted.
    AllowHttp "allow_http" "" "" Switch;
}

/// Fields that stand for each other: the highest layer that names one of a group decides the whole group, so that
/// a typed `--secret-env` is not overruled by a private key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Where tokens come from.
    Server,
    /// How the client proves who it is.
    Credential,
}

impl Field {
    /// The group of this field, if values of it must come from one layer.
    pub fn group(self) -> Option<Group> {
        match self {
            Self::Issuer | Self::TokenUrl | Self::Provider => Some(Group::Server),
            Self::IntrospectionUrl | Self::RevocationUrl => Some(Group::Server),
            Self::ClientSecret | Self::NextClientSecret | Self::PrivateKey => Some(Group::Credential),
            Self::Certificate | Self::CertificateKey | Self::WorkloadToken => Some(Group::Credential),
            _ => None,
        }
    }

    /// Whether naming it decides its whole group. An endpoint besides is one of the server that its layer, or a lower
    /// one, names.
    pub fn decides(self) -> bool {
        !matches!(self, Self::IntrospectionUrl | Self::RevocationUrl)
    }

    /// Its name for a person who fills in a form: `client_id` is "Client ID".
    pub fn title(self) -> String {
        let word = |word: &str| match word {
            "id" | "url" | "ca" | "http" => word.to_uppercase(),
            "dpop" => "DPoP".to_owned(),
            _ => word.to_owned(),
        };
        let mut title = self.key().split('_').map(word).collect::<Vec<_>>().join(" ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }

    /// The field with this key.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.key() == key)
    }
}

/// Every setting with its three names, and the form of the file: the end of `m2m token --help`.
pub fn reference() -> String {
    let dash = |name: &'static str| if name.is_empty() { "-" } else { name };
    let row = |key, env, flag| format!("  {key:<20}{env:<28}{flag}\n");
    let rows = Field::ALL.iter().map(|field| row(field.key(), dash(field.env()), dash(field.flag())));
    let table = [row("m2m.toml", "variable", "flag")].into_iter().chain(rows).collect::<String>();
    REFERENCE.replace("TABLE\n", &table)
}

const REFERENCE: &str = "\
Settings come from flags, then variables, then m2m.toml, then the provider that
is named, then defaults:
TABLE

Each profile is a table of its own. The file is searched for from the working
directory upwards, then in the user's configuration directory:
  default = \"orders\"
  [profiles.orders]
  issuer = \"https://login.example.com\"
  client_id = \"svc-orders\"
  client_secret = { env = \"ORDERS_SECRET\" }
  scopes = [\"orders:read\"]

In the file a secret or key is a reference, never a value:
  { env = \"NAME\" }                            an environment variable
  { file = \"/path\" }                          a file
  { command = [\"op\", \"read\", \"op://v/i\"] }    what a program prints
  { systemd = \"name\" }                        a credential of the unit
  { keyring = \"name\" }                        an entry of the system's keyring
and workload_token also, each got anew for every token request:
  { kubernetes = \"/path\" }, { spiffe = \"/path\" }  a projected token, a JWT-SVID
  { github_actions = \"AUDIENCE\" }             what GitHub Actions issues to the job
M2M_CLIENT_SECRET_FILE, --secret-env, --secret-stdin and --secret-command name
the client secret too.

[egress] allow = [\"10.0.0.0/8\"] in the file lists origins and address ranges
that may be called although nothing but a document of the server names them.";

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Of these names, the one that a person most likely meant: at most a third of its letters differ.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (distance(&typed.to_lowercase(), name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .map(|(_, name)| name)
}

/// Edits (insert, remove, replace, swap neighbours) between two words. Bounded: keys are short, longer ones are cut.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let edited = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            let is_swapped = i > 0 && j > 0 && *x == b[j - 1] && *y == a[i - 1];
            next.push(if is_swapped { edited.min(before[j - 1] + 1) } else { edited });
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_key() {
        let check = |typed, expect| {
            assert_eq!(nearest(typed, Field::ALL.iter().map(|field| field.key())), expect, "{typed}");
        };
        check("client_idd", Some("client_id"));
        check("clientId", Some("client_id"));
        check("scope", Some("scopes"));
        check("isuer", Some("issuer"));
        check("token_uri", Some("token_url"));
        check("auidence", Some("audience"));
        check("dopp", Some("dpop"));
        check("zzzzzzzz", None);
    }

    #[test]
    fn titles_are_written_as_people_write_them() {
        let check = |field: Field, expect| assert_eq!(field.title(), expect);
        check(Field::ClientId, "Client ID");
        check(Field::TokenUrl, "Token URL");
        check(Field::Dpop, "DPoP");
        check(Field::CaFile, "CA file");
        check(Field::Scopes, "Scopes");
        assert_eq!(Field::Issuer.help(), "Issuer identifier; discovery finds the endpoints.");
    }

    #[test]
    fn keys_and_variables_are_unique() {
        for pick in [Field::key, Field::env] {
            let mut names: Vec<_> =
                Field::ALL.iter().map(|field| pick(*field)).filter(|name| !name.is_empty()).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
