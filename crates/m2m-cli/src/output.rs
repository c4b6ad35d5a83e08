//! The one place that writes. Results go to standard output, everything else to standard error.
//!
//! Voice: `m2m: error: …`, `m2m: hint: …`, lower case, no full stop. A token reaches a stream only through
//! [`Output::result`], which the commands call with what was asked for; notes never carry one.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::exit::Failure;

/// What standard output or standard error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A person looks at it.
    Terminal,
    /// A program or a file takes it.
    Pipe,
}

/// For whom failures and results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Sentences.
    Person,
    /// JSON; the last line on standard error is the error object.
    Program,
}

/// Whether escape sequences for colour may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Bold and red where they help.
    Auto,
    /// Never: `NO_COLOR` is set.
    Never,
}

/// The two streams and what is known about their readers.
pub struct Output {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    out_is: Stream,
    err_is: Stream,
    reader: Reader,
    color: Color,
    verbose: u8,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("out", &self.out_is).field("err", &self.err_is).finish_non_exhaustive()
    }
}

impl Output {
    /// The process's own streams.
    pub fn process(reader: Reader, color: Color, verbose: u8) -> Self {
        let is = |terminal| if terminal { Stream::Terminal } else { Stream::Pipe };
        let (out_is, err_is) = (is(io::stdout().is_terminal()), is(io::stderr().is_terminal()));
        Self::to(Box::new(io::stdout()), Box::new(io::stderr()), [out_is, err_is])
            .with(reader, color, verbose)
    }

