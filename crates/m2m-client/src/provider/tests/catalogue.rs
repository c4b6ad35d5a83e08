//! What every file of the catalogue has to keep.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use m2m_proto::jose::Algorithm;
use toml::Value;

use crate::provider::preset::whole;
use crate::provider::{FILES, Provider, Situation, all, find, of_key_file, recognise};
use crate::template::names;

const SIX: [&str; 6] = ["auth0", "okta", "azure", "google", "aws-cognito", "salesforce"];
/// Platforms that tell a workload who it is; the binary reads what they put there.
const PLATFORMS: [&str; 3] = ["github", "kubernetes", "systemd"];
/// The type URLs of protocol buffers, and examples in a question that is put to people.
const EXCEPTED: [&str; 3] = ["type.googleapis.com/", "(auth0, azure, salesforce …)", "\"tailscale-*\""];

#[test]
fn at_least_sixty_and_the_six() {
    assert!(all().len() >= 60, "{}", all().len());
    for alias in SIX {
        let provider = find(alias).unwrap_or_else(|| panic!("{alias}"));
        assert!(provider.is_usable());
        assert_eq!(find(&alias.to_uppercase()).map(|found| &found.id), Some(&provider.id));
    }
    assert!(find("nobody").is_none());
}

#[test]
fn names_are_unique_and_files_are_named_after_them() {
    let mut seen = BTreeSet::new();
    for ((file, _), provider) in FILES.iter().zip(all()) {
        assert_eq!(*file, provider.id);
        for name in std::iter::once(&provider.id).chain(&provider.aliases) {
            assert!(seen.insert(name.to_lowercase()), "{name} is taken");
        }
    }
}

#[test]
fn every_text_is_for_people() {
    for provider in all() {
        let id = &provider.id;
        assert!(!provider.summary.ends_with('.') && provider.summary.len() < 100, "{id}: summary");
        assert!(provider.docs.starts_with("https://"), "{id}: docs");
        for hint in &provider.hints {
            assert!(!hint.cause.ends_with('.') && !hint.fix.ends_with('.'), "{id}: {}", hint.fix);
            assert!(
                hint.status.is_some() || hint.code.is_some() || hint.contains.is_some(),
                "{id}: a hint without a condition fits everything"
            );
        }
        assert!(provider.traps.iter().all(|trap| !trap.text.ends_with('.')), "{id}: traps");
    }
}

#[test]
fn variables_are_explained_and_used() {
    for provider in all() {
        let (id, text) = (&provider.id, text_of(provider));
        for variable in &provider.variables {
            assert!(text.contains(&format!("{{{}}}", variable.name)), "{id}: {} is not used", variable.name);
            assert!(!variable.help.ends_with('.') && !variable.help.is_empty(), "{id}: {}", variable.name);
            let pattern = variable.pattern.as_ref().map(|pattern| whole(pattern).expect("a pattern"));
            for value in std::iter::once(&variable.example).chain(&variable.default) {
                let fits = pattern.as_ref().is_none_or(|pattern| pattern.is_match(value));
                assert!(fits, "{id}: {value:?} does not fit its own pattern");
            }
        }
        let endpoints = &provider.endpoints;
        let urls = [&endpoints.issuer, &endpoints.token, &endpoints.mtls_token, &endpoints.introspection];
        for template in urls.into_iter().chain([&endpoints.revocation]).flatten().chain(&endpoints.discovery)
        {
            for name in names(template) {
                assert!(provider.variables.iter().any(|v| v.name == name), "{id}: {{{name}}} in {template}");
            }
        }
    }
}

fn text_of(provider: &Provider) -> &'static str {
    FILES.iter().find(|(id, _)| *id == provider.id).map(|(_, text)| *text).unwrap()
}

/// Examples are values that work: with them every template is filled.
#[test]
fn examples_fill_every_template_and_are_recognised_again() {
    for provider in all().iter().filter(|provider| provider.is_usable()) {
        let given: Vec<_> = provider.variables.iter().map(|v| (v.name.clone(), v.example.clone())).collect();
        let preset = provider.resolve(&given).unwrap_or_else(|error| panic!("{}: {error}", provider.id));
        let Some(url) = preset.token_url() else {
            assert!(provider.assertion.self_signed, "{}: no token endpoint", provider.id);
            continue;
        };
        let found = recognise(url);
        let own = found.iter().find(|found| found.provider.id == provider.id);
        if !given.iter().any(|(_, value)| value.contains("example")) {
            assert!(own.is_some(), "{}: {url} is taken for {found:?}", provider.id);
        }
    }
}

#[test]
fn a_strange_url_is_nobodys() {
    for url in ["https://login.example.com/oauth/token", "https://evil.test/oauth2/v2.0/token", "", "x"] {
        assert!(recognise(url).is_empty(), "{url}");
    }
    let found = recognise("https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token");
    assert_eq!(found.first().map(|found| found.provider.id.as_str()), Some("entra"), "the default host");
    let found = recognise("https://acme.eu.auth0.com/oauth/token");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].variables, [("domain".to_owned(), "acme.eu.auth0.com".to_owned())]);
}

