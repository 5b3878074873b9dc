//! The access log: a JSON document a line, written beside the requests.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::threads;

/// Lines that wait to be written at most; beyond that they are lost, and counted.
const WAITING: usize = 10_000;

/// How often lines reach the file, and how often its name is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// A request and its answer.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Seconds since 1970.
    pub time: f64,
    /// Who asked: address and port.
    pub remote: String,
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub url: String,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of its body, where they are known at the start.
    pub bytes: u64,
    /// Seconds from the head of the request to the head of the answer.
    pub seconds: f64,
    /// What the client calls itself.
    pub agent: String,
}

/// Writes lines in a thread of its own. Dropping it writes what waits.
pub struct AccessLog {
    lines: Option<SyncSender<Line>>,
    thread: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Begins to write to the end of a file.
    ///
    /// A file that is renamed away (by logrotate) is left within a second, and a new one is made.
    ///
    /// # Errors
    /// Where the file can't be written, or no thread can start.
    pub fn start(path: &Path) -> Result<Self> {
        Self::begin(Target::open(path)?)
    }

    /// Begins to write to something that is no file.
    ///
    /// # Errors
    /// Where no thread can start.
    pub fn to(out: Box<dyn Write + Send>) -> Result<Self> {
        Self::begin(Target { path: PathBuf::new(), out: BufWriter::new(out), file: None })
    }

    fn begin(mut target: Target) -> Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let thread = threads::start(move || target.write_all_of(&waiting))?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    /// False where too many lines wait; this one is lost then.
    pub fn write(&self, line: Line) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_ok())
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Target {
    path: PathBuf,
    out: BufWriter<Box<dyn Write + Send>>,
    file: Option<File>,
}

impl Target {
    fn open(path: &Path) -> Result<Self> {
        let file = File::options().append(true).create(true).open(path).map_err(Error::io("open", path))?;
        let out: Box<dyn Write + Send> = Box::new(file.try_clone().map_err(Error::io("open", path))?);
        Ok(Self { path: path.to_path_buf(), out: BufWriter::new(out), file: Some(file) })
    }

    fn write_all_of(&mut self, lines: &Receiver<Line>) {
        let mut last = Instant::now();
        loop {
            let line = lines.recv_timeout(EVERY);
            if let Ok(line) = &line
                && let Ok(mut text) = serde_json::to_vec(line)
            {
                text.push(b'\n');
                self.report(|target| target.out.write_all(&text));
            }
            let ended = matches!(line, Err(RecvTimeoutError::Disconnected));
            if ended || last.elapsed() >= EVERY {
                self.report(|target| target.out.flush());
                last = Instant::now();
                if !ended && self.was_renamed() {
                    match Self::open(&self.path) {
                        Ok(new) => *self = new,
                        Err(error) => tracing::error!("{error:#}"),
                    }
                }
            }
            if ended {
                return;
            }
        }
    }

    fn report(&mut self, work: impl FnOnce(&mut Self) -> std::io::Result<()>) {
        if let Err(error) = work(self) {
            tracing::error!("{}: the access log can't be written: {error}", self.path.display());
        }
    }

    #[cfg(unix)]
    fn was_renamed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else { return false };
        let of = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
        file.metadata().ok().map(of) != std::fs::metadata(&self.path).ok().map(of)
    }

    #[cfg(not(unix))]
    fn was_renamed(&self) -> bool {
        false
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: u16) -> Line {
        let text = || String::from("x\n\"y");
        Line { time: now(), remote: text(), method: text(), url: text(), status, bytes: 1, seconds: 0.1, agent: text() }
    }

    #[test]
    fn every_line_is_a_document_and_renamed_files_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::start(&path).unwrap();
        assert!(log.write(line(200)));
        std::thread::sleep(EVERY * 3);
        if cfg!(unix) {
            std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
            std::thread::sleep(EVERY * 3);
        }
        assert!(log.write(line(404)));
        drop(log);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let all = format!("{}{}", read("access.log.1"), read("access.log"));
        let statuses: Vec<_> = all
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].clone())
            .collect();
        assert_eq!(statuses, [200, 404]);
        assert!(!cfg!(unix) || read("access.log").lines().count() == 1);
    }
}
