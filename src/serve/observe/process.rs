//! What this process takes, by the names that Prometheus' own clients use.

use std::path::Path;

use crate::memory::kilobytes;

/// What a process takes; fields are absent where the system doesn't tell.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Seconds of processor time, in user and system mode.
    pub cpu_seconds: Option<f64>,
    /// Bytes in memory, those of mapped files included.
    pub resident_bytes: Option<u64>,
    /// Bytes in memory that no file stands behind.
    pub own_bytes: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
}

/// Reads `/proc/self`.
pub fn taken() -> Taken {
    let text = |name: &str| std::fs::read_to_string(Path::new("/proc/self").join(name)).ok();
    let status = text("status");
    // The processor's time in ticks of 10 ms; the name before may hold blanks, and ends with a bracket.
    let ticks = text("stat").and_then(|stat| {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    });
    Taken {
        cpu_seconds: ticks.map(|ticks| ticks as f64 / 100.0),
        resident_bytes: status.as_deref().and_then(|status| kilobytes(status, "VmRSS:")),
        own_bytes: status.as_deref().and_then(|status| kilobytes(status, "RssAnon:")),
        open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn linux_tells_everything() {
        let taken = super::taken();
        assert!(taken.cpu_seconds.is_some() && taken.open_files.unwrap() > 2);
        assert!(taken.resident_bytes.unwrap() >= taken.own_bytes.unwrap() && taken.own_bytes.unwrap() > 100_000);
    }
}
