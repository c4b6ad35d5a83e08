//! Wherever a secret stands in a request, nothing that goes wrong tells it: no answer that quotes it, in whatever
//! shape, and no connection that breaks.

use std::net::TcpListener;

use m2m_client::{Client, Credentials, Endpoints, ErrorKind, Server};
use m2m_proto::form::encode_component;
use m2m_proto::uri::EndpointUri;
use m2m_testkit::lab::{Answer, Behaviour, ClientProof, Document, Lab, Place, Situation};
use serde_json::json;

use super::{
    SECRET, STANDARD_SERVICE, With, ask, basic, direct, key, lab, named, preset, silent, wants_parameters,
};

const PLACES: [(&str, &str, With); 6] = [
    ("form", STANDARD_SERVICE, |builder| builder),
    ("query", "[auth]\nmethods = [\"client_secret_post\"]\n[request]\nplace = \"query\"", |builder| builder),
    ("json", "[request]\nplace = \"json\"", |builder| builder),
    (
        "GET",
        "[auth]\nmethods = [\"client_secret_post\"]\n[request]\nplace = \"query\"\nhttp_method = \"GET\"",
        |builder| builder,
    ),
    ("Basic", STANDARD_SERVICE, |builder| builder.credentials(basic())),
    ("raw Basic", "[auth]\nbasic_encoding = \"raw\"", |builder| builder.credentials(basic())),
];

/// Says back what it was sent, in every member that people see.
fn quoting(text: &str) -> Vec<Answer> {
    let say = format!("no client has the secret {text}, sorry");
    vec![
        Answer::oauth(400, "invalid_client", &say),
        Answer::json(400, &json!({"error": say, "error_description": say, "error_uri": say})),
        Answer::json(403, &json!({"errorCode": text, "errorSummary": say})),
        Answer::json(200, &json!({"access_token": format!("a\n{text}"), "token_type": say})),
        Answer::json(200, &json!({"access_token": "a", "token_type": say, "expires_in": say})),
        Answer::json(200, &json!({"access_token": "a", "token_type": say})),
        Answer::html(500, &say),
        Answer::html(404, &say),
        Answer::new(302, "text/plain", "").header("location", "https://other.example/?secret={said}"),
        Answer::new(200, &format!("text/{}", "x".repeat(9)), say.clone()),
    ]
}

#[tokio::test]
async fn no_answer_makes_us_tell_a_secret() {
    let encoded = encode_component(SECRET).as_str().to_owned();
    for (place, says, with) in PLACES {
        for text in [SECRET, &encoded] {
            for mut answer in quoting(text) {
                for (_, value) in &mut answer.headers {
                    *value = value.replace("{said}", &encoded);
                }
                let mut behaviour = Behaviour::new(ClientProof::None);
                behaviour = behaviour.recorded([("said".to_owned(), answer.clone())]);
                behaviour.playing = Some("said".to_owned());
                let lab = lab(behaviour).await;
                let says =
                    format!("{says}\n[[errors]]\ncode = \"/errorCode\"\ndescription = \"/errorSummary\"\n");
                // What is told is looked at there.
                let error = ask(with(named(&lab, &says))).await.expect_err(place);
                assert!(!lab.requests().is_empty(), "{place}: {error}");
            }
        }
    }
}

/// A secret in a URL is the one that slips into messages about connections.
#[tokio::test]
async fn no_connection_that_breaks_makes_us_tell_a_secret() {
    let lab = lab(wants_parameters(Place::Form)).await;
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = format!("http://{gone}/token");
    // Nobody vouches for that one.
    let untrusted = format!("{}/token", lab.https_origin());
    // Hangs up when it has read the request.
    lab.change(|behaviour| {
        behaviour.documents.push(Document::dead("/hangs-up"));
    });
    let hangs_up = format!("{}/hangs-up", lab.http_origin());
    for (place, says, with) in PLACES {
        for url in [&dead, &untrusted, &hangs_up] {
            let error = at(url, &lab, says, with).await;
            silent(&error);
            let reached = matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::PeerMisbehaved);
            assert!(reached, "{place} at {url}: {error}");
        }
    }
}

async fn at(url: &str, lab: &Lab, says: &str, with: With) -> m2m_client::Error {
    let endpoint = Endpoints::token(EndpointUri::parse(url).unwrap());
    let client = Client::builder(Server::endpoints(endpoint)).preset(&preset(lab, says)).unwrap();
    let client = client.client_id(m2m_proto::client_id::ClientId::parse("app").unwrap());
    let client = with(client.credentials(super::post())).http(direct()).build().unwrap();
    client.renew(&client.spec()).await.unwrap_err()
}

/// A private key or an assertion is no more told than a secret.
#[tokio::test]
async fn no_assertion_is_told() {
    let lab = lab(wants_parameters(Place::Form)).await;
    let error = ask(named(&lab, STANDARD_SERVICE).credentials(key())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let assertion = lab.record().last().form("client_assertion").remove(0);
    // The service says it back.
    let quoting = Answer::oauth(400, "invalid_client", &format!("not acceptable: {assertion}"));
    lab.change(|behaviour| behaviour.errors.set(Situation::WrongClient, quoting));
    let foreign = Credentials::assertion(super::secret(&assertion));
    let error = ask(named(&lab, STANDARD_SERVICE).credentials(foreign)).await.unwrap_err();
    assert!(error.description().unwrap().contains("[redacted]"));
}
