//! The guide says what it does: the commands of its pages run.
//!
//! A block ` ```sh ` of README.md or docs/ is run, all of a page in order, by `bash -eu`, in a directory of the page's
//! own ([`run`] says how). A block that cannot run here is ` ```sh,elsewhere ` and is counted in [`ELSEWHERE`] with the
//! reason. Nothing else may look like commands ([`page`]).

mod page;
mod run;
mod whitepaper;

use std::collections::BTreeMap;

use page::{Block, all_pages};

/// Pages with blocks that are not run: how many, and why.
const ELSEWHERE: &[(&str, usize, &str)] = &[
    ("README.md", 1, "builds the whole workspace and runs every test"),
    ("docs/administration.md", 1, "a PostgreSQL server and a host name of its own"),
    ("docs/console.md", 1, "runs until it is stopped, for a browser; console_profiles walks through it"),
    (
        "docs/federation.md",
        8,
        "platforms; federation_page in m2m-cli runs all but the last on a server with their files",
    ),
    (
        "docs/gateway.md",
        5,
        "proxies and a host name; gateway_peers runs nginx, Caddy and Envoy with this page's settings",
    ),
    ("docs/key-servers.md", 2, "a server that is compiled first; key_server turns the same dials"),
    ("docs/migration.md", 5, "exports of other people's servers; admin_import has recorded ones"),
    ("docs/operating.md", 5, "certificates, PostgreSQL, a collector and a security module of the operator"),
    ("docs/proof.md", 1, "a test of this workspace"),
    ("docs/security-profile.md", 2, "PostgreSQL, and an administrator whose profile is on another machine"),
];

macro_rules! pages {
    ($($name:ident $path:literal)+) => {
        $(#[test]
        fn $name() {
            run::page($path);
        })+

        const RUN: &[&str] = &[$($path),+];
    };
}

pages! {
    readme "README.md"
    administration "docs/administration.md"
    api_keys "docs/api-keys.md"
    completion "docs/completion.md"
    configuration_as_code "docs/configuration-as-code.md"
    gateway "docs/gateway.md"
    introduction "docs/README.md"
    providers "docs/providers.md"
    quickstart_check "docs/quickstart-check.md"
    quickstart_get "docs/quickstart-get.md"
    quickstart_issue "docs/quickstart-issue.md"
    security_profile "docs/security-profile.md"
    token_exchange "docs/token-exchange.md"
}

/// A page whose blocks nobody runs cannot be.
#[test]
fn every_page_with_commands_is_run() {
    let with_commands: Vec<String> = all_pages()
        .into_iter()
        .filter(|page| page.blocks.iter().any(Block::is_run))
        .map(|page| page.path)
        .collect();
    let mut run: Vec<String> = RUN.iter().map(|path| (*path).to_owned()).collect();
    run.sort();
    assert_eq!(with_commands, run, "pages with blocks that run, and pages that are run");
}

#[test]
fn what_is_not_run_is_counted_and_has_a_reason() {
    let mut counted = BTreeMap::new();
    for page in all_pages() {
        let elsewhere = page.blocks.iter().filter(|block| block.language == page::ELSEWHERE).count();
        if elsewhere > 0 {
            counted.insert(page.path, elsewhere);
        }
    }
    let known: BTreeMap<String, usize> =
        ELSEWHERE.iter().map(|(path, count, _)| ((*path).to_owned(), *count)).collect();
    assert_eq!(counted, known);
}

/// No block, and no indented line, holds commands without saying so.
#[test]
fn commands_are_in_blocks_of_sh() {
    let findings: Vec<String> = all_pages().iter().flat_map(page::disguised).collect();
    assert!(findings.is_empty(), "{findings:#?}");
}
