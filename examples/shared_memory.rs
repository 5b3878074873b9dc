//! What a store costs each of several processes that query it at once: time to open, and memory of its own.
//!
//! ```sh
//! cargo run --release --no-default-features --example shared_memory -- STORE [PROCESSES [QUERIES]]
//! ```
//!
//! Every process opens the store for the first time in its life, asks for a million boxes where the data are, and waits
//! until all others are done; so all pages that any of them used are mapped by each. Linux tells the memory: a
//! *proportional* set counts a page that four processes share as a quarter each; *private* pages are a process's own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use hypso::query::Order;
use hypso::store::Store;
use hypso::tile::TileCoord;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else { return Err("usage: shared_memory STORE [PROCESSES [QUERIES]]".into()) };
    let number = |i: usize, otherwise: u64| arguments.get(i).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    if std::env::var_os("HYPSO_CHILD").is_some() {
        return child(path, number(2, 0));
    }
    let alone = run(path, 1, number(2, 1_000_000))?;
    let together = run(path, number(1, 4), number(2, 1_000_000))?;
    println!("sum of proportional sets: {:.3} times that of one process", together / alone);
    Ok(())
}

/// Runs some processes and gives the sum of their proportional set sizes.
fn run(path: &str, processes: u64, queries: u64) -> Result<f64, Failure> {
    let start = |seed: u64| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(path).arg(seed.to_string()).arg(queries.to_string()).env("HYPSO_CHILD", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut children = (0..processes).map(start).collect::<Result<Vec<_>, _>>()?;
    let mut answers = Vec::new();
    for child in &mut children {
        answers.push(BufReader::new(child.stdout.take().ok_or("no output")?));
    }
    // One line when its queries are answered, another when it has looked at its memory; then it may go.
    let mut line = String::new();
    for answer in &mut answers {
        answer.read_line(&mut line)?;
    }
    let mut sum = 0.0;
    for (child, answer) in children.iter_mut().zip(&mut answers) {
        child.stdin.as_mut().ok_or("no input")?.write_all(b"look\n")?;
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let numbers: Vec<f64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [open, per_query, private_open, private, proportional] = numbers[..] else {
            return Err(format!("a child said {line:?}").into());
        };
        println!(
            "{processes} processes: open {open:.0} us, {private_open:.0} kB of its own after it; {per_query:.2} us a query; \
             then {private:.0} kB of its own, proportional set {:.1} MB",
            proportional / 1000.0
        );
        sum += proportional;
    }
    for mut child in children {
        drop(child.stdin.take());
        child.wait()?;
    }
    Ok(sum)
}

fn child(path: &str, queries: u64) -> Result<(), Failure> {
    let before = memory("Private_Dirty")?;
    let begin = Instant::now();
    let store = Store::open(path)?;
    let open = begin.elapsed();
    let after_open = memory("Private_Dirty")? - before;
    // Each process asks for the same boxes; the generator is Knuth's MMIX one.
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let begin = Instant::now();
    let mut rows = Vec::new();
    for _ in 0..queries {
        let (x, y) = store.records().bounds((random() % u64::from(store.len())) as u32).center();
        store.rows_overlapping(TileCoord::at(x, y, 16), Order::Row, &mut rows);
    }
    let per_query = begin.elapsed().as_secs_f64() * 1e6 / queries.max(1) as f64;
    println!("done");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let (private, proportional) = (memory("Private_Dirty")? - before, memory("Pss")?);
    println!("{} {per_query} {after_open} {private} {proportional}", open.as_secs_f64() * 1e6);
    std::io::stdin().read_line(&mut line)?;
    Ok(())
}

/// A line of this process's memory totals, kB.
fn memory(name: &str) -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find(|l| l.split(':').next() == Some(name)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
