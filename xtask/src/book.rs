//! `cargo xtask book`: the guide as HTML in `target/book`.
//!
//! The pages are those of docs/, copied to `target/book-pages`, where two things happen to them: the catalogue adds a
//! page for each token service ([`providers`]), and a link that leaves docs/ becomes plain text, because what it leads
//! to is not in the book. Every link of the HTML is followed
//! ([`html`]).

mod html;
mod providers;

use crate::{run, tools};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Builds the book and follows its links.
pub(crate) fn build() -> Result<()> {
    let mdbook = tools::MDBOOK.fetch()?;
    let pages = run::target().join("book-pages");
    if pages.exists() {
        fs::remove_dir_all(&pages).context("the pages of before")?;
    }
    copy(&run::root().join("docs"), &pages)?;
    providers::add(&pages)?;
    let out = run::target().join("book");
    run::succeed(Command::new(mdbook).arg("build").arg(&pages).arg("--dest-dir").arg(&out))?;
    let broken = html::broken(&out)?;
    for link in &broken {
        eprintln!("{link}");
    }
    if !broken.is_empty() {
        bail!("{} links lead nowhere", broken.len());
    }
    println!("{}", out.join("index.html").display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            fs::write(to.join(name), staying(&text))?;
        } else if path.is_file() {
            fs::copy(&path, to.join(name))?;
        } else {
            copy(&path, &to.join(name))?; // pictures
        }
    }
    Ok(())
}

/// `[text](../elsewhere)` becomes `text`.
fn staying(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find("](../") {
        let (before, link) = rest.split_at(at);
        let (Some(open), Some(close)) = (before.rfind('['), link.find(')')) else { break };
        out.extend([&before[..open], &before[open + 1..]]);
        rest = &link[close + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::staying;

    #[test]
    fn a_link_out_of_the_book_becomes_text() {
        let page = "a [b](c.md), [`d`](../examples/d) and\n[e f](../g.md#h).";
        assert_eq!(staying(page), "a [b](c.md), `d` and\ne f.");
    }
}
