//! How much memory the processes of a run use.

use std::time::{Duration, Instant};

use crate::memory::kilobytes;

/// The largest figures seen during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryPeak {
    /// The sum of the proportional set sizes of coordinator and workers, bytes: what the run takes of the machine,
    /// shared pages counted once.
    pub total: u64,
    /// The largest proportional set size of one process, bytes.
    pub process: u64,
    /// The totals over the time of the run.
    pub over_time: Timeline,
}

impl MemoryPeak {
    /// Adds one measurement of all processes.
    pub(super) fn take(&mut self, sizes: &[u64]) {
        let total = sizes.iter().sum();
        self.total = self.total.max(total);
        self.over_time.take(total);
        self.process = self.process.max(sizes.iter().copied().max().unwrap_or(0));
    }
}

/// The largest value of each slot of time since the first one was taken; a bounded number of slots, whose length doubles where they
/// do not last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    began: Option<Instant>,
    /// The length of a slot.
    pub every: Duration,
    /// The values.
    pub values: Vec<u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { began: None, every: Duration::from_millis(250), values: Vec::new() }
    }
}

impl Timeline {
    /// So many slots there are at most.
    const SLOTS: usize = 512;

    fn take(&mut self, value: u64) {
        let since = self.began.get_or_insert_with(Instant::now).elapsed();
        self.take_at(since, value);
    }

    /// Takes a value at a time that is no earlier than the last one. Slots since the last value have this one.
    fn take_at(&mut self, since: Duration, value: u64) {
        let slot = |every: Duration| (since.as_nanos() / every.as_nanos()) as usize;
        while slot(self.every) >= Self::SLOTS {
            self.every *= 2;
            self.values = self.values.chunks(2).map(|two| two.iter().copied().max().unwrap_or(0)).collect();
        }
        let slot = slot(self.every);
        if self.values.len() <= slot {
            self.values.resize(slot + 1, value);
        }
        self.values[slot] = self.values[slot].max(value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_keeps_the_peaks_in_a_bounded_number_of_slots() {
        let mut line = Timeline::default();
        for second in 0..100_000u64 {
            line.take_at(Duration::from_secs(second), if second == 77_777 { 900 } else { second % 100 });
        }
        assert!(
            line.values.len() > Timeline::SLOTS / 2 && line.values.len() <= Timeline::SLOTS,
            "{}",
            line.values.len()
        );
        assert_eq!(line.every, Duration::from_secs(256));
        assert_eq!(line.values.iter().position(|&value| value == 900), Some(77_777 / 256));
        assert!(line.values.iter().filter(|&&value| value == 99).count() > 300, "peaks stay");
    }

    #[test]
    fn slots_without_a_value_have_the_next_one() {
        let mut line = Timeline::default();
        line.take_at(Duration::ZERO, 5);
        line.take_at(Duration::from_millis(600), 7);
        line.take_at(Duration::from_millis(740), 6);
        assert_eq!(line.values, [5, 7, 7]);
    }
}
