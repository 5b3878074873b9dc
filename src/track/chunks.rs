//! Pieces of a long text that end where a record ends.

use std::io::Read;

use super::begin::MARK;
use crate::error::{Error, Result};

/// Bytes of a chunk: enough that handing it to a thread costs little beside.
const SIZE: usize = 1 << 20;
/// A longer record is refused.
const LONGEST: usize = 64 << 20;

/// Some whole records.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// The number of its first line, from 1.
    pub line: u64,
    /// The records with the ends of their lines.
    pub bytes: Vec<u8>,
}

/// Cuts an input into chunks of about a megabyte. Ends of lines inside of quotes (RFC 4180) end no record.
#[derive(Debug)]
pub struct Chunks<R> {
    input: R,
    /// What was read and not given out.
    rest: Vec<u8>,
    line: u64,
    ended: bool,
    size: usize,
}

impl<R: Read> Chunks<R> {
    /// Over an input, of which no more than a chunk is held.
    pub fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), line: 1, ended: false, size: SIZE }
    }

    /// Reads until there is a whole record, and as many as fit into a chunk.
    fn fill(&mut self) -> Result<usize> {
        let mut wanted = self.size;
        loop {
            let missing = wanted.saturating_sub(self.rest.len()) as u64;
            let read = self.input.by_ref().take(missing).read_to_end(&mut self.rest);
            self.ended = (read.map_err(Error::io("read", "the input"))? as u64) < missing;
            if self.line == 1 && self.rest.starts_with(MARK) {
                self.rest.drain(..MARK.len());
            }
            if self.ended {
                return Ok(self.rest.len());
            }
            if let Some(end) = last_end(&self.rest) {
                return Ok(end);
            }
            if self.rest.len() >= LONGEST {
                let problem = format!("the record that begins here is longer than {} MB", LONGEST >> 20);
                let part = format!("line {}", self.line);
                return Err(Error::invalid(part, problem, "is a quote left open, or is the input no text?"));
            }
            wanted = self.rest.len() * 2;
        }
    }
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        if self.ended && self.rest.is_empty() {
            return None;
        }
        let end = match self.fill() {
            Ok(0) => return None,
            Ok(end) => end,
            Err(error) => {
                (self.ended, self.rest) = (true, Vec::new());
                return Some(Err(error));
            }
        };
        let rest = self.rest.split_off(end);
        let chunk = Chunk { line: self.line, bytes: std::mem::replace(&mut self.rest, rest) };
        self.line += chunk.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Some(Ok(chunk))
    }
}

/// Behind the last record that is whole.
fn last_end(bytes: &[u8]) -> Option<usize> {
    if !bytes.contains(&b'"') {
        return bytes.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
    }
    // A quote opens a field at its beginning alone; elsewhere it is a character like others.
    let (mut quoted, mut begins, mut end) = (false, true, None);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (quoted, byte) {
            (false, b'"') if begins => quoted = true,
            (true, b'"') if bytes.get(at + 1) == Some(&b'"') => at += 1,
            (true, b'"') => quoted = false,
            (false, b'\n') => end = Some(at + 1),
            _ => {}
        }
        begins = matches!(byte, b',' | b';' | b'\t' | b'\n');
        at += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: usize) -> Vec<(u64, String)> {
        let chunks = Chunks { size, ..Chunks::new(text.as_bytes()) };
        chunks.map(|c| c.map(|c| (c.line, String::from_utf8(c.bytes).unwrap())).unwrap()).collect()
    }

    #[test]
    fn records_are_never_cut_and_nothing_is_lost() {
        let text = "a,b\n\"x\ny\",1\n\n5\" pipe,2\n\"he said \"\"\n\"\"\",3\nlast";
        let records = ["a,b\n", "\"x\ny\",1\n", "\n", "5\" pipe,2\n", "\"he said \"\"\n\"\"\",3\n", "last"];
        for size in 1..60 {
            let found = cut(text, size);
            assert_eq!(found.iter().map(|c| c.1.as_str()).collect::<String>(), text, "{size}");
            let mut at = 0;
            for (line, chunk) in &found {
                assert_eq!(*line, 1 + text[..at].matches('\n').count() as u64);
                at += chunk.len();
                let ends: Vec<usize> = (0..=6).map(|n| records[..n].concat().len()).collect();
                assert!(ends.contains(&at), "{size}: cut at {at}");
            }
        }
        assert_eq!(cut("", 10), []);
        assert_eq!(cut("\u{feff}1,2\n", 10), [(1, "1,2\n".into())]);
        assert_eq!(cut("one\ntwo\n", 100), [(1, "one\ntwo\n".into())]);
    }

    #[test]
    fn a_quote_that_is_left_open_ends_in_an_error_and_bounded_memory() {
        let endless = std::io::Read::chain(&b"1,2\n\"x"[..], std::io::repeat(b'y'));
        let mut chunks = Chunks { size: 4, ..Chunks::new(endless) };
        assert_eq!(chunks.next().unwrap().unwrap().bytes, b"1,2\n");
        let error = chunks.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("quote"), "{error}");
        assert!(chunks.next().is_none());
    }
}
