//! What the file system knows of a raster.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Reason;

/// A file's size in bytes and its modification time in nanoseconds since 1970 (UTC): changes when the file does.
///
/// Fails, with the reason and the system's words, where the file is missing, empty or out of reach.
pub(super) fn fingerprint(path: &Path) -> Result<(u64, i64), (Reason, String)> {
    let meta = std::fs::metadata(path).map_err(|e| (reason_of(&e), e.to_string()))?;
    if !meta.is_file() {
        return Err((Reason::NotARaster, "not a regular file".to_string()));
    }
    if meta.len() == 0 {
        return Err((Reason::Empty, String::new()));
    }
    let modified = meta.modified().unwrap_or(UNIX_EPOCH);
    Ok((meta.len(), nanoseconds(modified)))
}

/// Why the system refuses a file.
pub(super) fn reason_of(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Reason::NoPermission,
        _ => Reason::Missing,
    }
}

/// Nanoseconds since 1970, negative before.
fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}
