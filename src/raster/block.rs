//! The blocks that rasters are stored in.

/// What must be decoded to read a single cell: a tile or a strip of a GeoTIFF, a chunk of a netCDF. One that is larger than
/// the memory of a process can't be read by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// Columns; 0 where the block is not known.
    pub width: u32,
    /// Rows; 0 where the block is not known.
    pub height: u32,
    /// Bytes that a cell of the decoded block takes: of all bands that are stored together, and of the mask.
    pub cell: u32,
}

impl Block {
    /// Bytes that the decoded block takes; 0 where it is not known.
    #[must_use]
    pub fn bytes(self) -> u64 {
        (u64::from(self.width) * u64::from(self.height)).saturating_mul(u64::from(self.cell))
    }
}
