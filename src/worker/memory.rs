//! How much memory the processes of a run use.

use crate::memory::kilobytes;

/// The largest figures seen during a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryPeak {
    /// The sum of the proportional set sizes of coordinator and workers, bytes: what the run takes of the machine,
    /// shared pages counted once.
    pub total: u64,
    /// The largest proportional set size of one process, bytes.
    pub process: u64,
}

impl MemoryPeak {
    /// Adds one measurement of all processes.
    pub(super) fn take(&mut self, sizes: &[u64]) {
        self.total = self.total.max(sizes.iter().sum());
        self.process = self.process.max(sizes.iter().copied().max().unwrap_or(0));
    }
}

/// Bytes of a process that it shares with no other, and its proportional set size. `None` where the system does not
/// tell; only Linux does.
#[must_use]
pub fn private_and_proportional(process: u32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let field = |name: &str| kilobytes(&text, name);
    Some((field("Private_Clean:")? + field("Private_Dirty:")?, field("Pss:")?))
}

/// The proportional set size of a process, bytes; where the system does not know that, its resident size, which counts
/// shared pages in every process.
pub(super) fn proportional(process: u32) -> Option<u64> {
    if cfg!(target_os = "linux") {
        return private_and_proportional(process).map(|(_, proportional)| proportional);
    }
    let output = std::process::Command::new("ps").args(["-o", "rss=", "-p", &process.to_string()]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}
