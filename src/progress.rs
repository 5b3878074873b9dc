//! How long work tells what it is doing, without knowing who listens.
//!
//! Library code never prints. It takes a `&dyn Progress`, tells it where the work stands, and asks it whether the
//! user wants to stop. The command line draws bars from it; tests and services pass [`Silent`].

/// Receives the state of long work; shared by threads.
pub trait Progress: Sync {
    /// A stage begins: what it does (`"reading footprints"`), how many steps it has if that is known, and what a step
    /// is (`"files"`, `"tiles"`).
    fn begin(&self, what: &str, total: Option<u64>, unit: &'static str);
    /// `steps` more are done.
    fn advance(&self, steps: u64);
    /// Facts to show beside the count, some times a second.
    fn status(&self, _status: &Status) {}
    /// The stage is over.
    fn end(&self);
    /// Something that the user should read now: a warning, a retry.
    fn note(&self, message: &str);
    /// True once the user asked to stop; long work then returns [`Error::Interrupted`](crate::Error::Interrupted).
    fn interrupted(&self) -> bool {
        false
    }
}

/// How a run stands, beside its count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The parts of the work that are begun and not finished: name, steps done, steps in all.
    pub parts: Vec<(String, u64, u64)>,
    /// The time that is left, guessed from what the parts of the work took that are like those left.
    pub left: Option<std::time::Duration>,
    /// What all processes take now, bytes.
    pub memory: u64,
    /// What they may take together, bytes.
    pub memory_budget: Option<u64>,
    /// What is free on the fullest volume in use, bytes.
    pub disk_free: Option<u64>,
    /// Bytes made so far.
    pub bytes: u64,
    /// Tries that failed and were repeated.
    pub retried: u64,
    /// Units that kept failing.
    pub set_aside: u64,
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total: Option<u64>, _unit: &'static str) {}
    fn advance(&self, _steps: u64) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
}
