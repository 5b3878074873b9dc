//! Draws progress on stderr: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::progress::Progress;

/// How often a line is written where stderr is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C (or SIGTERM) ask the work to stop, and the second one end the process at once.
pub fn catch_interrupts() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let _ = ctrlc::set_handler(|| {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(super::exit::INTERRUPTED));
            }
            let _ = writeln!(std::io::stderr(), "\nstopping; once more to stop at once");
        });
    });
}

/// Progress for the terminal.
#[derive(Debug, Default)]
pub struct Terminal {
    stage: Mutex<Option<Stage>>,
}

#[derive(Debug)]
struct Stage {
    what: String,
    unit: &'static str,
    total: Option<u64>,
    done: u64,
    since: Instant,
    said: Instant,
    bar: Option<ProgressBar>,
}

impl Stage {
    fn line(&self) -> String {
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        let rate = self.done as f64 / seconds;
        let mut text = format!("{}: {}", self.what, output::count(self.done));
        if let Some(total) = self.total {
            text += &format!(" of {}", output::count(total));
        }
        text += &format!(" {}, {rate:.1}/s", self.unit);
        if let Some(total) = self.total.filter(|&t| self.done > 0 && t >= self.done) {
            text += &format!(", {} left", output::duration(Duration::from_secs_f64((total - self.done) as f64 / rate)));
        }
        text
    }
}

impl Progress for Terminal {
    fn begin(&self, what: &str, total: Option<u64>, unit: &'static str) {
        self.end();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = if total.is_some() {
                format!("{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit} ({{per_sec}}, {{eta}} left)")
            } else {
                format!("{{msg}} {{spinner}} {{human_pos}} {unit} ({{per_sec}})")
            };
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(what.to_owned());
            bar
        });
        let now = Instant::now();
        let stage = Stage { what: what.to_owned(), unit, total, done: 0, since: now, said: now, bar };
        *self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(stage);
    }

    fn advance(&self, steps: u64) {
        let mut guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(stage) = guard.as_mut() else { return };
        stage.done += steps;
        if let Some(bar) = &stage.bar {
            bar.inc(steps);
        } else if stage.said.elapsed() >= LINE_EVERY {
            stage.said = Instant::now();
            let _ = writeln!(std::io::stderr(), "{}", stage.line());
        }
    }

    fn end(&self) {
        let mut guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(stage) = guard.take() {
            if let Some(bar) = &stage.bar {
                bar.finish_and_clear();
            } else if stage.since.elapsed() >= Duration::from_secs(2) {
                let _ = writeln!(std::io::stderr(), "{}", stage.line());
            }
        }
    }

    fn note(&self, message: &str) {
        let guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match guard.as_ref().and_then(|s| s.bar.as_ref()) {
            Some(bar) => bar.suspend(|| drop(writeln!(std::io::stderr(), "{message}"))),
            None => drop(writeln!(std::io::stderr(), "{message}")),
        }
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}

/// Makes Ctrl-C do nothing here; a worker ends when its coordinator closes the pipe.
#[cfg(feature = "gdal")]
pub fn ignore_interrupts() {
    let _ = ctrlc::set_handler(|| {});
}
