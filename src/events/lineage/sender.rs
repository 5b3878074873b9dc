//! The thread that sends events, and the queue before it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::transport::Transport;
use crate::error::Result;
use crate::threads;

/// Events that wait at most; further ones are left out.
const WAITING: usize = 256;

/// Prints a line.
pub(in crate::events) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Sends events in the order in which they come.
pub(in crate::events) struct Sender {
    queue: Mutex<Option<SyncSender<String>>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Events that were left out because too many waited.
    left_out: AtomicU64,
    /// When everything has to be over, once that is known.
    deadline: Mutex<Option<Instant>>,
    ended: Mutex<Option<Outcome>>,
    rung: Condvar,
}

/// What became of the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    sent: u64,
    failed: u64,
    reason: Option<String>,
}

impl Sender {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system refuses one.
    pub(in crate::events) fn start(transport: Transport, say: Say) -> Result<Self> {
        let (queue, events) = sync_channel(WAITING);
        let state = Arc::new(State::default());
        let theirs = Arc::clone(&state);
        threads::start(move || theirs.run(&transport, &say, &events))?;
        Ok(Self { queue: Mutex::new(Some(queue)), state })
    }

    /// Puts an event into the queue; never waits.
    pub(in crate::events) fn send(&self, event: String) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.try_send(event).is_err()) {
            self.state.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is sent, for so long at most. What went wrong, in words.
    pub(in crate::events) fn finish(&self, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        *lock(&self.state.deadline) = Some(until);
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut ended = lock(&self.state.ended);
        while ended.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ended = self.state.rung.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let left_out = self.state.left_out.load(Ordering::Relaxed);
        let Some(outcome) = ended.clone() else {
            return Some(format!(
                "events of this run may not have arrived: no answer within {} s",
                patience.as_secs_f64()
            ));
        };
        let lost = outcome.failed + left_out;
        let reason = outcome.reason.unwrap_or_else(|| "too many waited".into());
        (lost > 0).then(|| format!("{lost} of {} events of this run did not arrive: {reason}", outcome.sent + lost))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn run(&self, transport: &Transport, say: &Say, events: &Receiver<String>) {
        let mut outcome = Outcome::default();
        while let Ok(event) = events.recv() {
            match transport.send(&event, &**say, &|pause| self.given_up(pause)) {
                Ok(()) => outcome.sent += 1,
                Err(reason) => {
                    tracing::warn!("an event did not arrive: {reason}");
                    outcome.failed += 1;
                    outcome.reason.get_or_insert(reason);
                }
            }
        }
        *lock(&self.ended) = Some(outcome);
        self.rung.notify_all();
    }

    /// Waits before another try; true where there is no time for one.
    fn given_up(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            let deadline = *lock(&self.deadline);
            if deadline.is_some_and(|deadline| deadline < until) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_arrive_in_order_and_losses_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let sender = Sender::start(Transport::File { path: path.clone(), append: true }, Arc::new(|_| {})).unwrap();
        for n in 0..100 {
            sender.send(n.to_string());
        }
        assert_eq!(sender.finish(Duration::from_secs(10)), None);
        let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);

        let gone = Transport::File { path: folder.path().join("no/such"), append: true };
        let sender = Sender::start(gone, Arc::new(|_| {})).unwrap();
        sender.send("x".into());
        let said = sender.finish(Duration::from_secs(10)).unwrap();
        assert!(said.starts_with("1 of 1 events") && said.contains("no/such"), "{said}");
    }

    #[test]
    fn a_queue_that_is_full_makes_nobody_wait() {
        // The first event keeps the thread until the test lets it go.
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().unwrap();
        let theirs = Arc::clone(&gate);
        let sender = Sender::start(Transport::Console, Arc::new(move |_| drop(theirs.lock()))).unwrap();
        for n in 0..WAITING + 50 {
            sender.send(n.to_string());
        }
        let said = sender.finish(Duration::from_millis(20)).unwrap();
        assert!(said.contains("no answer within"), "{said}");
        drop(held);
        let said = sender.finish(Duration::from_secs(10)).unwrap();
        assert!(said.contains("too many waited"), "{said}");
    }
}
