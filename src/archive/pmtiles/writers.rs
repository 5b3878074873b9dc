//! Threads that write tiles to the places that an archive gave them.
//!
//! One thread takes tiles in their order and has [`PmtilesWriter::place`](super::PmtilesWriter::place) say where each belongs, by its hash and
//! size. Others write them there. So what one thread does grows with the number of tiles and not with their size, and the archive is the one
//! that a single thread would have written.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::scope;

use super::Places;
use crate::error::{Error, Result};
use crate::threads::spawn;

/// Tiles that have their places.
pub(crate) trait Placed: Send {
    /// Writes them there.
    fn write(&self, places: &Places) -> Result<()>;
}

/// Threads that write.
pub(crate) struct Writers<'w, P> {
    pub(crate) threads: usize,
    /// `None` where the system gave no thread: then all is written by the thread that gives the places.
    line: Option<SyncSender<P>>,
    places: &'w Places,
    /// True where a thread has an error to tell.
    failed: &'w AtomicBool,
}

impl<P: Placed> Writers<'_, P> {
    /// Has tiles written, after those that wait.
    pub(crate) fn write(&self, placed: P) -> Result<()> {
        let ended = || Error::internal("a thread that writes tiles ended");
        match &self.line {
            Some(_) if self.failed.load(Ordering::Relaxed) => Err(ended()),
            Some(line) => line.send(placed).map_err(|_| ended()),
            None => placed.write(self.places),
        }
    }
}

/// Has `work` give tiles to threads that write them, and waits until all are written. For each thread one of what it gives waits at most.
///
/// # Errors
/// Those of `work`, and of the writing.
pub(crate) fn with_writers<P: Placed>(
    threads: usize,
    places: &Places,
    work: impl FnOnce(&Writers<'_, P>) -> Result<()>,
) -> Result<()> {
    let (give, line) = sync_channel(threads);
    let failed = AtomicBool::new(false);
    scope(|scope| {
        // A line without takers ends: each thread has a share of it.
        let line = Arc::new(Mutex::new(line));
        let lanes: Vec<_> = (0..threads)
            .map_while(|_| {
                let (line, failed) = (line.clone(), &failed);
                let write = move || write_all(&line, places).inspect_err(|_| failed.store(true, Ordering::Relaxed));
                spawn(scope, write).ok()
            })
            .collect();
        drop(line);
        let writers = Writers { threads, line: (!lanes.is_empty()).then_some(give), places, failed: &failed };
        let worked = work(&writers);
        drop(writers);
        let written = lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // What a thread says comes before what its end led to.
        written.fold(Ok(()), Result::and).and(worked)
    })
}

/// Writes what comes along the line; the first error ends it.
fn write_all<P: Placed>(line: &Mutex<Receiver<P>>, places: &Places) -> Result<()> {
    loop {
        let next = line.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(placed) = next else { return Ok(()) };
        placed.write(places)?;
    }
}