#[test]
fn what_is_marked_as_unverified_is_there() {
    for (id, text) in FILES {
        let file: Value = toml::from_str(text).unwrap();
        for path in all().iter().find(|provider| provider.id == *id).map(|p| &p.unverified).unwrap() {
            assert!(exists(&file, path), "{id}: unverified {path:?} is not in the file");
        }
    }
}

/// `a.b` is a member of a member; `a.b:c` an element, by value or by place.
fn exists(file: &Value, path: &str) -> bool {
    let (members, element) = path.split_once(':').map_or((path, None), |(a, b)| (a, Some(b)));
    let found = members.split('.').try_fold(file, |value, member| value.get(member));
    match (found, element) {
        (Some(_), None) => true,
        (Some(Value::Array(list)), Some(element)) => {
            list.iter().any(|item| item.as_str() == Some(element))
                || element.parse::<usize>().is_ok_and(|place| place < list.len())
        }
        (Some(Value::Table(table)), Some(element)) => table.contains_key(element),
        _ => false,
    }
}

/// A file is known by its type alone, and every member of it has one meaning.
#[test]
fn key_files_are_told_apart() {
    let mut seen = BTreeSet::new();
    for provider in all() {
        let Some(file) = &provider.key_file else { continue };
        let id = &provider.id;
        assert!(seen.insert(&file.kind), "{id}: {} is taken", file.kind);
        assert_eq!(of_key_file(&file.kind).map(|(found, _)| &found.id), Some(id));
        let members = file.members().into_iter().chain(file.ignored.iter().map(String::as_str));
        let mut members: Vec<_> = members.chain(["type"]).collect();
        members.sort_unstable();
        assert!(members.iter().all(|member| !member.is_empty()), "{id}");
        assert!(members.windows(2).all(|pair| pair[0] != pair[1]), "{id}: {members:?}");
        assert!(provider.assertion.grant || provider.assertion.self_signed, "{id}: a key that signs nothing");
    }
    assert!(!seen.is_empty() && of_key_file("nobody's").is_none());
}

#[test]
fn assertions_can_be_made() {
    for provider in all() {
        let (id, assertion) = (&provider.id, &provider.assertion);
        assert!(assertion.lifetime <= assertion.max_lifetime, "{id}");
        assert!(assertion.lifetime <= 3600, "{id}");
        let signs =
            provider.auth.methods.iter().any(|method| method == "private_key_jwt") || provider.signs();
        let known = assertion.algorithms.iter().filter(|name| Algorithm::parse(name).is_some());
        assert!(!signs || assertion.algorithms.is_empty() || known.count() > 0, "{id}: no algorithm of ours");
    }
}

#[test]
fn the_six_know_their_errors() {
    for alias in SIX {
        let provider = find(alias).unwrap();
        let knows = |situation| provider.hints.iter().any(|hint| hint.situation == Some(situation));
        for situation in [Situation::WrongSecret, Situation::UnauthorizedApi, Situation::Clock] {
            assert!(knows(situation), "{alias}: {situation:?}");
        }
        assert!(knows(Situation::MissingAudience) || knows(Situation::MissingScope), "{alias}");
    }
}

/// Which service does what is data. Code that knew one by name would be the
/// first of many special cases.
#[test]
fn no_service_is_named_outside_the_catalogue() {
    let names: BTreeSet<String> = all()
        .iter()
        .flat_map(Provider::names)
        .map(str::to_lowercase)
        // Words of Rust, and of the crypto library's name.
        .filter(|name| name.len() > 2 && !name.contains('-') && !["aws", "box"].contains(&name.as_str()))
        .chain(["cognito", "googleapis", "microsoft", "microsoftonline", "ping"].map(str::to_owned))
        .collect();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cli = crates.join("m2m-cli/src");
    let mut files = vec![crates.join("m2m-proto/src"), crates.join("m2m-client/src"), cli.clone()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        // Examples of commands are for people; exports are read in the form of the product that made them, and what
        // completes commands knows the words that they take.
        let others = ["commands/admin/import", "commands/admin/import.rs", "commands/completion"];
        if others.iter().chain(&["args"]).any(|at| path == cli.join(at)) {
            continue;
        }
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Comments may tell where a lesson comes from, and tests use the catalogue.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if path.to_string_lossy().contains("tests") {
            continue;
        }
        seen += 1;
        let code = EXCEPTED.iter().fold(code.to_lowercase(), |code, text| code.replace(text, ""));
        for word in code.split(|c: char| !c.is_alphanumeric()) {
            // Where the binary may run, and is given a token about itself.
            let is_platform = path.starts_with(&cli) && PLATFORMS.contains(&word);
            assert!(is_platform || !names.contains(word), "{}: {word}", path.display());
        }
    }
    assert!(seen > 130, "{seen}");
}
