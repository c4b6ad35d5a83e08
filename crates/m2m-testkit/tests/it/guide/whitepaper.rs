//! What docs/whitepaper.md shows is what the test files of this repository hold.
//!
//! - `<!-- guide: golden FILE -->`: the block is that file, byte by byte but for the line ends of HTTP.
//! - `<!-- guide: decoded FILE -->`: the block is header and claims of the JWT in that file.
//! - `<!-- guide: answer FILE NAME -->`: the block is the body of that recorded answer of the catalogue.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::page;

const PAGE: &str = "docs/whitepaper.md";

fn file(path: &str) -> String {
    fs::read_to_string(page::root().join(path)).unwrap().replace('\r', "")
}

fn decoded(path: &str) -> Value {
    let token = file(path);
    let part = |index: usize| {
        let part = token.trim_end().split('.').nth(index).unwrap();
        serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    json!({"header": part(0), "claims": part(1)})
}

fn answer(path: &str, name: &str) -> String {
    let recorded: toml::Table = toml::from_str(&file(path)).unwrap();
    let answers = recorded["answers"].as_array().unwrap();
    let found = answers.iter().find(|answer| answer["name"].as_str() == Some(name));
    found.unwrap()["body"].as_str().unwrap().to_owned()
}

#[test]
fn messages_are_those_of_the_golden_files() {
    let mut compared = 0;
    for block in page::read(PAGE).blocks {
        let place = format!("{PAGE}:{}", block.line);
        match block.directive.as_deref().unwrap_or_default().split(' ').collect::<Vec<_>>().as_slice() {
            ["golden", path] => assert_eq!(block.text.trim_end(), file(path).trim_end(), "{place}"),
            ["decoded", path] => {
                let shown: Value = serde_json::from_str(&block.text).unwrap();
                assert_eq!(shown, decoded(path), "{place}");
            }
            ["answer", path, name] => assert_eq!(block.text.trim_end(), answer(path, name), "{place}"),
            other => {
                assert_eq!(
                    (other, block.text.as_str()),
                    (&[""][..], "Authorization: Bearer TOKEN\n"),
                    "{place}"
                );
                continue;
            }
        }
        compared += 1;
    }
    assert!(compared >= 15, "{compared} blocks");
}

/// A bench that is named is one that runs.
#[test]
fn benches_are_named_as_they_are() {
    let mut sources = String::new();
    let mut directories = vec![page::root().join("bench/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let text = file(PAGE);
    let section = text.split("\n## ").find(|section| section.starts_with("Speed\n")).unwrap();
    let names = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split(" | ").next().unwrap().split('`').skip(1).step_by(2).collect::<Vec<_>>());
    let mut seen = 0;
    for name in names {
        // One name for each algorithm is made of a pattern.
        let pattern = name.rsplit_once('-').map(|(first, _)| format!("\"{first}-{{")).unwrap();
        assert!(sources.contains(&format!("\"{name}\"")) || sources.contains(&pattern), "{name}");
        seen += 1;
    }
    assert!(seen >= 15, "{seen} benches");
}
