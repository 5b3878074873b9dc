//! One error type for the whole library.
//!
//! Every message names the file (or the option), what was expected, what was found, and what to do next.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::url;

/// The result of everything in hypso that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
///
/// `Display` (`{}`) says what is wrong and what to do next, without the text of [`source()`](std::error::Error::source); so
/// a chain of causes names each thing once. `{:#}` is the whole story on one line, the causes included.
///
/// Messages name an option by the field that holds it, in backticks (`` `max_zoom` ``), and a step by what does it in this
/// library (`` `archive::convert` ``). The `hypso` program puts its flags and commands in their place.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a read, a write, an open or a rename. See [`Error::is_not_found`].
    #[non_exhaustive]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// What was being done, such as `open` or `write`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A server refused a request, or answered otherwise than it should.
    #[non_exhaustive]
    Remote {
        /// The URL, without what may be secret in it.
        url: String,
        /// What was being done, such as `read`.
        action: &'static str,
        /// What the server said, or what is wrong with its answer.
        problem: String,
        /// What to do next.
        remedy: &'static str,
        /// True where the same request may be answered later: a server that is busy or fails, a network that is away.
        passes: bool,
    },
    /// A file is not what it should be: truncated, altered, hostile. Another copy of it may be whole.
    #[non_exhaustive]
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
    /// A file is of another kind: a store where an archive is wanted, a photograph, a store of another schema.
    #[non_exhaustive]
    OtherKind {
        /// The file, or `None` for bytes that came from memory.
        path: Option<PathBuf>,
        /// What was expected and what was found.
        problem: String,
        /// What to do next.
        remedy: &'static str,
    },
    /// A file was written by a newer major version of its format.
    #[non_exhaustive]
    UnsupportedVersion {
        /// The file, or `None` for bytes that came from memory.
        path: Option<PathBuf>,
        /// The version that the file declares (major, minor).
        found: (u16, u16),
        /// The newest version that this program reads (major, minor).
        supported: (u16, u16),
    },
    /// An option or an argument is impossible, by itself or for what it is applied to.
    #[non_exhaustive]
    Argument {
        /// The field or parameter, such as `max_zoom`; or the value itself where that says more, as with paths.
        field: String,
        /// What was expected, what was found, and what to do next.
        problem: String,
    },
    /// What was asked for is not there: no record, no raster in a folder, no tile in an area. For files see
    /// [`Error::is_not_found`].
    #[non_exhaustive]
    NotFound {
        /// What was searched, and what to do next.
        problem: String,
    },
    /// An output exists already.
    #[non_exhaustive]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// Another process works there, or an unfinished run of something else is kept there.
    #[non_exhaustive]
    Busy {
        /// The output or the work folder.
        path: PathBuf,
        /// Which process uses it, and what to do next.
        problem: String,
    },
    /// A raster can't be used; the reason is GDAL's or ours.
    #[non_exhaustive]
    Raster {
        /// The raster file.
        path: PathBuf,
        /// Why, and what to do next.
        problem: String,
    },
    /// A raster is not what it was when the store was built, or when tiles were made from it.
    #[non_exhaustive]
    Changed {
        /// The raster file.
        path: PathBuf,
        /// True where it changed while it was in use.
        in_use: bool,
    },
    /// A raster is stored in blocks that don't fit into the memory that may be used: to read any cell, all of a block is decoded.
    #[non_exhaustive]
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
    /// The machine, the system or a format has no room for this: memory, threads, processes, disk, 4 GB in one tile.
    #[non_exhaustive]
    Limit {
        /// Which limit, and what to do next.
        problem: String,
    },
    /// Parts of a run could not be made. All else was made and is kept.
    #[non_exhaustive]
    Incomplete {
        /// Which parts, why, and what to do next.
        problem: String,
    },
    /// An output has its name and is whole, but what follows failed.
    #[non_exhaustive]
    AfterWhole {
        /// The output.
        output: PathBuf,
        /// What failed afterwards.
        source: Box<Error>,
    },
    /// The work was interrupted by the user and can be continued.
    Interrupted,
    /// A mistake of hypso itself, which no input should be able to bring about.
    #[non_exhaustive]
    Internal {
        /// What was not as the code expects it.
        problem: String,
    },
}

