//! Files and folders that appear whole or not at all, and what killed programs left of them.
//!
//! What is being made has a hidden name of chance beside its own, `.<name>.hypso-<16 digits>.tmp`, which is made exclusively and
//! never through a link. It is locked for as long as its maker lives, in whatever container that runs; so the next one
//! that makes the same output knows what is dead, removes it, and leaves alone what is not. A name that is a link stands for what
//! it leads to: the link stays, and what it leads to is replaced.

mod file;
#[cfg(feature = "engine")]
mod folder;
mod place;
mod scratch;
mod temporary;

pub(crate) use file::AtomicFile;
#[cfg(feature = "engine")]
pub(crate) use folder::AtomicFolder;
#[cfg(feature = "engine")]
pub(crate) use place::refuse_journals;
pub(crate) use place::{check_target, refuse_existing};
pub use scratch::ScratchFile;
pub(crate) use temporary::{Live, create_file};
#[cfg(feature = "engine")]
pub(crate) use temporary::{Swept, is_at, is_temporary, remove_dead, remove_entries, sweep_files, tell};
#[cfg(feature = "cli")]
pub(crate) use temporary::{abandon, on_sweep};

#[cfg(all(test, feature = "engine"))]
mod tests;
