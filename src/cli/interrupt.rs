//! Ctrl-C and SIGTERM: the work has a moment to stop by itself, then the process ends, whatever it is in the middle of.
//!
//! What is being made has a temporary name and goes; packs of a run are whole and stay, so that it can go on. A statement of SQLite
//! or a call of GDAL can't be asked to stop, so it is not waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::{exit, observed, output};
use crate::error::Error;
use crate::{atomic, threads};

/// How long the work has to stop by itself.
const PATIENCE: Duration = Duration::from_millis(700);

/// How long its last words may take.
const SAYING: Duration = Duration::from_millis(100);

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// True once the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Ends this process within a second of the first Ctrl-C or SIGTERM.
pub fn catch() {
    LazyLock::force(&ASKED);
    let caught = ctrlc::set_handler(|| {
        ASKED.store(true, Ordering::SeqCst);
        std::thread::sleep(PATIENCE);
        // First, for it writes files, and nothing is given a name any more after the next line.
        observed::abort();
        atomic::abandon();
        say();
        end(exit::INTERRUPTED);
    });
    if caught.is_err() {
        without_thread();
    }
}

/// Says that the work was interrupted, unless stderr is a pipe without a reader, which would block.
fn say() {
    let (said, heard) = sync_channel(1);
    let words = move || {
        output::report_error(&Error::Interrupted.into());
        let _ = said.send(());
    };
    if threads::start(words).is_ok() {
        let _ = heard.recv_timeout(SAYING);
    }
}

/// Removes what is half made, and ends the process without waiting for anything: no destructor of a library runs beside threads that are
/// still in it.
pub fn end(code: u8) -> ! {
    atomic::abandon();
    #[cfg(unix)]
    signal_hook::low_level::exit(i32::from(code));
    #[cfg(not(unix))]
    std::process::exit(i32::from(code))
}

/// Where the system refuses the thread that waits for signals: the first one asks the work to stop, the second one ends the process.
fn without_thread() {
    #[cfg(unix)]
    for signal in SIGNALS {
        use signal_hook::flag;
        let _ = flag::register_conditional_shutdown(signal, i32::from(exit::INTERRUPTED), Arc::clone(&ASKED));
        let _ = flag::register(signal, Arc::clone(&ASKED));
    }
}

/// What asks a program to stop.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Makes Ctrl-C do nothing here; a worker ends when its coordinator closes the pipe.
pub fn ignore() {
    // A flag that is never read: it takes no thread.
    #[cfg(unix)]
    for signal in SIGNALS {
        let _ = signal_hook::flag::register(signal, Arc::clone(&ASKED));
    }
    #[cfg(not(unix))]
    let _ = ctrlc::set_handler(|| {});
}
