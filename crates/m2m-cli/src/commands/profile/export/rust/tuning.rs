//! What the client of `--as rust` asks for, its numbers and switches, and its connection, as `connect` sets them.

use std::time::Duration;

use m2m_client::Inspect;
use m2m_proto::client_auth::BasicEncoding;
use m2m_proto::security_profile::SecurityProfile;

use super::Code;
use crate::commands::profile::export::Plan;
use crate::connect;
use crate::quote::rust as quoted;
use crate::settings::field::Field;
use crate::settings::value::Origin;

impl Code {
    /// What the token is for.
    pub(super) fn ask(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let settings = plan.settings;
        let mut calls = Vec::new();
        if !settings.list(Field::Scopes).is_empty() {
            self.needs(&["m2m_proto::scope::Scope"]);
            calls.push(format!("scope(Scope::parse({})?)", quoted(&settings.list(Field::Scopes).join(" "))));
        }
        calls
            .extend(settings.text(Field::Audience).map(|audience| format!("audience({})", quoted(audience))));
        for resource in settings.list(Field::Resource) {
            self.needs(&["m2m_proto::uri::ResourceUri"]);
            calls.push(format!("resource(ResourceUri::parse({})?)", quoted(resource)));
        }
        for (name, value) in settings.pairs(Field::Params) {
            calls.push(format!("param({}, {})", quoted(name), quoted(value)));
        }
        for origin in settings.list(Field::Destinations) {
            self.needs(&["m2m_proto::uri::Origin"]);
            calls.push(format!("destination(Origin::parse({})?)", quoted(origin)));
        }
        calls.extend(self.dpop(plan));
        calls
    }

    /// A key of its own is for whoever writes the program: without it, what they compile would ask for tokens that
    /// are bound to nothing.
    fn dpop(&mut self, plan: &Plan<'_>) -> Option<String> {
        if let Some(reference) = plan.settings.secret(Field::Dpop) {
            let reason = format!(
                "dpop is a key from {reference}: load it, call builder.dpop(Dpop::Key(key)), and take this line out"
            );
            self.body.push_str(&format!("    compile_error!({});\n", quoted(&reason)));
            return None;
        }
        plan.settings.text(Field::Dpop)?;
        self.needs(&["m2m_client::Dpop", "m2m_proto::jose::Algorithm"]);
        Some("dpop(Dpop::Ephemeral(Algorithm::Es256))".to_owned())
    }

    /// Numbers and switches.
    pub(super) fn tune(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let mut calls = self.times(plan);
        calls.extend(self.protocol(plan));
        if plan.settings.is_on(Field::AllowHttp) {
            self.needs(&["m2m_proto::uri::PlainHttp"]);
            calls.push("plain_http(PlainHttp::Allowed)".to_owned());
        }
        calls
    }

    fn times(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let settings = plan.settings;
        let mut calls = Vec::new();
        for (field, call) in
            [(Field::RefreshLead, "refresh_lead"), (Field::FallbackLifetime, "fallback_lifetime")]
        {
            let filled = matches!(settings.origin(field), Origin::Provider(_));
            if let Some(time) = settings.time(field).filter(|_| !filled) {
                calls.push(format!("{call}({})", self.duration(time)));
            }
        }
        if let Some(time) = settings.time(Field::Timeout) {
            self.needs(&["m2m_io::Limits"]);
            let (timeout, deadline) =
                (self.duration(time), self.duration(time.max(connect::DEFAULT_TIMEOUT)));
            calls.push(format!("limits(Limits {{ timeout: {timeout}, ..Limits::default() }})"));
            calls.push(format!("mint_deadline({deadline})"));
        }
        calls
    }

    fn duration(&mut self, time: Duration) -> String {
        self.needs(&["std::time::Duration"]);
        format!("Duration::from_millis({})", time.as_millis())
    }

    fn protocol(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let mut calls = Vec::new();
        if let Some(how) = plan.stated_text(Field::BasicEncoding).and_then(BasicEncoding::parse) {
            self.needs(&["m2m_proto::client_auth::BasicEncoding"]);
            calls.push(format!("basic_encoding(BasicEncoding::{how:?})"));
        }
        if let Some(rule) = plan.stated_text(Field::AssertionAudience) {
            self.needs(&["m2m_client::AssertionAudienceRule"]);
            let rule = format!("AssertionAudienceRule::parse({})", quoted(rule));
            calls.push(format!("assertion_audience({rule})"));
        }
        if let Some(rule) = plan.stated_text(Field::Inspect).and_then(Inspect::parse) {
            self.needs(&["m2m_client::Inspect"]);
            calls.push(format!("inspect(Inspect::{rule:?})"));
        }
        if let Some(profile) = plan.stated_text(Field::SecurityProfile).and_then(SecurityProfile::parse) {
            self.needs(&["m2m_proto::security_profile::SecurityProfile"]);
            calls.push(format!("security_profile(SecurityProfile::{profile:?})"));
        }
        calls
    }

    /// The HTTP client, where the default one does not do.
    pub(super) fn connection(&mut self, plan: &Plan<'_>) -> String {
        let has_certificate = plan.settings.secret(Field::CertificateKey).is_some();
        let roots = plan.settings.text(Field::CaFile);
        let egress = plan.settings.egress();
        if roots.is_none() && egress.is_empty() && !has_certificate {
            return String::new();
        }
        self.needs(&[
            "m2m_client::HttpFactory",
            "m2m_io::HttpClient",
            "m2m_io::ReqwestHttp",
            "std::sync::Arc",
        ]);
        let rules = self.egress(egress);
        let rooted = roots.map_or(String::new(), |path| {
            format!("        http = http.ca_file(std::path::Path::new({}))?;\n", quoted(path))
        });
        let (capture, ruled) = match rules.as_str() {
            "" => ("", ""),
            _ => ("move ", ".egress(egress.clone())"),
        };
        format!(
            "{rules}    let factory = HttpFactory::new({capture}|certificate| {{\n        let mut http = \
             ReqwestHttp::builder(){ruled};\n{rooted}        if let Some(certificate) = certificate {{\n            \
             http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;\n        }}\n        \
             Ok(Arc::new(http.build()?) as Arc<dyn HttpClient>)\n    }});\n    let builder = \
             builder.http_factory(factory);\n"
        )
    }

    /// Where documents of others may lead.
    fn egress(&mut self, allowed: &[String]) -> String {
        if allowed.is_empty() {
            return String::new();
        }
        self.needs(&["m2m_io::EgressRules"]);
        let allowed: String = allowed.iter().map(|rule| format!(".allow({})?", quoted(rule))).collect();
        format!("    let egress = EgressRules::new(){allowed};\n")
    }
}
