//! The server as clients see it, over TCP, with data made here.

pub mod data;
mod dialects;
pub mod elevation;
mod far;
mod hostile;
mod protocol;
mod rasters;
