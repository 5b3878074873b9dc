//! Versions of a data set side by side in a folder, one of which is in use.
//!
//! ```text
//! FOLDER/current -> versions/2026-11-26T175112Z
//! FOLDER/versions/2026-11-26T175112Z/japan.pmtiles, japan.report.json, ..., version.json
//! ```
//!
//! A version is a folder that appears whole, with `version.json`, which lists its files, their sizes and checksums. It is never written into.
//! `current` is a link; it is exchanged in one step. So whoever opens a file below it finds a whole version, whenever a process was killed.
//! A file that is the same as in the version in use is a hard link to that one.

mod files;
mod folder;
mod gate;
mod keep;
mod version;

pub use folder::{Pruned, Publication, PublishOptions, Published};
pub use keep::{Keep, Reason};
pub use version::{File, Version};
