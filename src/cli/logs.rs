//! Logs: on stderr and in a file, each at a level of its own, the run's identifier in every line, no secret in any.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use file_rotate::compression::Compression;
use file_rotate::suffix::{AppendTimestamp, DateFrom, FileLimit};
use file_rotate::{ContentLimit, FileRotate};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use super::output;
use crate::error::{Error, Result};
use crate::events::RunId;
use crate::url::masked;

/// What a command says to its user goes into the file under this target; on stderr it stands already.
pub const SAID: &str = "said";

/// A day, seconds.
const DAY: u64 = 24 * 60 * 60;

/// Where logs go, for all commands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Progress and logs")]
pub struct LogArgs {
    /// What is logged on stderr: off, error, warn, info, debug or trace.
    #[arg(
        long,
        global = true,
        default_value = "warn",
        value_name = "LEVEL",
        env = "HYPSO_LOG",
        hide_short_help = true
    )]
    log_level: LevelFilter,
    /// How logs are written; with json, notes are written as logs too.
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "HOW", hide_short_help = true)]
    log_format: LogFormat,
    /// Log into this file too, with all that is said to the user.
    ///
    /// It is begun anew each day, and where it has the size of --log-rotate; older ones have the time in their names.
    #[arg(long, global = true, value_name = "FILE", env = "HYPSO_LOG_FILE", hide_short_help = true)]
    log_file: Option<PathBuf>,
    /// What is logged in the file: off, error, warn, info, debug or trace.
    #[arg(
        long,
        global = true,
        default_value = "info",
        value_name = "LEVEL",
        env = "HYPSO_LOG_FILE_LEVEL",
        hide_short_help = true
    )]
    log_file_level: LevelFilter,
    /// The size at which the file is begun anew.
    #[arg(long, global = true, default_value = "16M", value_name = "SIZE", env = "HYPSO_LOG_ROTATE", value_parser = rotation, hide_short_help = true)]
    log_rotate: usize,
    /// After how many days older files are removed.
    #[arg(long, global = true, default_value_t = 30, value_name = "DAYS", env = "HYPSO_LOG_KEEP", value_parser = clap::value_parser!(u32).range(1..=36500), hide_short_help = true)]
    log_keep: u32,
    /// The identifier of this run, a UUID [default: a new one].
    #[arg(long, global = true, value_name = "UUID", env = "HYPSO_RUN_ID", value_parser = run_id, hide_short_help = true)]
    run_id: Option<RunId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn run_id(text: &str) -> std::result::Result<RunId, String> {
    RunId::parse(text).map_err(|_| "expected a UUID, such as 0191a5a0-0000-7000-8000-000000000000".to_owned())
}

fn rotation(text: &str) -> std::result::Result<usize, String> {
    let size = output::parse_bytes(text)?;
    usize::try_from(size).ok().filter(|&size| size >= 4096).ok_or_else(|| "at least 4k".to_owned())
}

/// How this process logs.
#[derive(Debug)]
struct Logs {
    run: RunId,
    json: bool,
    workers: Vec<OsString>,
}

static LOGS: OnceLock<Logs> = OnceLock::new();

/// The identifier of this run.
pub fn run() -> RunId {
    LOGS.get().map_or_else(RunId::new, |logs| logs.run.clone())
}

/// True where notes are logs.
pub fn as_json() -> bool {
    LOGS.get().is_some_and(|logs| logs.json)
}

/// Options of a worker, so that it logs to the same places under the same identifier.
pub fn for_workers() -> Vec<OsString> {
    LOGS.get().map_or_else(Vec::new, |logs| logs.workers.clone())
}

impl LogArgs {
    /// Sets up logs for this process. A worker adds to the file and leaves it to the process that started it to begin a new one.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn apply(&self, is_worker: bool) -> Result<()> {
        let run = self.run_id.clone().unwrap_or_default();
        let json = self.log_format == LogFormat::Json;
        let id = run.to_string();
        let _ = LOGS.set(Logs { run, json, workers: self.worker_options(&id) });
        let level = self.log_level;
        // Notes that are logs stand there as such.
        let console = filter_fn(move |facts| *facts.level() <= level && facts.target() != SAID);
        let console = console.with_max_level_hint(level);
        let lines = format().with_target(false).with_ansi(false);
        let stderr = std::io::stderr;
        let console = if json {
            let lines = WithRun { id: id.clone(), json, lines: lines.json().flatten_event(true) };
            layer().with_writer(stderr).event_format(lines).fmt_fields(JsonFields::new()).with_filter(console).boxed()
        } else {
            // Colours are a feature of the crate that is not asked for: with them it complains on every terminal.
            let lines = WithRun { id: id.clone(), json, lines };
            layer().with_writer(stderr).with_ansi(false).event_format(lines).with_filter(console).boxed()
        };
        let file = match &self.log_file {
            None => None,
            Some(path) => {
                let file = Mutex::new(Daily::open(path, self.log_rotate, self.log_keep, is_worker)?);
                let lines = format().with_target(false).with_ansi(false);
                let level = self.log_file_level;
                Some(if json {
                    let lines = WithRun { id, json, lines: lines.json().flatten_event(true) };
                    let layer = layer().with_writer(file).event_format(lines).fmt_fields(JsonFields::new());
                    layer.with_filter(level).boxed()
                } else {
                    let lines = WithRun { id, json, lines };
                    layer().with_writer(file).with_ansi(false).event_format(lines).with_filter(level).boxed()
                })
            }
        };
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(console).with(file));
        Ok(())
    }

    fn worker_options(&self, id: &str) -> Vec<OsString> {
        let mut options: Vec<OsString> = vec!["--run-id".into(), id.into()];
        options.extend(["--log-level".into(), self.log_level.to_string().into()]);
        if self.log_format == LogFormat::Json {
            options.extend(["--log-format".into(), "json".into()]);
        }
        if let Some(path) = &self.log_file {
            options.extend(["--log-file".into(), path.into()]);
            options.extend(["--log-file-level".into(), self.log_file_level.to_string().into()]);
        }
        options
    }
}

