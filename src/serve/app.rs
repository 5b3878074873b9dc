//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::catalogue::Catalogue;
use super::observe::Metrics;
use super::options::Options;

/// Requests that wait for other servers at a time.
const FAR: usize = 64;

/// What all requests share.
pub struct App {
    pub options: Options,
    pub metrics: Metrics,
    /// The bearer key that requests must carry.
    pub key: Option<String>,
    /// Permits for long work.
    pub(super) work: Arc<Semaphore>,
    /// Permits for waiting for other servers.
    pub(super) far: Arc<Semaphore>,
    catalogue: ArcSwap<Catalogue>,
    draining: AtomicBool,
}

impl App {
    pub fn new(options: Options, key: Option<String>, catalogue: Catalogue) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let work = if options.limits.work == 0 { 2 * processors } else { options.limits.work };
        Self {
            options,
            key,
            metrics: Metrics::new(),
            work: Arc::new(Semaphore::new(work)),
            far: Arc::new(Semaphore::new(FAR)),
            catalogue: ArcSwap::from_pointee(catalogue),
            draining: AtomicBool::new(false),
        }
    }

    /// The datasets of this moment. Ask once a request.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    pub fn replace_catalogue(&self, catalogue: Catalogue) {
        self.catalogue.store(Arc::new(catalogue));
    }

    /// From now on `/ready` says no.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// A path as clients are told it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.options.public_url.trim_end_matches('/'))
    }
}
