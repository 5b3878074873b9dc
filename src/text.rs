//! Texts from outside, such as names and metadata of files and messages of libraries, made safe to show.

use std::borrow::Cow;

/// Lines that a message has at most.
#[cfg(any(test, feature = "cli"))]
const LINES: usize = 40;

/// Lines that are kept at the end of a longer message: what to do stands there.
#[cfg(any(test, feature = "cli"))]
const LAST: usize = 10;

/// Characters that a message has at most, about two screens of a narrow terminal.
#[cfg(any(test, feature = "cli"))]
const CHARACTERS: usize = 4000;

/// True for characters that move the cursor, send commands to a terminal, or reorder the text around them.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text whose characters can do nothing to a terminal. Lines stay lines. Others are written as JSON writes them, so that a document
/// stays one. Passwords and tokens in URLs are masked.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let text = crate::url::masked(text);
    if !text.chars().any(is_harmful) {
        return text;
    }
    let escaped = |c: char| if is_harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A text of so many characters at most, without its middle where it is longer: a path tells most by its ends.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let (start, end) = (most.div_ceil(2), most / 2);
    let place = |nth: usize| text.char_indices().nth(nth).map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}…{}", &text[..place(start)], &text[place(count - end + 1)..]))
}

/// A text on one line, of so many characters at most.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: String = text.chars().map(|c| if c.is_control() || is_harmful(c) { ' ' } else { c }).collect();
    cut(&words.split_whitespace().collect::<Vec<_>>().join(" "), most).into_owned()
}

/// Bytes for people: `1.5 MB` (powers of 1000).
pub(crate) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 999.5 || unit == "TB" {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    unreachable!("the last unit returns")
}

/// A count in groups of three digits: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A duration for people: `850 ms`, `12.3 s`, `4 min 10 s`, `2 h 05 min`.
pub(crate) fn duration(d: std::time::Duration) -> String {
    let s = d.as_secs_f64();
    if s < 1.0 {
        format!("{:.0} ms", s * 1e3)
    } else if s < 60.0 {
        format!("{s:.1} s")
    } else if s < 3600.0 {
        format!("{} min {:02} s", s as u64 / 60, s as u64 % 60)
    } else {
        format!("{} h {:02} min", s as u64 / 3600, s as u64 % 3600 / 60)
    }
}

/// A message for the user: printable, and no longer than a screen or two. Its later lines are indented, so that no name with a line break in it
/// looks like a message of its own.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn message(text: &str) -> String {
    let text = printable(text);
    let mut lines: Vec<Cow<'_, str>> = text.lines().map(Cow::Borrowed).collect();
    if lines.len() > LINES {
        let left_out = LINES - LAST - 1..lines.len() - LAST;
        let words = format!("… {} more lines …", left_out.len());
        lines.splice(left_out, [words.into()]);
    }
    let most = [800, 400, 200, CHARACTERS / LINES].into_iter();
    let total = |most: usize| lines.iter().map(|line| line.chars().count().min(most)).sum::<usize>();
    let most = most.filter(|&most| total(most) <= CHARACTERS).max().unwrap_or(CHARACTERS / LINES);
    lines.iter().map(|line| cut(line, most)).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_command_a_terminal_are_written_out() {
        assert_eq!(printable("a\tb\nü"), "a\tb\nü");
        assert_eq!(printable("a\u{1b}[31mb\r\u{9b}\u{202e}"), "a\\u001b[31mb\\u000d\\u009b\\u202e");
    }

    #[test]
    fn what_is_too_long_loses_its_middle() {
        assert_eq!(cut("übermäßig", 9), "übermäßig");
        assert_eq!(cut("übermäßig", 5), "übe…g");
        assert_eq!(cut("übermäßig", 5).chars().count(), 5);
        assert_eq!(one_line(" a\n\u{1b}b\t c", 10), "a b c");
    }

    #[test]
    fn no_message_is_longer_than_two_screens() {
        for text in ["a".repeat(100_000), "a\n".repeat(100_000), format!("{}\n", "a".repeat(500)).repeat(500)] {
            let shown = message(&text);
            assert!(
                shown.chars().count() <= CHARACTERS + 3 * LINES && shown.lines().count() <= LINES,
                "{}",
                shown.len()
            );
        }
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let shown = message(&text);
        assert!(shown.starts_with("line 0\n  line 1\n") && shown.ends_with("\n  line 99"), "{shown}");
        assert!(shown.contains("line 28\n  … 61 more lines …\n  line 90"), "{shown}");
        assert_eq!(message("a.tif\nerror: b"), "a.tif\n  error: b");
    }
}
