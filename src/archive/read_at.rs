//! Reading at an offset, from any thread: a file, or an object behind a URL.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::atomic::AtOffsets;
use crate::error::{Error, Result};
#[cfg(feature = "remote")]
use crate::remote::Object;

/// Bytes that are read at offsets; no cursor is shared between threads.
#[derive(Debug)]
pub(super) struct ReadAt {
    from: From,
    path: PathBuf,
    len: u64,
}

#[derive(Debug)]
enum From {
    File(AtOffsets),
    #[cfg(feature = "remote")]
    Object(Object),
}

/// How the parts of an archive are asked for together, where each request costs a way to a server and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// Parts that lie nearer than so many bytes to each other are read together, with what lies between them.
    pub(super) gap: u64,
    /// The most bytes of one request for several parts.
    pub(super) most: u64,
}

impl ReadAt {
    pub(super) fn new(file: File, path: &Path) -> Result<Self> {
        let len = file.metadata().map_err(Error::io("read the size of", path))?.len();
        Ok(Self { from: From::File(AtOffsets::new(file)), path: path.to_path_buf(), len })
    }

    /// An object that is open.
    #[cfg(feature = "remote")]
    pub(super) fn of(object: Object) -> Self {
        Self { path: object.name().into(), len: object.len(), from: From::Object(object) }
    }

    /// The object, where it is one.
    #[cfg(feature = "remote")]
    pub(super) fn object(&self) -> Option<&Object> {
        match &self.from {
            From::File(_) => None,
            From::Object(object) => Some(object),
        }
    }

    /// The size of the file when it was opened, bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What messages call it: a path, or a URL without what is secret in it.
    #[cfg(feature = "remote")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `len` bytes at `offset`, at most `cap` of them.
    ///
    /// # Errors
    /// Where the range is not inside the file or larger than `cap`; `part` names it in the message.
    pub(super) fn read(&self, offset: u64, len: u64, cap: u64, part: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append(offset, len, cap, part, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`read`](Self::read), behind what `into` holds.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "files have no requests"))]
    pub(super) fn append(&self, offset: u64, len: u64, cap: u64, part: &str, into: &mut Vec<u8>) -> Result<()> {
        let range = self.inside(offset, len, cap, part)?;
        match &self.from {
            From::File(file) => {
                let start = into.len();
                into.resize(start + len as usize, 0);
                file.read(&mut into[start..], offset).map_err(Error::io("read", &self.path))
            }
            #[cfg(feature = "remote")]
            From::Object(object) => {
                into.extend_from_slice(&object.read(range)?);
                Ok(())
            }
        }
    }

    /// True where a part can be had without a request.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "files have no requests"))]
    pub(super) fn holds(&self, offset: u64, len: u64) -> bool {
        match &self.from {
            From::File(_) => true,
            #[cfg(feature = "remote")]
            From::Object(object) => object.held(&(offset..offset.saturating_add(len))).is_some(),
        }
    }

    /// Fetches parts (offset and length) of an object that will be read soon. Nothing for a file, which the system reads ahead.
    ///
    /// # Errors
    /// Where the server fails.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "files have no requests"))]
    pub(super) fn prefetch(&self, parts: Vec<(u64, u64)>) -> Result<()> {
        match &self.from {
            From::File(_) => Ok(()),
            #[cfg(feature = "remote")]
            From::Object(object) => {
                let inside = |(start, len): (u64, u64)| Some(start..start.checked_add(len)?);
                let mut ranges: Vec<_> = parts
                    .into_iter()
                    .filter_map(inside)
                    .filter(|part| !part.is_empty() && part.end <= self.len)
                    .collect();
                ranges.sort_by_key(|range| range.start);
                object.prefetch(ranges, Reach::UNPLANNED.gap)
            }
        }
    }

    /// The range of a part.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn inside(&self, offset: u64, len: u64, cap: u64, part: &str) -> Result<Range<u64>> {
        let problem = match offset.checked_add(len) {
            Some(end) if end <= self.len && len <= cap => return Ok(offset..end),
            Some(end) if end <= self.len => format!("has {len} bytes, more than the {cap} that are read at once"),
            _ => format!("lies at byte {offset} with {len} bytes, but the file has {} bytes", self.len),
        };
        Err(Error::invalid(part, problem, "the file is truncated or damaged: copy or make it again")
            .with_path(&self.path))
    }
}
