//! How much memory the system has left for this process.

/// Bytes that this process can take beside what it has: what is free on the machine, or less where its address space
/// (`ulimit -v`) or its control group (a container, a service) is bounded. `None` where the system does not tell; only Linux does.
#[must_use]
pub(crate) fn available() -> Option<u64> {
    let machine = kilobytes(&read("/proc/meminfo")?, "MemAvailable:")?;
    let bounds = [address_space(), control_group("/sys/fs/cgroup")];
    Some(bounds.into_iter().flatten().fold(machine, u64::min))
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The value of a line of kilobytes, as bytes.
pub(crate) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb * 1024)
}

/// What is left of the address space that the process may have; `None` where that is not bounded.
fn address_space() -> Option<u64> {
    let limits = read("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let most = line.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(most.saturating_sub(kilobytes(&read("/proc/self/status")?, "VmSize:")?))
}

/// What is left of the memory of the control group, version 2; `None` where that is not bounded.
fn control_group(root: &str) -> Option<u64> {
    let group = read("/proc/self/cgroup")?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::"))?;
    let file = |name: &str| read(&format!("{root}{path}/{name}"));
    let number = |name: &str| file(name)?.trim().parse::<u64>().ok();
    let (most, held) = (number("memory.max")?, number("memory.current")?);
    // Cached files count as held, and make room.
    let stat = file("memory.stat")?;
    let cached =
        |name: &str| stat.lines().find_map(|l| l.strip_prefix(name)).and_then(|n| n.trim().parse::<u64>().ok());
    let cached = cached("inactive_file ").unwrap_or(0) + cached("active_file ").unwrap_or(0);
    Some(most.saturating_sub(held.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_memory_left_and_a_line_is_read_as_bytes() {
        assert_eq!(kilobytes("MemFree: 1 kB\nMemAvailable:   2048 kB\n", "MemAvailable:"), Some(2 << 20));
        assert_eq!(kilobytes("MemAvailable: much", "MemAvailable:"), None);
        if cfg!(target_os = "linux") {
            assert!(available().unwrap() > 1 << 20);
        }
    }
}
