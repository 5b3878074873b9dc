//! A worker process, as the coordinator sees it: started, asked, ended.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::crew::{Launcher, lock};
use super::protocol::Reply;
use crate::error::{Error, Result};

/// How long a worker may take to end by itself after its pipe was closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A worker that runs. Ends with this value.
pub(super) struct Worker {
    child: Arc<Mutex<Child>>,
    /// `None` once its pipe is closed.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Why there is no answer of a worker.
pub(super) enum Silence {
    /// The system has no room for what it needs; the reason.
    NoRoom(String),
    /// It answered nothing, or something malformed.
    Broken(String),
}

impl Worker {
    /// Starts a process and tells it the job.
    ///
    /// # Errors
    /// Where the system refuses another process; says what to raise.
    pub(super) fn start(launcher: &Launcher, job: &str) -> Result<Self> {
        let program = &launcher.program;
        let mut command = Command::new(program);
        command.args(&launcher.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Error::limit(refused(program, &error)))?;
        tracing::debug!(process = child.id(), "worker starts");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let child = Arc::new(Mutex::new(child));
        let Some(output) = output else { return Err(Error::internal("a worker has no pipes")) };
        let mut worker = Self { child, input, output: BufReader::new(output) };
        // One that ended at once is noticed when it is asked.
        let _ = worker.tell(job);
        Ok(worker)
    }

    /// The process, shared with the watchdog, which may have to kill it.
    pub(super) fn child(&self) -> Arc<Mutex<Child>> {
        Arc::clone(&self.child)
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.input {
            Some(input) => writeln!(input, "{line}"),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Asks for a unit and waits for the answer.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn ask(&mut self, request: &str) -> std::result::Result<Reply, Silence> {
        // What it answered before it ended says more than a broken pipe.
        let told = self.tell(request);
        let mut line = String::new();
        let problem = match self.output.read_line(&mut line) {
            Ok(0) => told.err().map_or_else(|| "it said nothing more".into(), |error| format!("{error:#}")),
            Err(error) => error.to_string(),
            Ok(_) => match serde_json::from_str(&line) {
                Ok(Reply::NoRoom(reason)) => return Err(Silence::NoRoom(reason)),
                Ok(reply) => return Ok(reply),
                Err(error) => format!("its answer can't be read: {error}"),
            },
        };
        Err(Silence::Broken(problem))
    }

    /// Ends the process and says how it ended. A process that is still alive gets no more work, has a moment to end by itself, and is killed
    /// after that.
    pub(super) fn end(mut self) -> Option<ExitStatus> {
        self.input = None;
        let since = Instant::now();
        loop {
            // The lock is held for a moment only: the watchdog needs it.
            match lock(&self.child).try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if since.elapsed() < PATIENCE => {}
                _ => break,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut child = lock(&self.child);
        let _ = child.kill();
        child.wait().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.input = None;
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn refused(program: &Path, error: &std::io::Error) -> String {
    format!(
        "{}: can't be started as a worker ({error}); raise the limit of processes and memory (ulimit -u, TasksMax, pids.max), or ask for \
         fewer workers with `jobs`",
        program.display()
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A worker that is a shell with this script.
    fn worker(script: &str) -> Worker {
        let arguments = vec!["-c".into(), script.into()];
        Worker::start(&Launcher { program: "/bin/sh".into(), arguments }, "the job").unwrap()
    }

    fn is_alive(process: u32) -> bool {
        Path::new(&format!("/proc/{process}")).exists()
    }

    #[test]
    fn a_failed_exchange_with_a_worker_that_lives_on_ends_it() {
        for (script, words) in [
            ("read job; read unit; echo nonsense; exec sleep 1000", "its answer can't be read"),
            ("read job; read unit; exec sleep 1000 >&-", "it said nothing more"),
            ("read job; printf '\\377\\n'; exec sleep 1000", "UTF-8"),
            // It reads no messages, and does not end when its pipe is closed.
            ("exec <&-; trap '' TERM; echo; exec sleep 1000", "its answer can't be read"),
        ] {
            let mut worker = worker(script);
            let child = worker.child();
            let process = lock(&child).id();
            let Err(Silence::Broken(problem)) = worker.ask("a unit") else { panic!("{script}: an answer") };
            assert!(problem.contains(words), "{script}: {problem}");
            assert!(!cfg!(target_os = "linux") || is_alive(process), "{script}: it had ended by itself");
            assert!(worker.end().is_some_and(|status| !status.success()), "{script}");
            assert!(!is_alive(process), "{script}");
        }
    }

    #[test]
    fn a_worker_that_is_dropped_goes_with_it() {
        let worker = worker("exec sleep 1000");
        let process = lock(&worker.child()).id();
        drop(worker);
        assert!(!is_alive(process));
    }
}
