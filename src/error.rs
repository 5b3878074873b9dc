//! One error type for the whole library.
//!
//! Every message names the file (or the option), what was expected, what was found, and what to do next.

use std::path::{Path, PathBuf};

/// The result of everything in hypso that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a read, a write, an open or a rename.
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// What was being done, such as `open` or `write`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be: bad magic, truncated, altered, hostile.
    Invalid {
        /// The file, or `None` for bytes that came from memory.
        path: Option<PathBuf>,
        /// The part of the file: a section, a directory, a tile.
        part: String,
        /// What was expected and what was found.
        problem: String,
        /// What to do next.
        remedy: &'static str,
    },
    /// A file was written by a newer major version of its format.
    UnsupportedVersion {
        /// The file, or `None` for bytes that came from memory.
        path: Option<PathBuf>,
        /// The version that the file declares (major, minor).
        found: (u16, u16),
        /// The newest version that this program reads (major, minor).
        supported: (u16, u16),
    },
    /// An option or an argument is impossible.
    Argument {
        /// The option or argument as the user knows it.
        name: String,
        /// What was expected, what was found, and what to do next.
        problem: String,
    },
    /// An output exists already.
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A raster can't be used; the reason is GDAL's or ours.
    Raster {
        /// The raster file.
        path: PathBuf,
        /// Why, and what to do next.
        problem: String,
    },
    /// A raster is not what it was when the store was built, or when tiles were made from it.
    Changed {
        /// The raster file.
        path: PathBuf,
        /// True where it changed while it was in use.
        in_use: bool,
    },
    /// A raster is stored in blocks that don't fit into the memory that may be used: to read any cell, all of a block is decoded.
    BlockTooLarge {
        /// The raster file.
        path: PathBuf,
        /// Columns and rows of its largest block.
        block: (u32, u32),
        /// Bytes that the decoded block takes.
        bytes: u64,
        /// Bytes that one process may take for it.
        limit: u64,
        /// What all processes must be allowed to take together so that it fits, bytes; where that is known.
        enough: Option<u64>,
    },
    /// The work was interrupted by the user and can be continued.
    Interrupted,
    /// Anything else that has a plain message of its own.
    Other(String),
}

impl Error {
    /// For what failed after an output got its name: says that the output is whole.
    pub(crate) fn after_whole(self, output: &Path) -> Self {
        match self {
            Self::Interrupted => self,
            error => {
                Self::Other(format!("{} is whole and has its name; what follows failed: {error}", output.display()))
            }
        }
    }

    /// Wraps an I/O error with its path and what was being done; made for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, action, source }
    }

    /// A file or buffer that is not what it should be.
    pub fn invalid(part: impl Into<String>, problem: impl Into<String>, remedy: &'static str) -> Self {
        Self::Invalid { path: None, part: part.into(), problem: problem.into(), remedy }
    }

    /// An impossible option or argument.
    pub fn argument(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Argument { name: name.into(), problem: problem.into() }
    }

    /// A name that is none of those there are, for options that are named.
    #[cfg(feature = "engine")]
    pub(crate) fn unknown_name(what: &str, found: &str, known: &[&str]) -> Self {
        Self::argument(what, format!("{found:?} is not known; expected one of {}", known.join(", ")))
    }

    /// A raster that can't be used.
    pub fn raster(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Raster { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// The same error with a path, where it has none yet.
    #[must_use]
    pub fn with_path(self, file: impl AsRef<Path>) -> Self {
        let file = || Some(file.as_ref().to_path_buf());
        match self {
            Self::Invalid { path: None, part, problem, remedy } => {
                Self::Invalid { path: file(), part, problem, remedy }
            }
            Self::UnsupportedVersion { path: None, found, supported } => {
                Self::UnsupportedVersion { path: file(), found, supported }
            }
            other => other,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place =
            |path: &Option<PathBuf>| path.as_ref().map_or("bytes in memory".into(), |p| p.display().to_string());
        match self {
            Self::Io { path, action, source } => {
                write!(f, "{}: can't {action}: {source}", path.display())?;
                match source.kind() {
                    std::io::ErrorKind::NotFound => {
                        write!(f, "; {}", crate::local::advice(path).unwrap_or("check the path"))
                    }
                    std::io::ErrorKind::PermissionDenied => {
                        write!(f, "; check the permissions of the file and its folder")
                    }
                    std::io::ErrorKind::StorageFull => {
                        write!(f, "; free some space on this volume and run the same command again")
                    }
                    _ => Ok(()),
                }
            }
            Self::Invalid { path, part, problem, remedy } => write!(f, "{}: {part}: {problem}; {remedy}", place(path)),
            Self::UnsupportedVersion { path, found, supported } => write!(
                f,
                "{}: has format version {}.{}, but this program reads up to version {}.x; install a newer hypso, or build the file again with this one",
                place(path),
                found.0,
                found.1,
                supported.0
            ),
            Self::Argument { name, problem } => write!(f, "{name}: {problem}"),
            Self::Exists { path } => {
                write!(f, "{}: exists already; choose another name, or say --overwrite to replace it", path.display())
            }
            Self::Raster { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Changed { path, in_use } => {
                let when = if *in_use { "while tiles were made from it" } else { "after the store was built" };
                write!(
                    f,
                    "{}: was changed {when}; run `hypso build --update`, then the same command again",
                    path.display()
                )
            }
            Self::BlockTooLarge { path, block: (width, height), bytes, limit, enough } => {
                let mb = |bytes: u64| bytes.div_ceil(1 << 20);
                let of = if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("vrt")) {
                    "has a source that "
                } else {
                    ""
                };
                write!(
                    f,
                    "{}: {of}is stored in blocks of {width} x {height} cells, and to read any cell all {} MB of one are decoded; a process may \
                     take {} MB for that. Store it in tiles (gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT)",
                    path.display(),
                    mb(*bytes),
                    limit >> 20
                )?;
                match enough {
                    Some(enough) => write!(f, ", or give more memory (--memory {}M at least)", mb(*enough)),
                    None => write!(f, ", or give more memory (--memory), or use fewer workers (--jobs)"),
                }
            }
            Self::Interrupted => write!(f, "interrupted; run the same command again to go on"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
