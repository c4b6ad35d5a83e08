//! Links of pages: the file is there, and the heading that is named. Every page of docs/ has its place in SUMMARY.md.
//!
//! Relative links only: what stands on other people's servers is not ours to promise.

use super::Finding;
use crate::run;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

const FIRST: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];

const SUMMARY: &str = "docs/SUMMARY.md";

/// Reads the pages.
pub(super) fn check() -> Result<Vec<Finding>> {
    let root = run::root();
    let mut pages: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut paths: Vec<PathBuf> = FIRST.iter().map(PathBuf::from).collect();
    for entry in fs::read_dir(root.join("docs")).context("docs")? {
        let path = Path::new("docs").join(entry?.file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    for path in paths {
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        pages.insert(path, text);
    }
    let mut findings = Vec::new();
    for (path, text) in &pages {
        for (line, target) in links(text) {
            if let Some(problem) = broken(path, &target, &pages, &root) {
                findings.push(Finding {
                    place: format!("{}:{line}", path.display()),
                    text: format!("{target}: {problem}"),
                });
            }
        }
    }
    findings.extend(unlisted(&pages));
    Ok(findings)
}

fn broken(page: &Path, target: &str, pages: &BTreeMap<PathBuf, String>, root: &Path) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { page.to_path_buf() } else { beside(page, file) };
    if !root.join(&path).exists() {
        return Some("there is no such file");
    }
    let known = |anchor: &str| pages.get(&path).is_some_and(|text| anchors(text).any(|one| one == anchor));
    anchor.filter(|anchor| !known(anchor)).map(|_| "there is no such heading")
}

/// The file that a link of a page means, from the root.
fn beside(page: &Path, file: &str) -> PathBuf {
    let mut path = page.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Pages that no reader of the book would find, and those that stand there twice.
fn unlisted(pages: &BTreeMap<PathBuf, String>) -> Vec<Finding> {
    let Some(summary) = pages.get(Path::new(SUMMARY)) else { return Vec::new() };
    let listed: Vec<String> = links(summary).map(|(_, target)| format!("docs/{target}")).collect();
    let all = pages.keys().map(|path| path.display().to_string());
    let own = all.filter(|path| path.starts_with("docs/") && path != SUMMARY);
    own.filter_map(|path| match listed.iter().filter(|one| **one == path).count() {
        1 => None,
        count => Some(Finding { place: path, text: format!("stands {count} times in {SUMMARY}") }),
    })
    .collect()
}

/// The lines outside of blocks of code, without what stands between backticks.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            return None;
        }
        let shown: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        (!inside).then_some((index + 1, shown))
    })
}

/// Targets of `[text](target)`, with their lines. A line that ends inside of a link is none here; no page has one.
pub(crate) fn links(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    prose(text).flat_map(|(number, line)| {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets.map(|target| (number, target.to_owned())).collect::<Vec<_>>()
    })
}

/// What headings are called in links; of equal ones the later ones get a number.
fn anchors(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    headings(text).map(move |heading| {
        let name = slug(&heading);
        let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *count == 0 { name } else { format!("{name}-{count}") }
    })
}

fn headings(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        if line.starts_with("```") {
            inside = !inside;
        }
        let heading = line.trim_start_matches('#');
        (!inside && heading.len() < line.len())
            .then(|| heading.strip_prefix(' '))
            .flatten()
            .map(str::to_owned)
    })
}

fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_named_as_readers_link_them() {
        let text = "# A `b`: c?\n```sh\n# no\n```\n## A b c\n### 401 from\n## A b c\n#no\n";
        assert_eq!(anchors(text).collect::<Vec<_>>(), ["a-b-c", "a-b-c-1", "401-from", "a-b-c-2"]);
    }

    #[test]
    fn a_link_leads_somewhere() {
        let text = "[x](b.md#two) `[y](gone.md)` [z](c.md), [w](#one)\n```text\n[v](gone.md)\n```\n";
        let found: Vec<_> = links(text).map(|(_, target)| target).collect();
        assert_eq!(found, ["b.md#two", "c.md", "#one"]);
        let pages = BTreeMap::from([
            (PathBuf::from("docs/a.md"), "# One\n".to_owned()),
            (PathBuf::from("README.md"), "# Two\n".to_owned()),
        ]);
        let check = |target, expect: Option<&str>| {
            assert_eq!(broken(Path::new("docs/a.md"), target, &pages, &run::root()), expect, "{target}");
        };
        check("../README.md#two", None);
        check("../README.md#three", Some("there is no such heading"));
        check("gone.md", Some("there is no such file"));
        check("https://gone.example", None);
        check("../xtask", None);
    }

    #[test]
    fn a_page_has_one_place_in_the_book() {
        let pages = BTreeMap::from([
            (PathBuf::from(SUMMARY), "- [A](a.md)\n- [B](b.md)\n- [B](b.md)\n".to_owned()),
            (PathBuf::from("docs/a.md"), String::new()),
            (PathBuf::from("docs/b.md"), String::new()),
            (PathBuf::from("docs/c.md"), String::new()),
        ]);
        let places: Vec<_> = unlisted(&pages).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["docs/b.md", "docs/c.md"]);
    }
}
