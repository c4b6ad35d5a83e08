//! A manual page as text: the few macros of man(7) that groff and mandoc share.
//!
//! Enforces: whatever is put in comes out as it is. A backslash, a hyphen, quotes, a caret, a tilde and a line that
//! begins like a request are escaped; characters beyond ASCII are written by number, so that no locale matters.

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// The page's title line.
    pub(super) fn titled(name: &str, source: &str) -> Self {
        let mut page = Self::default();
        let name = escaped(&name.to_uppercase());
        let title = format!(".TH \"{name}\" 1 \"\" \"{}\" \"OAuth 2.0 for machines\"", escaped(source));
        page.raw(&title);
        // A flag that is hyphenated at the end of a line cannot be copied.
        page.raw(".nh");
        page.raw(".ad l");
        page
    }

    pub(super) fn section(&mut self, title: &str) {
        self.raw(&format!(".SH \"{}\"", escaped(&title.to_uppercase())));
    }

    /// Text that is filled; an empty line begins a paragraph.
    pub(super) fn text(&mut self, text: &str) {
        for line in text.lines() {
            match line.trim() {
                "" => self.raw(".PP"),
                line => self.raw(&escaped_line(line)),
            }
        }
    }

    /// A term, and below it what follows until [`Page::paragraph`] or the next one.
    pub(super) fn term(&mut self, inline: &[Inline<'_>]) {
        self.raw(".TP");
        self.inline(inline);
    }

    /// One line of pieces in different faces.
    pub(super) fn inline(&mut self, inline: &[Inline<'_>]) {
        let mut line = String::new();
        for piece in inline {
            match piece {
                Inline::Bold(text) => line.extend(["\\fB", &escaped(text), "\\fR"]),
                Inline::Italic(text) => line.extend(["\\fI", &escaped(text), "\\fR"]),
                Inline::Roman(text) => line.push_str(&escaped(text)),
            }
        }
        self.raw(&line);
    }

    /// A paragraph below a term, indented like it.
    pub(super) fn indented_paragraph(&mut self) {
        self.raw(".IP");
    }

    pub(super) fn paragraph(&mut self) {
        self.raw(".PP");
    }

    /// Lines as they are. They begin near the margin, so that 78 columns fit.
    pub(super) fn preformatted(&mut self, text: &str) {
        self.raw(".EX");
        self.raw(".in 2n");
        for line in text.lines() {
            // An empty line in a page is a request of its own.
            self.raw(&if line.is_empty() { ".sp".to_owned() } else { escaped_line(line) });
        }
        self.raw(".in");
        self.raw(".EE");
    }

    /// Lines that are not filled, at the margin of text.
    pub(super) fn lines(&mut self, text: &str) {
        self.raw(".nf");
        for line in text.lines() {
            self.raw(&escaped_line(line));
        }
        self.raw(".fi");
    }

    fn raw(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// The whole.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A piece of a line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inline<'a> {
    /// What is typed as it stands.
    Bold(&'a str),
    /// What stands for something else.
    Italic(&'a str),
    /// Everything else.
    Roman(&'a str),
}

fn escaped_line(line: &str) -> String {
    let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{}", escaped(line))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let check = |text: &str, expect: &str| assert_eq!(escaped_line(text), expect, "{text}");
        check(
            "a-b 'c' \"d\" \\e ~/f `g` ^h",
            "a\\-b \\(aqc\\(aq \\(dqd\\(dq \\ee \\(ti/f \\(gag\\(ga \\(hah",
        );
        check(".TH", "\\&.TH");
        check("'x", "\\&\\(aqx");
        check("{ … }", "{ \\[u2026] }");
    }

    #[test]
    fn an_example_keeps_its_lines() {
        let mut page = Page::default();
        page.preformatted("a  b\n\n.c");
        assert_eq!(page.finish(), ".EX\n.in 2n\na  b\n.sp\n\\&.c\n.in\n.EE\n");
    }
}
