//! What a token answer holds: how a life is said, what a type is called, which texts tokens are, what comes besides.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use m2m_client::{CertificateSource, Credentials, Error, ErrorKind, TokenSpec};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::Origin;
use m2m_testkit::FixedKeys;
use m2m_testkit::lab::{
    Answer, Behaviour, ClientProof, Document, ExpiresIn, Lab, Outcome, Place, SignedToken, Success,
    TokenText, six,
};
use serde_json::{Value, json};

use super::{STANDARD_SERVICE, ask, gets, lab, named, secret, wants_parameters};

async fn answering(success: Success) -> Lab {
    lab(Behaviour { success, ..wants_parameters(Place::Form) }).await
}

/// Seconds that the token of this answer lives, as this client understands it.
async fn life(success: &Success, says: &str) -> Result<u64, Error> {
    let lab = answering(success.clone()).await;
    let token = ask(named(&lab, says)).await;
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Granted));
    token.map(|token| token.life().as_secs())
}

fn without_life() -> Success {
    Success::bearer().expires_in(ExpiresIn::Absent)
}

const FALLBACK: u64 = 300;
const LONGEST: u64 = 30 * 86_400;

#[tokio::test]
async fn a_life_is_read_as_the_service_says_it() {
    let milliseconds = "[response]\nunit = \"milliseconds\"";
    let end = "[response]\nexpires_in = \"\"\nexpires_at = \"expireTime\"";
    let stated = "[response]\nlifetime = 7200";
    let until = |value: Value| without_life().member("expireTime", value);
    let own = |value: Value| without_life().member("lifetime_seconds", value);
    for (success, says, switched, standard) in [
        // A number in quotes is one everywhere.
        (Success::bearer().expires_in(ExpiresIn::Text(3600)), STANDARD_SERVICE, 3600, 3600),
        (Success::bearer().expires_in(ExpiresIn::Milliseconds(3600)), milliseconds, 3600, LONGEST),
        (Success::bearer().expires_in(ExpiresIn::Seconds(3600)), milliseconds, 3, 3600),
        (without_life(), stated, 7200, FALLBACK),
        (Success::bearer(), stated, 3600, 3600),
        // 2026-11-22T10:40:00Z is the time of client and service.
        (until(json!("2026-11-22T11:40:00Z")), end, 3600, FALLBACK),
        (until(json!("2026-11-22T12:40:00.5+01:00")), end, 3600, FALLBACK),
        (until(json!("1795347600")), end, 3600, FALLBACK),
        (until(json!(1_795_347_600)), end, 3600, FALLBACK),
        (own(json!(900)), "[response]\nexpires_in = \"lifetime_seconds\"", 900, FALLBACK),
        // A service that is known not to tell a life is not believed to.
        (Success::bearer(), "[response]\nexpires_in = \"\"\nlifetime = 7200", 7200, 3600),
    ] {
        assert_eq!(life(&success, says).await.unwrap(), switched, "{success:?} {says}");
        assert_eq!(life(&success, STANDARD_SERVICE).await.unwrap(), standard, "{success:?}");
    }
    // The profile has the last word about what the service leaves open.
    let lab = answering(without_life()).await;
    let own = named(&lab, stated).fallback_lifetime(Duration::from_secs(60));
    assert_eq!(gets("own", &lab, own).await.life().as_secs(), 60);
    let broken = life(&until(json!("tomorrow")), end).await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::PeerMisbehaved);
}

#[tokio::test]
async fn an_odd_type_is_bearer_where_the_service_says_so() {
    let odd = |name: &str| Success::bearer().member("token_type", name.into());
    let named_bearer = "[response]\ntoken_types = [\"Application Access Token\", \"N_A\"]";
    for (success, switched, standard) in [
        (odd("Application Access Token"), true, false),
        (odd("application access token"), true, false),
        (odd("N_A"), true, false),
        (odd("mtls_pop"), false, false),
        (odd("bearer"), true, true),
        // Some leave it out.
        (Success::bearer().member("token_type", Value::Null), true, true),
    ] {
        for (says, expect) in [(named_bearer, switched), (STANDARD_SERVICE, standard)] {
            let lab = answering(success.clone()).await;
            match ask(named(&lab, says)).await {
                Ok(token) => {
                    assert!(expect, "{success:?} {says:?}");
                    assert_eq!(token.token_type().as_str(), "Bearer");
                }
                Err(error) => {
                    assert_eq!((expect, error.kind()), (false, ErrorKind::PeerMisbehaved), "{success:?}");
                }
            }
        }
    }
}

/// A service that calls tokens bound to a certificate DPoP, though there is no proof.
#[tokio::test]
async fn a_dpop_token_needs_no_proof_where_a_certificate_stands_for_it() {
    let mut behaviour = Behaviour::new(ClientProof::None).document(api());
    behaviour.success = Success::bearer().member("token_type", "DPoP".into());
    let lab = lab(behaviour).await;
    let client = |says: &str| {
        let source =
            CertificateSource::new(secret(&six::certificate_pem()), secret(FixedKeys::pem(Algorithm::Ps256)));
        let credentials = Credentials::certificate(source, ClientAuthMethod::TlsClientAuth);
        named(&lab, says).credentials(credentials)
    };
    let says = "[response]\ndpop_without_proof = true";
    let token = gets("certificate", &lab, client(says)).await;
    assert_eq!(token.token_type().as_str(), "DPoP");
    call(&lab, client(says), "DPoP ").await;
    assert!(lab.record().last().header("dpop").is_none());
    for refused in [client(STANDARD_SERVICE), named(&lab, says).credentials(Credentials::none())] {
        assert_eq!(ask(refused).await.unwrap_err().kind(), ErrorKind::PeerMisbehaved);
    }
}

