//! What else a request must say, and where.

use http::{Method, Request};

use super::{FORM, SECRET, ask, ask_at, body, missing, refused, send};
use crate::lab::{
    Answer, ApiRule, Behaviour, ClientProof, GrantRule, Lab, Outcome, Place, Required, SharedSecret,
    Situation,
};

fn plain() -> Behaviour {
    Behaviour::with_secret("app", "s3cret")
}

#[tokio::test]
async fn the_grant_type_is_the_services_own_and_in_its_place() {
    let mut behaviour = plain();
    behaviour.grant = GrantRule { place: Some(Place::Query), ..GrantRule::plain("account_credentials") };
    let lab = Lab::start(behaviour).await;
    let check = async |query: &str, form: &str, expect: Outcome| {
        assert_eq!(ask_at(&lab, query, &[], &format!("{form}{SECRET}")).await.0, expect, "{query} {form}");
    };
    check("?grant_type=account_credentials", "", Outcome::Granted).await;
    check("?grant_type=client_credentials", "", refused(Situation::UnsupportedGrant)).await;
    check("", "grant_type=account_credentials&", missing("grant_type")).await;
    lab.change(|behaviour| behaviour.grant = GrantRule::plain(""));
    check("", "", Outcome::Granted).await;
    check("", "grant_type=client_credentials&", refused(Situation::UnsupportedGrant)).await;
}

#[tokio::test]
async fn parameters_and_headers_are_demanded_one_by_one() {
    let mut behaviour = plain().require("audience");
    let value = Some("enterprise".to_owned());
    behaviour.required.push(Required { name: "box_subject_type".to_owned(), value, place: None });
    behaviour.required.push(Required { name: "v".to_owned(), value: None, place: Some(Place::Query) });
    behaviour.headers.push(("x-tenant".to_owned(), "t1".to_owned()));
    let lab = Lab::start(behaviour).await;
    let check = async |query: &str, tenant: &str, form: &str, expect: Outcome| {
        let form = format!("grant_type=client_credentials&{SECRET}&{form}");
        let (outcome, response) = ask_at(&lab, query, &[("x-tenant", tenant)], &form).await;
        if let Outcome::Refused(Situation::MissingParameter(name)) = &outcome {
            assert_eq!(body(&response)["error_description"], format!("{name} is missing"));
        }
        assert_eq!(outcome, expect, "{query} {tenant} {form}");
    };
    let good = "audience=a&box_subject_type=enterprise";
    check("?v=1", "t1", good, Outcome::Granted).await;
    check("?v=1", "t2", good, missing("x-tenant")).await;
    check("?v=1", "t1", "audience=&box_subject_type=enterprise", missing("audience")).await;
    check("?v=1", "t1", "audience=a&box_subject_type=user", missing("box_subject_type")).await;
    check("", "t1", &format!("{good}&v=1"), missing("v")).await;
}

#[tokio::test]
async fn scopes_are_known_separated_and_authorized() {
    let mut behaviour = plain();
    behaviour.scope.known = ["a", "b"].map(str::to_owned).to_vec();
    behaviour.scope.unauthorized = vec!["c".to_owned()];
    let lab = Lab::start(behaviour).await;
    let check = async |scope: &str, expect: Outcome| {
        assert_eq!(ask(&lab, &[], &format!("{SECRET}&scope={scope}")).await.0, expect, "{scope}");
    };
    check("", Outcome::Granted).await;
    check("a+b", Outcome::Granted).await;
    check("a,b", refused(Situation::UnknownScope)).await;
    check("a+x", refused(Situation::UnknownScope)).await;
    check("a+c", refused(Situation::UnauthorizedApi)).await;
    lab.change(|behaviour| {
        behaviour.scope.separator = ",".to_owned();
        behaviour.scope.required = true;
    });
    check("a,b", Outcome::Granted).await;
    check("a+b", refused(Situation::UnknownScope)).await;
    check("", missing("scope")).await;
}

#[tokio::test]
async fn an_api_is_named_exactly() {
    let mut behaviour = plain();
    behaviour.api =
        Some(ApiRule { parameter: "resource".to_owned(), authorized: vec!["https://a/".to_owned()] });
    let text = r#"{"error":"access_denied","error_description":"{client_id} not for {audience}"}"#;
    let own = Answer::new(403, "application/json", text);
    let lab = Lab::start(behaviour.error(Situation::UnauthorizedApi, own)).await;
    let check = async |form: &str, expect: Outcome| {
        let (outcome, response) = ask(&lab, &[], &format!("{SECRET}&{form}")).await;
        assert_eq!(outcome, expect, "{form}");
        response
    };
    check("resource=https://a/", Outcome::Granted).await;
    check("", Outcome::Granted).await;
    check("audience=https://b", Outcome::Granted).await;
    check("resource=https://a/&resource=https://b", refused(Situation::UnauthorizedApi)).await;
    let response = check("resource=https://a", refused(Situation::UnauthorizedApi)).await;
    assert_eq!(response.status(), 403);
    assert_eq!(body(&response)["error_description"], "app not for https://a");
}

#[tokio::test]
async fn the_method_the_place_and_the_path_count() {
    let lab = Lab::start(plain()).await;
    let form = format!("grant_type=client_credentials&{SECRET}");
    send(Request::get(format!("{}?{form}", lab.token_url())), "").await.unwrap();
    send(Request::post(lab.token_url()).header("content-type", "text/plain"), &form).await.unwrap();
    ask_at(&lab, "", &[], &format!("{form}&grant_type=again")).await;
    let elsewhere =
        send(Request::post(lab.http_origin() + "/other").header("content-type", FORM), &form).await;
    assert_eq!(elsewhere.unwrap().status(), 404);
    let malformed = || refused(Situation::Malformed);
    let expect = [malformed(), missing("grant_type"), malformed(), Outcome::NotFound("/other".to_owned())];
    assert_eq!(lab.outcomes(), expect);
    let mut behaviour =
        Behaviour::new(ClientProof::Parameters(SharedSecret::new("app", "s3cret"), Place::Query));
    (behaviour.method, behaviour.place) = (Method::GET, Place::Query);
    let lab = Lab::start(behaviour).await;
    let response = send(Request::get(format!("{}?{form}", lab.token_url())), "").await.unwrap();
    assert_eq!((response.status().as_u16(), lab.outcomes()), (200, vec![Outcome::Granted]));
}

#[tokio::test]
async fn so_many_and_no_more() {
    let lab = Lab::start(Behaviour { allowance: Some(1), ..plain() }).await;
    assert_eq!(ask(&lab, &[], SECRET).await.0, Outcome::Granted);
    let (outcome, response) = ask(&lab, &[], SECRET).await;
    assert_eq!((outcome, response.status().as_u16()), (refused(Situation::RateLimited), 429));
    assert_eq!(response.headers()["retry-after"], "30");
}

#[tokio::test]
async fn a_service_may_deny_what_is_good_otherwise() {
    let lab = Lab::start(Behaviour { denies: Some(Situation::UnauthorizedApi), ..plain() }).await;
    assert_eq!(ask(&lab, &[], SECRET).await.0, refused(Situation::UnauthorizedApi));
    assert_eq!(ask(&lab, &[], "").await.0, refused(Situation::WrongClient), "what is wrong comes first");
}
