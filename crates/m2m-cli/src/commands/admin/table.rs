//! Lists as aligned tables: a line of headings, two spaces between columns, nothing after the last one.

use crate::exit::Failure;
use crate::output::{Output, printable};

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "-";

/// Rows of cells below their headings.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    pub(super) headings: [&'static str; N],
    pub(super) rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn of(headings: [&'static str; N]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    /// The lines, headings first. Each is safe to show.
    pub(super) fn lines(&self) -> Vec<String> {
        let headings = self.headings.map(str::to_owned);
        let all = || std::iter::once(&headings).chain(&self.rows);
        let mut widths = [0; N];
        for row in all() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(shown(cell).chars().count());
            }
        }
        let line = |row: &[String; N]| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                let cell = shown(cell);
                line.push_str(&format!("{cell:<width$}  "));
            }
            line.trim_end().to_owned()
        };
        all().map(line).collect()
    }

    /// Writes the table, or says in a note that there is nothing.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(super) fn write(&self, nothing: &str, output: &Output) -> Result<(), Failure> {
        if self.rows.is_empty() {
            output.note(nothing);
            return Ok(());
        }
        for (index, line) in self.lines().iter().enumerate() {
            match index {
                0 => output.result(&output.paint_result(line, "1"))?,
                _ => output.result(line)?,
            }
        }
        Ok(())
    }
}

fn shown(cell: &str) -> String {
    match cell {
        "" => NOTHING.to_owned(),
        cell => printable(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_headings() {
        let mut table = Table::of(["ID", "OWNER", "STATUS"]);
        table.rows.push(["billing".into(), String::new(), "active".into()]);
        table.rows.push(["ä".into(), "team\u{1b}[2J".into(), String::new()]);
        assert_eq!(
            table.lines(),
            ["ID       OWNER     STATUS", "billing  -         active", "ä        team?[2J  -"]
        );
    }
}
