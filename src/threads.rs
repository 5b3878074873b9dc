//! Threads, where the system may refuse more of them: `ulimit -u`, `TasksMax` of a service, `pids.max` of a container.
//!
//! `std::thread::spawn` panics then. Here work goes on with fewer threads, down to the one that asks, or ends with the
//! reason.

use std::panic::resume_unwind;
#[cfg(feature = "engine")]
use std::thread::JoinHandle;
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use crate::error::{Error, Result};

/// Starts a thread of a scope.
///
/// # Errors
/// Where the system refuses one.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).map_err(refused)
}

/// Starts a thread of its own.
///
/// # Errors
/// Where the system refuses one.
#[cfg(feature = "engine")]
pub(crate) fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    Builder::new().spawn(work).map_err(refused)
}

fn refused(error: std::io::Error) -> Error {
    Error::limit(format!(
        "the system refuses a thread ({error}); raise its limit (ulimit -u, TasksMax, pids.max), or ask for fewer jobs"
    ))
}

/// Runs `work` on `count` threads at once, this one among them, or on as many as there can be. Gives what each of them
/// returned.
///
/// # Panics
/// Where `work` does.
pub(crate) fn share<R: Send>(count: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    scope(|scope| {
        let others: Vec<_> = (1..count).map_while(|_| spawn(scope, &work).ok()).collect();
        let mut results = vec![work()];
        results.extend(others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))));
        results
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_threads_share_the_work() {
        let (next, sum) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = super::share(3, || {
            let mut done = 0;
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= 1000 {
                    return done;
                }
                sum.fetch_add(n, Ordering::SeqCst);
                done += 1;
            }
        });
        assert_eq!((done.len(), done.iter().sum::<usize>(), sum.into_inner()), (3, 1000, 499_500));
    }

    #[test]
    fn a_panic_in_shared_work_goes_on_after_all_have_ended() {
        let ended = AtomicUsize::new(0);
        let first = std::sync::atomic::AtomicBool::new(true);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            super::share(4, || {
                assert!(!first.swap(false, Ordering::SeqCst), "on purpose");
                ended.fetch_add(1, Ordering::SeqCst);
            })
        }));
        assert!(outcome.is_err());
        assert_eq!(ended.into_inner(), 3);
    }
}
