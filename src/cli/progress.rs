//! Draws progress on stderr: a bar on a terminal, a line every few seconds elsewhere, JSON lines on request.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::observed::live;
use super::{logs, output};
use crate::atomic::Swept;
use crate::progress::{Progress, Status};
use crate::text::{message, one_line};

/// How progress is shown, for all commands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Progress and logs")]
pub struct TalkArgs {
    /// How progress is shown.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "HOW", hide_short_help = true)]
    progress: Style,
    /// Seconds between lines of progress.
    #[arg(long, global = true, default_value_t = 5.0, value_name = "SECONDS", hide_short_help = true)]
    progress_every: f64,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Style {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// A line every few seconds.
    Lines,
    /// A JSON document a line.
    Json,
    /// Nothing.
    None,
}

/// How this process reports.
#[derive(Debug, Clone, Copy)]
struct Talk {
    style: Style,
    every: Duration,
}

static TALK: OnceLock<Talk> = OnceLock::new();

fn talk() -> Talk {
    *TALK.get_or_init(|| Talk { style: Style::Auto, every: Duration::from_secs(5) })
}

impl TalkArgs {
    /// Sets up progress for this process.
    pub fn apply(&self) {
        let every = Duration::try_from_secs_f64(self.progress_every).unwrap_or(Duration::from_secs(5));
        let _ = TALK.set(Talk { style: self.progress, every });
    }
}

/// Says that what a killed program had left was removed.
pub fn swept(swept: &Swept) {
    let files = if swept.count == 1 { "file" } else { "files" };
    let text = format!(
        "{}: removed {} temporary {files} that a killed run had left ({})",
        swept.target.display(),
        swept.count,
        output::bytes(swept.bytes)
    );
    notify(&text, None);
}

/// Tells the user something, above the bar where there is one.
fn notify(text: &str, bar: Option<&ProgressBar>) {
    let text = message(text);
    let write = || drop(writeln!(std::io::stderr(), "{text}"));
    match bar {
        _ if logs::as_json() => return tracing::warn!("{text}"),
        Some(bar) => bar.suspend(write),
        None => write(),
    }
    logs::said(&text);
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
    status: Option<Status>,
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
        if let Some(left) = self.left() {
            text += &format!(", {} left", output::duration(left));
        }
        text + &self.facts()
    }

    /// True where all is done. The last status may be older than that.
    fn is_complete(&self) -> bool {
        self.total == Some(self.done)
    }

    /// The time that is left: as the work says, otherwise estimated from the count.
    fn left(&self) -> Option<Duration> {
        let total = self.total.filter(|&t| self.done > 0 && t > self.done)?;
        let by_count = self.since.elapsed().mul_f64((total - self.done) as f64 / self.done as f64);
        Some(self.status.as_ref().and_then(|s| s.left).unwrap_or(by_count))
    }

    /// Memory, disk and failures, as far as they are known.
    fn facts(&self) -> String {
        let Some(s) = &self.status else { return String::new() };
        let mut text = String::new();
        for (name, done, all) in &s.parts {
            text += &format!(", {name} {} %", if self.is_complete() { 100 } else { done * 100 / all.max(&1) });
        }
        text += &format!(", {} made, memory {}", output::bytes(s.bytes), output::bytes(s.memory));
        if let Some(budget) = s.memory_budget {
            text += &format!(" of {}", output::bytes(budget));
        }
        if let Some(free) = s.disk_free {
            text += &format!(", disk {} free", output::bytes(free));
        }
        for (count, what) in [(s.retried, "tries repeated"), (s.set_aside, "units set aside")] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        text
    }

    fn json(&self) -> String {
        let seconds = self.since.elapsed().as_secs_f64();
        let s = self.status.as_ref();
        let part = |(name, done, total): &(String, u64, u64)| json!({"name": name, "done": done, "total": total});
        let parts: Option<Vec<_>> = s.map(|s| s.parts.iter().map(part).collect());
        json!({
            "parts": parts,
            "stage": self.what, "unit": self.unit, "done": self.done, "total": self.total, "seconds": seconds,
            "rate": self.done as f64 / seconds.max(1e-9), "seconds_left": self.left().map(|l| l.as_secs_f64()),
            "bytes": s.map(|s| s.bytes), "memory": s.map(|s| s.memory), "memory_budget": s.and_then(|s| s.memory_budget),
            "disk_free": s.and_then(|s| s.disk_free), "retried": s.map(|s| s.retried), "set_aside": s.map(|s| s.set_aside),
        })
        .to_string()
    }

    fn tell(&mut self) {
        self.said = Instant::now();
        let text = match talk().style {
            Style::None => return,
            Style::Json => self.json(),
            _ => message(&self.line()),
        };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

impl Progress for Terminal {
    fn begin(&self, what: &str, total: Option<u64>, unit: &'static str) {
        self.end();
        live().begin(what, total, unit);
        let bar = (talk().style == Style::Auto && std::io::stderr().is_terminal()).then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = if total.is_some() {
                format!("{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit} ({{per_sec}}{{prefix}})")
            } else {
                format!("{{msg}} {{spinner}} {{human_pos}} {unit} ({{per_sec}})")
            };
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(one_line(what, 100));
            bar
        });
        let now = Instant::now();
        let stage = Stage { what: what.to_owned(), unit, total, done: 0, since: now, said: now, bar, status: None };
        *self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(stage);
    }

    fn advance(&self, steps: u64) {
        live().advance(steps);
        let mut guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(stage) = guard.as_mut() else { return };
        stage.done += steps;
        let left = stage.left().map_or(String::new(), |left| format!(", {} left", output::duration(left)));
        if let Some(bar) = &stage.bar {
            bar.inc(steps);
            bar.set_prefix(left + &stage.facts());
        } else if stage.said.elapsed() >= talk().every {
            stage.tell();
        }
    }

    fn status(&self, status: &Status) {
        live().status(status);
        let mut guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(stage) = guard.as_mut() else { return };
        stage.status = Some(status.clone());
        if stage.bar.is_none() && stage.said.elapsed() >= talk().every {
            stage.tell();
        }
    }

    fn end(&self) {
        let mut guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(mut stage) = guard.take() {
            live().end();
            logs::said(&stage.line());
            if let Some(bar) = &stage.bar {
                bar.finish_and_clear();
            } else if stage.since.elapsed() >= Duration::from_secs(2) || talk().style == Style::Json {
                stage.tell();
            }
        }
    }

    fn note(&self, text: &str) {
        let text = &super::words::of(text);
        let guard = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        notify(text, guard.as_ref().and_then(|s| s.bar.as_ref()));
    }

    fn interrupted(&self) -> bool {
        super::interrupt::asked()
    }
}
