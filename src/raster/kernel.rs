//! The weights of each resampling method along one axis.
//!
//! Where the raster is finer than the tile (`scale` > 1 cells a pixel), the support widens to the pixel's footprint, as
//! GDAL's warper does (`gdalwarpkernel.cpp`): the same function, stretched by the scale and normalised. Scales up to
//! 1/0.95 count as 1, and scales within 0.05 of a whole number count as that number, as there.
//! (GDAL 3.6's widened Lanczos drops the position within a cell; ours does not.)
//!
//! Formulas: triangle; R. Keys, *Cubic convolution interpolation for digital image processing* (1981), a = -0.5;
//! Lanczos with three lobes; the area that a cell shares with the pixel's footprint.

use super::Resampling;

/// A resampling method along one axis, at one scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    method: Resampling,
    scale: f64,
}

impl Kernel {
    /// The kernel of `method` for `scale` cells a pixel (a number that is not positive counts as 1).
    #[must_use]
    pub fn new(method: Resampling, scale: f64) -> Self {
        let given = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        let whole = given.round().max(1.0);
        let snapped = if (given - whole).abs() < 0.05 { whole } else { given };
        let scale = match method {
            Resampling::Average => given,
            _ if snapped <= 1.0 / 0.95 => 1.0,
            _ => snapped,
        };
        Self { method, scale }
    }

    /// Cells on each side of a centre that may have a weight.
    #[must_use]
    pub fn radius(&self) -> f64 {
        match self.method {
            Resampling::Nearest => 0.5,
            Resampling::Bilinear => self.scale,
            Resampling::Cubic => 2.0 * self.scale,
            Resampling::Lanczos => 3.0 * self.scale,
            Resampling::Average => (0.5 * self.scale).max(0.5),
        }
    }

    /// True for the two cells around the centre, by distance: the case that has a loop of its own.
    #[must_use]
    pub fn is_plain_bilinear(&self) -> bool {
        self.method == Resampling::Bilinear && self.scale == 1.0
    }

    /// The first and last cell that [`Kernel::taps`] may give a weight for a centre at `at` (cell i spans i to i + 1).
    #[must_use]
    pub fn span(&self, at: f64) -> (i64, i64) {
        let radius = self.radius() + 0.5;
        ((at - radius).floor() as i64, (at + radius).floor() as i64)
    }

    /// The weights for a centre at `at`, in order of the cells and with sum 1; returns the first cell.
    pub fn taps(&self, at: f64, weights: &mut Vec<f64>) -> i64 {
        weights.clear();
        if self.method == Resampling::Nearest {
            weights.push(1.0);
            return at.floor() as i64;
        }
        if self.is_plain_bilinear() {
            let (first, part) = split(at);
            weights.extend([1.0 - part, part]);
            return first;
        }
        let (low, high) = self.span(at);
        let weight = |cell: i64| {
            let cell = cell as f64;
            if self.method == Resampling::Average {
                let half = self.scale / 2.0;
                return ((cell + 1.0).min(at + half) - cell.max(at - half)).max(0.0);
            }
            let distance = ((cell + 0.5 - at) / self.scale).abs();
            match self.method {
                Resampling::Cubic => keys(distance),
                Resampling::Lanczos => lanczos3(distance),
                _ => (1.0 - distance).max(0.0),
            }
        };
        let mut first = low;
        while first < high && weight(first) == 0.0 {
            first += 1;
        }
        weights.extend((first..=high).map(weight));
        while weights.len() > 1 && weights.last() == Some(&0.0) {
            weights.pop();
        }
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        first
    }
}

/// The left one of the two cells whose centres are around `at`, and how far `at` is on the way to the right one.
pub(super) fn split(at: f64) -> (i64, f64) {
    // As floor, which is a call on plain x86-64.
    let place = at - 0.5;
    let whole = place as i64;
    let left = whole - i64::from(whole as f64 > place);
    (left, place - left as f64)
}

/// Keys' cubic convolution, a = -0.5.
fn keys(x: f64) -> f64 {
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// sinc(x) sinc(x / 3) within three cells.
fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
    if x < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [f64; 8] = [0.0, 0.25, 0.5, 0.75, 1.0, 17.3, 1e5 + 0.125, -3.4];
    const SCALES: [f64; 6] = [0.1, 1.0, 1.3, 2.0, 3.7, 40.0];

    #[test]
    fn weights_partition_unity_inside_the_span() {
        let mut weights = Vec::new();
        for method in Resampling::ALL {
            for scale in SCALES {
                let kernel = Kernel::new(method, scale);
                for at in PLACES {
                    let first = kernel.taps(at, &mut weights);
                    let sum: f64 = weights.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{method} {scale} {at}: {weights:?}");
                    let (low, high) = kernel.span(at);
                    assert!(low <= first && first + weights.len() as i64 - 1 <= high, "{method} {scale} {at}");
                    assert!(weights.iter().all(|w| w.is_finite()));
                }
            }
        }
    }

    #[test]
    fn kernels_reproduce_a_line_where_they_should() {
        let mut weights = Vec::new();
        for (method, scale) in [
            (Resampling::Bilinear, 1.0),
            (Resampling::Bilinear, 2.0),
            (Resampling::Cubic, 1.0),
            (Resampling::Cubic, 2.0),
        ] {
            let kernel = Kernel::new(method, scale);
            for at in PLACES {
                let first = kernel.taps(at, &mut weights);
                let center: f64 = weights.iter().enumerate().map(|(i, w)| w * (first as f64 + i as f64 + 0.5)).sum();
                assert!((center - at).abs() < 1e-9 * at.abs().max(1.0), "{method} {scale} {at}: {center}");
            }
        }
    }

    #[test]
    fn scales_snap_as_gdals_do() {
        assert!(Kernel::new(Resampling::Bilinear, 1.049).is_plain_bilinear());
        assert!(Kernel::new(Resampling::Bilinear, 0.2).is_plain_bilinear());
        assert!(!Kernel::new(Resampling::Bilinear, 1.06).is_plain_bilinear());
        assert_eq!(Kernel::new(Resampling::Bilinear, 1.96), Kernel::new(Resampling::Bilinear, 2.0));
        assert_eq!(Kernel::new(Resampling::Cubic, f64::NAN), Kernel::new(Resampling::Cubic, 1.0));
    }

    #[test]
    fn nearest_takes_the_cell_and_average_the_area() {
        let mut weights = Vec::new();
        assert_eq!(Kernel::new(Resampling::Nearest, 5.0).taps(3.0, &mut weights), 3);
        assert_eq!(Kernel::new(Resampling::Average, 2.0).taps(3.5, &mut weights), 2);
        assert_eq!(weights, [0.25, 0.5, 0.25]);
        assert_eq!(Kernel::new(Resampling::Average, 0.5).taps(3.5, &mut weights), 3);
        assert_eq!(weights, [1.0]);
    }
}
