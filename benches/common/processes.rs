//! Measurements in processes of their own: the bench starts itself again with arguments, so that what one engine leaves in
//! memory does not help or hurt the next, and so that memory can be told apart.
#![allow(dead_code, reason = "the benches use a part each")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

pub type Failure = Box<dyn std::error::Error>;

/// What a process measured, by name.
pub type Figures = BTreeMap<String, f64>;

const CHILD: &str = "HYPSO_BENCH_CHILD";

/// The arguments of a process that [`run`] started; `None` in the bench itself.
pub fn arguments() -> Option<Vec<String>> {
    std::env::var(CHILD).ok().map(|arguments| arguments.split('\n').map(String::from).collect())
}

/// Runs some processes at once. Each measures, waits until all are done, and looks at its memory then: kB as `own` (pages
/// that it wrote to and no other process has), `pss` (its share of all pages) and `rss`.
pub fn run(processes: usize, arguments: &[&str]) -> Result<Vec<Figures>, Failure> {
    let start = |_| {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(CHILD, arguments.join("\n")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut children = (0..processes).map(start).collect::<Result<Vec<_>, _>>()?;
    let mut outputs = Vec::new();
    for child in &mut children {
        outputs.push(BufReader::new(child.stdout.take().ok_or("no output")?));
    }
    let mut answers = vec![Figures::new(); processes];
    for round in 0..2 {
        for (i, output) in outputs.iter_mut().enumerate() {
            if round == 1 {
                children[i].stdin.as_mut().ok_or("no input")?.write_all(b"look\n")?;
            }
            let mut line = String::new();
            output.read_line(&mut line)?;
            if line.is_empty() {
                return Err(format!("a process of {arguments:?} failed").into());
            }
            for (name, value) in line.split_whitespace().filter_map(|pair| pair.split_once('=')) {
                answers[i].insert(name.to_owned(), value.parse()?);
            }
        }
    }
    for mut child in children {
        drop(child.stdin.take());
        child.wait()?;
    }
    Ok(answers)
}

/// The other side of [`run`]: tells what was measured, and keeps `kept` in memory until all have looked.
pub fn answer<T>(kept: T, figures: &[(&str, f64)]) -> Result<(), Failure> {
    let line: Vec<String> = figures.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!("{}", line.join(" "));
    let mut wait = String::new();
    std::io::stdin().read_line(&mut wait)?;
    println!("own={} pss={} rss={}", memory("Private_Dirty")?, memory("Pss")?, memory("Rss")?);
    std::io::stdin().read_line(&mut wait)?;
    drop(kept);
    Ok(())
}

/// A line of this process's memory totals, kB. Linux tells them; elsewhere there are none.
pub fn memory(name: &str) -> Result<f64, Failure> {
    let Ok(text) = std::fs::read_to_string("/proc/self/smaps_rollup") else { return Ok(f64::NAN) };
    let line = text.lines().find(|l| l.split(':').next() == Some(name)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// Seconds on the clock and on the processor. Where other work uses the machine, the latter is what an engine costs.
pub struct Stopwatch {
    begin: Instant,
    cpu: f64,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { begin: Instant::now(), cpu: cpu() }
    }

    pub fn wall(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Of the first thread of the process; on the clock where the system does not tell.
    pub fn cpu(&self) -> f64 {
        let cpu = cpu() - self.cpu;
        if cpu.is_nan() { self.wall() } else { cpu }
    }
}

/// Seconds that the first thread of this process was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).map_or(f64::NAN, |n| n / 1e9)
}

/// Asks the system to drop a file from memory, as far as no process has mapped it. `dd` does that where it is GNU's.
pub fn forget(path: &Path) -> Result<(), Failure> {
    let input = format!("if={}", path.display());
    let done = Command::new("dd").args([input.as_str(), "iflag=nocache", "count=0", "status=none"]).status()?;
    if done.success() { Ok(()) } else { Err("dd can't drop a file from memory here".into()) }
}

/// The sum of a figure over all processes.
pub fn sum(answers: &[Figures], name: &str) -> f64 {
    answers.iter().map(|a| a.get(name).copied().unwrap_or(f64::NAN)).sum()
}

/// The largest of a figure.
pub fn most(answers: &[Figures], name: &str) -> f64 {
    answers.iter().filter_map(|a| a.get(name).copied()).fold(f64::NEG_INFINITY, f64::max)
}

/// A number from the environment.
pub fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
