//! Citations in the source: `// spec: ID ID` at the code that carries a requirement out, `// spec-test: ID, ID` at
//! the test that would notice.
//!
//! A citation names what follows it: an item, or, inside of a function, that function. At the head of a file it is
//! the file's. Refused: a `spec-test` neither before nor in a test, a `spec` among tests, a comment without an id.
//! Limits: lines of a string literal that look like such a comment count as one.

use crate::tidy::source::Source;

/// Code or test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    Test,
}

/// One id at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Citation {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the root.
    pub(super) path: String,
    /// For messages only: it changes with every edit.
    pub(super) line: usize,
    /// `Type::function`, `function`, a constant; `None` for the whole file.
    pub(super) item: Option<String>,
}

/// The citations of a file, comment by comment, or what is wrong with one.
pub(super) fn of(source: &Source) -> Vec<Result<Vec<Citation>, String>> {
    let code: Vec<&str> = source.code.lines().collect();
    let comments = source.text.lines().enumerate().filter_map(|(index, line)| {
        let comment = line.trim_start();
        let (kind, rest) = match comment.strip_prefix("// spec-test:") {
            Some(rest) => (Kind::Test, rest),
            None => (Kind::Code, comment.strip_prefix("// spec:")?),
        };
        Some((index, kind, rest))
    });
    comments.map(|(index, kind, rest)| cite(source, &code, index, kind, rest)).collect()
}

fn cite(
    source: &Source,
    code: &[&str],
    index: usize,
    kind: Kind,
    rest: &str,
) -> Result<Vec<Citation>, String> {
    let line = index + 1;
    let wrong = |what: &str| Err(format!("{}:{line}: {what}", source.path));
    let ids: Vec<&str> = rest.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if ids.is_empty() || !ids.iter().all(|id| is_id(id)) {
        return wrong("ids such as 6749-AS1 stand here, separated by spaces or commas, and nothing else");
    }
    let (attributes, next) = following(code, line);
    let item = match kind {
        Kind::Test => match next.and_then(declared) {
            Some(("fn", name)) if attributes.iter().any(|one| is_test(one)) => Some(name.to_owned()),
            _ => match enclosing_test(source, code, line) {
                Some(name) => Some(name.to_owned()),
                None => return wrong("no test follows"),
            },
        },
        Kind::Code if source.is_test(line) => return wrong("a test cites with spec-test"),
        Kind::Code => item(source, line, next),
    };
    let place = Place { path: source.path.clone(), line, item };
    Ok(ids.into_iter().map(|id| Citation { id: id.to_owned(), kind, place: place.clone() }).collect())
}

/// `6749-AS1`, `JOSE-V3`, `7009-AS1a`.
fn is_id(word: &str) -> bool {
    let Some((document, rest)) = word.split_once('-') else { return false };
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let part = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let wholly = !document.is_empty() && document.chars().all(upper);
    wholly && digits != part && part.len() <= 1 && part.chars().all(|c| c.is_ascii_lowercase())
}

fn is_test(attribute: &str) -> bool {
    attribute.starts_with("#[") && attribute.contains("test")
}

/// The test that a line stands in.
fn enclosing_test<'a>(source: &'a Source, code: &[&str], line: usize) -> Option<&'a str> {
    let (start, name) = enclosing(source, line, function)?;
    let before = code.iter().take(start).rev().map(|text| text.trim());
    let mut attributes =
        before.take_while(|text| text.is_empty() || text.starts_with("#[") || text.ends_with(")]"));
    attributes.any(is_test).then_some(name)
}

fn function(line: &str) -> Option<&str> {
    declared(line).filter(|(keyword, _)| *keyword == "fn").map(|(_, name)| name)
}

