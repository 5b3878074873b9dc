//! Tells of a run while it goes on, and how it ended: to a catalogue, into the audit log, as metrics.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::audit::{AuditLog, Digest, Entry, digest};
use super::facts::{self, Facts, Kind, Quality};
use super::lineage::{Config, Event, Moment, Sender};
use super::live::{Live, State};
use super::metrics;
use super::run::{End, Run};
use super::settings::Settings;
use crate::error::Result;
use crate::quality::Finding;
use crate::{threads, url};

/// The time between two versions of the file of metrics.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// Where a run is told of, besides what the settings say.
#[derive(Clone)]
pub struct Sinks {
    /// The file of metrics.
    pub metrics_file: Option<PathBuf>,
    /// Prints a line for the user, on stderr.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A run that is told of.
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    run: Run,
    settings: Settings,
    sinks: Sinks,
    live: Arc<Live>,
    audit: Option<AuditLog>,
    sender: Option<Sender>,
    environment: Vec<(String, String)>,
    /// What it reads, as it was at the beginning.
    inputs: Vec<Facts>,
    /// Its end has been told.
    over: AtomicBool,
    /// Held while the file of metrics is written, so that the last version is the last.
    metrics: Mutex<()>,
    stop: (Mutex<bool>, Condvar),
}

impl Watch {
    /// Begins to tell of a run.
    ///
    /// # Errors
    /// Where an audit log is asked for and can't be written. Nothing else that is asked for makes a run fail: it is said once.
    pub fn begin(run: Run, settings: Settings, live: Arc<Live>, sinks: Sinks) -> Result<Self> {
        let audit = settings.audit_log.as_deref().map(AuditLog::open).transpose()?;
        let say = |problem: String| (sinks.say)(&format!("warning: no events are sent: {problem}"));
        let config = Config::read().unwrap_or_else(|error| {
            say(format!("{error:#}"));
            None
        });
        let (transport, environment) = config.map_or((None, Vec::new()), |c| (Some(c.transport), c.environment));
        let sender = transport.and_then(|transport| {
            let started = Sender::start(transport, Arc::clone(&sinks.say));
            started.map_err(|error| say(format!("{error:#}"))).ok()
        });
        let wanted = sender.is_some() || audit.is_some();
        let inputs = if wanted { facts::inputs(&run.inputs, &[]) } else { Vec::new() };
        let inner = Arc::new(Inner {
            run,
            settings,
            sinks,
            live,
            audit,
            sender,
            environment,
            inputs,
            over: AtomicBool::new(false),
            metrics: Mutex::new(()),
            stop: (Mutex::new(false), Condvar::new()),
        });
        inner.event(Moment::Start, &inner.inputs, &inner.named());
        if inner.sender.is_some() || inner.sinks.metrics_file.is_some() {
            let theirs = Arc::clone(&inner);
            if let Err(error) = threads::start(move || theirs.tick()) {
                tracing::warn!("nothing is told of this run while it goes on: {error:#}");
            }
        }
        Ok(Self { inner })
    }

    /// Tells how the run ended; the first call counts. Waits until all has arrived, for so long at most; and as long as it takes to read the
    /// outputs where an audit log wants their digests.
    ///
    /// # Errors
    /// Where the audit log can't be written.
    pub fn finish(&self, end: &End, patience: Duration) -> Result<()> {
        self.inner.finish(end, patience)
    }
}

impl Inner {
    fn finish(&self, end: &End, patience: Duration) -> Result<()> {
        if self.over.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        let state = self.live.state();
        if let Err(error) = self.metrics(&state, Some(end)) {
            (self.sinks.say)(&format!("warning: the metrics could not be written: {error:#}"));
        }
        // Only what is whole is worth reading, and a run that is being ended has no time for it.
        let whole = matches!(end, End::Complete(_));
        let wanted = self.sender.is_some() || self.audit.is_some();
        let (mut inputs, outputs) = if whole && wanted {
            let outputs = self.run.outputs.iter().flat_map(|path| Facts::at(path)).filter(|f| f.kind != Kind::Source);
            (facts::inputs(&self.run.inputs, &self.run.outputs), outputs.collect())
        } else {
            (self.inputs.clone(), self.named())
        };
        add_quality(&mut inputs, &state);
        add_findings(&mut inputs, &state.quality);
        self.event(Moment::Ended(end.clone()), &inputs, &outputs);
        let noted = self.note(end, &inputs, if whole { Duration::from_secs(30) } else { patience });
        if let Some(problem) = self.sender.as_ref().and_then(|sender| sender.finish(patience)) {
            (self.sinks.say)(&format!("warning: {problem}"));
        }
        noted
    }

