//! Shaded relief of a mosaic of tiles.