/// The attributes after line `line`, and the first line of code that is none.
fn following<'a>(code: &[&'a str], line: usize) -> (Vec<&'a str>, Option<&'a str>) {
    let mut attributes = Vec::new();
    let mut open = 0_usize;
    for text in code.iter().skip(line).map(|text| text.trim()).filter(|text| !text.is_empty()) {
        if open == 0 && !text.starts_with("#[") {
            return (attributes, Some(text));
        }
        open = (open + text.matches('[').count()).saturating_sub(text.matches(']').count());
        attributes.push(text);
    }
    (attributes, None)
}

/// Keyword and name of the item that a line begins.
fn declared(line: &str) -> Option<(&str, &str)> {
    let words =
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let mut words =
        words.skip_while(|word| matches!(*word, "pub" | "crate" | "super" | "in" | "async" | "unsafe"));
    let (first, second) = (words.next()?, words.next()?);
    match (first, second) {
        ("const", "fn" | "async" | "unsafe") => declared(line.split_once("const ")?.1),
        ("fn" | "struct" | "enum" | "trait" | "type" | "mod" | "const" | "static" | "impl", _) => {
            Some((first, second))
        }
        _ => None,
    }
}

/// What a citation in code is about.
fn item(source: &Source, line: usize, next: Option<&str>) -> Option<String> {
    let next = next?;
    match declared(next) {
        Some(("impl", _)) => Some(next.trim_end_matches('{').trim().to_owned()),
        Some((_, name)) => Some(qualified(source, line, name)),
        None if next.starts_with("use ") => None,
        None => {
            let (line, name) = enclosing(source, line, function)?;
            Some(qualified(source, line, name))
        }
    }
}

/// `name`, or `Type::name` inside of an `impl`.
fn qualified(source: &Source, line: usize, name: &str) -> String {
    match enclosing(source, line, implemented) {
        Some((_, owner)) => format!("{owner}::{name}"),
        None => name.to_owned(),
    }
}

/// The last line before `line` that `pick` takes and whose item reaches beyond `line`.
fn enclosing<'a>(
    source: &'a Source,
    line: usize,
    pick: impl Fn(&'a str) -> Option<&'a str>,
) -> Option<(usize, &'a str)> {
    let mut start = 0;
    let mut found = None;
    for (index, text) in source.code.split('\n').enumerate().take(line) {
        if let Some(name) = pick(text)
            && source.line_at(source.item_end(start)) > line
        {
            found = Some((index, name));
        }
        start += text.len() + 1;
    }
    found
}

/// The type that an `impl` line is for.
fn implemented(line: &str) -> Option<&str> {
    let header = line.trim_start().strip_prefix("impl")?.trim_end().trim_end_matches('{').trim_end();
    let owner = header.rsplit_once(" for ").map_or_else(|| after_parameters(header), |(_, owner)| owner);
    let owner = owner.trim_start().split(['<', ' ']).next().unwrap_or_default();
    let name = owner.rsplit("::").next().unwrap_or_default();
    (!name.is_empty()).then_some(name)
}

