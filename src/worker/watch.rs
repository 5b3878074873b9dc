//! Looks after a run while workers work: memory, the watchdog's limits, room on the disks, and what the user is told.

use std::time::{Duration, Instant};

use super::crew::{Crew, Holder, lock};
use super::memory::proportional;
use crate::progress::{Progress, Status};

/// How often memory and disks are looked at, at most; less often where looking takes long.
const EVERY: Duration = Duration::from_millis(250);
/// The same where workers have a limit: small units are over soon.
const EVERY_LIMITED: Duration = Duration::from_millis(20);
/// How often the time limit is looked at, at most.
const SHORTEST: Duration = Duration::from_millis(5);
/// A look may take this part of the time between two.
const SHARE: u32 = 50;
/// How often a pause is told again.
const REMIND: Duration = Duration::from_secs(30);

pub(super) fn run(crew: &Crew<'_>, progress: &dyn Progress) {
    let mut told: Option<Instant> = None;
    let mut since: Option<Instant> = None;
    let every = if crew.budget.worker_memory.is_some() { EVERY_LIMITED } else { EVERY };
    let tick = crew.budget.worker_time.map_or(EVERY, |limit| (limit / 4).clamp(SHORTEST, EVERY));
    loop {
        let started = Instant::now();
        measure(crew);
        let short = crew.volumes.short();
        let mut state = lock(&crew.state);
        if crew.is_over(&state) {
            return;
        }
        state.paused = short.is_some();
        match short {
            Some((path, free)) => {
                since = since.or(Some(started));
                if told.is_none_or(|t| t.elapsed() >= REMIND) {
                    told = Some(started);
                    progress.note(&format!(
                        "the volume of {} has {} MB left: nothing new is begun until there is room again; Ctrl-C stops here, \
                         and the same command goes on later",
                        path.display(),
                        free >> 20
                    ));
                }
            }
            None => {
                if let Some(since) = since.take() {
                    state.outcome.paused += since.elapsed();
                    told = None;
                    progress.note("there is room again; going on");
                    crew.ring();
                }
            }
        }
        let left = state.schedule.seconds_left().map(|s| Duration::from_secs_f64(s / crew.seats.len() as f64));
        let status = Status {
            parts: state.schedule.groups(),
            left,
            memory: state.memory_now,
            memory_budget: crew.budget.total,
            disk_free: None,
            bytes: state.outcome.report.bytes,
            retried: state.outcome.retried,
            set_aside: state.outcome.set_aside.len() as u64,
        };
        drop(state);
        progress.status(&Status { disk_free: crew.volumes.free(), ..status });
        // A worker in trouble is to be seen soon; a look at large processes costs milliseconds.
        let until = Instant::now() + every.max(started.elapsed() * SHARE);
        while Instant::now() < until {
            time_limit(crew);
            let state = lock(&crew.state);
            let left = until.saturating_duration_since(Instant::now());
            if crew.is_over(&state) || crew.is_over(&crew.wait(state, left.min(tick))) {
                return;
            }
        }
    }
}

/// Measures all processes, and ends workers that take too much.
fn measure(crew: &Crew<'_>) {
    let mut sizes = vec![proportional(std::process::id()).unwrap_or(0)];
    for seat in &crew.seats {
        let mut holder = lock(&seat.holder);
        let Some(holder) = holder.as_mut() else { continue };
        let Some(size) = proportional(holder.process) else { continue };
        sizes.push(size);
        if let Some(limit) = crew.budget.worker_memory.filter(|&limit| holder.since.is_some() && size > limit) {
            let (size, limit) = (size >> 20, limit >> 20);
            holder.end(format!("its worker took {size} MB, the watchdog's limit is {limit} MB"));
        }
    }
    let mut state = lock(&crew.state);
    state.memory.take(&sizes);
    state.memory_now = sizes.iter().sum();
}

/// Ends workers that take too long.
fn time_limit(crew: &Crew<'_>) {
    let Some(limit) = crew.budget.worker_time else { return };
    for seat in &crew.seats {
        let mut holder = lock(&seat.holder);
        let Some(holder) = holder.as_mut() else { continue };
        if let Some(took) = holder.since.map(|s| s.elapsed()).filter(|&took| took > limit) {
            let (took, limit) = (took.as_secs_f64(), limit.as_secs_f64());
            holder.end(format!("its worker took {took:.1} s, the watchdog's limit is {limit:.1} s"));
        }
    }
}

impl Holder {
    fn end(&mut self, verdict: String) {
        if self.verdict.is_none() {
            self.verdict = Some(verdict);
            let _ = lock(&self.child).kill();
        }
    }
}
