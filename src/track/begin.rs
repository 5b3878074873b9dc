//! The beginning of a text, which tells what it is.

use std::io::{Chain, Cursor, Read};

use crate::error::{Error, Result};

/// The byte order mark that some programs write before UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text whose beginning was looked at.
pub type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// The first character of a text that is no space, and the text without a byte order mark. `None` where there is none.
///
/// # Errors
/// Where the input can't be read.
pub fn begin<R: Read>(mut input: R) -> Result<(Option<u8>, Begun<R>)> {
    let mut start = Vec::new();
    let first = |start: &[u8]| start.trim_ascii_start().first().copied();
    loop {
        let read =
            input.by_ref().take(MARK.len() as u64).read_to_end(&mut start).map_err(Error::io("read", "the input"))?;
        if start.starts_with(MARK) {
            start.drain(..MARK.len());
        }
        if read == 0 || first(&start).is_some() {
            return Ok((first(&start), Cursor::new(start).chain(input)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_is_seen_and_all_but_the_mark_is_there() {
        for (text, first, rest) in [
            ("", None, ""),
            ("  \n", None, "  \n"),
            ("\u{feff}", None, ""),
            ("{}", Some(b'{'), "{}"),
            ("\u{feff}\n\n  <gpx>", Some(b'<'), "\n\n  <gpx>"),
            ("\u{feff}1,2\n3,4", Some(b'1'), "1,2\n3,4"),
        ] {
            let (found, mut input) = begin(text.as_bytes()).unwrap();
            let mut all = String::new();
            input.read_to_string(&mut all).unwrap();
            assert_eq!((found, all.as_str()), (first, rest), "{text:?}");
        }
    }
}
