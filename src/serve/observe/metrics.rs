//! Counters and histograms, in Prometheus' text format.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::archive::heights::CacheUse;
use crate::process::{Taken, taken};

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    endpoint: &'static str,
    code: u16,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    dataset: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    dataset: String,
    part: &'static str,
    version: String,
}

/// Upper bounds of latencies, seconds: from what a height takes to the slowest profile.
const SECONDS: [f64; 14] = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// All metrics of a server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Endpoint, Histogram>,
    bytes: Family<Endpoint, Counter>,
    connections: Gauge,
    looks: Family<Outcome, Counter>,
    refused_work: Counter,
    log_lines_lost: Counter,
    versions: Family<Version, Gauge>,
    cache: CacheMetrics,
    process: ProcessMetrics,
}

/// What the caches of decoded tiles hold, and did since their file was opened.
#[derive(Default)]
struct CacheMetrics {
    bytes: Family<Of, Gauge>,
    hits: Family<Of, Gauge>,
    misses: Family<Of, Gauge>,
}

/// The values of `/proc/self` at the last look.
struct ProcessMetrics {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    own: Gauge,
    files: Gauge,
    before: Mutex<Taken>,
}

impl CacheMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "hypso_decoded_tiles",
            "Decoded tiles that are kept",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register(
            "hypso_decoded_tiles_hits",
            "Decoded tiles that were found since the file was opened",
            self.hits.clone(),
        );
        registry.register(
            "hypso_decoded_tiles_misses",
            "Tiles that had to be decoded since the file was opened",
            self.misses.clone(),
        );
    }
}

impl ProcessMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_with_unit("process_cpu", "Processor time", Unit::Seconds, self.cpu.clone());
        registry.register_with_unit(
            "process_resident_memory",
            "Memory with mapped files",
            Unit::Bytes,
            self.resident.clone(),
        );
        registry.register_with_unit("process_own_memory", "Memory without mapped files", Unit::Bytes, self.own.clone());
        registry.register("process_open_fds", "Open files", self.files.clone());
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let latency = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let process = ProcessMetrics {
            cpu: Counter::default(),
            resident: Gauge::default(),
            own: Gauge::default(),
            files: Gauge::default(),
            before: Mutex::default(),
        };
        let metrics = Self {
            requests: Family::default(),
            latency,
            bytes: Family::default(),
            connections: Gauge::default(),
            looks: Family::default(),
            refused_work: Counter::default(),
            log_lines_lost: Counter::default(),
            versions: Family::default(),
            cache: CacheMetrics::default(),
            process,
            registry: Registry::default(),
        };
        registry.register("hypso_http_requests", "Requests that were answered", metrics.requests.clone());
        registry.register_with_unit(
            "hypso_http_request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register_with_unit(
            "hypso_http_response_body",
            "Bodies of answers whose length is known at the start",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register("hypso_http_connections", "Connections that are open", metrics.connections.clone());
        registry.register(
            "hypso_file_looks",
            "Files that were opened, refused or gone at a look",
            metrics.looks.clone(),
        );
        registry.register(
            "hypso_work_refused",
            "Requests that got no turn for long work",
            metrics.refused_work.clone(),
        );
        registry.register(
            "hypso_access_log_lost",
            "Lines that the access log had no room for",
            metrics.log_lines_lost.clone(),
        );
        registry.register("hypso_data_version", "Versions of files in use; the value is 1", metrics.versions.clone());
        metrics.cache.register(&mut registry);
        metrics.process.register(&mut registry);
        Self { registry, ..metrics }
    }

    /// A request was answered.
    pub fn answered(&self, endpoint: &'static str, code: u16, took: Duration, bytes: u64) {
        self.requests.get_or_create(&Request { endpoint, code }).inc();
        self.latency.get_or_create(&Endpoint { endpoint }).observe(took.as_secs_f64());
        self.bytes.get_or_create(&Endpoint { endpoint }).inc_by(bytes);
    }

    pub fn connected(&self) {
        self.connections.inc();
    }

    pub fn disconnected(&self) {
        self.connections.dec();
    }

    pub fn refused_work(&self) {
        self.refused_work.inc();
    }

    pub fn lost_log_line(&self) {
        self.log_lines_lost.inc();
    }

    /// A look for changed files: how many were `opened`, `refused`, `gone`.
    pub fn looked(&self, outcome: &'static str, files: usize) {
        self.looks.get_or_create(&Outcome { outcome }).inc_by(files as u64);
    }

    /// The versions in use: dataset, part, version.
    pub fn set_versions<'a>(&self, versions: impl Iterator<Item = (&'a str, &'static str, u64)>) {
        self.versions.clear();
        for (dataset, part, version) in versions {
            let labels = Version { dataset: dataset.to_owned(), part, version: format!("{version:016x}") };
            self.versions.get_or_create(&labels).set(1);
        }
    }

    /// The caches of decoded tiles, by dataset.
    pub fn set_caches<'a>(&self, caches: impl Iterator<Item = (&'a str, CacheUse)>) {
        let CacheMetrics { bytes, hits, misses } = &self.cache;
        [bytes, hits, misses].into_iter().for_each(Family::clear);
        for (dataset, found) in caches {
            let of = Of { dataset: dataset.to_owned() };
            bytes.get_or_create(&of).set(found.bytes as i64);
            hits.get_or_create(&of).set(found.hits as i64);
            misses.get_or_create(&of).set(found.misses as i64);
        }
    }

    /// All of them as text.
    pub fn text(&self) -> String {
        let taken = taken();
        let process = &self.process;
        let mut before = process.before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cpu) = taken.cpu_seconds {
            process.cpu.inc_by((cpu - before.cpu_seconds.unwrap_or(0.0)).max(0.0));
        }
        *before = taken;
        drop(before);
        let set = |gauge: &Gauge, value: Option<u64>| {
            if let Some(value) = value {
                gauge.set(value as i64);
            }
        };
        set(&process.resident, taken.resident_bytes);
        set(&process.own, taken.own_bytes);
        set(&process.files, taken.open_files);
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
