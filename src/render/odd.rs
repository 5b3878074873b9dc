//! Heights that the Earth does not have: cells without a value that their file does not declare.

use crate::raster::RasterInfo;
use crate::terrain::EARTH;

/// Cell values that often stand for no value, and that may be heights once scale, offset and unit are applied.
const VOIDS: [f64; 4] = [-9999.0, -32767.0, -32768.0, -99999.0];
/// Real depths that equal a nodata value have neighbours within so many metres.
const NEAR: f32 = 500.0;

/// Pixels of a record whose heights are impossible or unlikely.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct Odd {
    /// How many.
    pub pixels: u64,
    /// The lowest of their heights, metres.
    pub lowest: f32,
    /// The highest of their heights, metres.
    pub highest: f32,
    /// The cell value, as stored in the file, of the one that is farthest from 0.
    pub cell: f64,
}

impl Odd {
    /// Adds others.
    pub(super) fn add(&mut self, other: &Self) {
        if other.pixels == 0 {
            return;
        }
        let before = if self.pixels == 0 { *other } else { *self };
        self.pixels += other.pixels;
        self.lowest = before.lowest.min(other.lowest);
        self.highest = before.highest.max(other.highest);
        // Does not depend on the order.
        let larger = other.cell.abs().total_cmp(&before.cell.abs()).then(other.cell.total_cmp(&before.cell));
        self.cell = if larger.is_gt() { other.cell } else { before.cell };
    }
}

/// Looks at the pixels of a square that were filled just now, without a margin: those that are valid and not so `before`.
pub(super) fn look(
    (size, margin): (usize, usize),
    info: &RasterInfo,
    values: &[f32],
    valid: &[u8],
    before: &[u8],
) -> Odd {
    let voids = VOIDS.map(|v| (v * info.scale + info.offset) as f32);
    let mut beyond = Odd::default();
    let mut exact = [Odd::default(); VOIDS.len()];
    let mut near = [0u64; VOIDS.len()];
    let cell = |height: f32| {
        let raw = (f64::from(height) - info.offset) / info.scale;
        if (raw - raw.round()).abs() < 1e-3 * raw.abs().max(1.0) { raw.round() } else { raw }
    };
    for row in margin..size - margin {
        let line = row * size + margin..(row + 1) * size - margin;
        let suspicious = |v: f32| !EARTH.contains(&v) || voids.iter().any(|&void| (v - void).abs() <= NEAR);
        // Most lines hold no such pixel.
        if !values[line.clone()].iter().any(|&v| suspicious(v)) {
            continue;
        }
        for at in line.filter(|&at| valid[at] == 1 && before[at] == 0) {
            let height = values[at].clamp(f32::MIN, f32::MAX);
            let one = Odd { pixels: 1, lowest: height, highest: height, cell: cell(height) };
            if !EARTH.contains(&height) {
                beyond.add(&one);
                continue;
            }
            for (i, &void) in voids.iter().enumerate() {
                if (height - void).abs() <= void.abs() * 1e-6 {
                    exact[i].add(&one);
                } else if (height - void).abs() <= NEAR {
                    near[i] += 1;
                }
            }
        }
    }
    exact.iter().zip(near).filter(|(exact, near)| exact.pixels > *near).for_each(|(exact, _)| beyond.add(exact));
    beyond
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_type::DataType;
    use crate::raster::GeoTransform;

    fn info(scale: f64, offset: f64) -> RasterInfo {
        RasterInfo {
            path: "a.tif".into(),
            width: 4,
            height: 4,
            transform: GeoTransform::north_up(0.0, 0.0, 1.0, 1.0),
            crs: String::new(),
            nodata: None,
            data_type: DataType::F32,
            scale,
            offset,
            more_nodata: Vec::new(),
            turn: None,
            limits: None,
        }
    }

    fn found(info: &RasterInfo, values: &[f32]) -> (u64, f64) {
        let side = values.len();
        let mut plane = vec![0.0; side * side];
        plane[..side].copy_from_slice(values);
        let valid = vec![1; side * side];
        let odd = look((side, 0), info, &plane, &valid, &vec![0; side * side]);
        (odd.pixels, odd.cell)
    }

    #[test]
    fn voids_that_are_not_declared_are_counted_and_depths_are_not() {
        let plain = info(1.0, 0.0);
        assert_eq!(found(&plain, &[-9999.0, 200.0, -9999.0]), (2, -9999.0));
        assert_eq!(found(&plain, &[-32767.0, 200.0, 8848.0]), (1, -32767.0));
        assert_eq!(found(&plain, &[1e20, f32::MAX, f32::INFINITY]).0, 3);
        assert_eq!(found(&plain, &[-10_990.0, 8_999.0, 0.0]).0, 0);
        // In a real trench, other depths lie beside such a value.
        assert_eq!(found(&plain, &[-9_998.0, -9_999.0, -10_000.5]).0, 0);
        // Feet and offsets.
        assert_eq!(found(&info(0.3048, -5.0), &[(-9999.0f64 * 0.3048 - 5.0) as f32, 1.0]), (1, -9999.0));
        assert_eq!(found(&info(0.1, 0.0), &[-3276.7, 1.0]), (1, -32767.0));
        let (valid, before) = (vec![1; 4], vec![1, 0, 1, 1]);
        assert_eq!(look((2, 0), &plain, &[-9999.0; 4], &valid, &before).pixels, 1);
    }

    #[test]
    fn sums_do_not_depend_on_their_order() {
        let odd = |cell: f64| Odd { pixels: 1, lowest: cell as f32, highest: cell as f32, cell };
        let sum = |cells: &[f64]| {
            let mut all = Odd::default();
            cells.iter().for_each(|&c| all.add(&odd(c)));
            all
        };
        assert_eq!(sum(&[-9999.0, 9999.0, 1e20, -5.0]), sum(&[1e20, -5.0, 9999.0, -9999.0]));
        assert_eq!(sum(&[9999.0, -9999.0]), sum(&[-9999.0, 9999.0]));
    }
}
