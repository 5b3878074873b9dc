//! The audit log: one line of JSON for each command that writes, each tied to the line before it.
//!
//! A line holds the SHA-256 of the line before (`previous`) and its number. So a line that was altered, removed or put between others
//! shows, as long as a later line is there. The hash of the last line is noted in a file beside it (`FILE.head`), which also shows a
//! tail that was cut. Who may write both files, and takes the trouble to compute all hashes anew, leaves no trace; a hash that was kept
//! elsewhere shows that too (`verify`).

mod digest;
mod log;
mod verify;

pub use digest::{Digest, digest};
pub use log::{AuditLog, Entry};
pub use verify::{Problem, Report, verify};

/// What `previous` says in the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line that is longer is none of ours, bytes.
const LONGEST: u64 = 16 << 20;

/// The hash of a line, without its end: 64 hexadecimal digits.
fn hash(line: &[u8]) -> String {
    digest::hex(&<sha2::Sha256 as sha2::Digest>::digest(line))
}

/// The file that notes the hash of the last line.
fn head_of(path: &std::path::Path) -> std::path::PathBuf {
    crate::local::with_ending(path, ".head")
}

/// What a head says: how many lines there were, and the hash of the last one.
fn read_head(path: &std::path::Path) -> Option<(u64, String)> {
    let text = crate::local::text(&head_of(path), 200).ok()?;
    let (number, hash) = text.trim().split_once(' ')?;
    (hash.len() == NOTHING.len()).then_some((number.parse().ok()?, hash.to_owned()))
}
