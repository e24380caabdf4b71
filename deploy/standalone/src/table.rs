//! Tables as commands print them: drawn on a terminal, bare columns in a pipe.

use std::io::{IsTerminal, Write};

use atelier_runtime::output;
use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

/// Where a column's content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Prints a table on stdout.
pub(crate) fn print(columns: &[(&str, Align)], rows: Vec<Vec<String>>) -> std::io::Result<()> {
    let drawn = draw(columns, rows, std::io::stdout().is_terminal());
    writeln!(output(), "{drawn}")
}

/// Prints rows on stdout for programs: a JSON object a line.
pub(crate) fn print_json<Row: Serialize>(rows: &[Row]) -> anyhow::Result<()> {
    let mut out = output();
    for row in rows {
        writeln!(out, "{}", serde_json::to_string(row)?)?;
    }
    Ok(())
}

fn draw(columns: &[(&str, Align)], rows: Vec<Vec<String>>, on_terminal: bool) -> String {
    let mut table = Table::new();
    // In a pipe nothing is wrapped or framed, so that a row is a line.
    table.load_style(if on_terminal { UTF8_FULL_CONDENSED } else { NOTHING });
    let arrangement = if on_terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.set_content_arrangement(arrangement);
    table.set_header(columns.iter().map(|(name, _)| *name));
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(|cell| one_line(&cell)).collect::<Vec<_>>()));
    for (column, (_, align)) in table.column_iter_mut().zip(columns) {
        let alignment = match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        };
        column.set_cell_alignment(alignment);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A moment as people read it, to the second: `2026-11-21 13:05:09`, in UTC.
pub(crate) fn time(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_else(|_| moment.to_string())
}

/// The most of an error that a table shows, in characters; `--json` shows all of it.
const ERROR_CHARS: usize = 60;

/// The beginning of an error.
pub(crate) fn error(text: &str) -> String {
    text.chars().take(ERROR_CHARS).collect()
}

/// What came from outside cannot move the cursor or break a row.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Align); 2] = [("what", Align::Left), ("how many", Align::Right)];

    #[test]
    fn a_row_is_a_line_in_a_pipe() {
        let rows = vec![vec!["x\n\u{1b}[2J".repeat(100), "12".to_owned()], vec!["y".to_owned(), "3".to_owned()]];
        let drawn = draw(&COLUMNS, rows, false);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(!drawn.contains('\u{1b}'));
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["y", "3"]);
    }

    #[test]
    fn numbers_stand_under_each_other() {
        let rows = [("a", "1"), ("b", "22")].map(|(what, many)| vec![what.to_owned(), many.to_owned()]);
        let drawn = draw(&COLUMNS, rows.to_vec(), true);
        let ends: Vec<usize> =
            drawn.lines().filter(|line| line.contains(['1', '2'])).map(|line| line.chars().count()).collect();
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0], ends[1]);
    }
}