    /// Any two writers (output, error) and what they are: for tests and for programs that embed the demo.
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, are: [Stream; 2]) -> Self {
        let [out_is, err_is] = are;
        let (reader, color) = (Reader::Person, Color::Never);
        Self { out: Mutex::new(out), err: Mutex::new(err), out_is, err_is, reader, color, verbose: 0 }
    }

    fn with(mut self, reader: Reader, color: Color, verbose: u8) -> Self {
        (self.reader, self.color, self.verbose) = (reader, color, verbose);
        self
    }

    /// What standard output is.
    pub fn stdout(&self) -> Stream {
        self.out_is
    }

    /// What standard error is.
    pub fn stderr(&self) -> Stream {
        self.err_is
    }

    /// For whom results are written.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// Writes bytes of a result as they are. A reader that went away is not an error.
    ///
    /// # Errors
    /// When the stream cannot be written for another reason (a full disk).
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        ignore_closed(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// Writes one line of a result.
    ///
    /// # Errors
    /// As [`Output::bytes`].
    pub fn result(&self, line: &str) -> Result<(), Failure> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    /// Writes a JSON result: one line on a pipe, indented on a terminal.
    ///
    /// # Errors
    /// As [`Output::bytes`].
    pub fn json(&self, value: &Value) -> Result<(), Failure> {
        match self.out_is {
            Stream::Terminal => self.result(&escaped(&format!("{value:#}"))),
            Stream::Pipe => self.json_line(value),
        }
    }

    /// Writes a JSON result as one line, whoever looks at it: one of many.
    ///
    /// # Errors
    /// As [`Output::bytes`].
    pub fn json_line(&self, value: &Value) -> Result<(), Failure> {
        self.result(&escaped(&value.to_string()))
    }

    /// A sentence for the person, on standard error. Must not hold a secret or a token.
    pub fn note(&self, text: &str) {
        self.error_line(&format!("m2m: {}", printable(text)));
    }

    /// A sentence that something deserves attention though the command goes on.
    pub fn warn(&self, text: &str) {
        self.error_line(&format!("m2m: {} {}", self.paint("warning:", "33"), printable(text)));
    }

    /// A sentence shown with `-v` only.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.note(text);
        }
    }

    /// A line that replaces itself, for progress. Only on a terminal.
    pub fn progress(&self, text: &str) {
        if self.err_is == Stream::Terminal {
            let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
            let _closed = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    /// The end of a failed run: a sentence and a hint, or the JSON object as the last line.
    pub fn failure(&self, failure: &Failure) {
        if self.reader == Reader::Program {
            return self.error_line(&escaped(&failure.to_json().to_string()));
        }
        self.error_line(&format!("m2m: {} {}", self.paint("error:", "1;31"), printable(failure.message())));
        if let Some(hint) = failure.advice() {
            self.error_line(&format!("m2m: {} {}", self.paint("hint:", "1"), printable(hint)));
        }
    }

    /// The text in a colour (SGR parameters) when a person looks at standard error and colours are allowed.
    fn paint(&self, text: &str, sgr: &str) -> String {
        painted(text, sgr, self.err_is, self.color)
    }

    /// The same for a part of a result, when a person looks at standard output.
    pub fn paint_result(&self, text: &str, sgr: &str) -> String {
        painted(text, sgr, self.out_is, self.color)
    }

    fn error_line(&self, line: &str) {
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        // Nowhere is left to report to when standard error itself is gone.
        let _closed = writeln!(err, "{line}").and_then(|()| err.flush());
    }
}

fn painted(text: &str, sgr: &str, stream: Stream, color: Color) -> String {
    match (stream, color) {
        (Stream::Terminal, Color::Auto) => format!("\x1b[{sgr}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

/// A peer's text may hold escape sequences that rewrite a terminal, and marks that turn its writing around; each
/// becomes `?`.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_layout(c) { '?' } else { c }).collect()
}

/// The same for JSON text, which escapes no more than it must: DEL, C1 (a terminal takes U+009B for ESC `[`) and the
/// marks of direction. They can stand in strings only, so that the value stays the same.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if is_layout(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// Line and paragraph separators, and what reorders the text around it.
pub(crate) fn is_layout(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn ignore_closed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::configuration(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;

    /// A stream that keeps what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        /// All of it.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(stream: Stream, color: Color, reader: Reader, expect: &str) {
        let kept = Kept::default();
        let output = Output::to(Box::new(io::sink()), Box::new(kept.clone()), [Stream::Pipe, stream]);
        let failure = Failure::configuration("no\x1b[2J issuer").hint("give --issuer");
        output.with(reader, color, 0).failure(&failure);
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expect);
    }

    #[test]
    fn a_failure_speaks_to_its_reader() {
        let plain = "m2m: error: no?[2J issuer\nm2m: hint: give --issuer\n";
        let json = "{\"error\":{\"code\":null,\"exit\":3,\"hint\":\"give --issuer\",\"kind\":\"misconfigured\",\
                    \"message\":\"no\\u001b[2J issuer\"}}\n";
        let painted = "m2m: \x1b[1;31merror:\x1b[0m no?[2J issuer\nm2m: \x1b[1mhint:\x1b[0m give --issuer\n";
        check(Stream::Pipe, Color::Auto, Reader::Person, plain);
        check(Stream::Terminal, Color::Never, Reader::Person, plain);
        check(Stream::Terminal, Color::Auto, Reader::Person, painted);
        check(Stream::Terminal, Color::Auto, Reader::Program, json);
    }

    #[test]
    fn a_peers_text_moves_no_cursor() {
        let (out, err) = (Kept::default(), Kept::default());
        let output = Output::to(Box::new(out.clone()), Box::new(err.clone()), [Stream::Pipe, Stream::Pipe]);
        output.note("a\x1b[2J");
        output.warn("b\u{9b}2J\u{202e}\u{2029}");
        output.json(&serde_json::json!({"c": "\u{9b}2J\u{7f}\u{202e}ä…"})).unwrap();
        let text = |kept: &Kept| String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text(&err), "m2m: a?[2J\nm2m: warning: b?2J??\n");
        assert_eq!(text(&out), "{\"c\":\"\\u009b2J\\u007f\\u202eä…\"}\n");
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(28))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_not_our_bug() {
        let output = Output::to(Box::new(Full), Box::new(Gone), [Stream::Pipe, Stream::Pipe]);
        let failure = output.result("x").unwrap_err();
        let expected = "cannot write to standard output: No space left on device";
        assert_eq!((failure.exit(), failure.message()), (crate::exit::Exit::Configuration, expected));
    }

    #[test]
    fn a_reader_that_went_away_is_not_an_error() {
        let output = Output::to(Box::new(Gone), Box::new(Gone), [Stream::Pipe, Stream::Pipe]);
        assert_eq!(output.result("x"), Ok(()));
    }
}