/// Lines with the run's identifier, and without secrets.
struct WithRun<F> {
    id: String,
    json: bool,
    lines: F,
}

impl<S, N, F> FormatEvent<S, N> for WithRun<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.lines.format_event(context, Writer::new(&mut text), event)?;
        let text = masked(text.trim_end());
        // A message of several lines stays one line.
        let text = text.replace('\n', "\\n");
        match text.strip_prefix('{').filter(|_| self.json) {
            Some(rest) => writeln!(out, "{{\"run\":\"{}\",{rest}", self.id),
            None => writeln!(out, "{text} run={}", self.id),
        }
    }
}

/// A file that is begun anew each day (UTC) and at a size.
struct Daily {
    file: FileRotate<AppendTimestamp>,
    /// The day of its last line, days since 1970; `None` where another process begins new ones.
    day: Option<u64>,
}

fn day_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY)
}

impl Daily {
    fn open(path: &Path, size: usize, days: u32, is_worker: bool) -> Result<Self> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let mut options = OpenOptions::new();
        options.read(true).create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        // The crate says nothing where it can't open its file.
        let first = options.open(&path).map_err(Error::io("open the log", &path))?;
        let found = first.metadata().map_err(Error::io("open the log", &path))?;
        if !found.is_file() {
            return Err(Error::argument(path.display().to_string(), "is no file; a log is one"));
        }
        drop(first);
        let age = chrono::TimeDelta::try_days(i64::from(days)).unwrap_or(chrono::TimeDelta::MAX);
        let names = AppendTimestamp::with_format("%Y%m%dT%H%M%S", FileLimit::Age(age), DateFrom::Now);
        let limit = if is_worker { ContentLimit::None } else { ContentLimit::BytesSurpassed(size) };
        let file = FileRotate::new(&path, names, limit, Compression::None, Some(options));
        let written = found.modified().ok().filter(|_| found.len() > 0);
        let day = day_of(written.unwrap_or_else(SystemTime::now));
        Ok(Self { file, day: (!is_worker).then_some(day) })
    }
}

impl Write for Daily {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let today = day_of(SystemTime::now());
        if self.day.is_some_and(|day| day < today) {
            self.day = Some(today);
            self.file.rotate()?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A text that was said to the user, for the file.
pub fn said(text: &str) {
    tracing::info!(target: SAID, "{text}");
}

/// An error that was said to the user, for the file.
pub fn said_error(text: &str) {
    tracing::error!(target: SAID, "{text}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_log_is_begun_anew_at_a_size_and_each_day_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        for name in ["x.log.20010101T000000", "x.log.of-others", "y.log.20010101T000000"] {
            std::fs::write(folder.path().join(name), "old").unwrap();
        }
        let mut log = Daily::open(&path, 4096, 30, false).unwrap();
        log.write_all(&[b'a'; 5000]).unwrap();
        log.write_all(b"b").unwrap();
        let found = names(folder.path());
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(!found.contains(&"x.log.20010101T000000".to_owned()), "{found:?}");
        assert!(found.iter().any(|name| name.starts_with("x.log.20") && name.len() == "x.log.20010101T000000".len()));
        drop(log);
        // The last line is of yesterday.
        let yesterday = SystemTime::now() - Duration::from_secs(DAY);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(yesterday).unwrap();
        let mut log = Daily::open(&path, 4096, 30, true).unwrap();
        log.write_all(b"c").unwrap();
        assert_eq!(names(folder.path()).len(), 4, "a worker leaves it as it is");
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(yesterday).unwrap();
        let mut log = Daily::open(&path, 4096, 30, false).unwrap();
        log.write_all(b"d").unwrap();
        assert_eq!(names(folder.path()).len(), 5);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "d");
        assert!(Daily::open(&folder.path().join("no/such"), 4096, 30, false).is_err());
        assert!(Daily::open(folder.path(), 4096, 30, false).is_err());
    }
}