/// `Host<T>` of `<T> Host<T>`.
fn after_parameters(header: &str) -> &str {
    if !header.starts_with('<') {
        return header;
    }
    let mut depth = 0_usize;
    for (offset, letter) in header.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if depth == 1 => return &header[offset + 1..],
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::{Kind, declared, is_id, of};
    use crate::tidy::source::Source;

    #[track_caller]
    fn finds(path: &str, text: &str, expect: &[(&str, Kind, Option<&str>)]) {
        let source = Source::parse(&format!("crates/m2m-io/src/{path}"), text.to_owned());
        let found: Vec<_> = of(&source).into_iter().flat_map(Result::unwrap).collect();
        let seen: Vec<_> =
            found.iter().map(|one| (one.id.as_str(), one.kind, one.place.item.as_deref())).collect();
        assert_eq!(seen, expect, "{text}");
    }

    #[track_caller]
    fn refused(path: &str, text: &str, part: &str) {
        let source = Source::parse(&format!("crates/m2m-io/src/{path}"), text.to_owned());
        let finding = of(&source).remove(0).unwrap_err();
        assert!(finding.contains(part), "{finding}");
    }

    #[test]
    fn what_follows_is_what_is_meant() {
        let code = |id, item| [(id, Kind::Code, item)];
        finds("a.rs", "/// It.\n// spec: 1-C1\n#[must_use]\npub const fn a() {}\n", &code("1-C1", Some("a")));
        finds("a.rs", "// spec: JOSE-V1\npub(crate) async fn b() {}\n", &code("JOSE-V1", Some("b")));
        finds("a.rs", "// spec: 1-C1\nstatic ROWS: u8 = 1;\n", &code("1-C1", Some("ROWS")));
        finds("a.rs", "// spec: 1-C1\nimpl A for B {\n}\n", &code("1-C1", Some("impl A for B")));
        let method = "impl<T: Fn(u8)> Host<T> {\n    fn other() {}\n    // spec: 1-C1\n    pub fn a(&self) {\n    }\n}\n";
        finds("a.rs", method, &code("1-C1", Some("Host::a")));
        let of_trait = "impl Deref for b::Host {\n    // spec: 1-C1\n    fn a(&self) {}\n}\n";
        finds("a.rs", of_trait, &code("1-C1", Some("Host::a")));
    }

    #[test]
    fn inside_of_a_function_it_is_the_function() {
        let text =
            "fn before() {}\nimpl Host {\n  fn a() {\n    // spec: 1-C1\n    b();\n  }\n  fn after() {}\n}\n";
        finds("a.rs", text, &[("1-C1", Kind::Code, Some("Host::a"))]);
        finds("a.rs", "//! It.\n// spec: 1-C1\n\nuse a::b;\nfn c() {}\n", &[("1-C1", Kind::Code, None)]);
    }

    #[test]
    fn one_comment_may_hold_several_ids_and_one_item_several_comments() {
        let text = "// spec: 1-C1, 1-C2 1-C3\n// spec: 1-C4\nfn a() {}\n";
        let expect = ["1-C1", "1-C2", "1-C3", "1-C4"].map(|id| (id, Kind::Code, Some("a")));
        finds("a.rs", text, &expect);
    }

    #[test]
    fn a_test_is_named_with_whatever_stands_in_between() {
        let text =
            "// spec-test: 1-AS1\n// Why.\n#[tokio::test(\n    start_paused\n)]\nasync fn it_does() {}\n";
        finds("tests.rs", text, &[("1-AS1", Kind::Test, Some("it_does"))]);
        let inside =
            "#[cfg(test)]\nmod tests {\n    // spec-test: 1-AS1\n    #[test]\n    fn it_is() {}\n}\n";
        finds("a.rs", inside, &[("1-AS1", Kind::Test, Some("it_is"))]);
    }

    #[test]
    fn a_citation_that_cites_nothing_is_refused() {
        refused("tests.rs", "// spec-test: 1-AS1\nfn no_test() {}\n", "no test follows");
        refused("tests.rs", "// spec-test: 1-AS1\n", "no test follows");
        refused(
            "tests.rs",
            "#[test]\nfn a() {}\nfn b() {\n    // spec-test: 1-AS1\n    a();\n}\n",
            "no test follows",
        );
        refused("tests.rs", "// spec: 1-AS1\n#[test]\nfn it_is() {}\n", "spec-test");
        refused("a.rs", "// spec: see below\nfn a() {}\n", "ids such as");
        refused("a.rs", "// spec:\nfn a() {}\n", "ids such as");
    }

    #[test]
    fn ids_and_items() {
        for good in ["6749-AS1", "JOSE-V12", "7009-AS1a", "GSA-1"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["6749", "6749-AS", "rfc-AS1", "6749-AS1ab", "6749-as1", "-AS1", "6749-AS1."] {
            assert!(!is_id(bad), "{bad}");
        }
        assert_eq!(declared("pub(in crate::a) struct B;"), None);
        assert_eq!(declared("let const_ = 1;"), None);
    }
}
