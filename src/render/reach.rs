//! How far a record can change pixels beyond its own footprint.

use super::RenderOptions;

/// The widest kernel and the distortion of latitude, in pixels: Lanczos reaches 4 cells, the neighbour of a cell at its end one more, and
/// a cell of a geographic raster is at 85 degrees 3.4 times as tall as its pixel size says.
const KERNEL: f64 = 18.0;
/// The same through a file between: a cell of that file beside one that the record has, the kernel by which a cell of the pixel's own
/// file is sampled there, and the cell beside that; three cells more.
const THROUGH: f64 = 24.0;

/// How far a kernel and the cells beside it can reach beyond a record's edge, EPSG:3857 metres; the pixels are those of the record or the tile,
/// whichever are larger.
pub(super) fn kernel_reach(tile_resolution: f64, pixel_size: f64) -> f64 {
    KERNEL * pixel_size.max(tile_resolution)
}

/// How far beyond its footprint a record can change pixels, EPSG:3857 metres: a bound, never too small.
///
/// `tile_resolution` is the size of the tile's pixels, `pixel_size` that of the record's; where a source has files of
/// several sizes give the largest, since it is the coarser file's kernel that reaches into the finer one. This is for tiles
/// that are sampled from the records; a coarser tile changes where a finer one that it is the mean of does.
#[must_use]
pub fn reach(options: &RenderOptions, tile_resolution: f64, pixel_size: f64) -> f64 {
    THROUGH * pixel_size.max(tile_resolution) + f64::from(options.surroundings(tile_resolution)) * tile_resolution
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Resampling, kernel::Kernel};

    #[test]
    fn no_kernel_reaches_farther() {
        for how in Resampling::ALL {
            for scale in [0.1, 0.5, 1.0, 1.04, 2.0, 7.3] {
                // `scale` cells a pixel: a cell of one metre, a pixel of `scale` metres.
                let radius = Kernel::new(how, scale).radius() + 0.5;
                // At 85 degrees a cell is 1 by 11.5 where the pixel size says sqrt(11.5).
                let cells = |n: f64| (radius + n) * 11.5f64.sqrt() / scale.max(1.0);
                assert!(cells(1.0) <= KERNEL && cells(3.0) <= THROUGH, "{how} {scale}: {radius}");
            }
        }
    }
}
