//! What holds the bytes of a store: a map, or a buffer of the caller.

use super::mmap::Map;

/// The bytes behind a store.
pub(super) enum Backing {
    Map(Map),
    Buffer(Box<dyn AsRef<[u8]> + Send + Sync>),
}

impl Backing {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Map(map) => map.as_ref(),
            Self::Buffer(buffer) => (**buffer).as_ref(),
        }
    }
}

/// A copy of bytes that starts at a multiple of eight, as stores have to.
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
