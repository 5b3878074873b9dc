//! Gives the units of a step to worker processes, tries failed ones again, sets aside what keeps failing.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::memory::MemoryPeak;
use super::protocol::{Finer, JobMessage, Reply, Request, encode};
use crate::error::{Error, Result};
use crate::plan::Unit;
use crate::progress::Progress;
use crate::render::UnitReport;

/// How often a unit is tried.
const ATTEMPTS: u32 = 3;
/// The pause before the second try; it doubles.
const BACKOFF: Duration = Duration::from_millis(200);
/// Units in a row that are set aside before the step is given up: the cause is then not in the units.
const HOPELESS: u32 = 10;
/// How often memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// How to start a worker: the program and its arguments.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program; the running one, in the command line.
    pub program: PathBuf,
    /// What makes it a worker.
    pub arguments: Vec<OsString>,
}

/// A unit that failed as often as it was tried.
#[derive(Debug, Clone)]
pub(super) struct SetAside {
    pub(super) unit: Unit,
    pub(super) reason: String,
}

/// What became of a step.
#[derive(Debug, Default)]
pub(super) struct StepOutcome {
    pub(super) report: UnitReport,
    pub(super) made: u64,
    pub(super) retried: u64,
    pub(super) set_aside: Vec<SetAside>,
    pub(super) interrupted: bool,
    /// So many units in a row failed that the others were not tried.
    pub(super) hopeless: bool,
}

/// The workers of a run; they live as long as it does.
pub(super) struct Crew<'a> {
    launcher: &'a Launcher,
    job: String,
    seats: Vec<Mutex<Option<Worker>>>,
    pub(super) memory: Mutex<MemoryPeak>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Queue {
    waiting: VecDeque<(Unit, u32)>,
    /// Units that a worker has now; while there are some, a retry may still come.
    running: usize,
    /// Units set aside since the last one that was made.
    failed_in_a_row: u32,
}

impl<'a> Crew<'a> {
    pub(super) fn new(launcher: &'a Launcher, job: &JobMessage, jobs: usize) -> Result<Self> {
        let seats = (0..jobs.max(1)).map(|_| Mutex::new(None)).collect();
        Ok(Self { launcher, job: encode(job)?, seats, memory: Mutex::default() })
    }

    /// Makes all units, on all seats at once.
    pub(super) fn step(&self, units: Vec<Unit>, finer: &Finer, progress: &dyn Progress) -> StepOutcome {
        let queue =
            Mutex::new(Queue { waiting: units.into_iter().map(|u| (u, 1)).collect(), running: 0, failed_in_a_row: 0 });
        let outcome = Mutex::new(StepOutcome::default());
        let retried = AtomicU64::new(0);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| self.watch(&over));
            let hands: Vec<_> = self
                .seats
                .iter()
                .map(|seat| scope.spawn(|| self.work(seat, &queue, finer, &outcome, &retried, progress)))
                .collect();
            hands.into_iter().for_each(|h| drop(h.join()));
            over.store(true, Ordering::SeqCst);
            drop(watch.join());
        });
        let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.retried = retried.into_inner();
        outcome.interrupted = progress.interrupted();
        outcome.set_aside.sort_by_key(|s| s.unit.id());
        outcome
    }

    fn work(
        &self,
        seat: &Mutex<Option<Worker>>,
        queue: &Mutex<Queue>,
        finer: &Finer,
        outcome: &Mutex<StepOutcome>,
        retried: &AtomicU64,
        progress: &dyn Progress,
    ) {
        let mut seat = lock(seat);
        loop {
            if progress.interrupted() {
                return;
            }
            let next = {
                let mut queue = lock(queue);
                match queue.waiting.pop_front() {
                    Some(next) => {
                        queue.running += 1;
                        Some(next)
                    }
                    None if queue.running == 0 => return,
                    None => None,
                }
            };
            let Some((unit, attempt)) = next else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let result = self.attempt(&mut seat, &unit, finer);
            let mut queue = lock(queue);
            queue.running -= 1;
            match result {
                Ok(report) => {
                    queue.failed_in_a_row = 0;
                    let mut outcome = lock(outcome);
                    outcome.report.add(&report);
                    outcome.made += 1;
                    progress.advance(unit.tiles);
                }
                Err(_) if progress.interrupted() => return,
                Err(reason) if attempt < ATTEMPTS => {
                    retried.fetch_add(1, Ordering::Relaxed);
                    progress.note(&format!("unit {}: {reason}; trying again", unit.id()));
                    queue.waiting.push_back((unit, attempt + 1));
                    drop(queue);
                    std::thread::sleep(BACKOFF * 2u32.pow(attempt - 1));
                }
                Err(reason) => {
                    progress.note(&format!("unit {}: {reason}; set aside", unit.id()));
                    queue.failed_in_a_row += 1;
                    let mut outcome = lock(outcome);
                    outcome.set_aside.push(SetAside { unit, reason });
                    if queue.failed_in_a_row >= HOPELESS && !queue.waiting.is_empty() {
                        queue.waiting.clear();
                        outcome.hopeless = true;
                    }
                }
            }
        }
    }

    /// One try. A worker that died is replaced on the next one.
    fn attempt(&self, seat: &mut Option<Worker>, unit: &Unit, finer: &Finer) -> Result<UnitReport, String> {
        if seat.is_none() {
            *seat = Some(self.hire().map_err(|e| e.to_string())?);
        }
        let Some(worker) = seat.as_mut() else { return Err("no worker".into()) };
        let answer = encode(&Request::new(unit, finer.clone()))
            .map_err(|e| e.to_string())
            .and_then(|request| worker.ask(&request));
        match answer {
            Ok(Reply::Done(report)) => Ok(report),
            Ok(Reply::Failed(reason)) => Err(reason),
            Err(problem) => {
                let status = seat.take().and_then(|mut w| w.child.wait().ok());
                Err(format!("the worker ended ({}): {problem}", status.map_or("unknown".into(), |s| s.to_string())))
            }
        }
    }

    fn hire(&self) -> Result<Worker> {
        let program = &self.launcher.program;
        let mut child = Command::new(program)
            .args(&self.launcher.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("start as a worker", program))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Other("a worker has no pipes".into()));
        };
        writeln!(input, "{}", self.job).map_err(Error::io("talk to", program))?;
        Ok(Worker { child, input, output: BufReader::new(output) })
    }

    fn watch(&self, over: &AtomicBool) {
        let mut last = std::time::Instant::now() - SAMPLE_EVERY;
        while !over.load(Ordering::SeqCst) {
            if last.elapsed() >= SAMPLE_EVERY {
                last = std::time::Instant::now();
                let mut processes = children(std::process::id());
                processes.push(std::process::id());
                lock(&self.memory).sample(&processes);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Worker {
    fn ask(&mut self, request: &str) -> Result<Reply, String> {
        writeln!(self.input, "{request}").map_err(|e| e.to_string())?;
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it said nothing more".into()),
            Ok(_) => serde_json::from_str(&line).map_err(|e| format!("its answer can't be read: {e}")),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// The processes that this one started, as the system lists them.
fn children(process: u32) -> Vec<u32> {
    let folder = format!("/proc/{process}/task");
    let Ok(tasks) = std::fs::read_dir(folder) else { return Vec::new() };
    let list = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
    let texts = tasks.flatten().filter_map(list);
    texts.flat_map(|t| t.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>()).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
