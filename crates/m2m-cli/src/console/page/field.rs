//! Form fields: each with its label, its help and its error tied to it (WCAG 2.2: 1.3.1, 3.3.1, 3.3.2).

use maud::{Markup, html};

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The name of the field; empty for the form as a whole.
    pub(crate) field: String,
    pub(crate) text: String,
}

/// One line or several to type.
///
/// A secret is never given a value: what was typed is typed again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry<'a> {
    /// Its name in the form; also its `id`.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    pub(crate) value: &'a str,
    /// `text`, `url`, `search`, `password`, `date`, `number`; `area` for several lines. Empty is `text`.
    pub(crate) kind: &'a str,
    pub(crate) required: bool,
    /// One of several ways, of which none is needed by itself: nothing is said of its being optional.
    pub(crate) alternative: bool,
    /// An address that checks a value when the field is left: `?name=…&value=…` answers with a sentence or nothing.
    pub(crate) check: Option<&'a str>,
    /// Words with spaces between, which the script shows as chips.
    pub(crate) chips: bool,
    /// What to offer while typing.
    pub(crate) offers: &'a [String],
    /// As HTML's `autocomplete`; empty is `off`.
    pub(crate) autocomplete: &'a str,
}

impl Entry<'_> {
    /// The field with what is wrong with it.
    pub(crate) fn markup(&self, problems: &[Problem]) -> Markup {
        let problem = problems.iter().find(|problem| problem.field == self.name);
        let (help, wrong) = (format!("{}-help", self.name), format!("{}-wrong", self.name));
        let described = match self.help {
            "" => wrong.clone(),
            _ => format!("{help} {wrong}"),
        };
        let invalid = problem.map(|_| "true");
        let completes = if self.autocomplete.is_empty() { "off" } else { self.autocomplete };
        let offers = (!self.offers.is_empty()).then(|| format!("{}-offers", self.name));
        html! {
            div.field {
                label for=(self.name) { (self.label) @if !(self.required || self.alternative || self.kind == "search") { span.optional { " (optional)" } } }
                @if !self.help.is_empty() { p.help #(help) { (self.help) } }
                @if self.kind == "area" {
                    textarea #(self.name) name=(self.name) rows="4" spellcheck="false" required[self.required]
                        aria-describedby=(described) aria-invalid=[invalid] { (self.value) }
                } @else {
                    input #(self.name) name=(self.name) type=(if self.kind.is_empty() { "text" } else { self.kind })
                        value=[(self.kind != "password").then_some(self.value)] autocomplete=(completes)
                        autocapitalize="none" spellcheck="false" required[self.required] list=[offers.as_deref()]
                        data-check=[self.check] data-chips[self.chips]
                        aria-describedby=(described) aria-invalid=[invalid];
                }
                @if let Some(offers) = &offers {
                    datalist #(offers) { @for offer in self.offers { option value=(offer) {} } }
                }
                p.wrong #(wrong) { @if let Some(problem) = problem { (problem.text) } }
            }
        }
    }
}

/// One of several.
#[derive(Clone, Debug)]
pub(crate) struct Alternative {
    pub(crate) value: String,
    pub(crate) label: String,
    /// What follows from it, in one line.
    pub(crate) help: String,
    /// Why it cannot be chosen.
    pub(crate) refused: Option<String>,
}

/// A choice of one (`radio`) or of several (`checkbox`).
#[derive(Clone, Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    pub(crate) options: &'a [Alternative],
    pub(crate) chosen: &'a [String],
    pub(crate) several: bool,
}

impl Choice<'_> {
    /// The choice with what is wrong with it.
    pub(crate) fn markup(&self, problems: &[Problem]) -> Markup {
        let problem = problems.iter().find(|problem| problem.field == self.name);
        let kind = if self.several { "checkbox" } else { "radio" };
        let wrong = format!("{}-wrong", self.name);
        html! {
            fieldset.choice #(self.name) tabindex="-1" aria-describedby=(wrong) {
                legend { (self.label) }
                @if !self.help.is_empty() { p.help { (self.help) } }
                @for (index, option) in self.options.iter().enumerate() {
                    @let id = format!("{}-{index}", self.name);
                    @let about = format!("{id}-about");
                    div.option {
                        input #(id) type=(kind) name=(self.name) value=(option.value) aria-describedby=(about)
                            checked[self.chosen.contains(&option.value)] disabled[option.refused.is_some()];
                        label for=(id) { (option.label) }
                        p.help #(about) {
                            (option.help)
                            @if let Some(why) = &option.refused { " " span.refused { "Not possible: " (why) } }
                        }
                    }
                }
                p.wrong #(wrong) { @if let Some(problem) = problem { (problem.text) } }
            }
        }
    }
}

/// What is wrong with a form, above it: takes the focus, and leads to each field.
pub(crate) fn problems(problems: &[Problem]) -> Markup {
    html! {
        @if !problems.is_empty() {
            div.notice.bad role="alert" tabindex="-1" autofocus {
                p.title { (if problems.len() == 1 { "One thing is to be mended" } else { "Some things are to be mended" }) }
                ul {
                    @for problem in problems {
                        li {
                            @if problem.field.is_empty() { (problem.text) }
                            @else { a href={ "#" (problem.field) } { (problem.text) } }
                        }
                    }
                }
            }
        }
    }
}
