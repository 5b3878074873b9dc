//! From cells to coordinates and back.

/// An affine map from (column, row) to (x, y), its six numbers in GDAL's order: `x = t0 + col t1 + row t2`,
/// `y = t3 + col t4 + row t5`. Cell (0, 0) spans columns and rows 0 to 1; its centre is (0.5, 0.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoTransform(pub [f64; 6]);

impl GeoTransform {
    /// The transform of a north-up raster from its north-western corner and its cell size, all in CRS units.
    #[must_use]
    pub const fn north_up(west: f64, north: f64, cell_width: f64, cell_height: f64) -> Self {
        Self([west, cell_width, 0.0, north, 0.0, -cell_height])
    }

    /// The coordinates of a position in fractional cells.
    #[must_use]
    pub fn apply(&self, col: f64, row: f64) -> (f64, f64) {
        let t = &self.0;
        (t[0] + col * t[1] + row * t[2], t[3] + col * t[4] + row * t[5])
    }

    /// Signed area of a cell in square units of the CRS; negative for north-up rasters.
    #[must_use]
    pub fn determinant(&self) -> f64 {
        self.0[1] * self.0[5] - self.0[2] * self.0[4]
    }

    /// The map from coordinates to fractional cells; `None` where cells have no area or a number is not finite.
    #[must_use]
    pub fn invert(&self) -> Option<Self> {
        let t = &self.0;
        let det = self.determinant();
        if det == 0.0 || !det.is_finite() || t.iter().any(|v| !v.is_finite()) {
            return None;
        }
        if self.is_axis_aligned() {
            // Without the products below, whose rounding would cost digits far from the origin.
            return Some(Self([-t[0] / t[1], 1.0 / t[1], 0.0, -t[3] / t[5], 0.0, 1.0 / t[5]]));
        }
        Some(Self([
            (t[2] * t[3] - t[0] * t[5]) / det,
            t[5] / det,
            -t[2] / det,
            (t[0] * t[4] - t[1] * t[3]) / det,
            -t[4] / det,
            t[1] / det,
        ]))
    }

    /// True where columns run along x and rows along y.
    #[must_use]
    pub fn is_axis_aligned(&self) -> bool {
        self.0[2] == 0.0 && self.0[4] == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_undoes_apply() {
        let transforms = [
            GeoTransform::north_up(138.5, 35.25, 0.2 / 3600.0, 0.2 / 3600.0),
            GeoTransform([500_000.0, 3.0, 4.0, 4_000_000.0, 4.0, -3.0]),
            GeoTransform([0.0, -2.0, 0.0, 0.0, 0.0, 5.0]),
        ];
        for transform in transforms {
            let back = transform.invert().unwrap();
            for (col, row) in [(0.0, 0.0), (0.5, 0.5), (225.0, 150.0), (-7.25, 1e4)] {
                let (x, y) = transform.apply(col, row);
                let (col2, row2) = back.apply(x, y);
                assert!((col - col2).abs() < 1e-6 && (row - row2).abs() < 1e-6, "{col} {row} -> {col2} {row2}");
            }
        }
        assert!(!transforms[1].is_axis_aligned());
        assert_eq!(GeoTransform([0.0; 6]).invert(), None);
        assert_eq!(GeoTransform([f64::NAN, 1.0, 0.0, 0.0, 0.0, 1.0]).invert(), None);
    }
}
