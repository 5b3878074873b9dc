//! A copy of a file of heights with other metadata.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Heights, names};
use crate::error::{Error, Result};
use crate::format::Kind;

impl Heights {
    /// Writes a copy of `from`, the file that this was opened from, with other metadata (JSON) into an empty file. File systems that can
    /// share bytes between files do so; others copy all.
    ///
    /// # Errors
    /// Where the file was replaced meanwhile, can't be read, or has its metadata in an unusual place; where the copy can't be written.
    pub(crate) fn copy_with(&self, from: &Path, out: &mut File, metadata: &str) -> Result<()> {
        let (start, at) = self.container.sections().with_last(names::METADATA, Kind::Json, metadata.as_bytes())?;
        let mut source = File::open(from).map_err(Error::io("open", from))?;
        let mut head = vec![0; start.len()];
        let size = source.metadata().map_err(Error::io("read the size of", from))?.len();
        source.read_exact(&mut head).map_err(Error::io("read", from))?;
        if size != self.container.bytes().len() as u64 || !self.container.bytes().starts_with(&head) {
            let problem = "was replaced while it was read";
            return Err(Error::invalid("file", problem, "try again").with_path(from));
        }
        let mut copy = || {
            source.seek(SeekFrom::Start(0))?;
            let copied = std::io::copy(&mut (&source).take(at), out)?;
            if copied < at {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            out.write_all(metadata.as_bytes())?;
            out.seek(SeekFrom::Start(0))?;
            out.write_all(&start)
        };
        copy().map_err(Error::io("copy", from))
    }
}
