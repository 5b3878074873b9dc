//! Work on tiles by threads that a sink keeps, with the results in the order of the tiles.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::{Error, Result};
use crate::threads::start;

/// Jobs that wait for each thread.
const AHEAD: usize = 2;

/// Threads that each do every n-th job. They end with this value.
pub(super) struct Lanes<J, R> {
    work: fn(J) -> Result<R>,
    lanes: Vec<(SyncSender<J>, Receiver<Result<R>>)>,
    given: usize,
    taken: usize,
    /// Results of jobs that were done here, where no thread could be had.
    done: VecDeque<R>,
}

impl<J: Send + 'static, R: Send + 'static> Lanes<J, R> {
    /// As many threads as are asked for, or as the system gives.
    pub(super) fn new(threads: usize, work: fn(J) -> Result<R>) -> Self {
        let lane = |_| {
            let (give, jobs) = sync_channel::<J>(AHEAD);
            let (finish, results) = sync_channel(AHEAD);
            let run = move || {
                for job in jobs {
                    // Nobody listens any more: the output was given up.
                    if finish.send(work(job)).is_err() {
                        return;
                    }
                }
            };
            start(run).ok().map(|_| (give, results))
        };
        Self { work, lanes: (0..threads).map_while(lane).collect(), given: 0, taken: 0, done: VecDeque::new() }
    }

    /// Gives a job to a thread; a result that has to be taken first comes back.
    pub(super) fn give(&mut self, job: J) -> Result<Option<R>> {
        let count = self.lanes.len();
        if count == 0 {
            self.done.push_back((self.work)(job)?);
            return Ok(self.done.pop_front());
        }
        let ready = if self.given - self.taken >= AHEAD * count { self.take()? } else { None };
        self.lanes[self.given % count].0.send(job).map_err(|_| lost())?;
        self.given += 1;
        Ok(ready)
    }

    /// The next result, in the order of the jobs; `None` where all were taken.
    pub(super) fn take(&mut self) -> Result<Option<R>> {
        if self.taken == self.given {
            return Ok(self.done.pop_front());
        }
        let result = self.lanes[self.taken % self.lanes.len()].1.recv().map_err(|_| lost())?;
        self.taken += 1;
        result.map(Some)
    }
}

fn lost() -> Error {
    Error::Limit { problem: "a thread ended before its work was done".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [0, 1, 3] {
            let mut lanes = Lanes::new(threads, |n: u32| if n == 90 { Err(Error::Interrupted) } else { Ok(n * 2) });
            let mut results = Vec::new();
            for n in 0..80 {
                results.extend(lanes.give(n).unwrap());
            }
            while let Some(result) = lanes.take().unwrap() {
                results.push(result);
            }
            assert_eq!(results, (0..80).map(|n| n * 2).collect::<Vec<_>>());
            let mut refused = (0..100).any(|n| lanes.give(n).is_err());
            while !refused {
                match lanes.take() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => refused = true,
                }
            }
            assert!(refused);
        }
    }
}
