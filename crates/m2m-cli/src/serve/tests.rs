//! The whole of it on loopback, with a server whose clients the test registers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use m2m_authorization_server::Server;
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client, CredentialSpec, Proof, SenderConstraint,
};
use m2m_io::reqwest::{ProxyFrom, ReqwestHttp};
use m2m_io::{Clock as _, HttpClient as _, Limits, OsRandom, SystemClock};
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::base64url;
use m2m_proto::names::auth_method;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::secret::SecretBytes;

use super::open::Opened;
use super::*;
use crate::args::Global;
use crate::certificate::{Authority, Certified, Wish};
use crate::output::{Output, Stream};
use crate::settings::env::Environment;

fn wish(subject: &str) -> Wish {
    Wish {
        subject: subject.to_owned(),
        names: vec!["127.0.0.1".to_owned()],
        not_before: SystemClock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    }
}

fn around(directory: &Path) -> Surroundings {
    let nowhere = || Box::new(std::io::sink());
    Surroundings {
        output: Output::to(nowhere(), nowhere(), [Stream::Pipe, Stream::Pipe]),
        environment: Environment::of([]),
        directory: directory.to_owned(),
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    }
}

struct Stage {
    directory: tempfile::TempDir,
    authority: Authority,
    client: Certified,
    main: SocketAddr,
    mutual_tls: Option<u16>,
    running: Running,
}