impl Error {
    /// Wraps an I/O error with its path and what was being done; made for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, action, source }
    }

    /// A file or buffer that is not what it should be.
    pub fn invalid(part: impl Into<String>, problem: impl Into<String>, remedy: &'static str) -> Self {
        Self::Invalid { path: None, part: part.into(), problem: problem.into(), remedy }
    }

    /// A file or buffer of another kind than the one that is wanted.
    pub fn other_kind(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self::OtherKind { path: None, problem: problem.into(), remedy }
    }

    /// An impossible option or argument.
    pub fn argument(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Argument { field: field.into(), problem: problem.into() }
    }

    /// Something that is not there.
    pub fn not_found(problem: impl Into<String>) -> Self {
        Self::NotFound { problem: problem.into() }
    }

    /// A place that another process or run has.
    pub fn busy(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Busy { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// Something that there is no room for.
    pub fn limit(problem: impl Into<String>) -> Self {
        Self::Limit { problem: problem.into() }
    }

    /// A mistake of this library.
    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::Internal { problem: problem.into() }
    }

    /// An object that was there.
    #[cfg(feature = "serve")]
    pub(crate) fn gone(object: &Path, problem: String) -> Self {
        let remedy = "put it back, or take it out of service";
        Self::Remote { url: object.display().to_string(), action: "read", problem, remedy, passes: false }
    }

    /// For what failed after an output got its name: says that the output is whole.
    pub(crate) fn after_whole(self, output: &Path) -> Self {
        match self {
            Self::Interrupted => self,
            source => Self::AfterWhole { output: output.to_path_buf(), source: Box::new(source) },
        }
    }

    /// A name that is not among the known ones, for options that are given by name.
    #[cfg(feature = "engine")]
    pub(crate) fn unknown_name(what: &str, found: &str, known: &[&str]) -> Self {
        Self::argument(what, format!("{found:?} is not known; expected one of {}", known.join(", ")))
    }

    /// A raster that can't be used.
    pub fn raster(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Raster { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// True where a file, a folder or what was asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::NotFound { .. } => true,
            _ => false,
        }
    }

    /// True where the content of a file is not to blame: the disk, a server, the user.
    #[cfg(feature = "engine")]
    pub(crate) fn is_outside(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Remote { .. } | Self::NotFound { .. } | Self::Interrupted)
    }

    /// The same error with a path, where it has none yet.
    #[must_use]
    pub fn with_path(mut self, file: impl AsRef<Path>) -> Self {
        if let Self::Invalid { path, .. } | Self::OtherKind { path, .. } | Self::UnsupportedVersion { path, .. } =
            &mut self
        {
            path.get_or_insert_with(|| file.as_ref().to_path_buf());
        }
        self
    }

    /// The same error as one of a part, such as a tile, of the file `path`; where it has no path yet.
    #[cfg(feature = "engine")]
    #[must_use]
    pub(crate) fn of_part(self, whole: impl std::fmt::Display, path: Option<&Path>) -> Self {
        match self {
            Self::Invalid { path: None, part, problem, remedy } => {
                let path = path.map(Path::to_path_buf);
                Self::Invalid { path, part: format!("{whole}: {part}"), problem, remedy }
            }
            other => other,
        }
    }

    /// What to do about what the system said.
    fn advice(path: &Path, source: &std::io::Error) -> Option<&'static str> {
        match source.kind() {
            // What the file system says of a URL is that it has no such file.
            kind if url::is_one(path) && source.raw_os_error().is_none() => Some(url::advice(kind)),
            std::io::ErrorKind::NotFound => Some(crate::local::advice(path).unwrap_or("check the path")),
            std::io::ErrorKind::PermissionDenied => Some("check the permissions of the file and its folder"),
            std::io::ErrorKind::StorageFull => Some("free some space on this volume and run the same command again"),
            _ => None,
        }
    }
}

