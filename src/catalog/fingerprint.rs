//! What the file system knows of a raster.

use std::path::Path;

use super::Reason;
use crate::local;
use crate::raster::{self, FileStamp, modified};
use crate::url;

/// A file's size in bytes and its modification time in nanoseconds since 1970 (UTC): changes when the file does. A
/// member of a zip has those of the zip.
///
/// Fails, with the reason and the system's words, where the file is missing, empty or out of reach.
pub(super) fn fingerprint(path: &Path) -> Result<(u64, i64), (Reason, String)> {
    if url::is_one(path) {
        let facts = raster::objects().and_then(|objects| objects.facts(path));
        let facts = facts.map_err(|error| {
            let reason = reason_of(&error);
            // The reason itself says what to do where requests are not allowed.
            let advice = if reason == Reason::Remote { "" } else { url::advice(error.kind()) };
            (reason, format!("{error}; {advice}").trim_end_matches("; ").to_string())
        })?;
        return match facts {
            FileStamp { size: 0, .. } => Err((Reason::Empty, String::new())),
            facts => Ok((facts.size, facts.modified_ns)),
        };
    }
    let meta = std::fs::metadata(local::file_of(path)).map_err(|e| (reason_of(&e), e.to_string()))?;
    if !meta.is_file() {
        return Err((Reason::NotARaster, "not a regular file".to_string()));
    }
    if meta.len() == 0 {
        return Err((Reason::Empty, String::new()));
    }
    Ok((meta.len(), modified(&meta)))
}

/// Why the system refuses a file.
pub(super) fn reason_of(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Reason::NoPermission,
        std::io::ErrorKind::Unsupported => Reason::Remote,
        std::io::ErrorKind::Other | std::io::ErrorKind::InvalidData => Reason::OutOfReach,
        _ => Reason::Missing,
    }
}