fn api() -> Document {
    Document::new("/api", Answer::json(200, &json!({"orders": []})))
}

/// Calls the API of the lab; the credentials that arrived there, without the scheme.
async fn call(lab: &Lab, builder: m2m_client::ClientBuilder, scheme: &str) -> String {
    let client = builder.destination(Origin::parse(&lab.http_origin()).unwrap()).build().unwrap();
    let request = Request::get(format!("{}/api", lab.http_origin())).body(Bytes::new()).unwrap();
    let executed = client.execute(&TokenSpec::default(), request).await.unwrap();
    assert_eq!(executed.response.status(), 200);
    let request = lab.record().last();
    request.header("authorization").unwrap().strip_prefix(scheme).unwrap().to_owned()
}

/// Whatever a token looks like, it arrives at the API as it came: not decoded, not encoded, not refused.
#[tokio::test]
async fn tokens_of_any_alphabet_arrive_unchanged() {
    for text in [
        "00D000000000001!AQ0AQ.x_y",
        "AAAAAAAAAAAAAAAAAAAAAMLhe%3DwAA%2Bb%2F",
        "a+b/c==",
        "~token~;,:@|{}\"<>\\^`",
        "with=equals=inside",
    ] {
        let success = Success::bearer().token(TokenText::Given(text.to_owned()));
        let lab = lab(Behaviour { success, ..wants_parameters(Place::Form) }.document(api())).await;
        for says in [STANDARD_SERVICE, "[response]\nopaque = true"] {
            assert_eq!(gets(text, &lab, named(&lab, says)).await.access_token().expose(), text);
            assert_eq!(call(&lab, named(&lab, says), "Bearer ").await, text);
        }
    }
}

#[tokio::test]
async fn the_token_stands_in_the_member_that_the_service_has_for_it() {
    let odd = Success::bearer()
        .member("access_token", Value::Null)
        .member("accessToken", "{token}".into())
        .token(TokenText::Given("of-the-member".to_owned()));
    let says = "[response]\ntoken = \"accessToken\"";
    let lab = answering(odd).await;
    assert_eq!(gets("odd", &lab, named(&lab, says)).await.access_token().expose(), "of-the-member");
    assert_eq!(ask(named(&lab, STANDARD_SERVICE)).await.unwrap_err().kind(), ErrorKind::PeerMisbehaved);
    let usual = answering(Success::bearer()).await;
    assert_eq!(ask(named(&usual, says)).await.unwrap_err().kind(), ErrorKind::PeerMisbehaved);
}

/// Members that callers need are there, whether the catalogue knows them or not.
#[tokio::test]
async fn further_members_are_kept() {
    let success = Success::bearer().member("instance_url", "https://eu7.example".into());
    let lab = answering(success).await;
    for says in ["[response]\nkept = [\"instance_url\"]", STANDARD_SERVICE] {
        let token = gets("member", &lab, named(&lab, says)).await;
        assert_eq!(token.extra().get("instance_url"), Some(&json!("https://eu7.example")));
        assert!(!format!("{token:?}").contains("eu7"), "they may be secrets");
    }
}

#[tokio::test]
async fn granted_scopes_are_read_with_the_services_separator() {
    let success = Success::bearer().member("scope", "openid,AdobeID,read".into());
    let lab = answering(success).await;
    let granted = async |says: &str| {
        let token = gets(says, &lab, named(&lab, says)).await;
        token.scope().unwrap().iter().count()
    };
    assert_eq!(granted("[response]\nscope_separator = \",\"").await, 3);
    assert_eq!(granted(STANDARD_SERVICE).await, 1);
}

#[tokio::test]
async fn a_token_may_come_with_created() {
    for (status, expect) in [(200, true), (201, true), (202, false), (204, false)] {
        let lab = answering(Success::bearer().status(status)).await;
        let outcome = ask(named(&lab, STANDARD_SERVICE)).await;
        assert_eq!(outcome.is_ok(), expect, "{status}");
    }
}

/// A token that is not for clients to read is not read: what it says of its own end does not count.
#[tokio::test]
async fn an_opaque_token_is_not_looked_into() {
    let mut token = SignedToken::new("https://issuer.example/", "https://other.example");
    token.lifetime = 60;
    let lab = answering(Success::bearer().signed(token)).await;
    let strict = |says: &str| named(&lab, says).audience("https://api.example");
    assert_eq!(gets("opaque", &lab, strict("[response]\nopaque = true")).await.life().as_secs(), 3600);
    assert_eq!(gets("read", &lab, strict(STANDARD_SERVICE)).await.life().as_secs(), 60);
}

/// All who ask get one token with what is left of its life: the client lives with that life, and asks again after it.
#[tokio::test]
async fn a_shared_token_has_what_is_left_of_its_life() {
    let shared = |left| {
        let success = Success::bearer().token(TokenText::Given("shared".to_owned()));
        success.expires_in(ExpiresIn::Seconds(left))
    };
    let lab = answering(shared(500)).await;
    let client = named(&lab, "[response]\nshared = true").build().unwrap();
    assert_eq!(client.token(&client.spec()).await.unwrap().life().as_secs(), 500);
    lab.change(|behaviour| behaviour.success = shared(7));
    assert_eq!(client.renew(&client.spec()).await.unwrap().life().as_secs(), 7);
}
