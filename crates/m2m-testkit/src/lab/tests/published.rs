//! Documents, certificates, and labs that live elsewhere.

use bytes::Bytes;
use http::Request;
use m2m_io::{HttpClient as _, HttpError, Limits};
use serde_json::json;

use super::{SECRET, body, direct, send};
use crate::lab::{Behaviour, Discovery, Document, JwksUri, Lab, Outcome, ServerCertificate};

const PATH: &str = "/.well-known/openid-configuration";

fn plain() -> Behaviour {
    Behaviour::with_secret("app", "s3cret")
}

async fn fetch(lab: &Lab, path: &str) -> Result<http::Response<Bytes>, HttpError> {
    send(Request::get(lab.http_origin() + path), "").await
}

#[tokio::test]
async fn metadata_and_keys_are_where_they_say() {
    let mut discovery = Discovery::default().methods(&["client_secret_post"]);
    discovery.algorithms = vec!["RS256".to_owned()];
    discovery.members.insert("scopes_supported".to_owned(), json!(["a"]));
    let lab = Lab::start(plain().discovery(PATH, &discovery)).await;
    let metadata = body(&fetch(&lab, PATH).await.unwrap());
    let origin = lab.http_origin();
    assert_eq!(
        metadata,
        json!({
            "issuer": origin,
            "token_endpoint": format!("{origin}/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "jwks_uri": format!("{origin}/jwks"),
            "scopes_supported": ["a"],
        })
    );
    let keys = body(&fetch(&lab, "/jwks").await.unwrap());
    assert_eq!(keys["keys"][0]["kid"], "test-RS256");
    assert_eq!(lab.outcomes(), [PATH, "/jwks"].map(|path| Outcome::Document(path.to_owned())));
}

#[tokio::test]
async fn an_issuer_may_be_wrong_and_a_key_set_dead() {
    let discovery = |jwks_uri| Discovery { jwks_uri, ..Discovery::default().issuer("https://other.example") };
    let lab = Lab::start(plain().discovery(PATH, &discovery(JwksUri::Dead("/keys".to_owned())))).await;
    let metadata = body(&fetch(&lab, PATH).await.unwrap());
    assert_eq!(metadata["issuer"], "https://other.example");
    assert_eq!(metadata["jwks_uri"], lab.http_origin() + "/keys");
    assert!(fetch(&lab, "/keys").await.unwrap_err().is_unreachable());
    let lab = Lab::start(plain().discovery(PATH, &discovery(JwksUri::Absent))).await;
    assert!(body(&fetch(&lab, PATH).await.unwrap()).get("jwks_uri").is_none());
    let elsewhere = JwksUri::At("https://keys.example/".to_owned());
    let lab = Lab::start(plain().discovery(PATH, &discovery(elsewhere)).document(Document::dead("/x"))).await;
    assert_eq!(body(&fetch(&lab, PATH).await.unwrap())["jwks_uri"], "https://keys.example/");
}

async fn by_tls(lab: &Lab) -> Result<http::Response<Bytes>, HttpError> {
    let http = direct().ca_file(&lab.ca_file()).unwrap().build().unwrap();
    let body = Bytes::from(format!("grant_type=client_credentials&{SECRET}"));
    let request = Request::post(lab.https_origin() + "/token").header("content-type", super::FORM);
    http.send(request.body(body).unwrap(), &Limits::default()).await
}

#[tokio::test]
async fn https_shows_the_certificate_that_is_asked_for_or_a_bad_one() {
    let lab = Lab::start(plain()).await;
    assert_eq!(by_tls(&lab).await.unwrap().status(), 200);
    let request = lab.requests().pop().unwrap();
    assert_eq!(request.header("host"), lab.https_origin().strip_prefix("https://"), "also over HTTP/2");
    assert_eq!(request.uri, "/token");
    for (certificate, expect) in
        [(ServerCertificate::Expired, "expired"), (ServerCertificate::WrongName, "not valid for name")]
    {
        lab.change(|behaviour| behaviour.certificate = certificate);
        let error = by_tls(&lab).await.unwrap_err();
        assert!(error.is_tls() && error.to_string().contains(expect), "{error}");
    }
    lab.change(|behaviour| behaviour.certificate = ServerCertificate::EndsInDays(3));
    assert_eq!(by_tls(&lab).await.unwrap().status(), 200);
    let untrusting = direct().build().unwrap();
    let request = Request::get(lab.https_origin()).body(Bytes::new()).unwrap();
    assert!(untrusting.send(request, &Limits::default()).await.unwrap_err().is_tls());
}

#[test]
fn a_lab_in_its_own_thread_serves_and_ends() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = Lab::in_thread(plain().document(Document::new("/x", crate::lab::Answer::html(200, "x"))));
    assert_eq!(runtime().block_on(fetch(&lab, "/x")).unwrap().status(), 200);
    let url = lab.http_origin();
    let ca_file = lab.ca_file();
    assert_eq!(std::fs::read_to_string(&ca_file).unwrap(), lab.ca_pem());
    drop(lab);
    assert!(runtime().block_on(send(Request::get(url), "")).unwrap_err().is_unreachable());
    assert!(!ca_file.exists());
}
