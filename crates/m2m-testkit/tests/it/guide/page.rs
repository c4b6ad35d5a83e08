//! Pages of the guide as their blocks of code.

use std::fs;
use std::path::{Path, PathBuf};

/// Run by `bash -eu`.
const RUN: &str = "sh";

/// Commands that cannot run here.
pub(super) const ELSEWHERE: &str = "sh,elsewhere";

/// What is no command. Another language is refused, so that no block passes by under a name that nobody thought of.
const OTHER: &[&str] = &[
    "caddyfile",
    "haproxy",
    "http",
    "json",
    "nginx",
    "powershell",
    "rust",
    "rust,no_run",
    "text",
    "toml",
    "yaml",
];

/// Words that begin a command.
const COMMANDS: &[&str] =
    &["m2m", "cargo", "curl", "docker", "kubectl", "psql", "export", "$", "jq", "sqlite3"];

/// A page.
pub(super) struct Page {
    /// From the root of the workspace.
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
    /// Lines outside of blocks, with their numbers.
    prose: Vec<(usize, String)>,
}

/// A block of code.
pub(super) struct Block {
    /// The line of its fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    /// What the comment `<!-- guide: … -->` right above it says.
    pub(super) directive: Option<String>,
}

impl Block {
    pub(super) fn is_run(&self) -> bool {
        self.language == RUN
    }
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// README.md and every page of docs/, in order of their paths.
pub(super) fn all_pages() -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned()];
    let mut directories = vec!["docs".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let path = format!("{directory}/{}", entry.unwrap().file_name().into_string().unwrap());
            if root().join(&path).is_dir() {
                directories.push(path);
            } else if path.ends_with(".md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

pub(super) fn read(path: &str) -> Page {
    parse(path, &fs::read_to_string(root().join(path)).unwrap())
}

fn parse(path: &str, text: &str) -> Page {
    let mut page = Page { path: path.to_owned(), blocks: Vec::new(), prose: Vec::new() };
    let mut open: Option<Block> = None;
    let mut directive = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        match (open.take(), line.trim_start().strip_prefix("```")) {
            (Some(block), Some("")) => page.blocks.push(block),
            (Some(mut block), _) => {
                block.text.extend([line, "\n"]);
                open = Some(block);
            }
            (None, Some(language)) => {
                let (language, text) = (language.to_owned(), String::new());
                open = Some(Block { line: number, language, text, directive: directive.take() });
            }
            (None, None) => {
                let comment = line.strip_prefix("<!-- guide: ").and_then(|rest| rest.strip_suffix(" -->"));
                directive = comment.map(str::to_owned);
                page.prose.push((number, line.to_owned()));
            }
        }
    }
    assert!(open.is_none(), "{path}: a block is not closed");
    page
}

/// Whatever holds commands and is not called so.
pub(super) fn disguised(page: &Page) -> Vec<String> {
    let begins = |line: &str| line.split_whitespace().next().is_some_and(|word| COMMANDS.contains(&word));
    let mut findings = Vec::new();
    for block in page.blocks.iter().filter(|block| !block.is_run() && block.language != ELSEWHERE) {
        if !OTHER.contains(&block.language.as_str()) {
            findings
                .push(format!("{}:{}: blocks are not called {:?}", page.path, block.line, block.language));
        }
    }
    for (number, line) in &page.prose {
        if line.starts_with("    ") && begins(line) {
            findings.push(format!("{}:{number}: a command that is indented, and in no block", page.path));
        }
    }
    findings
}

#[test]
fn blocks_are_found_and_disguises_seen_through() {
    let text = "a\n\n<!-- guide: file x -->\n```toml\nb = 1\n```\n\n```sh\nm2m token\n```\n\n```console\n$ x\n```\n\n    m2m x\n";
    let page = parse("p", text);
    let blocks: Vec<_> = page
        .blocks
        .iter()
        .map(|block| (block.line, block.language.as_str(), block.text.as_str(), block.directive.as_deref()))
        .collect();
    assert_eq!(
        blocks,
        [
            (4, "toml", "b = 1\n", Some("file x")),
            (8, "sh", "m2m token\n", None),
            (12, "console", "$ x\n", None)
        ]
    );
    assert_eq!(disguised(&page).len(), 2);
}
