//! JSON documents in sections: whether a text is one, and texts inside of one.

use json_event_parser::{JsonEvent, SliceJsonParser, WriterJsonSerializer};

/// Checks that a text is one JSON document (RFC 8259), of any depth. Reads all of it; nothing is kept.
///
/// # Errors
/// What is wrong, and where.
pub fn check(text: &str) -> Result<(), String> {
    let mut parser = SliceJsonParser::new(text.as_bytes());
    loop {
        match parser.parse_next() {
            Ok(JsonEvent::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A text as a JSON string, quotes included.
#[must_use]
pub fn string(text: &str) -> String {
    let mut writer = WriterJsonSerializer::new(Vec::new());
    // Writing a single string into memory can't fail.
    let written = writer.serialize_event(JsonEvent::String(text.into())).and_then(|()| writer.finish());
    written.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_told_from_other_texts() {
        let deep = [vec!["["; 60_000].concat(), vec!["]"; 60_000].concat()].concat();
        for good in ["{}", " [1, -2.5e3, true, null, \"\\u00e9\"]\n", "\"a\"", "0", r#"{"a":{"b":[{}]}}"#, &deep] {
            assert_eq!(check(good), Ok(()), "{}", &good[..good.len().min(40)]);
        }
        for bad in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "1 2",
            "{} {}",
            "nul",
            "01",
            "+1",
            ".5",
            "1.",
            "NaN",
            "'a'",
            "\"a",
            "\"\n\"",
            "\"\\x\"",
            "[1}",
            "{\"a\":1,}",
            "}",
            "// c\n1",
            &deep[1..],
        ] {
            assert!(check(bad).is_err_and(|e| !e.is_empty()), "{:?}", &bad[..bad.len().min(40)]);
        }
    }

    #[test]
    fn strings_are_escaped_as_json_has_it() {
        for text in ["", "a", "\"\\/", "\u{7f}\u{0}\n\t", "é\u{2028}𝄞"] {
            let found = string(text);
            assert_eq!(check(&found), Ok(()), "{found}");
            let mut parser = SliceJsonParser::new(found.as_bytes());
            assert_eq!(parser.parse_next().unwrap(), JsonEvent::String(text.into()));
        }
    }
}
