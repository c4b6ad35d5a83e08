//! A source file as the rules see it: code with comments and strings blanked,
//! string literals apart, and which lines are tests.

use anyhow::{Context as _, Result};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// One `.rs` file.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The text as it is.
    pub(crate) text: String,
    /// Same lines and columns, but comments and the inside of strings are blanks.
    pub(crate) code: String,
    /// Line and content of each string literal.
    pub(crate) strings: Vec<(usize, String)>,
    /// The whole file is tests.
    only_tests: bool,
    /// Lines of `#[cfg(test)]` items.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Reads a text as if it stood at `path`.
    pub(crate) fn parse(path: &str, text: String) -> Self {
        let (code, strings) = blank(&text);
        let mut source =
            Self { path: path.to_owned(), text, code, strings, only_tests: false, tests: Vec::new() };
        source.only_tests = source.is_named_for_tests();
        source.tests = source.test_ranges();
        source
    }

    /// The crate's directory name, `xtask` for ours.
    pub(crate) fn package(&self) -> &str {
        self.path.strip_prefix("crates/").unwrap_or(&self.path).split('/').next().unwrap_or_default()
    }

    /// The path below `src/`, if it is there.
    pub(crate) fn inside(&self) -> Option<&str> {
        let below = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        below.split_once('/')?.1.strip_prefix("src/")
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_test_file(&self) -> bool {
        self.only_tests
    }

    fn is_named_for_tests(&self) -> bool {
        let inside_tests = self.path.contains("/tests/") || self.path.contains("/benches/");
        let named = ["/tests.rs", "/conformance.rs"].iter().any(|name| self.path.ends_with(name));
        inside_tests || named || self.package() == "m2m-testkit"
    }

    /// Lines of code with their numbers, tests left out.
    pub(crate) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(number, _)| !self.is_test(*number))
    }

    /// The files of modules that are declared for tests only.
    fn test_modules(&self) -> Vec<String> {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let directory = match name {
            "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
            name => format!("{directory}/{}", name.trim_end_matches(".rs")),
        };
        let after = self.code.split("#[cfg(test)]").skip(1);
        let declared = after.filter_map(|text| {
            let text = text.trim_start().trim_start_matches("pub(crate) ");
            text.strip_prefix("mod ")?
                .split_once(';')
                .map(|(name, _)| name)
                .filter(|name| !name.contains('{'))
        });
        declared.map(|name| format!("{directory}/{name}.rs")).collect()
    }

    /// Whether this line belongs to a test.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.only_tests || self.tests.iter().any(|range| range.contains(&line))
    }

    /// The line of a byte offset in `code`.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    fn test_ranges(&self) -> Vec<Range<usize>> {
        let marks = self.code.match_indices("#[cfg(test)]");
        let ranges = marks.map(|(start, _)| self.line_at(start)..self.line_at(self.item_end(start)) + 1);
        ranges.collect()
    }

    /// Where the item that starts here ends: its matching brace, or its semicolon.
    pub(crate) fn item_end(&self, start: usize) -> usize {
        let mut depth = 0_usize;
        for (offset, byte) in self.code.bytes().enumerate().skip(start) {
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return offset;
                    }
                }
                b';' if depth == 0 => return offset,
                _ => {}
            }
        }
        self.code.len()
    }
}

/// Every Rust file of ours, in order of path.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for top in ["crates", "xtask"] {
        walk(root, &root.join(top), &mut sources)?;
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in sources.iter_mut().filter(|source| tests.contains(&source.path)) {
        source.only_tests = true;
    }
    Ok(sources)
}

fn walk(root: &Path, directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "node_modules" && name != "target" {
            walk(root, &path, sources)?;
        } else if name.ends_with(".rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            sources.push(Source::parse(&relative, text));
        }
    }
    Ok(())
}