impl std::fmt::Display for Error {
    /// Passwords and tokens in URLs are masked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.tell(&mut text, f.alternate())?;
        f.write_str(&url::masked(&text))
    }
}

impl Error {
    /// Writes the message; with `whole`, the causes included.
    fn tell(&self, f: &mut dyn Write, whole: bool) -> std::fmt::Result {
        let place =
            |path: &Option<PathBuf>| path.as_ref().map_or("bytes in memory".into(), |p| p.display().to_string());
        match self {
            Self::Io { path, action, source } => {
                write!(f, "{}: can't {action}", path.display())?;
                if whole {
                    write!(f, ": {source}")?;
                }
                Self::advice(path, source).map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            Self::Remote { url, action, problem, remedy, .. } => {
                write!(f, "{url}: can't {action}: {problem}; {remedy}")
            }
            Self::Invalid { path, part, problem, remedy } => write!(f, "{}: {part}: {problem}; {remedy}", place(path)),
            Self::OtherKind { path, problem, remedy } => write!(f, "{}: {problem}; {remedy}", place(path)),
            Self::UnsupportedVersion { path, found, supported } => write!(
                f,
                "{}: has format version {}.{}, but this program reads up to version {}.x; install a newer hypso, or build the file again with this one",
                place(path),
                found.0,
                found.1,
                supported.0
            ),
            Self::Argument { field, problem } => write!(f, "{field}: {problem}"),
            Self::Exists { path } => {
                write!(f, "{}: exists already; choose another name, or say `overwrite` to replace it", path.display())
            }
            Self::Raster { path, problem } | Self::Busy { path, problem } => {
                write!(f, "{}: {problem}", path.display())
            }
            Self::Changed { path, in_use } => {
                let when = if *in_use { "while tiles were made from it" } else { "after the store was built" };
                let remedy = "bring the store up to date (`catalog::Known`), then do the same again";
                write!(f, "{}: was changed {when}; {remedy}", path.display())
            }
            Self::AfterWhole { output, source } => {
                write!(f, "{} is whole and has its name; what follows failed", output.display())?;
                if whole { write!(f, ": {source:#}") } else { Ok(()) }
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
                    Some(enough) => write!(f, ", or give more: `memory = {}M` at least", mb(*enough)),
                    None => write!(f, ", or give more memory (`memory`), or use fewer workers (`jobs`)"),
                }
            }
            Self::Interrupted => write!(f, "interrupted; run the same command again to go on"),
            Self::NotFound { problem } | Self::Limit { problem } | Self::Incomplete { problem } => f.write_str(problem),
            Self::Internal { problem } => write!(f, "{problem}; this is a mistake of hypso: please report it"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::AfterWhole { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io::{Error as Io, ErrorKind};

    use super::*;

    #[test]
    fn a_chain_of_causes_names_each_thing_once() {
        let error = Error::io("open", "a.hypso")(Io::new(ErrorKind::NotFound, "gone")).after_whole(Path::new("b"));
        let mut chain = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(next) = cause {
            chain.push(next.to_string());
            cause = next.source();
        }
        let parts = ["b is whole and has its name; what follows failed", "a.hypso: can't open; check the path", "gone"];
        assert_eq!(chain, parts);
        assert_eq!(format!("{error:#}"), format!("{}: a.hypso: can't open: gone; check the path", parts[0]));
    }

    #[test]
    fn a_missing_file_and_a_missing_record_are_both_not_found() {
        let missing = |kind| Error::io("open", "a")(Io::from(kind)).is_not_found();
        assert!(missing(ErrorKind::NotFound) && !missing(ErrorKind::PermissionDenied));
        assert!(Error::not_found("no record").is_not_found() && !Error::argument("id", "is none").is_not_found());
    }

    #[test]
    fn the_first_path_of_an_error_stays() {
        for error in [Error::invalid("a", "b", "c"), Error::other_kind("b", "c")] {
            let text = error.with_path("first").with_path("second").to_string();
            assert!(text.starts_with("first: "), "{text}");
        }
    }
}