impl Stage {
    /// Serves with these lines of a file; `client` may show a certificate with its own name.
    async fn raise(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::generate(&wish("authority")).unwrap();
        let own = authority.issue(&wish("server")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("cert.pem", &own.certificate_pem);
        write("key.pem", own.key_pem.expose());
        write("ca.pem", authority.certificate_pem());
        let text = format!("listen = '127.0.0.1:0'\ndatabase = 'memory:'\nclient_ca = 'ca.pem'\n{lines}");
        let stated = file::parse(&directory.path().join("m2m-server.toml"), &text).unwrap();
        let settings = Settings::of(stated).unwrap();
        let around = around(directory.path());
        let sockets = Sockets::bind(&settings, &around).await.unwrap();
        let issuer = Issuer::parse(&sockets.default_issuer()).unwrap();
        let certificates = settings.certificates.as_ref().unwrap();
        let mutual = mutual_tls(certificates, &issuer, sockets.mutual_tls_port()).unwrap();
        let server = Server::builder(issuer).mutual_tls(mutual).build().unwrap();
        register(&server).await;
        let proxies = TrustedProxies::new(settings.trusted_proxies.clone(), certificates.header);
        let (main, mutual_tls) = (sockets.main.address(), sockets.mutual_tls_port());
        let exposition = Exposition::install().unwrap();
        let running = Running::start(Opened::of(server), sockets, proxies, exposition, &around);
        let client = authority.issue(&wish("svc")).unwrap();
        Self { directory, authority, client, main, mutual_tls, running }
    }

    /// Asks for a token: the status, and the thumbprint that the token is bound to.
    async fn token(&self, url: &str, shows: Option<&Certified>, headers: &[(&str, &str)]) -> (u16, String) {
        let mut http = ReqwestHttp::builder()
            .proxy(ProxyFrom::Nowhere)
            .ca_pem(self.authority.certificate_pem().as_bytes())
            .unwrap();
        if let Some(own) = shows {
            let key = SecretBytes::from(own.key_pem.expose().as_bytes());
            http = http.client_certificate(own.certificate_pem.as_bytes(), &key).unwrap();
        }
        let mut request = http::Request::post(format!("{url}/oauth2/token"))
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let form = format!("{}=client_credentials&client_id=svc", "grant_type");
        let request = request.body(Bytes::from(form)).unwrap();
        let answer = http.build().unwrap().send(request, &Limits::default()).await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        let token = body["access_token"].as_str().unwrap_or_default();
        let claims =
            token.split('.').nth(1).and_then(|part| base64url::decode(part).ok()).unwrap_or_default();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap_or_default();
        let bound = format!("/{}/x5t#S256", "cnf");
        (status, claims.pointer(&bound).and_then(|text| text.as_str()).unwrap_or_default().to_owned())
    }

    fn thumbprint(&self) -> String {
        CertificateThumbprint::of(&self.client.certificate_der).to_text()
    }

    async fn strike(self) {
        let around = around(self.directory.path());
        self.running.stop(Duration::ZERO, &around).await.unwrap();
    }
}

async fn register(server: &Server) {
    let identifier = ApiIdentifier::parse("https://orders.example").unwrap();
    let api = Api::new(identifier.clone()).scope(ScopeToken::parse("orders:read").unwrap(), "read orders");
    server.admin().create_api(api).await.unwrap();
    let id = ClientId::parse("svc").unwrap();
    let client = Client::new(id.clone())
        .grant(identifier, Scope::parse("orders:read").unwrap())
        .sender_constraint(SenderConstraint::Mtls);
    server.admin().create_client(client).await.unwrap();
    let subject = SubjectName::ip("127.0.0.1").unwrap();
    let spec = CredentialSpec::new(id, auth_method::TLS_CLIENT_AUTH, Proof::CertificateSubject(subject));
    server.admin().create_credential(spec).await.unwrap();
}

const OWN_TLS: &str = "tls_cert = 'cert.pem'\ntls_key = 'key.pem'\n";

#[tokio::test]
async fn a_certificate_counts_where_it_is_asked_for() {
    let stage = Stage::raise(&format!("{OWN_TLS}mtls_listen = '127.0.0.1:0'\n")).await;
    let asking = format!("https://127.0.0.1:{}", stage.mutual_tls.unwrap());
    assert_eq!(stage.token(&asking, Some(&stage.client), &[]).await, (200, stage.thumbprint()));
    assert_eq!(stage.token(&asking, None, &[]).await.0, 400, "the certificate is what was accepted");
    // The ordinary listener does not ask, so there is nothing to show.
    let ordinary = format!("https://{}", stage.main);
    assert_eq!(stage.token(&ordinary, Some(&stage.client), &[]).await.0, 400);
    stage.strike().await;
}

// spec-test: 8705-RS2
#[tokio::test]
async fn a_trusted_proxy_hands_a_certificate_over_and_a_stranger_does_not() {
    let check = async |proxies: &str, expect: u16| {
        let stage = Stage::raise(&format!("client_cert_header = true\ntrusted_proxies = {proxies}\n")).await;
        let der = base64url::encode(&stage.client.certificate_der).replace('-', "+").replace('_', "/");
        let (url, header) = (format!("http://{}", stage.main), format!(":{der}:"));
        let (status, bound) = stage.token(&url, None, &[("client-cert", &header)]).await;
        assert_eq!(status, expect, "{proxies}");
        assert_eq!(bound == stage.thumbprint(), expect == 200);
        assert_eq!(stage.token(&url, None, &[]).await.0, 400);
        stage.strike().await;
    };
    check("['127.0.0.1']", 200).await;
    check("['10.0.0.5']", 400).await;
}

#[test]
fn the_alias_has_the_issuers_host_and_path() {
    let check = |issuer: &str, base: Option<&str>, port, expect: Option<&str>| {
        let certificates = ClientCertificates {
            listen: Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            base: base.map(|text| EndpointUri::parse(text).unwrap()),
            authorities: None,
            header: CertificateHeader::Ignored,
        };
        let made = mutual_tls(&certificates, &Issuer::parse(issuer).unwrap(), port).unwrap();
        assert_eq!(made.alias_base.as_ref().map(EndpointUri::as_str), expect);
    };
    check("https://login.example", None, Some(8443), Some("https://login.example:8443"));
    check("https://login.example/t/", None, Some(8443), Some("https://login.example:8443/t"));
    check("https://[::1]:8400", None, Some(1), Some("https://[::1]:1"));
    check("https://login.example", Some("https://mtls.example"), Some(1), Some("https://mtls.example"));
    check("https://login.example", None, None, None);
}
