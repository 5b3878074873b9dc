//! Files and folders that appear whole or not at all, and what killed programs left of them.
//!
//! An output that is being made has a hidden, random name beside its own, `.<name>.hypso-<16 digits>.tmp`. It is created exclusively and
//! never through a link. It is locked as long as its process lives, also across containers. So the next process that makes the
//! same output knows which temporary files are dead. It removes these and leaves the others alone. A name that is a link stands
//! for its target: the link stays, and the target is replaced.

mod file;
#[cfg(feature = "engine")]
mod folder;
mod offsets;
#[cfg(feature = "engine")]
mod output;
mod place;
mod scratch;
mod temporary;

pub(crate) use file::AtomicFile;
#[cfg(feature = "engine")]
pub(crate) use folder::{AtomicFolder, retire};
pub(crate) use offsets::AtOffsets;
#[cfg(feature = "engine")]
pub use output::write_whole;
#[cfg(feature = "cli")]
pub use output::{check_output, holds};
pub(crate) use place::check_target;
#[cfg(feature = "engine")]
pub use place::{make_private_folder, refuse_inputs};
#[cfg(feature = "engine")]
pub(crate) use place::{refuse_existing, refuse_journals};
pub use scratch::ScratchFile;
pub(crate) use temporary::{Live, create_file};
#[cfg(feature = "engine")]
pub(crate) use temporary::{
    Swept, is_at, is_temporary, remove_dead, remove_entries, replace_link, sweep_files, sweep_folders, tell,
};
#[cfg(feature = "cli")]
pub(crate) use temporary::{abandon, on_sweep};

#[cfg(all(test, feature = "engine"))]
mod tests;
