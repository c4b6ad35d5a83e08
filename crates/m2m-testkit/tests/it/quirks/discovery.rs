//! Where a service publishes its metadata, and that its token endpoint need not be where its issuer is.

use m2m_client::{Client, ErrorKind, Server};
use m2m_proto::uri::Issuer;
use m2m_testkit::lab::{Behaviour, Discovery, Document, Lab, Outcome, Place};

use super::{CLIENT, ask, direct, lab, post, wants_parameters};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

async fn publishing(issuer_path: &str, path: &str) -> Lab {
    let discovery = Discovery::default().issuer(&format!("{{origin}}{issuer_path}"));
    lab(wants_parameters(Place::Form).discovery(path, &discovery)).await
}

fn finding(lab: &Lab, issuer_path: &str) -> m2m_client::ClientBuilder {
    let issuer = Issuer::parse(&format!("{}{issuer_path}", lab.http_origin())).unwrap();
    Client::builder(Server::issuer(issuer))
        .client_id(m2m_proto::client_id::ClientId::parse(CLIENT).unwrap())
        .credentials(post())
        .http(direct())
}

#[tokio::test]
async fn metadata_is_found_in_every_place_that_is_in_use() {
    let appended_oauth = format!("/oidc/42{OAUTH}");
    let appended = format!("/oidc/42{OPENID}");
    let inserted = format!("{OAUTH}/oidc/42");
    for (issuer, path) in [
        ("", OAUTH),
        ("", OPENID),
        ("/", OPENID),
        ("/oidc/42", &inserted),
        ("/oidc/42", &appended),
        ("/oidc/42", &appended_oauth),
    ] {
        let lab = publishing(issuer, path).await;
        ask(finding(&lab, issuer)).await.unwrap_or_else(|error| panic!("{issuer} at {path}: {error}"));
        assert_eq!(lab.outcomes().last(), Some(&Outcome::Granted), "{path}");
        // Elsewhere nobody looks, and the secret goes nowhere.
        let lab = publishing(issuer, &format!("{path}.json")).await;
        let error = ask(finding(&lab, issuer)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{error}");
        assert!(lab.outcomes().iter().all(|outcome| matches!(outcome, Outcome::NotFound(_))));
    }
}

/// A document about somebody else counts for nothing, wherever it lies.
#[tokio::test]
async fn metadata_of_another_issuer_is_none() {
    for path in [format!("{OAUTH}/oidc/42"), format!("/oidc/42{OPENID}"), format!("/oidc/42{OAUTH}")] {
        let lab = publishing("/oidc/43", &path).await;
        let error = ask(finding(&lab, "/oidc/42")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{error}");
        assert!(!lab.outcomes().contains(&Outcome::Granted));
    }
}

/// The one that is broken is told, not the one that is not there.
#[tokio::test]
async fn a_broken_document_is_told() {
    let dead = Document::new(&format!("/oidc/42{OPENID}"), m2m_testkit::lab::Answer::html(200, "Sign in"));
    let lab = lab(Behaviour { documents: vec![dead], ..wants_parameters(Place::Form) }).await;
    let error = ask(finding(&lab, "/oidc/42")).await.unwrap_err();
    assert!(error.to_string().contains("JSON"), "{error}");
    assert_eq!(lab.requests().len(), 3);
}
