//! What operators see: metrics and the access log.

mod access;
mod metrics;

pub use access::{AccessLog, Line, now};
pub use metrics::Metrics;
