//! Gives units to worker processes; tries failed ones again, splits those that are too large, sets aside what keeps failing.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::budget::{Budget, tiles_in_work};
use super::disk::Volumes;
use super::memory::MemoryPeak;
use super::process::{Silence, Worker};
use super::protocol::{Finer, JobMessage, Reply, Request, encode};
use super::schedule::{Node, Schedule};
use super::used::UsedRecords;
use super::watch;
use crate::error::{Error, Result};
use crate::plan::Unit;
use crate::progress::Progress;
use crate::render::UnitReport;
use crate::threads::spawn;

/// How often a unit is tried.
const ATTEMPTS: u32 = 3;
/// How often one is tried whose worker went over a limit; the second time in parts.
const ATTEMPTS_OVER_LIMIT: u32 = 2;
/// The pause before the second try; it doubles.
const BACKOFF: Duration = Duration::from_millis(200);
/// How often the last seat tries to get a worker, with the same pauses: other processes may end meanwhile.
const HIRES: u32 = 5;
/// Units in a row that are set aside before the run is given up: the cause is then not the units.
const HOPELESS: u32 = 10;

/// How to start a worker: the program and its arguments.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program; the running one, in the command line.
    pub program: PathBuf,
    /// The arguments that make it a worker.
    pub arguments: Vec<OsString>,
}

/// A unit that failed as often as it was tried.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// The unit.
    pub unit: Unit,
    /// Why the last try failed; names the file.
    pub reason: String,
    /// True where the same may work later: a server is busy or away.
    pub passes: bool,
}

/// What became of the units of a run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) report: UnitReport,
    pub(super) made: u64,
    pub(super) retried: u64,
    /// Units that were made in parts.
    pub(super) split: u64,
    /// Workers that the watchdog ended.
    pub(super) ended: u64,
    /// How long nothing new was begun because a volume was nearly full.
    pub(super) paused: Duration,
    pub(super) set_aside: Vec<SetAside>,
    /// So many units in a row failed that the others were not tried.
    pub(super) hopeless: bool,
    /// Units were set aside because rasters were changed.
    pub(super) changed: bool,
}

/// The workers of a run.
pub(super) struct Crew<'a> {
    launcher: &'a Launcher,
    job: String,
    pub(super) budget: &'a Budget,
    pub(super) volumes: &'a Volumes,
    tile_size: u32,
    pub(super) seats: Vec<Seat>,
    pub(super) state: Mutex<State>,
    /// Something happened that a waiting thread may care about.
    bell: Condvar,
}

/// What all threads of the coordinator share.
pub(super) struct State {
    pub(super) schedule: Schedule,
    pub(super) outcome: Outcome,
    /// Groups whose last unit was made, and that were not looked at yet.
    finished: Vec<usize>,
    /// Units set aside since the last one that was made.
    failed_in_a_row: u32,
    /// Why the last try failed.
    last_reason: String,
    /// Nothing new is begun.
    pub(super) paused: bool,
    pub(super) memory: MemoryPeak,
    used: UsedRecords,
    /// What the processes take now, bytes.
    pub(super) memory_now: u64,
    /// Seats that take units. One leaves where the system has no room for its worker; the last one stays.
    seats: usize,
    /// Nothing more is begun: why, where that is an error.
    ended: Option<Option<Error>>,
    over: bool,
}

/// The place of a worker, as the watchdog sees it.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) holder: Mutex<Option<Holder>>,
}

/// A worker that has a unit, or waits for one.
pub(super) struct Holder {
    pub(super) child: Arc<Mutex<Child>>,
    pub(super) process: u32,
    /// Since when it has its unit.
    pub(super) since: Option<Instant>,
    /// Why it was ended.
    pub(super) verdict: Option<String>,
}

/// Why a try failed.
#[derive(Default)]
struct Failure {
    reason: String,
    over_limit: bool,
    /// A raster was changed.
    changed: bool,
    /// The same may work later.
    passes: bool,
    /// The next try would fail as well.
    always: bool,
    /// The system has no room for a worker: it was not the unit.
    no_room: bool,
}

/// On unwinding, nothing more is begun, and waiting threads continue.
struct Unwinding<'c, 'a>(&'c Crew<'a>);

