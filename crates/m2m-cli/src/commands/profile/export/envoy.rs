//! `--as envoy`: a whole configuration of Envoy that listens on loopback and attaches the token to what goes to the
//! API, by `envoy.filters.http.credential_injector`.
//!
//! Envoy knows client id and secret only, in a header or in the body; anything else is refused. It sends Basic
//! without the form encoding of RFC 6749, which is said where that matters.

use ::http::Uri;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::form::Form;
use m2m_proto::names::{grant_type, header, param};

use super::request::Captured;
use super::{Notes, Plan};
use crate::connect::Method;
use crate::exit::Failure;
use crate::quote::{toml as quoted, yaml};
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

/// Stands where the profile names no API.
const API: &str = "https://api.example.com";

pub(super) fn write(plan: &Plan<'_>, request: &Captured) -> Result<String, Failure> {
    let auth_type = match request.auth {
        Method::Registered(ClientAuthMethod::ClientSecretBasic) => "BASIC_AUTH",
        Method::Registered(ClientAuthMethod::ClientSecretPost) => "URL_ENCODED_BODY",
        other => return Err(unable(&format!("{} is not known to Envoy", other.as_str()))),
    };
    let form = form(request)?;
    let mut notes = Notes::default();
    if auth_type == "BASIC_AUTH" {
        notes.add(
            "Envoy does not form-encode Basic: with a secret of other characters than letters, digits, - . _ use \
             client_secret_post",
        );
    }
    let token =
        Upstream::of("m2m_token", &request.uri).ok_or_else(|| unable("the token endpoint has no host"))?;
    let api = api(plan, &mut notes)?;
    let secret = secret(plan, &mut notes)?;
    Ok(format!(
        "{}static_resources:\n{}{secret}  clusters:\n{}{}",
        notes.comments("#"),
        listener(&api, &credential(plan, &request.uri, &form, auth_type)),
        token.cluster(plan),
        api.cluster(plan),
    ))
}

/// The request's form, when it is one that Envoy can send.
fn form(request: &Captured) -> Result<Form<'_>, Failure> {
    let form = Form::parse(request.header(header::CONTENT_TYPE.as_str()), request.body.as_bytes());
    let form = form.map_err(|_| unable("this server wants no form, and Envoy sends nothing else"))?;
    let own = [header::CONTENT_TYPE.as_str(), header::AUTHORIZATION.as_str(), "accept"];
    if let Some(name) = request.headers.keys().find(|name| !own.contains(&name.as_str())) {
        return Err(unable(&format!("this server wants the header {name}, which Envoy does not send")));
    }
    if form.get(param::GRANT_TYPE) != Some(grant_type::CLIENT_CREDENTIALS) {
        return Err(unable("Envoy knows the grant client_credentials only"));
    }
    Ok(form)
}

/// What the token is for, where that is a URL.
fn api(plan: &Plan<'_>, notes: &mut Notes) -> Result<Upstream, Failure> {
    let audience = plan.settings.text(Field::Audience).into_iter();
    let named = audience.chain(plan.settings.list(Field::Resource).iter().map(String::as_str));
    let found = named.filter_map(|text| text.parse::<Uri>().ok()).find_map(|uri| Upstream::of("api", &uri));
    if let Some(api) = found {
        return Ok(api);
    }
    notes.add("the profile names no API with a URL: put its host in the place of api.example.com");
    Upstream::of("api", &Uri::from_static(API)).ok_or_else(|| Failure::internal("a URL without a host"))
}

fn unable(why: &str) -> Failure {
    Failure::configuration(why).hint(
        "Envoy sends id and secret, for the grant client_credentials, in a header or a form; nothing else",
    )
}

/// The place where Envoy finds the secret, as a named secret.
fn secret(plan: &Plan<'_>, notes: &mut Notes) -> Result<String, Failure> {
    let reference = plan.settings.secret(Field::ClientSecret);
    let reference = reference.ok_or_else(|| unable("no client_secret is named"))?;
    let place = match reference {
        SecretReference::Env(name) => format!("environment_variable: {}", yaml(name)),
        SecretReference::File(path) => {
            format!("filename: {}", yaml(&plan.directory.join(path).to_string_lossy()))
        }
        other => {
            notes.add(format!("client_secret comes from {other}: write it to the file that secrets names"));
            "filename: /path/to/client_secret".to_owned()
        }
    };
    Ok(format!(
        "  secrets:\n    - name: m2m_client_secret\n      generic_secret:\n        secret:\n          {place}\n"
    ))
}

