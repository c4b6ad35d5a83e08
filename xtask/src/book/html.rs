//! Links of the built book: each leads to a file that is there, and to a place in it that has that name.

use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// `print.html` is all pages in one, and mdBook moves their headings about.
const LEFT_OUT: &[&str] = &["print.html", "404.html", "toc.html"];

/// Every link that leads nowhere, as `page: target`.
pub(super) fn broken(book: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(book.join(&directory)).context("the book")? {
            let path = directory.join(entry?.file_name());
            if book.join(&path).is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                let text = fs::read_to_string(book.join(&path))?;
                pages.insert(path, text);
            }
        }
    }
    let names: BTreeMap<&Path, BTreeSet<&str>> =
        pages.iter().map(|(path, text)| (path.as_path(), values(text, "id").collect())).collect();
    let mut broken = Vec::new();
    for (path, text) in pages.iter().filter(|(path, _)| !LEFT_OUT.iter().any(|name| path.ends_with(name))) {
        for target in values(text, "href").chain(values(text, "src")) {
            if !leads(book, path, target, &names) {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    Ok(broken)
}

fn leads(book: &Path, page: &Path, target: &str, names: &BTreeMap<&Path, BTreeSet<&str>>) -> bool {
    if target.contains(':') || target.starts_with("//") {
        return true;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let mut path = page.to_path_buf();
    if !file.is_empty() {
        path.pop();
        for part in Path::new(file).components() {
            match part {
                Component::ParentDir => drop(path.pop()),
                Component::Normal(name) => path.push(name),
                _ => {}
            }
        }
    }
    let there = book.join(&path).is_file();
    there && anchor.is_none_or(|anchor| names.get(path.as_path()).is_some_and(|names| names.contains(anchor)))
}

/// Values of an attribute, as they are written.
fn values<'a>(text: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    text.split('<').skip(1).filter_map(move |tag| {
        let tag = tag.split('>').next()?;
        tag.split_once(&format!(" {attribute}=\"")).and_then(|(_, rest)| rest.split('"').next())
    })
}

#[cfg(test)]
mod tests {
    use super::{leads, values};
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    #[test]
    fn attributes_are_found() {
        let text = "<h2 class=\"x\" id=\"a-b\"><a href=\"c.html#d\">x</a> href=\"no\"";
        assert_eq!(values(text, "id").collect::<Vec<_>>(), ["a-b"]);
        assert_eq!(values(text, "href").collect::<Vec<_>>(), ["c.html#d"]);
    }

    #[test]
    fn a_name_is_looked_up_in_its_page() {
        let names = BTreeMap::from([(Path::new("p/a.html"), BTreeSet::from(["one"]))]);
        let check = |target| leads(Path::new("/nowhere"), Path::new("p/a.html"), target, &names);
        assert!(check("https://x.example"));
        assert!(!check("b.html"));
    }
}
