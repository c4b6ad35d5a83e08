//! Tables that sort, filter and link by their address, so that they do so without JavaScript too.
//!
//! The address says it all: `?sort=name&down=1&find=text`; a second table of a page has a prefix of its own.

use maud::{Markup, html};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its name in the address.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// Its cells are numbers or times: sorted as such, set right.
    pub(crate) number: bool,
}

/// A cell: what it shows, and what it is sorted and found by.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) shown: Markup,
    /// Compared as text, or by `number` in columns of numbers.
    pub(crate) text: String,
    pub(crate) number: u64,
}

impl Cell {
    /// A text that somebody chose.
    pub(crate) fn text(text: &str) -> Self {
        let shown = if text.is_empty() {
            html! {}
        } else {
            super::isolated(text)
        };
        Self { shown, text: text.to_owned(), number: 0 }
    }

    /// A text that leads somewhere.
    pub(crate) fn link(text: &str, href: &str) -> Self {
        Self { shown: html! { a href=(href) { (super::isolated(text)) } }, text: text.to_owned(), number: 0 }
    }

    /// A count.
    pub(crate) fn number(number: u64) -> Self {
        Self { shown: html! { (number) }, text: number.to_string(), number }
    }

    /// A point in time in seconds since 1970, or the word that stands for none.
    pub(crate) fn moment(seconds: Option<u64>, none: &str) -> Self {
        let shown = seconds.map_or_else(|| html! { span.faint { (none) } }, super::moment);
        Self { shown, text: String::new(), number: seconds.unwrap_or(0) }
    }

    /// Anything, with the text that it is sorted and found by.
    pub(crate) fn of(shown: Markup, text: impl Into<String>) -> Self {
        Self { shown, text: text.into(), number: 0 }
    }
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Up,
    Down,
}

/// How a reader looks at a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    sort: Option<String>,
    down: bool,
    find: String,
    /// What else the address says, which links and the filter keep.
    rest: Vec<(String, String)>,
    prefix: &'static str,
}

impl View {
    /// Reads an address's query; `prefix` tells the tables of one page apart.
    pub(crate) fn of(query: &[(String, String)], prefix: &'static str) -> Self {
        let mut view = Self { prefix, ..Self::default() };
        for (name, value) in query {
            match name.strip_prefix(prefix) {
                Some("sort") => view.sort = Some(value.clone()),
                Some("down") => view.down = value == "1",
                Some("find") => value.trim().clone_into(&mut view.find),
                _ => view.rest.push((name.clone(), value.clone())),
            }
        }
        view
    }

    fn address(&self, column: &str, order: Order) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.rest {
            query.append_pair(name, value);
        }
        if !self.find.is_empty() {
            query.append_pair(&format!("{}find", self.prefix), &self.find);
        }
        query.append_pair(&format!("{}sort", self.prefix), column);
        if order == Order::Down {
            query.append_pair(&format!("{}down", self.prefix), "1");
        }
        format!("?{}", query.finish())
    }
}

/// A table.
pub(crate) struct Table<'a> {
    /// What it lists, for those who do not see the heading above it.
    pub(crate) label: &'a str,
    pub(crate) columns: &'a [Column],
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Shown instead when there is no row at all.
    pub(crate) empty: Markup,
}

impl Table<'_> {
    /// The table as this reader looks at it.
    pub(crate) fn markup(mut self, view: &View) -> Markup {
        if self.rows.is_empty() {
            return self.empty;
        }
        let all = self.rows.len();
        let wanted = view.find.to_lowercase();
        self.rows.retain(|row| row.iter().any(|cell| cell.text.to_lowercase().contains(&wanted)));
        self.sort(view);
        let id = format!("{}find", view.prefix);
        html! {
            form.find method="get" role="search" aria-label={ "Filter " (self.label) } {
                @for (name, value) in &view.rest { input type="hidden" name=(name) value=(value); }
                @if let Some(sort) = &view.sort { input type="hidden" name={ (view.prefix) "sort" } value=(sort); }
                @if view.down { input type="hidden" name={ (view.prefix) "down" } value="1"; }
                label for=(id) { "Filter " (self.label) }
                input #(id) type="search" name=(id) value=(view.find) autocomplete="off" spellcheck="false" data-filter;
                button.small { "Filter" }
                span.faint data-count { (self.rows.len()) " of " (all) }
            }
            div.scroll tabindex="0" role="region" aria-label=(self.label) {
                table {
                    caption.quiet { (self.label) }
                    thead { tr { @for column in self.columns { (head(*column, view)) } } }
                    tbody {
                        @for row in &self.rows {
                            tr { @for (cell, column) in row.iter().zip(self.columns) {
                                td class=[column.number.then_some("number")] data-label=(column.label) { (cell.shown) }
                            } }
                        }
                    }
                }
            }
            @if self.rows.is_empty() { p.empty { "No row has " q { (view.find) } " in it." } }
        }
    }

    fn sort(&mut self, view: &View) {
        let column = |sort: &String| self.columns.iter().position(|column| column.name == sort);
        let Some(index) = view.sort.as_ref().and_then(column) else { return };
        let number = self.columns.get(index).is_some_and(|column| column.number);
        self.rows.sort_by(|a, b| match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) if number => a.number.cmp(&b.number),
            (Some(a), Some(b)) => a.text.to_lowercase().cmp(&b.text.to_lowercase()),
            _ => std::cmp::Ordering::Equal,
        });
        if view.down {
            self.rows.reverse();
        }
    }
}

fn head(column: Column, view: &View) -> Markup {
    let here = view.sort.as_deref() == Some(column.name);
    let order = here.then_some(if view.down { "descending" } else { "ascending" });
    html! {
        th scope="col" aria-sort=[order] class=[column.number.then_some("number")] {
            a href=(view.address(column.name, if here && !view.down { Order::Down } else { Order::Up })) {
                (column.label)
                @if here { span aria-hidden="true" { (if view.down { " ↓" } else { " ↑" }) } }
            }
        }
    }
}
