//! Where a run stands, as it tells while it goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::progress::Status;
use crate::quality::Finding;

/// A stage of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What it does.
    pub what: String,
    /// What a step is.
    pub unit: &'static str,
    /// Steps done.
    pub done: u64,
    /// Steps in all, where that is known.
    pub total: Option<u64>,
    /// The time that is left, guessed.
    pub left: Option<Duration>,
}

/// What a run told so far. Shared by threads; each call takes a lock for a moment.
#[derive(Debug, Default)]
pub struct Live {
    state: Mutex<State>,
}

/// What is known at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) stage: Option<Stage>,
    /// When the stage began.
    pub(super) began: Option<Instant>,
    pub(super) status: Option<Status>,
    /// The most memory that was told, bytes.
    pub(super) peak: u64,
    /// The report of a run of tiles, at its end.
    pub(super) report: Option<Value>,
    /// What was held against rules.
    pub(super) quality: Vec<Finding>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stage begins.
    pub fn begin(&self, what: &str, total: Option<u64>, unit: &'static str) {
        let mut state = self.lock();
        state.stage = Some(Stage { what: what.to_owned(), unit, done: 0, total, left: None });
        state.began = Some(Instant::now());
    }

    /// More steps of it are done.
    pub fn advance(&self, steps: u64) {
        if let Some(stage) = &mut self.lock().stage {
            stage.done += steps;
        }
    }

    /// How the run stands.
    pub fn status(&self, status: &Status) {
        let mut state = self.lock();
        state.peak = state.peak.max(status.memory);
        if let Some(stage) = &mut state.stage {
            stage.left = status.left;
        }
        state.status = Some(status.clone());
    }

    /// The stage is over.
    pub fn end(&self) {
        self.lock().stage = None;
    }

    /// The report that a run of tiles wrote beside its output: JSON.
    pub fn report(&self, text: &[u8]) {
        self.lock().report = serde_json::from_slice(text).ok();
    }

    /// What was held against rules; adds to what was before.
    pub fn quality(&self, findings: &[Finding]) {
        self.lock().quality.extend_from_slice(findings);
    }

    pub(super) fn state(&self) -> State {
        let mut state = self.lock().clone();
        if let Some((stage, began)) = state.stage.as_mut().zip(state.began)
            && let (None, Some(total), true) = (stage.left, stage.total, stage.done > 0)
        {
            let left = began.elapsed().as_secs_f64() / stage.done as f64 * total.saturating_sub(stage.done) as f64;
            stage.left = Duration::try_from_secs_f64(left).ok();
        }
        state
    }
}
