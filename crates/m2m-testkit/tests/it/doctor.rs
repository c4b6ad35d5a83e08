//! `m2m doctor` and the six services that most people meet first, under their real host names, through a proxy on
//! loopback: it finds nothing where all is well, and the cause where one thing is not.

use std::process::{Command, Stdio};

use m2m_testkit::lab::six::{self, Provider, SECRET};
use m2m_testkit::lab::{Lab, ProxyManner, ServerCertificate, Tunnel};
use serde_json::Value;

/// What differs from a client in order.
#[derive(Clone, Debug)]
struct Run {
    service: Provider,
    secret: &'static str,
    audience: Option<&'static str>,
    manner: ProxyManner,
}

impl Run {
    fn of(service: Provider) -> Self {
        let audience = service.audience;
        Self { service, secret: SECRET, audience, manner: ProxyManner::Tunnels }
    }

    /// The report, and the exit code.
    fn doctor(&self) -> (Value, Option<i32>) {
        let service = &self.service;
        let lab = Lab::in_thread(service.behaviour.clone());
        let tunnel = Tunnel::in_thread(&lab, self.manner.clone());
        let directory = tempfile::tempdir().unwrap();
        let mut doctor = Command::new(m2m_testkit::binary::m2m());
        doctor.args(["doctor", "--json", "--provider", service.id, "--client-id", service.client_id]);
        doctor.arg("--ca-file").arg(tunnel.ca_file());
        for (name, value) in &service.variables {
            doctor.args(["--var", &format!("{name}={value}")]);
        }
        for scope in &service.scopes {
            doctor.args(["--scope", scope]);
        }
        if let Some(audience) = self.audience {
            doctor.args(["--audience", audience]);
        }
        if service.method != "none" {
            doctor.args(["--client-auth-method", service.method]);
        }
        let file = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        match service.key_pem() {
            Some(pem) => doctor.arg("--private-key-file").arg(file("key.pem", pem)),
            None => doctor.arg("--secret-file").arg(file("secret", self.secret)),
        };
        if service.id == "entra" && service.key_pem().is_some() {
            doctor.arg("--certificate-file").arg(file("certificate.pem", &six::certificate_pem()));
        }
        let output = doctor
            .env_clear()
            .env("HOME", directory.path())
            .env("HTTPS_PROXY", tunnel.proxy_url())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!format!("{out}{err}").contains(self.secret), "{out}\n{err}");
        let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
        (report, output.status.code())
    }

    #[track_caller]
    fn check(&self, first: Option<&str>, exit: i32) -> Value {
        let (report, code) = self.doctor();
        let checks = report["checks"].as_array().unwrap().iter().map(|check| format!("\n  {check}"));
        let (id, method) = (self.service.id, self.service.method);
        let shown = format!("{id} {method}{}", checks.collect::<String>());
        assert_eq!((report["first"].as_str(), code), (first, Some(exit)), "{shown}");
        report
    }
}

fn found<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

#[test]
fn six_services_in_order() {
    for service in six::all() {
        // That service never says how long its tokens live, and it depends on its customers' settings.
        let unsaid = (service.id == "salesforce-cc").then_some("token.expires_in");
        let report = Run::of(service).check(unsaid, 0);
        assert_eq!(found(&report, "tls.expired")["status"], "pass", "looked at through the proxy");
        assert!(
            found(&report, "proxy")["evidence"].as_str().unwrap().starts_with("HTTPS_PROXY names http://127")
        );
    }
}

#[test]
fn six_services_and_a_wrong_secret() {
    for service in six::all().into_iter().filter(|service| service.key_pem().is_none()) {
        let report = Run { secret: "another-secret", ..Run::of(service) }.check(Some("token.request"), 7);
        let fix = found(&report, "token.request")["fix"].as_str().unwrap();
        assert!(fix.contains("secret"), "{fix}");
    }
}

#[test]
fn six_services_five_minutes_behind() {
    for service in six::all() {
        let exit = match (service.key_pem().is_some(), service.method) {
            (true, "none") => 8, // the assertion is the grant
            (true, _) => 7,
            (false, _) => 11,
        };
        Run::of(service.clock_off()).check(Some("clock.offset"), exit);
    }
}

#[test]
fn certificates_and_proxies_on_the_way() {
    let in_order = || six::find("okta-custom", "client_secret_basic");
    let mut expired = in_order();
    expired.behaviour.certificate = ServerCertificate::Expired;
    Run::of(expired).check(Some("tls.expired"), 6);
    let mut ending = in_order();
    ending.behaviour.certificate = ServerCertificate::EndsInDays(7);
    Run::of(ending).check(Some("tls.expired"), 0);
    let mut other = in_order();
    other.behaviour.certificate = ServerCertificate::WrongName;
    Run::of(other).check(Some("tls.chain"), 6);
    for manner in [ProxyManner::refuses_407(), ProxyManner::refuses_502(), ProxyManner::refuses_with_page()] {
        Run { manner, ..Run::of(in_order()) }.check(Some("proxy"), 5);
    }
}

#[test]
fn an_audience_that_the_service_does_not_know() {
    let service = six::find("auth0", "client_secret_post");
    Run { audience: Some("https://nobody.example"), ..Run::of(service) }.check(Some("token.audience"), 8);
}
