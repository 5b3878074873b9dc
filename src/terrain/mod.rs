//! Elevation in tiles: encodings, vertical rounding, masks, downsampling, lineage and image codecs.