    fn metrics(&self, state: &State, end: Option<&End>) -> Result<()> {
        let Some(path) = &self.sinks.metrics_file else { return Ok(()) };
        let _held = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if end.is_none() && self.over.load(Ordering::SeqCst) {
            return Ok(());
        }
        metrics::write(path, &self.run, state, end)
    }

    /// What it writes, by name only.
    fn named(&self) -> Vec<Facts> {
        self.run.outputs.iter().map(|path| Facts::named(path)).collect()
    }

    fn event(&self, moment: Moment, inputs: &[Facts], outputs: &[Facts]) {
        let Some(sender) = &self.sender else { return };
        let (run, settings, environment) = (&self.run, &self.settings, self.environment.as_slice());
        sender.send(Event { run, settings, moment, inputs, outputs, environment }.text());
    }

    fn note(&self, end: &End, inputs: &[Facts], patience: Duration) -> Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let of = |path: &PathBuf| -> Option<Digest> {
            let here = matches!(end, End::Complete(_)) && url::of(&path.to_string_lossy()).is_none();
            here.then(|| digest(path).ok()).flatten()
        };
        let outputs: Vec<_> = self.run.outputs.iter().map(|path| (path.clone(), of(path))).collect();
        audit.append(&Entry { run: &self.run, end, inputs, outputs: &outputs }, patience)
    }

    /// Tells of the run from time to time, until it ends.
    fn tick(&self) {
        let every = self.settings.running_every;
        let (mut event, mut metrics) = (Instant::now() + every, Instant::now());
        let mut told = false;
        loop {
            let now = Instant::now();
            if now >= metrics {
                metrics = now + METRICS_EVERY;
                if let Err(error) = self.metrics(&self.live.state(), None)
                    && !std::mem::replace(&mut told, true)
                {
                    tracing::warn!("the metrics could not be written: {error:#}");
                }
            }
            if now >= event {
                event = now + every;
                self.event(Moment::Running(self.live.state().stage), &self.inputs, &self.named());
            }
            let next = if self.sinks.metrics_file.is_some() { event.min(metrics) } else { event };
            let stop = self.stop.0.lock().unwrap_or_else(PoisonError::into_inner);
            let left = next.saturating_duration_since(Instant::now());
            let waited = self.stop.1.wait_timeout_while(stop, left, |stop| !*stop);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
        }
    }
}

/// Adds what was held against rules: to the source that it is of, else to what is read first besides sources.
fn add_findings(inputs: &mut [Facts], findings: &[Finding]) {
    for found in findings {
        let own = |facts: &Facts| facts.kind == Kind::Source && facts.alias == found.figure.source;
        let place = inputs.iter().position(|facts| found.figure.source.is_some() && own(facts));
        let place = place.or_else(|| inputs.iter().position(|facts| facts.kind != Kind::Source));
        if let Some(facts) = inputs.get_mut(place.unwrap_or(0)) {
            facts.findings.push(found.clone());
        }
    }
}

/// Adds what the report of a run says of its sources.
fn add_quality(inputs: &mut [Facts], state: &State) {
    let sources = state.report.as_ref().and_then(|report| report["sources"].as_array());
    for source in sources.into_iter().flatten() {
        let (Some(name), Some(filled)) = (source["name"].as_str(), source["pixels"].as_u64()) else { continue };
        let Some(share) = source["nodata_share"].as_f64().filter(|share| *share < 1.0 || filled == 0) else { continue };
        let of = |facts: &&mut Facts| facts.kind == Kind::Source && facts.alias.as_deref() == Some(name);
        if let Some(facts) = inputs.iter_mut().find(of) {
            let void = if share >= 1.0 { 0.0 } else { filled as f64 * share / (1.0 - share) };
            facts.quality = Some(Quality { filled, void: void.round() as u64 });
        }
    }
}