impl Drop for Unwinding<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = lock(&self.0.state);
            state.ended.get_or_insert(None);
            state.schedule.drop_waiting();
            drop(state);
            self.0.bell.notify_all();
        }
    }
}

/// Ends the watchdog when it is dropped.
struct Over<'c, 'a>(&'c Crew<'a>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        lock(&self.0.state).over = true;
        self.0.bell.notify_all();
    }
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        launcher: &'a Launcher,
        job: &JobMessage,
        budget: &'a Budget,
        volumes: &'a Volumes,
        tile_size: u32,
        schedule: Schedule,
    ) -> Result<Self> {
        let state = State {
            schedule,
            outcome: Outcome::default(),
            finished: Vec::new(),
            failed_in_a_row: 0,
            last_reason: String::new(),
            paused: false,
            memory: MemoryPeak::default(),
            used: UsedRecords::default(),
            memory_now: 0,
            seats: 0,
            ended: None,
            over: false,
        };
        Ok(Self {
            launcher,
            job: encode(job)?,
            budget,
            volumes,
            tile_size,
            seats: (0..budget.jobs.max(1)).map(|_| Seat::default()).collect(),
            state: Mutex::new(state),
            bell: Condvar::new(),
        })
    }

    /// Makes all units, on all seats at once; adds the records that gave a pixel to `used`. `on_group` is called here, while the others work, for every group whose last
    /// unit was made.
    ///
    /// Where the system refuses threads there are fewer workers.
    ///
    /// # Errors
    /// Those of `on_group`; where no thread or no worker can be had, with the reason. What is in work is finished first.
    pub(super) fn run(
        self,
        used: UsedRecords,
        on_group: &mut dyn FnMut(usize) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<(Outcome, Schedule, MemoryPeak, UsedRecords)> {
        lock(&self.state).used = used;
        let result = std::thread::scope(|scope| {
            let _over = Over(&self);
            let _unwinding = Unwinding(&self);
            spawn(scope, || watch::run(&self, progress))?;
            let hands = self.start_seats(|seat| spawn(scope, || self.work(seat, progress)), progress)?;
            let mut result = Ok(());
            loop {
                let mut state = lock(&self.state);
                while state.finished.is_empty() && !hands.iter().all(|h| h.is_finished()) {
                    state = self.wait(state, Duration::from_millis(100));
                }
                let Some(group) = state.finished.pop() else { break };
                drop(state);
                result = on_group(group);
                if result.is_err() {
                    let mut state = lock(&self.state);
                    state.ended.get_or_insert(None);
                    state.schedule.drop_waiting();
                    break;
                }
            }
            // A panic of one of them is resumed here, once all have ended.
            let ended: Vec<_> = hands.into_iter().map(|h| h.join()).collect();
            if let Some(Err(panic)) = ended.into_iter().find(std::result::Result::is_err) {
                std::panic::resume_unwind(panic);
            }
            result
        });
        result?;
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(error)) = state.ended.take() {
            return Err(error);
        }
        let mut outcome = state.outcome;
        outcome.set_aside.sort_by_key(|s| (s.unit.zooms, crate::tile::TileId::from(s.unit.block)));
        Ok((outcome, state.schedule, state.memory, state.used))
    }

    /// Starts all seats, or as many as there can be; none takes a unit before it is known how many there are.
    ///
    /// # Errors
    /// Where there can be none.
    fn start_seats<'c, T>(&'c self, start: impl Fn(&'c Seat) -> Result<T>, progress: &dyn Progress) -> Result<Vec<T>> {
        let mut state = lock(&self.state);
        let mut started = Vec::new();
        for seat in &self.seats {
            match start(seat) {
                Ok(seat) => started.push(seat),
                Err(error) if started.is_empty() => return Err(error),
                Err(error) => {
                    progress.note(&format!("{} instead of {} workers: {error:#}", started.len(), self.seats.len()));
                    break;
                }
            }
        }
        state.seats = started.len();
        Ok(started)
    }

    /// Waits for the bell, at most this long.
    pub(super) fn wait<'m>(
        &self,
        state: std::sync::MutexGuard<'m, State>,
        at_most: Duration,
    ) -> std::sync::MutexGuard<'m, State> {
        self.bell.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn is_over(&self, state: &State) -> bool {
        state.over
    }

    pub(super) fn ring(&self) {
        self.bell.notify_all();
    }

    fn work(&self, seat: &Seat, progress: &dyn Progress) {
        let _unwinding = Unwinding(self);
        let mut worker = None;
        // How often a unit of this seat failed; a unit stays at its seat while it is tried again.
        while let Some((node, unit, finer)) = self.next(progress) {
            let goes_on = self.see_through(seat, &mut worker, node, &unit, &finer, progress);
            self.bell.notify_all();
            if !goes_on {
                break;
            }
        }
        *lock(&seat.holder) = None;
    }

    /// The next unit, as soon as there is one; `None` where there will be none.
    fn next(&self, progress: &dyn Progress) -> Option<(Node, Unit, Finer)> {
        let mut state = lock(&self.state);
        loop {
            if progress.interrupted() || state.ended.is_some() {
                return None;
            }
            if !state.paused
                && let Some(next) = state.schedule.next()
            {
                return Some(next);
            }
            if state.schedule.is_over() {
                return None;
            }
            state = self.wait(state, Duration::from_millis(200));
        }
    }

    /// Tries a unit until it is made or set aside. False where this seat can have no worker: then the unit is given back.
    fn see_through(
        &self,
        seat: &Seat,
        worker: &mut Option<Worker>,
        node: Node,
        unit: &Unit,
        finer: &Finer,
        progress: &dyn Progress,
    ) -> bool {
        let started = Instant::now();
        let tiles = tiles_in_work(self.tile_size, unit.zooms.max - unit.zooms.min + 1);
        let mut in_parts = !self.budget.fits(tiles) && unit.parts().is_some();
        let (mut attempt, mut hires) = (1, 0);
        loop {
            tracing::debug!(unit = unit.id(), tiles = unit.tiles, attempt, in_parts, "unit begins");
            let result = match unit.parts().filter(|_| in_parts) {
                Some(parts) => self.attempt_parts(seat, worker, unit, &parts, finer),
                None => self.attempt(seat, worker, &Request::new(unit, finer.clone())),
            };
            let failure = match result {
                Ok(report) => {
                    let took = started.elapsed();
                    tracing::debug!(unit = unit.id(), tiles = report.tiles, seconds = took.as_secs_f64(), "unit made");
                    let mut state = lock(&self.state);
                    state.failed_in_a_row = 0;
                    state.outcome.report.add(&report);
                    state.used.add(&report);
                    state.outcome.made += 1;
                    state.outcome.split += u64::from(in_parts);
                    let group = state.schedule.made(node, took);
                    state.finished.extend(group);
                    drop(state);
                    progress.advance(unit.tiles);
                    return true;
                }
                Err(failure) => failure,
            };
            if progress.interrupted() {
                lock(&self.state).schedule.back(node);
                return true;
            }
            if failure.no_room {
                hires += 1;
                if self.leave(seat, node, hires, failure.reason, progress) {
                    return false;
                }
                std::thread::sleep(BACKOFF * 2u32.pow(hires - 1));
                continue;
            }
            let limit = match &failure {
                Failure { always: true, .. } => 1,
                Failure { over_limit: true, .. } => ATTEMPTS_OVER_LIMIT,
                _ => ATTEMPTS,
            };
            let reason = failure.reason;
            let mut state = lock(&self.state);
            let said = unless_said(&reason, &mut state.last_reason);
            state.outcome.ended += u64::from(failure.over_limit);
            if attempt < limit {
                state.outcome.retried += 1;
                drop(state);
                in_parts = in_parts || failure.over_limit && unit.parts().is_some();
                let how = if in_parts { "trying again in parts" } else { "trying again" };
                progress.note(&format!("unit {}: {said}; {how}", unit.id()));
                std::thread::sleep(BACKOFF * 2u32.pow(attempt - 1));
                attempt += 1;
                continue;
            }
            progress.note(&format!("unit {}: {said}; set aside", unit.id()));
            state.schedule.set_aside(node);
            state.outcome.changed |= failure.changed;
            state.outcome.set_aside.push(SetAside { unit: *unit, reason, passes: failure.passes });
            state.failed_in_a_row += 1;
            if state.failed_in_a_row >= HOPELESS && !state.outcome.hopeless {
                state.outcome.hopeless = !state.schedule.is_over();
                state.schedule.drop_waiting();
            }
            return true;
        }
    }

    /// Gives a unit back that this seat can't make, since the system has no room for its worker. Others then have more room, and may be idle. False for the
    /// last seat, which is to try again; in the end it gives the run up.
    fn leave(&self, seat: &Seat, node: Node, hires: u32, reason: String, progress: &dyn Progress) -> bool {
        let mut state = lock(&self.state);
        *lock(&seat.holder) = None;
        if state.seats == 1 && hires < HIRES {
            return false;
        }
        state.schedule.back(node);
        if state.seats == 1 {
            state.ended.get_or_insert(Some(Error::limit(reason)));
            state.schedule.drop_waiting();
            return true;
        }
        state.seats -= 1;
        let left = state.seats;
        drop(state);
        progress.note(&format!("a worker less, {left} may go on: {reason}"));
        true
    }

    /// Makes the parts of a unit one after another, and joins them. Parts that are there from an earlier try are found by
    /// the worker.
    fn attempt_parts(
        &self,
        seat: &Seat,
        worker: &mut Option<Worker>,
        unit: &Unit,
        parts: &crate::plan::Parts,
        finer: &Finer,
    ) -> Result<UnitReport, Failure> {
        for part in &parts.units {
            self.attempt(seat, worker, &Request::new(part, finer.clone()))?;
        }
        self.attempt(seat, worker, &Request { joins: true, ..Request::new(unit, finer.clone()) })
    }

    /// One try. A worker that died is replaced on the next one.
    fn attempt(&self, seat: &Seat, worker: &mut Option<Worker>, request: &Request) -> Result<UnitReport, Failure> {
        let plain = |reason: String| Failure { reason, ..Failure::default() };
        let request = encode(request).map_err(|e| plain(format!("{e:#}")))?;
        let no_room = |reason: String| Failure { reason, no_room: true, ..Failure::default() };
        if worker.is_none() {
            let hired = Worker::start(self.launcher, &self.job).map_err(|e| no_room(format!("{e:#}")))?;
            let child = hired.child();
            let process = lock(&child).id();
            *lock(&seat.holder) = Some(Holder { child, process, since: None, verdict: None });
            *worker = Some(hired);
        }
        let Some(hired) = worker.as_mut() else { return Err(plain("no worker".into())) };
        if let Some(holder) = lock(&seat.holder).as_mut() {
            holder.since = Some(Instant::now());
        }
        let answer = hired.ask(&request);
        let verdict = lock(&seat.holder).as_mut().and_then(|holder| {
            holder.since = None;
            holder.verdict.take()
        });
        let problem = match answer {
            Ok(Reply::Done(report)) if verdict.is_none() => return Ok(*report),
            Ok(Reply::Failed(reason)) if verdict.is_none() => return Err(plain(reason)),
            Ok(Reply::Later(reason)) if verdict.is_none() => return Err(Failure { passes: true, ..plain(reason) }),
            Ok(Reply::Changed(reason)) if verdict.is_none() => return Err(Failure { changed: true, ..plain(reason) }),
            Ok(Reply::TooLarge(reason)) if verdict.is_none() => return Err(Failure { always: true, ..plain(reason) }),
            Err(Silence::NoRoom(reason)) => {
                worker.take().map(Worker::end);
                return Err(no_room(reason));
            }
            Ok(_) => String::new(),
            Err(Silence::Broken(problem)) => problem,
        };
        let status = worker.take().and_then(Worker::end);
        if let Some(reason) = verdict {
            return Err(Failure { reason, over_limit: true, ..Failure::default() });
        }
        let status = status.map_or("unknown".into(), |s| s.to_string());
        Err(plain(format!("the worker ended ({status}): {problem}")))
    }
}

/// A reason, or a word for it where it is the last one again: one damaged raster fails many units.
pub(super) fn unless_said<'r>(reason: &'r str, last: &mut String) -> &'r str {
    if reason == last {
        return "the same";
    }
    reason.clone_into(last);
    reason
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
