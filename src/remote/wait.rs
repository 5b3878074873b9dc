//! Waiting for requests: the runtime that makes them.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};

/// Threads that wait for servers. They decode nothing, so two are enough for any line.
const THREADS: usize = 2;

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        // Where the program has chosen another provider of TLS, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Builder::new_multi_thread().worker_threads(THREADS).thread_name("remote").enable_all().build()
    });
    made.as_ref().map_err(|error| {
        Error::limit(format!(
            "the threads that wait for servers can't be started ({error}); raise the limit of threads"
        ))
    })
}

/// Runs a future to its end, from any thread that is no thread of a runtime's own work.
///
/// # Errors
/// Those of the future; where the system refuses threads.
pub(super) fn wait<T: Send + 'static>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (give, take) = sync_channel(1);
    runtime()?.spawn(async move {
        let _ = give.send(future.await);
    });
    take.recv().map_err(|_| Error::internal("a request ended without an answer"))?
}

/// Makes what needs a runtime around it, such as a client.
pub(super) fn inside<T>(make: impl FnOnce() -> T) -> Result<T> {
    let _entered = runtime()?.enter();
    Ok(make())
}