/// The credential, indented for its place in the filter.
fn credential(plan: &Plan<'_>, endpoint: &Uri, form: &Form<'_>, auth_type: &str) -> String {
    let mut text = format!(
        "token_endpoint:\n  cluster: m2m_token\n  uri: {}\n  timeout: 10s\nclient_credentials:\n  client_id: {}\n  \
         client_secret:\n    name: m2m_client_secret\n  auth_type: {auth_type}\n",
        quoted(&endpoint.to_string()),
        yaml(plan.settings.text(Field::ClientId).unwrap_or_default()),
    );
    let own = [param::GRANT_TYPE, param::CLIENT_ID, param::CLIENT_SECRET, param::SCOPE];
    if let Some(scope) = form.get(param::SCOPE) {
        text.push_str("scopes:\n");
        scope.split(' ').for_each(|token| text.push_str(&format!("  - {}\n", yaml(token))));
    }
    let others: Vec<_> = form.iter().filter(|(name, _)| !own.contains(name)).collect();
    if !others.is_empty() {
        text.push_str("endpoint_params:\n");
    }
    for (name, value) in others {
        text.push_str(&format!("  - name: {}\n    value: {}\n", yaml(name), yaml(value)));
    }
    text
}

fn indented(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

fn listener(api: &Upstream, credential: &str) -> String {
    const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";
    let filters = format!(
        "- name: envoy.filters.http.credential_injector\n  typed_config:\n    \"@type\": \
         {EXTENSIONS}.filters.http.credential_injector.v3.CredentialInjector\n    overwrite: true\n    credential:\n      \
         name: envoy.http.injected_credentials.oauth2\n      typed_config:\n        \"@type\": \
         {EXTENSIONS}.http.injected_credentials.oauth2.v3.OAuth2\n{}- name: envoy.filters.http.router\n  \
         typed_config:\n    \"@type\": {EXTENSIONS}.filters.http.router.v3.Router\n",
        indented(credential, 8)
    );
    format!(
        "  listeners:\n    - name: m2m\n      address:\n        socket_address:\n          address: 127.0.0.1\n          \
         port_value: 8401\n      filter_chains:\n        - filters:\n            - name: \
         envoy.filters.network.http_connection_manager\n              typed_config:\n                \"@type\": \
         {EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager\n                stat_prefix: \
         m2m\n                route_config:\n                  virtual_hosts:\n                    - name: \
         api\n                      domains: [\"*\"]\n                      routes:\n                        - match:\n\
         {:28}prefix: /\n                          route:\n{:28}cluster: api\n{:28}host_rewrite_literal: \
         {}\n                http_filters:\n{}",
        "",
        "",
        "",
        yaml(&api.authority()),
        indented(&filters, 18)
    )
}

/// A server that Envoy calls.
struct Upstream {
    cluster: &'static str,
    host: String,
    port: u16,
    tls: Tls,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    On,
    Off,
}

impl Upstream {
    fn of(cluster: &'static str, uri: &Uri) -> Option<Self> {
        let tls = if uri.scheme_str()? == "http" { Tls::Off } else { Tls::On };
        let port = uri.port_u16().unwrap_or(if tls == Tls::On { 443 } else { 80 });
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        Some(Self { cluster, host, port, tls })
    }

    /// As `Host` names it.
    fn authority(&self) -> String {
        let usual = if self.tls == Tls::On { 443 } else { 80 };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    fn cluster(&self, plan: &Plan<'_>) -> String {
        let Self { cluster, host, port, .. } = self;
        let host = yaml(host);
        let mut text = format!(
            "    - name: {cluster}\n      type: STRICT_DNS\n      load_assignment:\n        cluster_name: \
             {cluster}\n        endpoints:\n          - lb_endpoints:\n              - endpoint:\n                  \
             address:\n                    socket_address:\n                      address: {host}\n                      \
             port_value: {port}\n"
        );
        if self.tls == Tls::On {
            let roots = plan.settings.text(Field::CaFile).unwrap_or("/etc/ssl/certs/ca-certificates.crt");
            text.push_str(&format!(
                "      transport_socket:\n        name: envoy.transport_sockets.tls\n        typed_config:\n          \
                 \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n          \
                 sni: {host}\n          auto_sni_san_validation: true\n          common_tls_context:\n            \
                 validation_context:\n              trusted_ca:\n                filename: {}\n",
                yaml(roots)
            ));
        }
        text
    }
}
