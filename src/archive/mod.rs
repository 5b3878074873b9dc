//! Tile archives: MBTiles and PMTiles, read, written, merged, converted and verified.
