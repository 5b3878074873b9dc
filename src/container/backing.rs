//! What holds the bytes of a file: a map, or a buffer of the caller.

use std::ops::Range;

use super::advice::Advice;
use super::identity::FileIdentity;
use super::map::Map;
use crate::mmap::{Mapped, WINDOW, pieces};

/// The bytes behind a file.
pub(super) enum Backing {
    Map(Map),
    Buffer(Box<dyn AsRef<[u8]> + Send + Sync>),
}

impl Backing {
    /// A caller's buffer; copied once where it does not start at a multiple of eight.
    pub(super) fn buffer(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let mut buffer: Box<dyn AsRef<[u8]> + Send + Sync> = Box::new(bytes);
        // Only now: a value that holds its bytes itself, such as an array, has just moved.
        if !(*buffer).as_ref().as_ptr().cast::<u64>().is_aligned() {
            buffer = Box::new(AlignedBytes::copy_of((*buffer).as_ref()));
        }
        Self::Buffer(buffer)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Map(map) => map.as_ref(),
            Self::Buffer(buffer) => (**buffer).as_ref(),
        }
    }

    /// The map, where a file is mapped.
    pub(super) fn mapped(&self) -> Option<&Mapped> {
        match self {
            Self::Map(map) => Some(map.mapped()),
            Self::Buffer(_) => None,
        }
    }

    /// Which file is mapped; `None` for a buffer.
    pub(super) fn identity(&self) -> Option<FileIdentity> {
        match self {
            Self::Map(map) => Some(map.identity()),
            Self::Buffer(_) => None,
        }
    }

    /// Gives advice about a range of bytes. Nothing happens for buffers.
    pub(super) fn advise(&self, advice: Advice, range: Range<usize>) -> std::io::Result<()> {
        let Self::Map(map) = self else { return Ok(()) };
        match advice {
            Advice::WillNeed => pieces(&range, WINDOW).try_for_each(|piece| map.advise(advice, piece)),
            Advice::Preload => {
                map.mapped().preload(range);
                Ok(())
            }
            _ => map.advise(advice, range),
        }
    }
}

/// A copy of bytes that starts at a multiple of eight, as files of the format have to.
///
/// Buffers from an allocator are nearly always aligned like that; slices out of the middle of something may not be.
#[derive(Debug, Clone)]
pub struct AlignedBytes {
    words: Vec<u64>,
    length: usize,
}

impl AlignedBytes {
    /// Copies `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, length: bytes.len() }
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}
