//! What processes take: processor time, memory, bytes read and written. Only Linux tells; elsewhere all is `None`.

use crate::memory::kilobytes;

/// What a process takes; fields are absent where the system doesn't tell.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    /// Seconds of processor time in user and system mode, those of ended children that it waited for included.
    pub(crate) cpu_seconds: Option<f64>,
    /// Bytes in memory, those of mapped files included.
    pub(crate) resident_bytes: Option<u64>,
    /// Bytes in memory that no file stands behind.
    pub(crate) own_bytes: Option<u64>,
    /// Bytes that it read from disks, ended children included.
    pub(crate) read_bytes: Option<u64>,
    /// Bytes that it had written to disks, ended children included.
    pub(crate) written_bytes: Option<u64>,
    /// Open files.
    pub(crate) open_files: Option<u64>,
}

/// Looks at this process.
pub(crate) fn taken() -> Taken {
    taken_by("self")
}

fn taken_by(process: &str) -> Taken {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    let status = text("status");
    // The processor's time in ticks of 10 ms; the name before may hold blanks, and ends with a bracket.
    let ticks = text("stat").and_then(|stat| {
        let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
        let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        (ticks.len() == 4).then(|| ticks.iter().sum::<u64>())
    });
    let io = text("io");
    let bytes = |name: &str| {
        let line = io.as_deref()?.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    Taken {
        cpu_seconds: ticks.map(|ticks| ticks as f64 / 100.0),
        resident_bytes: status.as_deref().and_then(|status| kilobytes(status, "VmRSS:")),
        own_bytes: status.as_deref().and_then(|status| kilobytes(status, "RssAnon:")),
        read_bytes: bytes("read_bytes:"),
        written_bytes: bytes("write_bytes:"),
        open_files: std::fs::read_dir(format!("/proc/{process}/fd")).ok().map(|files| files.count() as u64),
    }
}

/// What this process and all processes below it take together. Memory is that which no file stands behind, because workers share the
/// mapped store.
#[cfg(feature = "cli")]
pub(crate) fn taken_by_all() -> Taken {
    let mut sum = taken();
    let mut left = children("self");
    // A tree that grows while it is looked at ends somewhere.
    let mut most = 10_000;
    while let Some(process) = left.pop().filter(|_| most > 0) {
        most -= 1;
        let one = taken_by(&process);
        left.extend(children(&process));
        let add = |all: &mut Option<u64>, one: Option<u64>| *all = all.zip(one).map(|(a, b)| a + b).or(*all);
        sum.cpu_seconds = sum.cpu_seconds.zip(one.cpu_seconds).map(|(a, b)| a + b).or(sum.cpu_seconds);
        add(&mut sum.resident_bytes, one.resident_bytes);
        add(&mut sum.own_bytes, one.own_bytes);
        add(&mut sum.read_bytes, one.read_bytes);
        add(&mut sum.written_bytes, one.written_bytes);
        add(&mut sum.open_files, one.open_files);
    }
    sum
}

/// The processes that a process has started, by their numbers.
#[cfg(feature = "cli")]
fn children(process: &str) -> Vec<String> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    threads.flatten().flat_map(|t| of(t).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn linux_tells_everything() {
        let taken = super::taken();
        assert!(taken.cpu_seconds.is_some() && taken.open_files.unwrap() > 2);
        assert!(taken.resident_bytes.unwrap() >= taken.own_bytes.unwrap() && taken.own_bytes.unwrap() > 100_000);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn what_children_take_counts_while_they_live_and_when_they_have_ended() {
        use std::io::Read;
        let before = super::taken_by_all().cpu_seconds.unwrap();
        // It works for a while, says so, and waits until its input ends.
        let script = "n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done; echo; read x";
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let own = super::taken().cpu_seconds.unwrap();
        let all = super::taken_by_all().cpu_seconds.unwrap();
        assert!(all > own, "{all} {own}");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(super::taken_by_all().cpu_seconds.unwrap() >= all - 0.011 && all > before);
    }
}
