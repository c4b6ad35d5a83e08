//! Texts of others are shown and do nothing; the policy names what stands in the page.

use super::*;

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}&\"'";

#[tokio::test]
async fn the_policy_names_the_style_and_the_script_of_the_page() {
    let page = Page {
        title: HOSTILE.to_owned(),
        console: ("m2m", "/".to_owned()),
        links: vec![Link { label: "Here", href: "/".to_owned(), here: true }],
        aside: html! {},
        actions: html! {},
        main: html! { p { (isolated(HOSTILE)) } },
    };
    let answer = page.answer(StatusCode::OK);
    let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let between = |open: &str, close: &str| {
        let rest = text.split_once(open).unwrap().1;
        rest.split_once(close).unwrap().0.to_owned()
    };
    assert!(policy.contains(&digest(&between("<style>", "</style>"))), "{policy}");
    assert!(policy.contains(&digest(&between("<script>", "</script>"))), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(text.matches("<script>").count(), 1);
    assert!(text.len() < 40_000, "{} bytes before any content", text.len());
}

#[test]
fn a_table_is_sorted_and_filtered_by_its_address() {
    let columns = [
        Column { name: "name", label: "Name", number: false },
        Column { name: "count", label: "Count", number: true },
    ];
    let table = |query: &[(&str, &str)]| {
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let rows = [("beta", 9), ("Alpha", 10), (HOSTILE, 1)];
        let rows = rows.map(|(name, count)| vec![Cell::text(name), Cell::number(count)]).to_vec();
        let table = Table { label: "things", columns: &columns, rows, empty: html! { "none" } };
        table.markup(&View::of(&query, "")).into_string()
    };
    let order = |text: &str| {
        let at = |word| text.find(word);
        (at(">beta<"), at(">Alpha<"))
    };
    let (beta, alpha) = order(&table(&[("sort", "name")]));
    assert!(alpha < beta);
    let (beta, alpha) = order(&table(&[("sort", "count")]));
    assert!(beta < alpha, "nine comes before ten");
    let (beta, alpha) = order(&table(&[("sort", "count"), ("down", "1")]));
    assert!(alpha < beta);
    let found = table(&[("find", "ALPH"), ("page", "2")]);
    assert!(found.contains(">Alpha<") && !found.contains(">beta<") && found.contains("1 of 3"));
    assert!(found.contains("page=2"), "the rest of the address is kept");
    assert!(table(&[("find", HOSTILE)]).contains("&lt;script&gt;"));
    assert!(!table(&[]).contains("<script>"));
}

#[test]
fn a_secret_is_never_given_back() {
    let entry =
        Entry { name: "secret", label: "Secret", value: "canary", kind: "password", ..Entry::default() };
    assert!(!entry.markup(&[]).into_string().contains("canary"));
}

#[test]
fn an_error_is_tied_to_its_field() {
    let wrong = [Problem { field: "name".to_owned(), text: "it is needed".to_owned() }];
    let text =
        Entry { name: "name", label: "Name", help: "How.", ..Entry::default() }.markup(&wrong).into_string();
    assert!(
        text.contains(r#"aria-describedby="name-help name-wrong""#)
            && text.contains(r#"aria-invalid="true""#)
    );
    assert!(problems(&wrong).into_string().contains(r##"href="#name""##));
}

#[test]
fn a_chart_has_its_figures_in_words() {
    let columns = ["08:00".to_owned(), "09:00".to_owned()];
    let series = [Series { label: "minted".to_owned(), counts: vec![3, 0] }];
    let text = Chart { title: "Tokens", columns: &columns, series: &series }.markup().into_string();
    assert!(text.contains("08:00, minted: 3") && text.contains("<table>"));
    assert!(!text.contains("style="), "the policy refuses it");
}
