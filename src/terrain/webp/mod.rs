//! An encoder of lossless WebP, made for elevation tiles; written from the specification, RFC 9649.
//!
//! Heights in RGB are unlike photographs: a step of the ground changes two channels at once where it carries, and residuals have few
//! distinct values. So a residual's three colours are weighed, and coded, as one symbol, a slot of the colour cache:
//!
//! 1. `palette`: an image of 256 colours or fewer becomes indices.
//! 2. `modes`: each block takes the predictor (`predict`) whose residuals are the cheapest, by how often they occur in the image.
//! 3. `refs`, `parse`: residuals become tokens: literals, cache slots, copies. Rough terrain repeats nothing but runs.
//!    Terrain upsampled from a coarser grid does: `way` tells the two apart by a few rows, and takes the smooth one another way, from the
//!    left by copies wherever they are found (`copies`). The smaller levels also weigh all copies against one another.
//! 4. `groups`: blocks of like statistics share prefix codes (`huffman`).
//!
//! The smallest level chooses predictors and groups together, for blocks of 4 x 4 pixels (`joint`).
//!
//! All decisions are made in whole numbers: the same pixels give the same bytes on every machine.

mod bits;
mod copies;
mod cost;
mod encoder;
mod groups;
mod huffman;
mod joint;
mod modes;
mod palette;
mod parse;
mod predict;
mod refs;
#[cfg(test)]
mod tests;
mod way;

pub use encoder::{Encoder, Level};
