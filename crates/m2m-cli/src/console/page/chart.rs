//! Columns over time, drawn on the server; the same figures stand in a table below, for whoever does not see them.

use maud::{Markup, html};

/// One kind of thing that is counted.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) label: String,
    /// One count for each column, oldest first.
    pub(crate) counts: Vec<u64>,
}

/// Counts over time, one kind above the other.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// What each column is, such as `08:35`.
    pub(crate) columns: &'a [String],
    /// Six at most are told apart.
    pub(crate) series: &'a [Series],
}

const WIDTH: u64 = 600;
const HEIGHT: u64 = 120;

impl Chart<'_> {
    /// The drawing, its legend, and its figures.
    pub(crate) fn markup(&self) -> Markup {
        let highest = (0..self.columns.len()).map(|column| self.sum(column)).max().unwrap_or(0);
        let total: u64 = self.series.iter().flat_map(|series| &series.counts).sum();
        html! {
            figure.chart {
                figcaption { (self.title) ": " strong { (total) } }
                @if total == 0 { p.faint { "Nothing in this time." } } @else {
                    svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" preserveAspectRatio="none"
                        aria-label=(format!("{}: {total}, at most {highest} in a column", self.title)) {
                        @for column in 0..self.columns.len() { (self.column(column, highest)) }
                    }
                    p.axis { span { (self.columns.first().map_or("", String::as_str)) }
                        span { (self.columns.last().map_or("", String::as_str)) } }
                    ul.legend {
                        @for (index, series) in self.series.iter().enumerate() {
                            li { span class={ "swatch s" (index % 6) } aria-hidden="true" {} (series.label) ": "
                                (series.counts.iter().sum::<u64>()) }
                        }
                    }
                    details { summary { "Figures" } (self.figures()) }
                }
            }
        }
    }

    fn sum(&self, column: usize) -> u64 {
        self.series.iter().filter_map(|series| series.counts.get(column)).sum()
    }

    fn column(&self, column: usize, highest: u64) -> Markup {
        let columns = u64::try_from(self.columns.len()).unwrap_or(1).max(1);
        let left = u64::try_from(column).unwrap_or(0) * WIDTH / columns;
        let width = (WIDTH / columns).saturating_sub(1).max(1);
        let name = self.columns.get(column).map_or("", String::as_str);
        let count_of = |series: &Series| series.counts.get(column).copied().unwrap_or(0);
        let height_of = |series: &Series| count_of(series).saturating_mul(HEIGHT).div_ceil(highest.max(1));
        let below = |index| self.series.iter().take(index).map(height_of).sum::<u64>();
        html! {
            @for (index, series) in self.series.iter().enumerate().filter(|(_, series)| count_of(series) > 0) {
                rect class={ "s" (index % 6) } x=(left) width=(width) height=(height_of(series))
                    y=(HEIGHT.saturating_sub(below(index) + height_of(series))) {
                    title { (name) ", " (series.label) ": " (count_of(series)) }
                }
            }
        }
    }

    fn figures(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label={ "Figures of " (self.title) } {
                table {
                    thead { tr { th scope="col" { "Time" } @for series in self.series { th.number scope="col" { (series.label) } } } }
                    tbody {
                        @for (index, column) in self.columns.iter().enumerate() {
                            @if self.sum(index) > 0 {
                                tr { th scope="row" { (column) }
                                    @for series in self.series { td.number { (series.counts.get(index).copied().unwrap_or(0)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
