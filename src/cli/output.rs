//! What commands print: errors, tables, sizes, durations.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use super::{exit, logs, words};
use crate::error::Error;
pub(crate) use crate::text::{bytes, count, duration};
use crate::text::{message, printable};

/// How a command writes its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header line.
    Csv,
    /// A GeoJSON feature collection (RFC 7946, longitude and latitude).
    Geojson,
}

/// Prints an error with its causes to stderr and gives the exit code that belongs to it.
pub fn report_error(error: &anyhow::Error) -> ExitCode {
    let code = code_of(error);
    if code != exit::OK {
        print_error(error);
    }
    ExitCode::from(code)
}

/// The exit code that belongs to an error: none where a reader of stdout has gone.
pub fn code_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            return exit::OK;
        }
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Interrupted) => exit::INTERRUPTED,
        Some(Error::Argument { .. }) => exit::USAGE,
        _ => exit::FAILURE,
    }
}

/// Prints an error with its causes to stderr.
pub fn print_error(error: &anyhow::Error) {
    let label = if color() { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
    let text = error.downcast_ref::<Error>().map_or_else(|| format!("{error:#}"), words::error);
    let text = message(&text);
    let _ = writeln!(std::io::stderr(), "{label} {text}");
    logs::said_error(&text);
}

/// True where stderr is a terminal that wants colour (`NO_COLOR` is honoured).
pub fn color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal()
}

/// Writes `text` and a newline to stdout; a closed pipe is an error that ends the program quietly.
pub fn line(text: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", printable(&text.to_string()))
}

/// Stdout for rows that programs read, such as CSV: a file or a pipe gets them as they are. On a terminal, characters that could command it are
/// written out.
pub fn rows() -> Box<dyn Write> {
    let out = std::io::stdout();
    if out.is_terminal() { Box::new(Shown { out: out.lock(), line: Vec::new() }) } else { Box::new(out.lock()) }
}

/// Writes whole lines without what commands a terminal.
struct Shown<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|&b| b == b'\n') {
            let rest = self.line.split_off(end + 1);
            self.flush()?;
            self.line = rest;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.write_all(printable(&String::from_utf8_lossy(&self.line)).as_bytes())?;
        self.line.clear();
        self.out.flush()
    }
}

/// A count with its noun: `1 record`, `1,234 records`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Lays rows out in columns, the first row as the header; columns named in `right` are aligned to the right.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> = rows.iter().map(|row| row.iter().map(|value| cell(value)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|v| v.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (n, row) in rows.iter().enumerate() {
        let mut text = String::new();
        for (c, value) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - value.chars().count());
            let gap = if c == 0 { "" } else { "  " };
            text += gap;
            text += &if right.contains(&c) { pad + value } else { format!("{value}{pad}") };
        }
        out += text.trim_end();
        out.push('\n');
        if n == 0 && rows.len() > 1 {
            out += &"-".repeat(widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1));
            out.push('\n');
        }
    }
    out
}

/// A path on one line, as tables show it.
pub fn path(path: &std::path::Path) -> String {
    cell(&path.to_string_lossy()).into_owned()
}

/// A value of a table: printable, and on one line.
fn cell(value: &str) -> Cow<'_, str> {
    if value.contains('\n') { printable(value).replace('\n', "\\n").into() } else { printable(value) }
}

/// Lays out names and values below one another, without a header.
pub fn list(rows: &[Vec<String>]) -> String {
    let width = rows.iter().filter_map(|r| r.first()).map(|n| n.chars().count()).max().unwrap_or(0);
    rows.iter().filter_map(|r| Some(format!("  {:width$}  {}\n", cell(r.first()?), cell(r.get(1)?)))).collect()
}

/// A size such as `2G`, `800M`, `64k` or `1048576`: powers of 1024.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim().trim_end_matches(['b', 'B']).trim_end_matches('i');
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: f64 =
        number.trim().parse().map_err(|_| "a size is a number with k, M, G or T, such as 800M".to_owned())?;
    let bytes = number * f64::from(shift).exp2();
    if (0.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err("a size is from 0 to 1e18 bytes".into()) }
}

#[cfg(test)]
mod size_tests {
    use super::parse_bytes;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("2G", 2 << 30), ("1.5M", 3 << 19), ("64k", 65536), ("512", 512), ("1GiB", 1 << 30), ("0", 0)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1M", "two", "1e30T"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
