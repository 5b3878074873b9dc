//! The server as clients see it, over TCP, with data made here.

mod data;
mod dialects;
mod elevation;
mod hostile;
mod protocol;
mod rasters;
