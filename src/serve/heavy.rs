//! Long work beside the threads that answer: decoding, profiles, statistics.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::app::App;
use super::problem::{Answer, Problem};
use crate::error::Error;

/// How long a request waits for its turn before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does long work in a thread of its own, when it is its turn.
///
/// A client that goes away gives up its place in the queue. Work that has begun runs to its end, and holds its permit until
/// then: so no more of it runs at a time than there are permits.
///
/// # Errors
/// 503 where no turn came within a second, and what the work returns.
pub async fn heavy<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Answer<T> {
    apart(app, &app.work, work).await
}

/// Waits for another server in a thread of its own. As [`heavy`], but more of it may run at a time: it hardly takes a processor.
///
/// # Errors
/// As [`heavy`].
pub async fn far<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Answer<T> {
    apart(app, &app.far, work).await
}

async fn apart<T: Send + 'static>(
    app: &App,
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Answer<T> {
    let permit = tokio::time::timeout(PATIENCE, Semaphore::acquire_owned(Arc::clone(permits))).await;
    let Ok(Ok(permit)) = permit else {
        app.metrics.refused_work();
        return Err(Problem::busy());
    };
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    done.await.unwrap_or_else(|_| Err(Error::internal("a request's work ended with a panic").into()))
}
