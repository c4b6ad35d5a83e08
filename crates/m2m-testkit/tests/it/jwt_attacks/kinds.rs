//! JWTs of the same issuer, rightly signed, that are something else than an access token.

use m2m_proto::jose::kind::KindError;
use m2m_proto::jose::{JwsError, Kind};
use m2m_testkit::key_server::AUDIENCE;
use serde_json::{Value, json};

use super::{Cost, HEADER, Issuing, jws, kind};

fn another_typ(found: Option<&str>) -> m2m_resource_server::Reason {
    kind(KindError::WrongTyp { expected: "that of its profile", found: found.map(str::to_owned) })
}

// spec-test: JWT-V3, 9068-RS1
#[tokio::test]
async fn types_that_are_not_ours() {
    let issuing = Issuing::new();
    let other = Kind::ALL.into_iter().filter(|kind| *kind != Kind::AccessToken).filter_map(Kind::typ);
    for typ in
        other.chain(["JWT", "jwt", "", "at", "at+jwt2", "at+jwt ", "application/x/at+jwt", "text/at+jwt"])
    {
        let token = issuing.under(&HEADER.replace("at+jwt", typ));
        issuing.refuses(typ, &token, another_typ(Some(typ)), Cost::Nothing).await;
    }
    for header in [r#"{"alg":"ES256","kid":"hell-0"}"#, r#"{"typ":null,"alg":"ES256","kid":"hell-0"}"#] {
        issuing.refuses(header, &issuing.under(header), another_typ(None), Cost::Nothing).await;
    }
    for typ in ["7", r#"["at+jwt"]"#, "{}"] {
        let token = issuing.under(&HEADER.replace(r#""at+jwt""#, typ));
        issuing.refuses(typ, &token, jws(JwsError::MalformedHeader), Cost::Nothing).await;
    }
    for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        issuing.accepts(typ, &issuing.under(&HEADER.replace("at+jwt", typ))).await;
    }
}

/// An ID token for a client that is called like the API: right in issuer, audience, key and time.
#[tokio::test]
async fn an_id_token() {
    let issuing = Issuing::new();
    let claims = json!({
        "aud": AUDIENCE, "azp": AUDIENCE, "nonce": "n-0S6_WzA2Mj", "auth_time": issuing.now(),
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "acr": "urn:mace:incommon:iap:silver", "scope": Value::Null,
    });
    let payload = issuing.payload(claims.as_object().unwrap());
    for (header, found) in [
        (r#"{"alg":"ES256","kid":"hell-0"}"#, None),
        (r#"{"typ":"JWT","alg":"ES256","kid":"hell-0"}"#, Some("JWT")),
    ] {
        let token = issuing.raw(header, &payload);
        issuing.refuses(header, &token, another_typ(found), Cost::Nothing).await;
    }
}

/// A token whose issuer is trusted, under the key of an issuer that is trusted too.
// spec-test: JWT-V2
#[tokio::test]
async fn a_token_under_the_key_of_another_issuer() {
    let (issuing, other) = (Issuing::new(), Issuing::new());
    let forged = other.server.token(0);
    issuing.refuses("same issuer, same kid", &forged, jws(JwsError::WrongSignature), Cost::Keys).await;
}
