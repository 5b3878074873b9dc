//! Files that are read before anybody asks for them.
//!
//! A file that was opened is mapped, and nothing of it is in memory yet: the first answers would wait for the disk, page by page. So a
//! thread reads files from their beginning to their end while requests are answered, half a megabyte at a time and half of the time, so that a request
//! that waits for the disk has little before it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::dataset::Opened;
use crate::container::{Container, Schema as _};
use crate::memory;
use crate::threads;

/// The thread that reads. It ends after the file that it reads when this value is gone.
pub(super) struct Preload(Sender<Opened>);

impl Preload {
    /// Starts the thread; `None` where the system refuses it.
    pub fn start() -> Option<Self> {
        let (give, line) = channel();
        threads::start(move || all(&line)).ok().map(|_| Self(give))
    }

    /// Has a file read, after those that wait.
    pub fn read(&self, opened: &Opened) {
        // Without the thread requests wait for the disk, and that is all.
        let _ = self.0.send(opened.clone());
    }
}

fn all(line: &Receiver<Opened>) {
    // Bytes of each file. A version that takes the place of another counts instead of it.
    let mut held: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for opened in line {
        let begin = std::time::Instant::now();
        held.remove(opened.path());
        // Files that together take more than half of the memory that is left would push one another out.
        let most = memory::available().map_or(0, |free| (free / 2).saturating_sub(held.values().sum()));
        let read = match &opened {
            Opened::Tiles(part) | Opened::Lineage(part) => part.content.preload(most),
            Opened::Heights(part) => whole(part.content.container(), most),
            Opened::Store(part) => whole(part.content.store.container(), most),
        };
        held.insert(opened.path().to_path_buf(), read);
        if read > 0 {
            let (path, megabytes) = (opened.path().display(), read >> 20);
            tracing::info!("{path}: {megabytes} MB are in memory after {:.1} s", begin.elapsed().as_secs_f64());
        }
    }
}

/// Reads all of a file that has no more than so many bytes; gives how many were read.
fn whole(file: &Container, most: u64) -> u64 {
    let length = file.bytes().len() as u64;
    if length <= most && file.preload_beside() { length } else { 0 }
}
