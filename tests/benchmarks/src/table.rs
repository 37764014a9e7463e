//! Tables in Markdown.

use std::fmt::Display;

/// Prints a table whose columns are as wide as they have to be.
pub fn print(header: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::from("|");
        for (column, (cell, &width)) in cells.zip(&widths).enumerate() {
            let cell = if column == 0 {
                format!(" {cell:<width$} |")
            } else {
                format!(" {cell:>width$} |")
            };
            line += &cell;
        }
        println!("{line}");
    };
    line(&mut header.iter().copied());
    let rules: Vec<_> = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| {
            "-".repeat(width - usize::from(column > 0)) + if column > 0 { ":" } else { "" }
        })
        .collect();
    line(&mut rules.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    println!();
}

/// `1,234`, or `-` if there is none.
pub fn number(value: Option<u64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let digits = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `0.83 ×`, or `-` if there is nothing to compare.
pub fn ratio(value: f64, floor: f64) -> String {
    if floor > 0.0 { format!("{:.2} ×", value / floor) } else { "-".to_owned() }
}

/// A row of cells.
pub fn row<const N: usize>(cells: [&dyn Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}