/// Blanks comments and the inside of strings and collects the strings.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let mut lexer = Lexer { text: text.as_bytes(), at: 0, line: 1, code: Vec::new(), strings: Vec::new() };
    while lexer.at < lexer.text.len() {
        lexer.step();
    }
    (String::from_utf8_lossy(&lexer.code).into_owned(), lexer.strings)
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    code: Vec<u8>,
    strings: Vec<(usize, String)>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"//") {
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            self.skip(length);
        } else if rest.starts_with(b"/*") {
            let length = rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2);
            self.skip(length);
        } else if let Some(hashes) = raw_string(rest).filter(|_| !self.after_word()) {
            self.raw(hashes);
        } else if rest[0] == b'"' {
            self.string();
        } else if let Some(length) = character(rest) {
            self.skip(length);
        } else {
            self.copy(1);
        }
    }

    fn after_word(&self) -> bool {
        self.at > 0 && (self.text[self.at - 1].is_ascii_alphanumeric() || self.text[self.at - 1] == b'_')
    }

    fn copy(&mut self, length: usize) {
        for byte in &self.text[self.at..self.at + length] {
            self.line += usize::from(*byte == b'\n');
            self.code.push(if byte.is_ascii() { *byte } else { b'_' });
        }
        self.at += length;
    }

    fn skip(&mut self, length: usize) {
        for byte in &self.text[self.at..self.at + length] {
            self.line += usize::from(*byte == b'\n');
            self.code.push(if *byte == b'\n' { b'\n' } else { b' ' });
        }
        self.at += length;
    }

    fn string(&mut self) {
        let rest = &self.text[self.at + 1..];
        let mut length = 0;
        while length < rest.len() && rest[length] != b'"' {
            length += if rest[length] == b'\\' { 2 } else { 1 };
        }
        self.take(1, length.min(rest.len()), 1);
    }

    fn raw(&mut self, hashes: usize) {
        let open = 2 + hashes;
        let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        let rest = &self.text[self.at + open..];
        let length = rest.windows(close.len()).position(|part| part == close).unwrap_or(rest.len());
        self.take(open, length, close.len());
    }

    fn take(&mut self, open: usize, length: usize, close: usize) {
        let start = self.at + open;
        let content = String::from_utf8_lossy(&self.text[start..start + length]).into_owned();
        self.strings.push((self.line, content));
        self.copy(open);
        self.skip(length);
        self.copy(close.min(self.text.len() - self.at));
    }
}

/// The number of `#` if a raw string starts here.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let rest = rest.strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    (rest.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a character literal that starts here; a lifetime is none.
fn character(rest: &[u8]) -> Option<usize> {
    let inner = rest.strip_prefix(b"'")?;
    if inner.first() == Some(&b'\\') {
        let end = inner.iter().skip(2).position(|byte| *byte == b'\'')?;
        return Some(end + 4);
    }
    let end = inner.iter().take(5).position(|byte| *byte == b'\'')?;
    let one = std::str::from_utf8(&inner[..end]).ok()?.chars().count() == 1;
    one.then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn comments_and_strings_are_blanked_and_strings_kept() {
        let text = "let a = \"x // \\\" {\"; // {\nlet b = r#\"{\"#; let c = '\"'; let d: &'a str = '\\'';\n/* { */ e";
        let source = Source::parse("crates/m2m-io/src/a.rs", text.to_owned());
        assert!(!source.code.contains('{'));
        assert_eq!(source.strings, [(1, "x // \\\" {".to_owned()), (2, "{".to_owned())]);
        assert!(source.code.ends_with(" e") && source.code.contains("&'a str"));
        assert_eq!(source.code.lines().count(), 3);
    }

    #[test]
    fn test_modules_are_not_production() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        let source = Source::parse("crates/m2m-io/src/a.rs", text.to_owned());
        let lines: Vec<usize> = source.production_lines().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 6, 9]);
        assert!(Source::parse("crates/m2m-io/src/a/tests.rs", String::new()).is_test(1));
        assert_eq!(source.test_modules(), ["crates/m2m-io/src/a/more.rs"]);
        assert_eq!(source.package(), "m2m-io");
        assert_eq!(source.inside(), Some("a.rs"));
    }
}
